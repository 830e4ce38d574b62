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

from fabgen.arrays import Elementwise, Mask, Number, PerEvent
from fabgen.numerics import safe_sqrt

from .azimuth import Arc
from .beam_view import BeamView
from .fusion import computed_once, rows
from .invariants import power_law, regulated, undo_power_law
from .kinematics import Turn, light_cone, unit_ratio
from .reach import Both, Products

#: Smallest range of t relative to s: there is none where phase space closes.
_SMALLEST = 1e-30
#: How far outside its limits w may lie by rounding.
_ROUNDING = 1e-9
#: Where a bound on t leaves nothing this part of the range is kept: nothing else is in cuts there.
_LEFT = 1e-9

#: Cos and sin of an angle.
Direction = tuple[PerEvent, PerEvent]


class Span(NamedTuple):
    """The range of t: t = -nearest - full x w, and w in [low, low + width]."""

    nearest: PerEvent  #: -t at w = 0, GeV^2
    full: PerEvent  #: 4 |q| |k|, GeV^2
    low: Number  #: smallest w
    width: Number  #: of the range of w
    lowest: PerEvent  #: M^2 - t at the smallest w, shifted where it vanishes, GeV^2

    def forward(self, u: PerEvent, nu: Number) -> tuple[PerEvent, PerEvent]:
        """u -> w and dw/du."""
        x, jacobian = power_law(u, self.lowest, self.full * self.width, nu)
        return jnp.minimum(self.low + x / self.full, 1.0), jacobian / self.full

    def inverse(self, w: PerEvent, nu: Number) -> tuple[PerEvent, PerEvent]:
        """w -> u and dw/du; w is taken to lie in the range."""
        x = jnp.clip(w - self.low, 0.0, self.width) * self.full
        u, jacobian = undo_power_law(x, self.lowest, self.full * self.width, nu)
        return jnp.clip(u, 0.0, 1.0), jacobian / self.full

    def contains(self, w: PerEvent) -> Mask:
        """Whether w lies in the range, up to rounding."""
        above = w - self.low
        return (above >= -_ROUNDING) & (above <= self.width + _ROUNDING)

    def t(self, w: PerEvent) -> PerEvent:
        """t in GeV^2."""
        return -self.nearest - self.full * w


class Pair(NamedTuple):
    """A virtual particle q and the beam p that it meets, in the rest frame of both."""

    mass: PerEvent  #: sqrt((q + p)^2), GeV
    square: PerEvent  #: q^2, GeV^2
    beam_mass: Number  #: GeV
    energy: PerEvent  #: of the beam, GeV
    momentum: PerEvent  #: |p| = |q|, GeV
    #: cos and sin of the angle between q and the z axis, in the x-z plane towards -x
    tilt: tuple[PerEvent, PerEvent]
    #: (1, 0, 0, 1) in the rest frame of the beams, the direction of the first, in the frame of this
    #: pair: of beams without mass
    first: tuple[PerEvent, PerEvent, PerEvent, PerEvent]
    is_light: Mask  #: whether both beams are
    total: PerEvent  #: energy in the rest frame of the beams, GeV
    carried: PerEvent  #: E - z of the beam p there, GeV

    @classmethod
    def of_beams(cls, mass: PerEvent, first_mass: Number, second_mass: Number) -> Pair:
        """The beams, of total mass `mass`, with the first one along z."""
        one, zero = jnp.ones_like(mass), jnp.zeros_like(mass)
        energy, momentum = _beam(mass, first_mass * first_mass, second_mass)
        return cls(
            mass=mass,
            square=first_mass * first_mass * one,
            beam_mass=second_mass,
            energy=energy,
            momentum=momentum,
            tilt=(one, zero),
            first=(one, zero, zero, one),
            is_light=jnp.asarray((first_mass == 0.0) & (second_mass == 0.0)),
            total=mass,
            carried=energy + momentum,
        )

    def span(
        self,
        exchanged: Number,
        products: Products | None,
        size: PerEvent,
        masses: Both,
        start: bool,
    ) -> Span:
        """The range of t for products of these masses and of momentum `size`, in GeV.

        exchanged: mass of the exchanged particle. products: with bounds from cuts. start: whether
        the pair is that of the beams. -t_0 comes from the product and the sum of both ends of t,
        -t_0 t_1 and -(t_0 + t_1), which for massless beams are sums of positive terms.
        """
        k1, k2 = (mass * mass for mass in rows(masses))
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
        nearest, full = computed_once((nearest, full), size)
        low: Number = 0.0
        width: Number = 1.0
        if products is not None:
            low, width = self._limited(products, size, nearest, full, start)
            low, width = computed_once((low, width), size)
        distance = exchanged * exchanged + nearest
        nearest_pole = distance + full * low
        # A beam heavier than what it makes may leave t on the other side of the pole.
        lowest = regulated(nearest_pole, jnp.maximum(nearest_pole, 0.0) + full * width)
        return Span(nearest, full, low, width, *computed_once((lowest,), size))

    def _limited(
        self, products: Products, size: PerEvent, nearest: PerEvent, full: PerEvent, start: bool
    ) -> tuple[PerEvent, PerEvent]:
        """Smallest w and width of its range from cuts."""
        if start:
            return products.polar_range(size)
        low, width = self._range(products, size, nearest, full)
        low_here, width_here = self.view(size, products).polar(low, width)
        low = jnp.where(self.is_light, low_here, low)
        width = jnp.where(self.is_light, width_here, width)
        # Masses alone bound nothing that is not zero anyway.
        return jnp.where(products.is_cut, low, 0.0), jnp.where(products.is_cut, width, 1.0)

    def _range(
        self, products: Products, size: PerEvent, nearest: PerEvent, full: PerEvent
    ) -> tuple[PerEvent, PerEvent]:
        """Smallest w and width of its range from what each product takes from the beam at least.

        2 p.k > p^- k^+ in the rest frame of the beams, where p is along -z. It grows with w for
        k_2, where 2 p.k_2 = p^2 + k_2^2 - t; for k_1 it falls.
        """
        # E + z in the rest frame of the beams, where E - z is less than the total energy
        ahead = jnp.maximum(
            products.least * jnp.sqrt(products.back), products.least**2 / self.total
        )
        first, second = rows(self.carried * ahead)
        least = second - self.beam_mass**2 - rows(products.masses)[1] ** 2
        low = jnp.clip((least - nearest) / full, 0.0, 1.0 - _LEFT)
        slow_beam = self.beam_mass * self.beam_mass / (self.energy + self.momentum)
        slowest = 2.0 * (self.energy * rows(products.slow(size))[0] + slow_beam * size)
        width = 1.0 - low - jnp.maximum((first - slowest) / full, 0.0)
        return low, jnp.maximum(width, _LEFT * (1.0 - low))

    def azimuths(self, w: PerEvent, size: PerEvent, products: Products) -> tuple[Arc, Direction]:
        """Azimuths of k_1 that cuts leave for a w, relative to cos and sin of one."""
        view, limited = self.view(size, products), products.is_cut & self.is_light
        arc = view.azimuths(w)
        _, x, y, _ = self.first
        across = jnp.where(limited, view.across, 0.0)
        cos, sin = unit_ratio(x, across, 1.0), unit_ratio(y, across, 0.0)
        cos, sin = computed_once((cos, sin), size)
        return arc.unless(~limited), (cos, sin)

    def view(self, size: PerEvent, products: Products) -> BeamView:
        """How both beams are seen here, which limits the angles of the products."""
        energy, x, y, z = self.first
        across = safe_sqrt(x * x + y * y)
        scale = 2.0 * self.energy / self.total
        plus = energy + z
        across, plus = computed_once((across, plus), size)
        return BeamView(scale, plus, across * across / plus, across, size, products)

    def momentum_transfer(self, behind: PerEvent, ahead: PerEvent, across: PerEvent) -> PerEvent:
        """t from E - z of k_1, E + z of k_2 and their momentum across, with z along q, in GeV.

        With q + p = k_1 + k_2 a sum of positive terms, for beams without mass:
        -t = (k_2 - p)^+ (k_1 - q)^- + across^2, where p^+ = m^2/p^- and q^- = q^2/q^+.
        """
        slow = self.beam_mass * self.beam_mass / (self.energy + self.momentum)
        return -((ahead - slow) * (behind - self.square / (self.mass - slow)) + across * across)

    def next(self, w: PerEvent, t: PerEvent, size: PerEvent, mass: PerEvent, turn: Turn) -> Pair:
        """q - k_1, of square t, with the same beam, in the rest frame of k_2.

        mass: of k_2; turn: to k_1. The z axis of the frame of k_2 is against its
        flight. There the beam, p, comes from where q - k_1 goes to: along the flight E +- p_z are
        scaled by the boost, across nothing changes.
        """
        slow = self.beam_mass * self.beam_mass / (self.energy + self.momentum)
        stretch = (jnp.sqrt(size * size + mass * mass) + size) / mass
        ahead = (slow + 2.0 * self.momentum * (1.0 - w)) / stretch
        behind = (slow + 2.0 * self.momentum * w) * stretch
        along = 0.5 * (ahead - behind)
        across = 2.0 * self.momentum * safe_sqrt(w * (1.0 - w))
        total = safe_sqrt(along * along + across * across)
        cos, sin = unit_ratio(along, total, 1.0), unit_ratio(across, total, 0.0)
        cos, sin = computed_once((cos, sin), turn.cos_phi)
        energy, x, y, z = self.first
        x, y, z = turn.back(x, y, z)
        ahead, behind = light_cone(energy, z, x * x + y * y)
        ahead, behind = stretch * ahead, behind / stretch
        z = 0.5 * (ahead - behind)
        x, y, z = rotated(x, y, z, cos, -sin)
        energy = 0.5 * (ahead + behind)
        energy, x, y, z = computed_once((energy, x, y, z), turn.cos_phi)
        beam_energy, momentum = _beam(mass, t, self.beam_mass)
        beam_energy, momentum = computed_once((beam_energy, momentum), turn.cos_phi)
        return self._replace(
            mass=mass,
            square=t,
            energy=beam_energy,
            momentum=momentum,
            tilt=(cos, sin),
            first=(energy, x, y, z),
        )


def _beam(mass: PerEvent, square: Number, beam_mass: Number) -> tuple[PerEvent, PerEvent]:
    """Energy and momentum of a beam that meets q, of this square, in the rest frame of both."""
    energy = 0.5 * (mass + (beam_mass * beam_mass - square) / mass)
    return energy, safe_sqrt((energy - beam_mass) * (energy + beam_mass))


def rotated(
    x: Elementwise, y: Elementwise, z: Elementwise, cos: PerEvent, sin: PerEvent
) -> tuple[Elementwise, Elementwise, Elementwise]:
    """After the rotation that takes z by an angle towards -x."""
    return cos * x - sin * z, y, cos * z + sin * x
