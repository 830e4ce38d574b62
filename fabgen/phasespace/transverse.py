"""Decays within cuts on pT and rapidity.

In the frame in which the rapidity y of a system is zero it flies across the beams, with E = m_T. A
product has there, with the polar angle measured from the flight and the azimuth from the beam,

    E' = gamma (E* + beta p* cos theta),   k_z' = p* sin theta cos phi,

    m_T^2 = E'^2 - k_z'^2,   tanh(y_k - y) = k_z'/E'.

So m_T at least T leaves a range of cos theta, E' >= T; and given theta all bounds on pT and
rapidity leave a range of cos phi. Within both every bound holds, of both products.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from fabgen.arrays import Mask, PerEvent
from fabgen.numerics import safe_sqrt

from .azimuth import Arc
from .frames import Cones, Momenta, OfLegs
from .fusion import computed_once, rows
from .kinematics import TWO_PI, Turn, light_cone
from .reach import Both, Products, stacked

#: Smallest momentum, GeV: what is divided by it stays finite.
_TINY = 1e-60
#: A momentum that no other one notices, GeV.
_LEAST = 1e-30
#: Where less than this is left of the range of cos theta all of it is kept: nothing is in cuts.
_SMALLEST = 1e-9
#: How far outside of its range (1 + cos theta)/2 may lie by rounding.
_ROUNDING = 1e-9
#: The second product flies against the first.
_SIGNS = np.array([[1.0], [-1.0]])


class LightCone(NamedTuple):
    """A momentum in the rest frame of the beams, GeV."""

    plus: PerEvent  #: E + z
    minus: PerEvent  #: E - z
    x: PerEvent
    y: PerEvent

    @classmethod
    def of(
        cls, energy: PerEvent, x: PerEvent, y: PerEvent, z: PerEvent, mass: PerEvent
    ) -> LightCone:
        """Of given components, E +- z to relative precision."""
        return cls(*light_cone(energy, z, x * x + y * y + mass * mass), x, y)

    @property
    def components(self) -> tuple[PerEvent, PerEvent, PerEvent, PerEvent]:
        """E, x, y, z."""
        return 0.5 * (self.plus + self.minus), self.x, self.y, 0.5 * (self.plus - self.minus)

    def across_beams(self, particles: Cones, masses: OfLegs) -> Cones:
        """Particles in the frame in which the rapidity is zero, with z along the flight there and x
        along the beam; before, in the rest frame of the beams."""
        _, (cos, sin) = self.across
        shrink = jnp.sqrt(self.minus / self.plus)
        along = cos * particles.x + sin * particles.y
        side = cos * particles.y - sin * particles.x
        plus, minus = particles.ahead * shrink, particles.behind / shrink
        z = 0.5 * (plus - minus)
        return Momenta(0.5 * (plus + minus), z, side, along).cones(masses)

    @property
    def across(self) -> tuple[PerEvent, tuple[PerEvent, PerEvent]]:
        """pT, and cos and sin of its azimuth: one that is too small to tell points along x."""
        x = self.x + _LEAST
        pt = jnp.sqrt(x * x + self.y * self.y)
        return pt, (x / pt, self.y / pt)


class Flight:
    """A system that decays: its momentum, its mass, and the momentum of its products, GeV."""

    def __init__(self, momentum: LightCone, mass: PerEvent, size: PerEvent, products: Products):
        self.momentum = momentum
        self.size = size
        self.products = products
        pt, direction = momentum.across
        self.direction = computed_once(direction, size)
        self.transverse_mass = jnp.sqrt(mass * mass + pt * pt)
        self.stretch = (self.transverse_mass + pt) / mass  # gamma (1 + beta)
        (self.slow,) = computed_once((products.slow(size),), size)
        self.slope = 2.0 * pt / mass * size  # of the first product's E' in (1 + cos theta)/2

    def forward(
        self, u: PerEvent, u_azimuth: PerEvent
    ) -> tuple[tuple[LightCone, LightCone], PerEvent]:
        """Momenta of the products, and d(cos theta)/2 d(phi)/(2 pi) for these variables."""
        low, width = self._polar()
        ahead = low + width * u
        energy, along = self._products(ahead)
        across = 2.0 * self.size * safe_sqrt(ahead * (1.0 - ahead))
        arc = self._arc(energy, across)
        azimuth = arc.forward(u_azimuth)
        side, z = computed_once((across * jnp.sin(azimuth), across * jnp.cos(azimuth)), self.size)
        side, z = jnp.asarray(_SIGNS) * side, jnp.asarray(_SIGNS) * z
        rest = along * along + side * side + self.products.masses**2
        plus, minus = light_cone(energy, z, rest)
        cos, sin = self.direction
        both = LightCone(
            plus * (self.momentum.plus / self.transverse_mass),
            minus * (self.momentum.minus / self.transverse_mass),
            cos * along - sin * side,
            sin * along + cos * side,
        )
        first, second = map(LightCone._make, zip(*map(rows, both), strict=True))
        return (first, second), width * arc.fraction

    def inverse(
        self, angles: tuple[PerEvent, PerEvent], turn: Turn
    ) -> tuple[PerEvent, PerEvent, PerEvent, Mask]:
        """Both variables, d(cos theta)/2 d(phi)/(2 pi) for them, and whether they are reached.

        angles: (1 + cos theta)/2 of the first product and azimuth, in turns; turn: the same.
        """
        ahead, azimuth = angles
        low, width = self._polar()
        across = 2.0 * self.size * safe_sqrt(ahead * (1.0 - ahead))
        arc = self._arc(self._products(ahead)[0], across)
        azimuth = TWO_PI * jnp.where(azimuth > 0.5, azimuth - 1.0, azimuth)
        u = (ahead - low) / width
        reached = (
            (u >= -_ROUNDING) & (u <= 1.0 + _ROUNDING) & arc.contains(turn.cos_phi, turn.sin_phi)
        )
        return jnp.clip(u, 0.0, 1.0), arc.inverse(azimuth), width * arc.fraction, reached

    def _products(self, ahead: PerEvent) -> tuple[Both, Both]:
        """E' and momentum along the flight, for (1 + cos theta)/2 of the first product."""
        share = stacked(ahead, 1.0 - ahead)
        plus = (self.slow + 2.0 * self.size * share) * self.stretch
        minus = (self.slow + 2.0 * self.size * (1.0 - share)) / self.stretch
        energy, along = computed_once((0.5 * (plus + minus), 0.5 * (plus - minus)), self.size)
        return energy, along

    def _polar(self) -> tuple[PerEvent, PerEvent]:
        """Smallest (1 + cos theta)/2 of the first product, and width of its range."""
        backward = self.slow * self.stretch + (self.slow + 2.0 * self.size) / self.stretch
        least = (self.products.least - 0.5 * backward) / jnp.maximum(self.slope, _TINY)
        first, second = rows(jnp.maximum(least, 0.0))
        low, high = first, 1.0 - second
        is_open = high - low > _SMALLEST
        return jnp.where(is_open, low, 0.0), jnp.where(is_open, high - low, 1.0)

    def _arc(self, energy: Both, across: PerEvent) -> Arc:
        """The azimuths that bounds leave, given E' of the products and |k| sin theta."""
        least = self.products.least
        reach = safe_sqrt((energy - least) * (energy + least))
        # tanh of the largest rapidity less that of the system, and that less the smallest one
        plus, minus = self.momentum.plus, self.momentum.minus
        ahead, behind = self.products.front * plus, self.products.back * minus
        front = jnp.minimum(reach, energy * (minus - ahead) / (minus + ahead))
        back = jnp.minimum(reach, energy * (plus - behind) / (plus + behind))
        across = jnp.maximum(across, _TINY)
        (front, front_2), (back, back_2) = rows(front), rows(back)
        high = jnp.minimum(jnp.minimum(front, back_2), across)
        low = jnp.minimum(jnp.minimum(back, front_2), across)
        return Arc.between(-low / across, high / across)
