"""RAMBO on diet: a flat, invertible map with the minimal number of variables.

S. Platzer, arXiv:1308.2922. Massless particles cover phase space with constant density; with masses
the density follows from the Jacobian (sections 3 and 4 there).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from fabgen.arrays import Mask, Masses, PerEvent
from fabgen.numerics import log_where_open, safe_sqrt

from .kinematics import (
    TWO_PI,
    boost_from_rest,
    isotropic_angles,
    pair_products,
    relative_momentum,
    subset_mass_squared,
    unit_angles,
)
from .mapping import Kinematics, Mapping

#: The invariants' variables stay this far inside the cube: beyond, the Jacobian of massive
#: particles diverges (integrably) at u = 0, and no float64 lies between the upper limit and 1.
_U_MIN, _U_MAX = 1e-24, 1.0 - 2.0**-53


@dataclass(frozen=True)
class Rambo(Mapping):
    """Flat map for n_final >= 2 particles of any masses.

    u (3 n - 4,): first n - 2 numbers for the masses of the systems (2..n), (3..n), ...; then for
    each i = 1..n-1 (1 + cos theta)/2 and azimuth/(2 pi) of particle i in the rest frame of system
    (i..n), whose axes are those of the total rest frame (pure boosts).
    """

    n_final: int

    def __post_init__(self) -> None:
        if self.n_final < 2:
            raise ValueError(f"a phase-space map needs at least 2 particles, not {self.n_final}")

    def forward(
        self, u: Float[Array, " {self.dim} *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "{self.n_final} 4 *events"], Float[Array, "*events"]]:
        n, masses = self.n_final, kinematics.masses
        excess, is_open = _total_excess(kinematics, u.shape[1:])
        steps = []
        for i in range(n - 2):
            ratio, rest = simplex_root(jnp.clip(u[i], _U_MIN, _U_MAX), n - 2 - i)
            steps.append((jnp.sqrt(ratio), rest))
        systems = _systems(excess, steps, masses)

        cos, sin, cos_phi, sin_phi = isotropic_angles(u[n - 2 :])
        momenta: list[Float[Array, " 4 *events"]] = []
        for i, system in enumerate(systems):
            size = system.momentum
            energy = jnp.sqrt(size * size + masses[i] ** 2)
            across = size * sin[i]
            p = jnp.stack([energy, across * cos_phi[i], across * sin_phi[i], size * cos[i]])
            rest_mass = systems[i + 1].mass if i < n - 2 else masses[-1]
            rest_energy = jnp.sqrt(size * size + rest_mass**2)
            pair = jnp.stack([p, jnp.concatenate([rest_energy[None], -p[1:]])])
            # Both are boosted: the difference of the system and p has lost digits if it is soft.
            if i == 0:
                p, frame = pair
            else:
                squares = jnp.stack(
                    [jnp.broadcast_to(m * m, size.shape) for m in (masses[i], rest_mass)]
                )
                p, frame = boost_from_rest(pair, frame, system.mass, squares)
            momenta.append(p)
        momenta.append(frame)
        return jnp.stack(momenta), _log_jacobian(n, excess, steps, systems, is_open)

    def inverse(
        self, momenta: Float[Array, "{self.n_final} 4 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " {self.dim} *events"], Float[Array, "*events"]]:
        n, masses = self.n_final, kinematics.masses
        excess, is_open = _total_excess(kinematics, momenta.shape[2:])
        products = pair_products(momenta, masses)
        coordinates = []
        steps = []
        above = excess
        for i in range(1, n - 1):
            legs = range(i, n)
            threshold = jnp.sum(masses[i:])
            square = subset_mass_squared(products, legs)
            # M - sum m, without the cancellation for light particles
            gain = 2.0 * sum(
                products[a][b] - masses[a] * masses[b] for a in legs for b in legs if b < a
            )
            below = jnp.clip(gain / (safe_sqrt(square) + threshold), 1e-13 * above, above)
            root = jnp.minimum(below / above, _U_MAX)
            ratio, rest = root * root, (1.0 - root) * (1.0 + root)
            coordinates.append(_simplex_cdf(ratio, n - 1 - i))
            steps.append((root, rest))
            above = below
        systems = _systems(excess, steps, masses)

        coordinates.extend(unit_angles(*momenta[0, 1:]))
        others = jnp.cumsum(momenta[::-1, 1:], axis=0)[::-1]
        for i in range(1, n - 1):
            second_mass = systems[i + 1].mass if i < n - 2 else masses[-1]
            vector = relative_momentum(momenta[i, 1:], others[i + 1], masses[i], second_mass)
            coordinates.extend(unit_angles(*vector))
        return jnp.stack(coordinates), _log_jacobian(n, excess, steps, systems, is_open)


class _System(NamedTuple):
    """Particle i and what is left of the system (i..n) when it is taken out."""

    mass: PerEvent  #: M_i of the system, GeV
    momentum: PerEvent  #: of particle i in its rest frame, GeV
    volume: PerEvent  #: sqrt(lambda(M_i, M_(i+1), m_i)) / M_i^2


def _total_excess(
    kinematics: Kinematics, events: tuple[int, ...]
) -> tuple[Float[Array, "*events"], Bool[Array, "*events"]]:
    """Energy above threshold in GeV (a stand-in where phase space is closed), and if it is open."""
    excess = kinematics.sqrt_s - jnp.sum(kinematics.masses)
    is_open = excess > 0.0
    excess = jnp.where(is_open, excess, 1e-3 * jnp.abs(kinematics.sqrt_s) + 1e-3)
    return jnp.broadcast_to(excess, events), jnp.broadcast_to(is_open, events)


def _systems(
    excess: PerEvent, steps: list[tuple[PerEvent, PerEvent]], masses: Masses
) -> list[_System]:
    """Masses and momenta along the chain; K_i = M_i - sum of masses is what the map shrinks.

    With K_i and K_i - K_(i+1) = K_i (1 - r)/(1 + sqrt r) at hand the four factors of the Kallen
    function are sums of positive terms.
    """
    n = masses.shape[0]
    systems = []
    for i in range(n - 1):
        threshold, rest_threshold = jnp.sum(masses[i:]), jnp.sum(masses[i + 1 :])
        if i < n - 2:
            root, rest = steps[i]
            below = excess * root
            gap = excess * rest / (1.0 + root)
        else:
            below, gap = jnp.zeros_like(excess), excess
        mass = excess + threshold
        root_kallen = safe_sqrt(
            gap
            * (gap + 2.0 * masses[i])
            * (excess + below + 2.0 * threshold)
            * (excess + below + 2.0 * rest_threshold)
        )
        systems.append(_System(mass, root_kallen / (2.0 * mass), root_kallen / mass**2))
        excess = below
    return systems


def _log_jacobian(
    n: int,
    excess: PerEvent,
    steps: list[tuple[PerEvent, PerEvent]],
    systems: list[_System],
    is_open: Mask,
) -> PerEvent:
    """log(dPhi/du): equations 5 and 11 of the paper, with the factor (2 pi)^(4 - 3 n)."""
    constant = (
        (n - 1) * math.log(math.pi / 2.0)
        - math.lgamma(n)
        - math.lgamma(n - 1)
        + (4 - 3 * n) * math.log(TWO_PI)
    )
    product = systems[-1].volume
    below = excess
    for i, (root, rest) in enumerate(steps):
        below = below * root
        product = product * systems[i].volume / rest * (systems[i + 1].mass / below)
    return log_where_open(product, is_open) + (2 * n - 4) * jnp.log(excess) + constant


def _simplex_cdf(ratio: PerEvent, k: int) -> PerEvent:
    """(k + 1) r^k - k r^(k+1): how r = (M_(i+1)/M_i)^2 is distributed for k + 2 massless."""
    return ratio**k * ((k + 1) - k * ratio)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def simplex_root(u: PerEvent, k: int) -> tuple[PerEvent, PerEvent]:
    """The r in [0, 1] with (k + 1) r^k - k r^(k+1) = u, and 1 - r, both to relative precision.

    k >= 1 is static. The derivative is that of the implicit function; it is infinite at u = 1, and
    at u = 0 for k > 1.
    """
    return _solve(u, k)


@simplex_root.defjvp
def _simplex_root_jvp(
    k: int, primals: tuple[PerEvent], tangents: tuple[PerEvent]
) -> tuple[tuple[PerEvent, PerEvent], tuple[PerEvent, PerEvent]]:
    (u,), (du,) = primals, tangents
    ratio, rest = simplex_root(u, k)
    d_ratio = du / (k * (k + 1) * ratio ** (k - 1) * rest)
    return (ratio, rest), (d_ratio, -d_ratio)


def _solve(u: PerEvent, k: int) -> tuple[PerEvent, PerEvent]:
    """Newton on the half of the cube that u is in, in the variable that vanishes there.

    Lower half: x = r, (k + 1) x^k - k x^(k+1) = u. Upper half: x = 1 - r, and 1 - u is the
    polynomial sum_(j >= 2) (-1)^j (j - 1) C(k+1, j) x^j (1 - u is exact there). In both x starts as
    the leading power with its first correction; x and 1 - x never suffer from cancellation. A step
    may at most double or halve x, and x stays below 1.
    """
    if k == 1:
        rest = jnp.sqrt(1.0 - u)
        return u / (1.0 + rest), rest
    lower = u < 0.5
    target = jnp.where(lower, u, 1.0 - u)
    low = np.zeros(k + 2)
    low[k], low[k + 1] = k + 1, -k
    high = np.array([(-1.0) ** j * (j - 1) * math.comb(k + 1, j) for j in range(k + 2)])
    high[0] = 0.0
    coefficients = [jnp.where(lower, a, b) if a != b else a for a, b in zip(low, high, strict=True)]

    start_low = (u / (k + 1)) ** (1.0 / k)
    start_low = start_low * (1.0 + start_low / (k + 1))
    start_high = jnp.sqrt(jnp.abs(1.0 - u) * (2.0 / (k * (k + 1))))
    start_high = start_high * (1.0 + start_high * ((k - 1) / 3.0))
    x = jnp.where(lower, start_low, jnp.minimum(start_high, 0.7))
    for _ in range(4 if k <= 5 else 6):  # to machine precision for k <= 30: see the tests
        value, slope = coefficients[k + 1], jnp.zeros_like(u)
        for c in reversed(coefficients[:-1]):
            slope = slope * x + value
            value = value * x + c
        x = jnp.clip(x - (value - target) / slope, 0.5 * x, jnp.minimum(2.0 * x, 0.5 + 0.5 * x))
    return jnp.where(lower, x, 1.0 - x), jnp.where(lower, 1.0 - x, x)
