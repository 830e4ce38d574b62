"""What cuts on pT and rapidity of single particles say about a particle, or a system of several.

A system has at least the summed transverse masses of its parts, since in the frame in which its
rapidity is zero E = sum m_T cosh(y) is its own transverse mass; and its rapidity lies between
theirs.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.numerics import safe_sqrt

from .kinematics import Number
from .tree import Branch, Leaf, Node

#: Smallest range of a squared cosine.
_SMALLEST = 1e-30
#: Rapidities beyond this are none of any particle in double precision.
_FARTHEST = 100.0


class Reach(NamedTuple):
    """Bounds of one node of a tree in the rest frame of the beams; GeV."""

    mass: Number
    transverse_mass: Number  #: at least
    pt: Number  #: at least
    rapidity: float  #: |y| at most


def reaches(
    tree: Branch, mass: Callable[[Node], Number], sizes: Mapping[Branch, Array]
) -> dict[Node, Reach]:
    """Bounds of all nodes. sizes: momenta of the products of each branch in its rest frame, GeV."""
    found: dict[Node, Reach] = {}
    for branch in reversed(tuple(tree.branches())):
        for child in branch.children:
            found[child] = _reach(child, mass(child), found, sizes)
    return found


def _reach(
    node: Node, mass: Number, found: Mapping[Node, Reach], sizes: Mapping[Branch, Array]
) -> Reach:
    if not node.is_cut:
        return Reach(mass, mass, 0.0, math.inf)
    if isinstance(node, Leaf):
        return Reach(mass, jnp.hypot(mass, node.minimum_pt), node.minimum_pt, node.maximum_rapidity)
    below = [found[child] for child in node.children]
    total = sum(reach.transverse_mass for reach in below)
    # What a product has along the flight across the beams, m_T + p_T, cannot be more than this
    # factor times E* + p*.
    stretch: Number = 1.0
    for reach in below:
        ahead = jnp.hypot(reach.mass, sizes[node]) + sizes[node]
        stretch = jnp.maximum(stretch, (reach.transverse_mass + reach.pt) / ahead)
    pt = jnp.maximum(
        safe_sqrt((total - mass) * (total + mass)), 0.5 * mass * (stretch - 1.0 / stretch)
    )
    return Reach(mass, jnp.hypot(mass, pt), pt, max(reach.rapidity for reach in below))


@dataclasses.dataclass(frozen=True)
class Products:
    """Both products of a branch. In arrays of bounds the first axis is that of the products."""

    each: tuple[Reach, Reach]
    is_cut: bool

    @classmethod
    def of(cls, branch: Branch, found: Mapping[Node, Reach]) -> Products:
        first, second = (found[child] for child in branch.children)
        return cls((first, second), branch.is_cut)

    @functools.cached_property
    def masses(self) -> Array:
        """(2, events or 1), GeV."""
        first, second = self.each
        return stacked(first.mass, second.mass)

    @functools.cached_property
    def least(self) -> Array:
        """Smallest transverse masses, (2, events or 1), GeV."""
        first, second = self.each
        return stacked(first.transverse_mass, second.transverse_mass)

    @functools.cached_property
    def shrink(self) -> np.ndarray:
        """exp(-2 y) for the largest rapidities, (2, 1); 0 without a bound."""
        return np.array([[_shrink(reach.rapidity)] for reach in self.each])

    def energies(self, size: Array) -> Array:
        """For a momentum of this size, GeV."""
        return jnp.sqrt(size * size + self.masses * self.masses)

    def slow(self, size: Array) -> Array:
        """Energies less momentum, to relative precision."""
        return self.masses * self.masses / (self.energies(size) + size)

    def symmetric_range(self, size: Array) -> tuple[Array | float, Array | float]:
        """Smallest w = (1 - cos theta)/2 and width of its range, for momenta of this size in the
        rest frame of the beams."""
        low: Array | float = 0.0
        width: Array | float = 1.0
        for reach in self.each:
            for least, reached in _polar(reach, size):
                low, width = jnp.maximum(low, least), jnp.minimum(width, reached)
        return low, width


def _polar(reach: Reach, size: Array) -> Iterator[tuple[Array, Array]]:
    """Smallest w and the width of its range, the largest cosine, from each bound."""
    if reach.rapidity < _FARTHEST:
        cosh, sinh = math.cosh(reach.rapidity), math.sinh(reach.rapidity)
        light = sinh * reach.mass / size
        sin_squared = jnp.maximum((1.0 - light) * (1.0 + light), 0.0) / cosh**2
        width = jnp.sqrt(1.0 - sin_squared)
        yield 0.5 * sin_squared / (1.0 + width), width
    if not isinstance(reach.pt, float) or reach.pt > 0.0:
        # sin(theta) > pT/|k|; where invariants leave just this pT the range is kept open
        ratio = jnp.minimum(reach.pt / size, 1.0)
        width = jnp.sqrt(jnp.maximum((1.0 - ratio) * (1.0 + ratio), _SMALLEST))
        yield 0.5 * ratio * ratio / (1.0 + width), width


def stacked(first: Number, second: Number) -> Array:
    """Numbers or arrays (events,) as one with a new first axis, (2, events) or (2, 1)."""
    return jnp.stack(jnp.broadcast_arrays(*(jnp.atleast_1d(x) for x in (first, second))))


def _shrink(rapidity: float) -> float:
    return math.exp(-2.0 * rapidity) if rapidity < _FARTHEST else 0.0
