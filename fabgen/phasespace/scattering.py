"""2 -> 2 scattering with a power law in t: the blocks of a ladder of exchanged particles.

E. Byckling and K. Kajantie, Particle Kinematics (1973), chapters IV and VI; the blocks of
Differentiable MadNIS-Lite, arXiv:2408.01486, section 4.1. A virtual particle q (in the first
scattering a beam) meets the other beam p and they become k_1 + k_2, with t = (q - k_1)^2. In their
rest frame t is linear in the angle theta between q and k_1:

    t = t_0 - 4 |q| |k| w,   w = (1 - cos theta)/2,   dPhi_2 = |k|/(4 pi M) dw d(phi)/(2 pi).

Then k_2 is what the next virtual particle, q - k_1, makes of the same beam p.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from fabgen.numerics import safe_sqrt

from .invariants import power_law, regulated, undo_power_law
from .kinematics import Number
from .tree import Exchange

#: Smallest range of t relative to s: there is none where phase space closes.
_SMALLEST = 1e-30
#: How far outside its limits w may lie by rounding.
_ROUNDING = 1e-9
#: Where a bound on t leaves nothing this part of the range is kept: nothing else is in cuts there.
_LEFT = 1e-9


class Span(NamedTuple):
    """The range of t: t = -nearest - full x w, and w in [low, low + width]."""

    nearest: Array  #: -t at w = 0, GeV^2
    full: Array  #: 4 |q| |k|, GeV^2
    low: Array | float  #: smallest w
    width: Array | float  #: of the range of w
    lowest: Array  #: M^2 - t at the smallest w, shifted where it vanishes, GeV^2

    def forward(self, u: Array, nu: float) -> tuple[Array, Array]:
        """u -> w and dw/du."""
        x, jacobian = power_law(u, self.lowest, self.full * self.width, nu)
        return jnp.minimum(self.low + x / self.full, 1.0), jacobian / self.full

    def inverse(self, w: Array, nu: float) -> tuple[Array, Array]:
        """w -> u and dw/du; w is taken to lie in the range."""
        x = jnp.clip(w - self.low, 0.0, self.width) * self.full
        u, jacobian = undo_power_law(x, self.lowest, self.full * self.width, nu)
        return jnp.clip(u, 0.0, 1.0), jacobian / self.full

    def contains(self, w: Array) -> Array:
        """Whether w lies in the range, up to rounding."""
        above = w - self.low
        return (above >= -_ROUNDING) & (above <= self.width + _ROUNDING)

    def t(self, w: Array) -> Array:
        """t in GeV^2."""
        return -self.nearest - self.full * w


class Pair(NamedTuple):
    """A virtual particle q and the beam p that it meets, in the rest frame of both."""

    mass: Array  #: sqrt((q + p)^2), GeV
    square: Array | float  #: q^2, GeV^2
    beam_mass: Number  #: GeV
    energy: Array  #: of the beam, GeV
    momentum: Array  #: |p| = |q|, GeV
    #: the pair of the first scattering, the beams themselves; None: it is this one
    beams: Pair | None = None
    #: cos and sin of the angle between q and the z axis, in the x-z plane towards -x; None: 1, 0
    tilt: tuple[Array, Array] | None = None

    @classmethod
    def of(cls, mass: Array, square: Array | float, beam_mass: Number) -> Pair:
        """The pair of total mass `mass`, with z along q."""
        energy = 0.5 * (mass + (beam_mass * beam_mass - square) / mass)
        momentum = safe_sqrt((energy - beam_mass) * (energy + beam_mass))
        return cls(mass, square, beam_mass, energy, momentum)

    def span(
        self, exchange: Exchange, exchanged: Number, masses: tuple[Number, Number], size: Array
    ) -> Span:
        """The range of t for products of these masses and of momentum `size`, in GeV.

        exchanged: mass of the exchanged particle. -t_0 comes from the product and the sum of both
        ends of t, -t_0 t_1 and -(t_0 + t_1), which for massless beams are sums of positive terms.
        """
        k1, k2 = (m * m for m in masses)
        energy_1, energy_2 = (jnp.sqrt(size * size + k) for k in (k1, k2))
        s, a, b = self.mass * self.mass, self.square, self.beam_mass * self.beam_mass
        full = jnp.maximum(4.0 * self.momentum * size, _SMALLEST * s)
        total = 2.0 * (energy_1 * energy_2 + size * size)
        total = total - 2.0 * (a * energy_2 + b * energy_1) / self.mass
        product = k2 * (k1 * (1.0 - a / s) - a * (1.0 - (a + k2) / s))
        product = product + b * (a - k1 - (k1 * (a + k2 - b - k1) + a * k2) / s)
        ahead = total > 0.0
        farthest = jnp.where(ahead, 0.5 * (total + full), 1.0)
        nearest = jnp.where(ahead, product / farthest, 0.5 * (total - full))
        low, width = _bounds(exchange, size)
        if exchange.recoil_pt > 0.0:
            bound = (self._least_transfer(exchange, masses[1]) - nearest) / full
            high = low + width
            low = jnp.clip(bound, low, low + (1.0 - _LEFT) * width)
            width = high - low
        distance = exchanged * exchanged + nearest
        lowest = regulated(distance + full * low, distance + full * (low + width))
        return Span(nearest, full, low, width, lowest)

    def _least_transfer(self, exchange: Exchange, mass: Number) -> Array:
        """Lower bound on -(p - k_2)^2 if k_2 is a single particle, of this mass.

        -(p - k)^2 + p^2 + k^2 = 2 p.k > p^- k^+ in the rest frame of the beams, where p is along
        -z; there k^+ = m_T exp(y), and k^- = m_T^2/k^+ is less than the total energy.
        """
        beams = self if self.beams is None else self.beams
        square = exchange.recoil_pt**2 + mass * mass
        ahead = jnp.maximum(
            jnp.sqrt(square) * jnp.exp(-exchange.recoil_rapidity), square / beams.mass
        )
        return (beams.energy + beams.momentum) * ahead - self.beam_mass**2 - mass * mass

    def momentum_transfer(self, behind: Array, ahead: Array, across: Array) -> Array:
        """t from E - z of k_1, E + z of k_2 and their momentum across, with z along q, in GeV.

        With q + p = k_1 + k_2 a sum of positive terms, for beams without mass:
        -t = (k_2 - p)^+ (k_1 - q)^- + across^2, where p^+ = m^2/p^- and q^- = q^2/q^+.
        """
        slow = self.beam_mass * self.beam_mass / (self.energy + self.momentum)
        return -((ahead - slow) * (behind - self.square / (self.mass - slow)) + across * across)

    def next(self, w: Array, t: Array, size: Array, mass: Array) -> Pair:
        """q - k_1, of square t, with the same beam, in the rest frame of k_2.

        mass: of k_2. The z axis of its frame is against its flight. There the beam, p, comes from
        where q - k_1 goes to: along the flight E +- p_z are scaled by the boost, across nothing
        changes.
        """
        slow = self.beam_mass * self.beam_mass / (self.energy + self.momentum)
        stretch = (jnp.sqrt(size * size + mass * mass) + size) / mass
        ahead = (slow + 2.0 * self.momentum * (1.0 - w)) / stretch
        behind = (slow + 2.0 * self.momentum * w) * stretch
        along = 0.5 * (ahead - behind)
        across = 2.0 * self.momentum * safe_sqrt(w * (1.0 - w))
        total = safe_sqrt(along * along + across * across)
        positive = total > 0.0
        total = jnp.where(positive, total, 1.0)
        return Pair.of(mass, t, self.beam_mass)._replace(
            beams=self if self.beams is None else self.beams,
            tilt=(jnp.where(positive, along / total, 1.0), across / total),
        )


def _bounds(exchange: Exchange, size: Array) -> tuple[Array | float, Array | float]:
    """Smallest w and width of its range from the bounds on pT and rapidity; it is symmetric."""
    low: Array | float = 0.0
    width: Array | float = 1.0
    if exchange.minimum_pt > 0.0:
        # sin(theta) > pT/|k|; where invariants leave just this pT the range is kept open
        ratio = jnp.minimum(exchange.minimum_pt / size, 1.0)
        width = jnp.sqrt(jnp.maximum((1.0 - ratio) * (1.0 + ratio), _SMALLEST))
        low = 0.5 * ratio * ratio / (1.0 + width)
    if exchange.maximum_rapidity < float("inf"):
        reach = jnp.tanh(exchange.maximum_rapidity)
        low = jnp.maximum(low, 1.0 / (1.0 + jnp.exp(2.0 * exchange.maximum_rapidity)))
        width = jnp.minimum(width, reach)
    return low, width
