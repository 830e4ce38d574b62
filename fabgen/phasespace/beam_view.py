"""What cuts on pT and rapidity leave of the angles of a scattering that is not the first.

It is q p -> k_1 k_2 with the beam p along -z in the rest frame of both, where the directions of the
beams in their own rest frame are a = (1, 0, 0, 1) and b = (1, 0, 0, -1): E + z = b.k and E - z =
a.k there. Here b is a multiple of (1, 0, 0, -1), so that E + z of both products follows from the
polar angle theta, and E - z is linear in the cosine of the azimuth between k_1 and a. This leaves
an interval of that cosine.

Of theta remains where some azimuth satisfies each bound that is linear in k, for both products:

    y < Y:     (a - exp(-2 Y) b).k > 0,  and likewise at the other end,
    m_T > T:   (a exp(y) + b exp(-y)).k > 2 T,

with y the rapidity of k_1 + k_2: the last is that of the energy in the frame in which y is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp

from fabgen.arrays import Number, PerEvent
from fabgen.numerics import safe_sqrt

from .azimuth import Arc
from .fusion import rows
from .reach import Both, Products, stacked

#: Smallest momentum times direction that an azimuth changes, and smallest E + z; GeV.
_TINY = 1e-60
#: Where less than this is left of the range of w cuts do not limit it: nothing is in cuts there.
_SMALLEST = 1e-12


class BeamView(NamedTuple):
    """The beams as they are seen in the rest frame of the products, of momentum `size` (GeV)."""

    scale: Number  #: b is this multiple of (1, 0, 0, -1)
    plus: PerEvent  #: E + z of a
    minus: PerEvent  #: E - z of a
    across: PerEvent  #: what a has across z, > 0
    size: PerEvent
    products: Products

    def azimuths(self, w: PerEvent) -> Arc:
        """Azimuths of k_1 relative to a, for w = (1 - cos theta)/2."""
        swing = jnp.maximum(2.0 * self.across * self.size * safe_sqrt(w * (1.0 - w)), _TINY)
        slow, far = self.products.slow(self.size), stacked(w, 1.0 - w)
        ahead = slow + 2.0 * self.size * (1.0 - far)
        behind = slow + 2.0 * self.size * far
        centre = 0.5 * (self.plus * behind + self.minus * ahead)
        # E - z in the rest frame of the beams, given E + z: from m_T^2 = (E + z)(E - z), exp(2 y)
        plus = jnp.maximum(self.scale * ahead, _TINY)
        front, back = self.products.front, self.products.back
        least = jnp.maximum(self.products.least**2 / plus, plus * front)
        after = (centre - least) / swing  # at most; the cosine of k_2 is minus that of k_1
        first, second = rows(after)
        low, high = jnp.maximum(-second, -1.0), jnp.minimum(first, 1.0)
        before = (back * centre - plus) / (jnp.maximum(back, _TINY) * swing)
        first, second = rows(before)
        low, high = jnp.maximum(low, first), jnp.minimum(high, -second)
        return Arc.between(low, high)

    def polar(self, low: Number, width: Number) -> tuple[PerEvent, PerEvent]:
        """Smallest w and width of its range, out of one that holds anyway."""
        smallest, largest = -jnp.ones_like(self.size), jnp.ones_like(self.size)
        energies = self.products.energies(self.size)
        for time, along, across, least in self._forms():
            # time E -+ |p| (along cos theta - across sin theta) > least, for the azimuth that makes
            # it largest: a cosine of theta + tilt for k_1, of theta - tilt for k_2.
            length = jnp.maximum(safe_sqrt(along * along + across * across), _TINY)
            cos, sin = along / length, across / length
            bound = jnp.clip((time * energies - least) / (length * self.size), -1.0, 1.0)
            rest = safe_sqrt(1.0 - bound * bound) * sin
            near = jnp.where(bound < cos, bound * cos + rest, 1.0)
            far = jnp.where(bound < -cos, bound * cos - rest, -1.0)
            (near, near_2), (far, far_2) = rows(near), rows(far)
            largest = jnp.minimum(largest, jnp.minimum(near, -far_2))
            smallest = jnp.maximum(smallest, jnp.maximum(far, -near_2))
        start = jnp.maximum(low, 0.5 * (1.0 - largest))
        end = jnp.minimum(low + width, 0.5 * (1.0 - smallest))
        is_open = end - start > _SMALLEST
        return jnp.where(is_open, start, low), jnp.where(is_open, end - start, width)

    def _forms(
        self,
    ) -> Iterator[tuple[PerEvent | Both, PerEvent | Both, PerEvent | Both, Both | float]]:
        """v.k > least for both products: v as E, z and |component across z|, and the bound."""
        time, along = 0.5 * (self.plus + self.minus), 0.5 * (self.plus - self.minus)
        stretch = jnp.sqrt(self.scale / time)  # exp(y): the sum of the products rests here
        yield (
            0.5 * (time * stretch + self.scale / stretch),
            0.5 * (along * stretch - self.scale / stretch),
            0.5 * self.across * stretch,
            self.products.least,
        )
        front, back = self.products.front, self.products.back
        yield time - front * self.scale, along + front * self.scale, self.across, 0.0
        yield self.scale - back * time, -self.scale - back * along, back * self.across, 0.0
