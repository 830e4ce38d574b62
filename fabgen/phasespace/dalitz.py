"""Maps of the unit square onto the Dalitz plot of a decay 0 -> 1 2 3, orientation left out.

sigma_k = (p_i + p_j)^2 with (i, j, k) a permutation of (1, 2, 3); sigma_1 + sigma_2 + sigma_3 is
the sum of all squared masses. The measure is d sigma_i d sigma_j in GeV^4, the same for every pair
of invariants; three-body phase space integrated over orientations is flat in it.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Number, PerEvent
from fabgen.numerics import safe_divide, safe_log, safe_sqrt

from .invariants import Block, Flat, Limits
from .kinematics import TWO_PI, kallen
from .mapping import Kinematics


@dataclasses.dataclass(frozen=True)
class DalitzMap:
    """u (2,) -> the mass of a pair, and an angle in its rest frame.

    u[0] = (1 + cos theta)/2, theta between the pair's first particle and the spectator in the rest
    frame of the pair. u[1]: sigma of the spectator, through a block of one variable: flat for the
    square Dalitz plot (of the FAB paper), else along the resonance of the kinematics.

    pair, spectator: numbers from 1 to 3. The Jacobian vanishes at both ends of u[1], where the
    Dalitz plot has no height: log(d sigma/du) is -inf there and has a zero gradient.
    """

    pair: tuple[int, int]
    block: Block = dataclasses.field(default_factory=Flat)

    dim = 2

    @property
    def spectator(self) -> int:
        return 6 - sum(self.pair)

    def forward(
        self, u: Float[Array, " 2 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " 3 *events"], Float[Array, "*events"]]:
        """u (2, events) -> sigma (3, events) in GeV^2 and log of d sigma d sigma'/du in GeV^4."""
        limits = self._limits(kinematics)
        x, ds_du = self.block.forward(u[1], limits, *self._resonance(kinematics))
        s = limits.low + x
        center, extent = self._heights(s, kinematics)
        other = center - extent * (2.0 * u[0] - 1.0)
        i, j = self.pair
        parts = {self.spectator: s, j: other, i: _sum_of_squares(kinematics) - s - other}
        sigma = jnp.stack([parts[1], parts[2], parts[3]])
        return sigma, safe_log(2.0 * extent * ds_du)

    def inverse(
        self, sigma: Float[Array, " 3 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " 2 *events"], Float[Array, "*events"]]:
        """sigma (3, events) -> u (2, events) and the forward map's log Jacobian."""
        limits = self._limits(kinematics)
        x = jnp.clip(sigma[self.spectator - 1] - limits.low, 0.0, limits.span)
        u, ds_du = self.block.inverse(x, limits, *self._resonance(kinematics))
        center, extent = self._heights(limits.low + x, kinematics)
        cos = safe_divide(center - sigma[self.pair[1] - 1], extent)
        return jnp.clip(jnp.stack([0.5 + 0.5 * cos, u]), 0.0, 1.0), safe_log(2.0 * extent * ds_du)

    def _limits(self, kinematics: Kinematics) -> Limits:
        i, j, k = (kinematics.masses[n - 1] for n in (*self.pair, self.spectator))
        low, high = i + j, kinematics.sqrt_s - k
        return Limits(low * low, (high - low) * (high + low))

    def _heights(self, s: PerEvent, kinematics: Kinematics) -> tuple[PerEvent, PerEvent]:
        """The other invariant at cos theta = 0 and how far it moves to cos theta = 1, in GeV^2.

        (p_i + p_k)^2 = m_i^2 + m_k^2 + 2 E_i E_k - 2 p_i p_k cos theta in the pair's rest frame.
        """
        i, j, k = (kinematics.masses[n - 1] for n in (*self.pair, self.spectator))
        total = kinematics.sqrt_s
        root = safe_sqrt(s)
        energies = 0.5 * (1.0 + safe_divide(i * i - j * j, s)) * (total * total - s - k * k)
        momenta = safe_divide(safe_sqrt(kallen(root, i, j)), 2.0 * s)
        return i * i + k * k + energies, momenta * safe_sqrt(kallen(total, root, k))

    def _resonance(self, kinematics: Kinematics) -> tuple[Number, Number]:
        """Mass and width that the block follows, if there are any."""
        if not len(kinematics.resonance_masses):
            return 0.0, 0.0
        return kinematics.resonance_masses[0], kinematics.resonance_widths[0]


def decay_plane(
    sigma: Float[Array, " 3 *events"], kinematics: Kinematics
) -> Float[Array, "3 4 *events"]:
    """Momenta (3, 4, events) at rest in one orientation: p_1 along +z, p_2 in the x-z plane, x > 0.

    sigma (3, events) in GeV^2.
    """
    total, (m1, m2, m3) = kinematics.sqrt_s, kinematics.masses
    first = safe_sqrt(kallen(total, safe_sqrt(sigma[0]), m1)) / (2.0 * total)
    second = safe_sqrt(kallen(total, safe_sqrt(sigma[1]), m2)) / (2.0 * total)
    third = safe_sqrt(kallen(total, safe_sqrt(sigma[2]), m3)) / (2.0 * total)
    # p_3 = -p_1 - p_2 fixes the angle between p_1 and p_2 by the three sizes.
    along = safe_divide(third * third - first * first - second * second, 2.0 * first)
    along = jnp.clip(along, -second, second)
    across = safe_sqrt((second - along) * (second + along))
    zero = jnp.zeros_like(first)
    vectors = (
        (zero, zero, first),
        (across, zero, along),
        (-across, zero, -first - along),
    )
    momenta = []
    for mass, (x, y, z) in zip((m1, m2, m3), vectors, strict=True):
        momenta.append(jnp.stack([jnp.sqrt(mass * mass + x * x + z * z), x, y, z]))
    return jnp.stack(momenta)


def turn(
    momenta: Float[Array, "n 4 events"], u: Float[Array, "3 events"]
) -> Float[Array, "n 4 events"]:
    """Momenta (n, 4, events) after a rotation drawn with u (3, events): uniform for uniform u.

    About z, then z to an isotropic direction.
    """
    cos = 2.0 * u[0] - 1.0
    sin = 2.0 * safe_sqrt(u[0] * (1.0 - u[0]))
    energy, x, y, z = (momenta[:, n] for n in range(4))
    x, y = _rotated(x, y, TWO_PI * u[1])
    z, x = z * cos - x * sin, x * cos + z * sin
    x, y = _rotated(x, y, TWO_PI * u[2])
    return jnp.stack([energy, x, y, z], axis=1)


def _rotated(
    x: Float[Array, "n events"], y: Float[Array, "n events"], angle: Float[Array, " events"]
) -> tuple[Float[Array, "n events"], Float[Array, "n events"]]:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return x * cos - y * sin, x * sin + y * cos


def _sum_of_squares(kinematics: Kinematics) -> Number:
    return kinematics.sqrt_s**2 + (kinematics.masses**2).sum()
