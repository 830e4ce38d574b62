"""Trees of decays and scatterings along one diagram: what a Cascade maps phase space with."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["breit-wigner", "breit-wigner-tail", "power", "flat"]
#: Invariants are drawn in this order (and from the root to the leaves within one rank): the shape
#: of a resonance is then never cut short by what a shapeless invariant happened to be.
RANK = {"breit-wigner": 0, "breit-wigner-tail": 0, "power": 1, "flat": 2}


@dataclass(frozen=True)
class Propagator:
    """How the invariant mass of a branch is distributed, and its bounds."""

    kind: Kind = "flat"
    resonance: int | None = None  #: index into Kinematics.resonance_masses and _widths
    nu: float = 1.4  #: of kind "power"
    window: float | None = None  #: |sqrt(s) - M| < window x Gamma
    minimum: float = 0.0  #: lower bound on sqrt(s) in GeV, from cuts
    maximum: float = math.inf  #: upper bound on sqrt(s) in GeV, from cuts
    #: shares of the variable in the tails of a breit-wigner-tail, below and above
    tails: tuple[float, float] = (0.01, 0.08)

    def __post_init__(self) -> None:
        if self.kind not in RANK:
            raise ValueError(f"unknown kind of propagator {self.kind!r}")
        resonant = self.kind.startswith("breit-wigner") or self.window is not None
        if resonant and self.resonance is None:
            raise ValueError(f"a {self.kind} propagator with a width needs a resonance")


@dataclass(frozen=True)
class Leaf:
    """A final particle, by its index, and what cuts say about it in the lab."""

    leg: int
    minimum_pt: float = 0.0  #: lower bound on pT in GeV
    maximum_rapidity: float = math.inf  #: upper bound on |y|

    @property
    def is_cut(self) -> bool:
        """Whether there is any bound."""
        return self.minimum_pt > 0.0 or self.maximum_rapidity < math.inf

    @property
    def legs(self) -> tuple[int, ...]:
        """Indices of the final particles below."""
        return (self.leg,)


@dataclass(frozen=True)
class Exchange:
    """How the t of a scattering is distributed: density (M^2 - t)^-nu for a particle of mass M."""

    mass: int | None = None  #: index into Kinematics.exchanged_masses; None: massless
    nu: float = 1.4


@dataclass(frozen=True)
class Branch:
    """What decays into two children; the propagator of the root is for beams of variable energy.

    With an exchange it is no decay but a scattering of a virtual particle (in the root: a beam) off
    the other beam, and the exchanged particle is what the first child takes off the virtual one.
    """

    children: tuple[Leaf | Branch, Leaf | Branch]
    propagator: Propagator = Propagator()
    exchange: Exchange | None = None

    @functools.cached_property
    def legs(self) -> tuple[int, ...]:
        """Indices of the final particles below."""
        return self.children[0].legs + self.children[1].legs

    @functools.cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The final particles below."""
        return tuple(leaf for child in self.children for leaf in _leaves(child))

    @functools.cached_property
    def is_cut(self) -> bool:
        """Whether there are bounds on any particle below."""
        return any(leaf.is_cut for leaf in self.leaves)

    @functools.cached_property
    def bodies(self) -> int:
        """How many particles or propagators this pseudo-particle consists of."""
        return sum(
            child.bodies if isinstance(child, Branch) and child.propagator.kind == "flat" else 1
            for child in self.children
        )

    def scatterings(self) -> Iterator[tuple[Branch, Exchange]]:
        """This branch if it is a scattering, and those of what is left: a ladder."""
        if self.exchange is not None:
            yield self, self.exchange
            rest = self.children[1]
            if isinstance(rest, Branch):
                yield from rest.scatterings()

    def renamed(self, name: Mapping[int, int]) -> Branch:
        """The same with other numbers for the legs."""

        def node(child: Leaf | Branch) -> Leaf | Branch:
            if isinstance(child, Branch):
                return child.renamed(name)
            return dataclasses.replace(child, leg=name[child.leg])

        first, second = map(node, self.children)
        return dataclasses.replace(self, children=(first, second))

    def branches(self) -> Iterator[Branch]:
        """This branch and all below, parents before children."""
        yield self
        for child in self.children:
            if isinstance(child, Branch):
                yield from child.branches()


Node = Leaf | Branch


def order_of_drawing(branches: Sequence[Branch]) -> list[Branch]:
    """All branches but the first, the root, in the order in which their invariants are drawn."""
    return sorted(branches[1:], key=lambda branch: RANK[branch.propagator.kind])


def _leaves(node: Node) -> tuple[Leaf, ...]:
    return (node,) if isinstance(node, Leaf) else node.leaves


def flat_tree(
    nodes: Sequence[Node | int],
    propagator: Propagator = Propagator(),
    minimum_mass: Callable[[tuple[int, ...]], float] = lambda legs: 0.0,
) -> Branch:
    """Joins two or more nodes (or legs) into a tree whose new invariants are flat.

    minimum_mass: a lower bound on the mass of some legs, GeV, from cuts.
    """
    joined = [Leaf(node) if isinstance(node, int) else node for node in nodes]
    if len(joined) < 2:
        raise ValueError("a tree needs at least two nodes")
    tree = joined[-1]
    for node in reversed(joined[1:-1]):
        legs = node.legs + tree.legs
        tree = Branch((node, tree), Propagator(minimum=minimum_mass(legs)))
    return Branch((joined[0], tree), propagator)
