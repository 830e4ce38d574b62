"""What cuts on pT and rapidity of single particles say about a particle, or a system of several.

A system has at least the summed transverse masses of its parts, since in the frame in which its
rapidity is zero E = sum m_T cosh(y) is its own transverse mass; and its rapidity lies between
theirs. Without cuts all bounds are 0.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.arrays import Number, PerEvent
from fabgen.numerics import safe_sqrt

from .fusion import rows
from .ranges import OfNodes, OfSplits, at
from .row import Row

#: Smallest range of a squared cosine.
_SMALLEST = 1e-30
#: Where rapidities leave less than this of the range of w they do not limit it: nothing is in cuts.
_LEFT = 1e-12

#: A number for each of two products, per event or for all events.
Both = Float[Array, "2 #events"]


@dataclasses.dataclass(frozen=True)
class Reach:
    """Bounds of all nodes of a row in the rest frame of the beams; GeV."""

    row: Row
    mass: OfNodes
    transverse_mass: OfNodes  #: at least
    pt: OfNodes  #: at least
    front: Float[Array, " nodes #events"]  #: exp(-2 y) at the largest rapidity, 0: no bound
    back: Float[Array, " nodes #events"]  #: exp(2 y) at the smallest one

    @classmethod
    def of(cls, row: Row, mass: OfNodes, sizes: OfSplits, boosts: tuple[Number, Number]) -> Reach:
        """mass: of all nodes; sizes: momenta of what each split makes in its rest frame, GeV.

        boosts: lowest and highest rapidity in the lab of the rest frame of the beams.
        """
        n = row.n_final
        cut = jnp.asarray(row.is_cut)
        pt = jnp.broadcast_to(jnp.asarray(row.pt)[:, None], mass.shape)
        transverse = jnp.where(cut[:, None], jnp.sqrt(mass * mass + pt * pt), mass)
        for split in reversed(range(1, n - 1)):
            node, size, ends = n + split, sizes[split], row.children[split]
            m, total = mass[node], at(transverse, ends[0]) + at(transverse, ends[1])
            # What a product has along the flight across the beams, m_T + p_T, cannot be more than
            # this factor times E* + p*.
            stretch = jnp.ones(())
            for end in ends:
                ahead = jnp.sqrt(at(mass, end) ** 2 + size * size) + size
                stretch = jnp.maximum(stretch, (at(transverse, end) + at(pt, end)) / ahead)
            across = jnp.maximum(
                safe_sqrt((total - m) * (total + m)), 0.5 * m * (stretch - 1.0 / stretch)
            )
            across = jnp.where(cut[node], across, 0.0)
            pt = pt.at[node].set(across)
            transverse = transverse.at[node].set(jnp.sqrt(m * m + across * across))
        shrink = jnp.asarray(row.shrink)[:, None]
        low, high = (jnp.atleast_1d(jnp.exp(2.0 * jnp.asarray(boost))) for boost in boosts)
        return cls(row, mass, transverse, pt, shrink * low, shrink / high)

    def products(self, split: int | Int[Array, ""]) -> Products:
        """Both nodes that a split makes."""
        ends = jnp.asarray(self.row.children)[split]
        return Products(
            self.mass[ends],
            self.transverse_mass[ends],
            self.pt[ends],
            self.front[ends],
            self.back[ends],
            jnp.asarray(self.row.is_cut)[self.row.n_final + split],
        )


@dataclasses.dataclass(frozen=True)
class Products:
    """Both products of a split: as in Reach."""

    masses: Both
    least: Both  #: smallest transverse masses
    pt: Both
    front: Both
    back: Both
    is_cut: Bool[Array, ""]  #: whether there is any bound

    def energies(self, size: PerEvent) -> Both:
        """For a momentum of this size, GeV."""
        return jnp.sqrt(size * size + self.masses * self.masses)

    def slow(self, size: PerEvent) -> Both:
        """Energies less momentum, to relative precision."""
        return self.masses * self.masses / (self.energies(size) + size)

    def polar_range(self, size: PerEvent) -> tuple[PerEvent, PerEvent]:
        """Smallest w = (1 - cos theta)/2 of the first and width of its range, for momenta of this
        size in the rest frame of the beams."""
        # sin(theta) > pT/|k|; where invariants leave just this pT the range is kept open
        ratio = jnp.minimum(jnp.maximum(*rows(self.pt)) / size, 1.0)
        width = jnp.sqrt(jnp.maximum((1.0 - ratio) * (1.0 + ratio), _SMALLEST))
        low = 0.5 * ratio * ratio / (1.0 + width)
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
