"""The map along one tree of decays and scatterings."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
from jax import Array
from jaxtyping import Float

from .forward import forward
from .inverse import inverse
from .mapping import Kinematics, Mapping
from .row import Row, row_of
from .splits import Kind
from .tree import Branch, Exchange, order_of_drawing

#: Rows are arguments: maps of one kind share a program.
_forward = jax.jit(forward, static_argnums=0)
_inverse = jax.jit(inverse, static_argnums=0)


@dataclass(frozen=True)
class TreeMap(Mapping):
    """A row (row.py) with the tree that it is made of. The map is that of splits.py.

    from_second: the ladder of scatterings starts from the second beam, along -z; momenta are then
    mirrored in z.
    """

    tree: Branch
    n_final: int
    from_second: bool = False

    def __post_init__(self) -> None:
        scatterings = [b for b in self.tree.branches() if b.exchange is not None]
        if len(scatterings) > len(tuple(self.tree.scatterings())):
            raise ValueError("a scattering is the root, or the second child of a scattering")
        if sorted(self.tree.legs) != list(range(self.n_final)):
            raise ValueError(f"legs {self.tree.legs} are not 0..{self.n_final - 1}, once each")

    @functools.cached_property
    def drawn(self) -> tuple[Branch, ...]:
        """All branches but the root in the order in which their invariants are drawn."""
        return tuple(order_of_drawing(tuple(self.tree.branches())))

    @functools.cached_property
    def ladder(self) -> tuple[tuple[Branch, Exchange], ...]:
        """The branches that are scatterings, the root first."""
        return tuple(self.tree.scatterings())

    @functools.cached_property
    def kind(self) -> Kind:
        """The least program that its row needs."""
        return Kind(self.n_final, self.tree.exchange is not None, self.tree.is_cut)

    @functools.cached_property
    def row(self) -> Row:
        return row_of(self.tree, self.from_second)

    def renamed(self, permutation: Sequence[int]) -> TreeMap:
        """The map whose leg i is leg permutation[i] of this one: only identical particles may
        change places."""
        name = {leg: i for i, leg in enumerate(permutation)}
        return dataclasses.replace(self, tree=self.tree.renamed(name))

    def forward(
        self, u: Float[Array, " {self.dim} *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "{self.n_final} 4 *events"], Float[Array, "*events"]]:
        found: tuple[Array, Array] = _forward(self.kind, u, self.row, kinematics)
        return found

    def inverse(
        self, momenta: Float[Array, "{self.n_final} 4 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " {self.dim} *events"], Float[Array, "*events"]]:
        found: tuple[Array, Array] = _inverse(self.kind, momenta, self.row, kinematics)
        return found
