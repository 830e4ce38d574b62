"""What cuts on pT and rapidity of single particles say about a particle, or a system of several.

A system has at least the summed transverse masses of its parts, since in the frame in which its
rapidity is zero E = sum m_T cosh(y) is its own transverse mass; and its rapidity lies between
theirs.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Number, PerEvent
from fabgen.numerics import safe_sqrt

from .fusion import rows
from .tree import Branch, Leaf, Node

#: Smallest range of a squared cosine.
_SMALLEST = 1e-30
#: Where rapidities leave less than this of the range of w they do not limit it: nothing is in cuts.
_LEFT = 1e-12
#: Rapidities beyond this are none of any particle in double precision.
_FARTHEST = 100.0


#: A number for each of two products, per event or for all events.
Both = Float[Array, "2 #events"]


class Reach(NamedTuple):
    """Bounds of one node of a tree in the rest frame of the beams; GeV."""

    mass: Number
    transverse_mass: Number  #: at least
    pt: Number  #: at least
    rapidity: float  #: |y| at most, in the lab


def reaches(
    tree: Branch, mass: Callable[[Node], Number], sizes: Mapping[Branch, PerEvent]
) -> dict[Node, Reach]:
    """Bounds of all nodes. sizes: momenta of the products of each branch in its rest frame, GeV."""
    found: dict[Node, Reach] = {}
    for branch in reversed(tuple(tree.branches())):
        for child in branch.children:
            found[child] = _reach(child, mass(child), found, sizes)
    return found


def _reach(
    node: Node, mass: Number, found: Mapping[Node, Reach], sizes: Mapping[Branch, PerEvent]
) -> Reach:
    if not node.is_cut:
        return Reach(mass, mass, 0.0, math.inf)
    if isinstance(node, Leaf):
        least = jnp.sqrt(mass**2 + node.minimum_pt**2)
        return Reach(mass, least, node.minimum_pt, node.maximum_rapidity)
    below = [found[child] for child in node.children]
    total = sum(reach.transverse_mass for reach in below)
    # What a product has along the flight across the beams, m_T + p_T, cannot be more than this
    # factor times E* + p*.
    size, stretch = sizes[node], jnp.ones(())
    for reach in below:
        ahead = jnp.sqrt(reach.mass**2 + size * size) + size
        stretch = jnp.maximum(stretch, (reach.transverse_mass + reach.pt) / ahead)
    pt = jnp.maximum(
        safe_sqrt((total - mass) * (total + mass)), 0.5 * mass * (stretch - 1.0 / stretch)
    )
    transverse = jnp.sqrt(mass * mass + pt * pt)
    return Reach(mass, transverse, pt, max(reach.rapidity for reach in below))


@dataclasses.dataclass(frozen=True)
class Products:
    """Both products of a branch. In arrays of bounds the first axis is that of the products."""

    each: tuple[Reach, Reach]
    is_cut: bool
    boosts: tuple[Number, Number]  #: exp(2 y), lowest and highest, of the beams' rest frame

    @classmethod
    def of(
        cls, branch: Branch, found: Mapping[Node, Reach], boosts: tuple[Number, Number]
    ) -> Products:
        first, second = (found[child] for child in branch.children)
        return cls((first, second), branch.is_cut, boosts)

    @functools.cached_property
    def masses(self) -> Both:
        """(2, events or 1), GeV."""
        first, second = self.each
        return stacked(first.mass, second.mass)

    @functools.cached_property
    def least(self) -> Both:
        """Smallest transverse masses, (2, events or 1), GeV."""
        first, second = self.each
        return stacked(first.transverse_mass, second.transverse_mass)

    @property
    def has_rapidities(self) -> bool:
        """Whether there is a bound on any rapidity."""
        return any(_shrink(reach.rapidity) > 0.0 for reach in self.each)

    @functools.cached_property
    def front(self) -> Both:
        """exp(-2 y) for the largest rapidities in the rest frame of the beams, 0 without a bound;
        (2, events or 1)."""
        return self._shrink * self.boosts[0]

    @functools.cached_property
    def back(self) -> Both:
        """exp(2 y) for the smallest rapidities, 0 without a bound; (2, events or 1)."""
        return self._shrink / self.boosts[1]

    @property
    def _shrink(self) -> Float[Array, "2 1"]:
        return jnp.array([[_shrink(reach.rapidity)] for reach in self.each])

    def energies(self, size: PerEvent) -> Both:
        """For a momentum of this size, GeV."""
        return jnp.sqrt(size * size + self.masses * self.masses)

    def slow(self, size: PerEvent) -> Both:
        """Energies less momentum, to relative precision."""
        return self.masses * self.masses / (self.energies(size) + size)

    def polar_range(self, size: PerEvent) -> tuple[Number, Number]:
        """Smallest w = (1 - cos theta)/2 of the first and width of its range, for momenta of this
        size in the rest frame of the beams."""
        low: Number = 0.0
        width: Number = 1.0
        for reach in self.each:
            if not isinstance(reach.pt, float) or reach.pt > 0.0:
                # sin(theta) > pT/|k|; where invariants leave just this pT the range is kept open
                ratio = jnp.minimum(reach.pt / size, 1.0)
                cos = jnp.sqrt(jnp.maximum((1.0 - ratio) * (1.0 + ratio), _SMALLEST))
                low = jnp.maximum(low, 0.5 * ratio * ratio / (1.0 + cos))
                width = jnp.minimum(width, cos)
        if not self.has_rapidities:
            return low, width
        start, start_2 = rows(self._least_angles(self.front, size))
        end, end_2 = rows(self._least_angles(self.back, size))
        first = jnp.maximum(low, jnp.maximum(start, end_2))
        last = jnp.maximum(low, jnp.maximum(end, start_2))
        is_open = 1.0 - last - first > _LEFT
        return (
            jnp.where(is_open, first, low),
            jnp.where(is_open, jnp.minimum(width, 1.0 - last - first), width),
        )

    def _least_angles(self, shrink: Both, size: PerEvent) -> Both:
        """(1 - cos)/2 at the largest rapidity y = -ln(shrink)/2: cos = (E/|k|) tanh(y)."""
        heavier = self.slow(size) / size
        angle = (shrink - 0.5 * heavier * (1.0 - shrink)) / (1.0 + shrink)
        return jnp.clip(angle, 0.0, 1.0)


def stacked(first: Number, second: Number) -> Both:
    """Numbers or arrays (events,) as one with a new first axis, (2, events) or (2, 1)."""
    return jnp.stack(jnp.broadcast_arrays(*(jnp.atleast_1d(x) for x in (first, second))))


def _shrink(rapidity: float) -> float:
    return math.exp(-2.0 * rapidity) if rapidity < _FARTHEST else 0.0
