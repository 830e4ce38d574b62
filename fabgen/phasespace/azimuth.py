"""Azimuths that cuts leave: those whose cosine lies in a range.

Transverse mass and rapidity of a particle are linear in E + z and E - z, and these in the cosine of
its azimuth about any axis: cuts on pT and rapidity leave an interval of the cosine, of which two
arcs are the mirror images.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from fabgen.arrays import Mask, Number, PerEvent

from .kinematics import TWO_PI

PI = 0.5 * TWO_PI

#: How far outside of an arc an azimuth may lie by rounding: the arccos loses half of the digits.
_ROUNDING = 1e-7
#: Where less than this is left of the half circle all of it is kept: nothing is in cuts there.
_SMALLEST = 1e-6


class Arc(NamedTuple):
    """|azimuth| in [start, start + width], in radians."""

    start: PerEvent
    width: PerEvent
    low: PerEvent  #: of the cosine
    high: PerEvent

    @classmethod
    def between(cls, low: PerEvent, high: PerEvent) -> Arc:
        """Azimuths with a cosine between these; all if there is none."""
        start, end = _arccos(high), _arccos(low)
        is_open = end - start > _SMALLEST
        start, width = jnp.where(is_open, start, 0.0), jnp.where(is_open, end - start, PI)
        return cls(start, width, jnp.where(is_open, low, -1.0), jnp.where(is_open, high, 1.0))

    def unless(self, everything: Mask) -> Arc:
        """The full circle where asked for."""
        full = (0.0, PI, -1.0, 1.0)
        return Arc(*(jnp.where(everything, a, b) for a, b in zip(full, self, strict=True)))

    @property
    def fraction(self) -> PerEvent:
        """Of the full circle."""
        return self.width / (0.5 * TWO_PI)

    def forward(self, u: PerEvent) -> PerEvent:
        """u -> azimuth in [-pi, pi]; 2 pi u, less a turn in the second half, of a full circle."""
        first = u < 0.5
        size = self.start + 2.0 * jnp.where(first, u, 1.0 - u) * self.width
        return jnp.where(first, size, -size)

    def inverse(self, azimuth: PerEvent) -> PerEvent:
        """azimuth in [-pi, pi] -> u; it is taken to lie in the range."""
        half = 0.5 * jnp.clip((jnp.abs(azimuth) - self.start) / self.width, 0.0, 1.0)
        return jnp.where(azimuth < 0.0, 1.0 - half, half)

    def contains(self, cos: PerEvent, sin: PerEvent) -> Mask:
        """Whether azimuths, by cos and sin, lie in the range, up to rounding."""
        rounding = _ROUNDING * (jnp.abs(sin) + _ROUNDING)
        return (cos <= self.high + rounding) & (cos >= self.low - rounding)


def _arccos(x: Number) -> PerEvent:
    """arccos of x cut off at -1 and 1, with derivative 0 there."""
    inside = jnp.abs(x) < 1.0
    ends = jnp.where(jnp.asarray(x) > 0.0, 0.0, 0.5 * TWO_PI)
    x = jnp.where(inside, x, 0.0)
    # The half angle: to relative precision at x = 1, and faster than jnp.arccos.
    return jnp.where(inside, 2.0 * jnp.arctan(jnp.sqrt((1.0 - x) / (1.0 + x))), ends)
