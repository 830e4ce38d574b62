"""Four-vectors (E, px, py, pz) in GeV; the component axis is the last but one, events the last.

Every function takes (4, events) or (n, 4, events) unless it says otherwise. Differences of large
numbers are avoided throughout: each formula that looks longer than the textbook's is there because
the textbook's loses digits near a threshold or for collinear momenta.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from fabgen.arrays import Elementwise, PerEvent
from fabgen.arrays import Number as Number
from fabgen.numerics import safe_sqrt

from .fusion import gradient_once

#: Momenta, and a number for each of them.
Momenta = Float[Array, "*n 4 events"]
OfEach = Float[Array, "*n events"]

#: Of JAX or NumPy.
AnyNumber = Number | Float[np.ndarray, " #events"]

TWO_PI = 6.283185307179586
#: Added to an energy that may be 0 (GeV): no other one notices, and its square is a number.
_TINY = 1e-150


def kallen(mass: AnyNumber, mass_1: AnyNumber, mass_2: AnyNumber) -> AnyNumber:
    """Kallen function lambda(M^2, m1^2, m2^2) in GeV^4, from the masses.

    The product of M -+ m1 -+ m2 keeps its relative accuracy where the sum of squares cancels; it is
    negative below threshold.
    """
    return (
        (mass - mass_1 - mass_2)
        * (mass + mass_1 + mass_2)
        * (mass - mass_1 + mass_2)
        * (mass + mass_1 - mass_2)
    )


def mass_squared(p: Momenta) -> OfEach:
    """E^2 - |p|^2 in GeV^2, (events,) or (n, events); error of the order of 1e-16 E^2."""
    energy, px, py, pz = components(p)
    return (energy - pz) * (energy + pz) - px * px - py * py


def invariant_mass(p: Momenta) -> OfEach:
    """sqrt(p^2) in GeV, 0 for space-like p."""
    return safe_sqrt(mass_squared(p))


def components(p: Momenta) -> tuple[OfEach, OfEach, OfEach, OfEach]:
    """E, px, py, pz."""
    return p[..., 0, :], p[..., 1, :], p[..., 2, :], p[..., 3, :]


def transverse_momentum_squared(p: Momenta) -> OfEach:
    """px^2 + py^2 in GeV^2."""
    return p[..., 1, :] ** 2 + p[..., 2, :] ** 2


def transverse_momentum(p: Momenta) -> OfEach:
    """sqrt(px^2 + py^2) in GeV, with derivative 0 along the beam."""
    return safe_sqrt(transverse_momentum_squared(p))


def delta_phi(p: Momenta, q: Momenta) -> OfEach:
    """Azimuthal angle between p and q, in [0, pi]."""
    dot = p[..., 1, :] * q[..., 1, :] + p[..., 2, :] * q[..., 2, :]
    cross = p[..., 1, :] * q[..., 2, :] - p[..., 2, :] * q[..., 1, :]
    return jnp.abs(jnp.arctan2(cross, dot))


def isotropic_angles(
    u: Float[Array, " two_k *events"],
) -> tuple[
    Float[Array, " k *events"],
    Float[Array, " k *events"],
    Float[Array, " k *events"],
    Float[Array, " k *events"],
]:
    """cos and sin of the polar angle, then of the azimuth, each (k, events).

    u (2 k, events): (1 + cos theta)/2 and azimuth/(2 pi) in turn.
    """
    cos = 2.0 * u[0::2] - 1.0
    sin = 2.0 * safe_sqrt(u[0::2] * (1.0 - u[0::2]))
    phi = TWO_PI * u[1::2]
    return cos, sin, jnp.cos(phi), jnp.sin(phi)


def unit_angles(x: PerEvent, y: PerEvent, z: PerEvent) -> tuple[PerEvent, PerEvent]:
    """(1 + cos theta)/2 and azimuth/(2 pi) of a direction, both in [0, 1]."""
    size = jnp.sqrt(x * x + y * y + z * z)
    cos = jnp.where(size > 0.0, z / jnp.where(size > 0.0, size, 1.0), 1.0)
    azimuth = jnp.arctan2(y, x) / TWO_PI
    return 0.5 * (1.0 + cos), jnp.where(azimuth < 0.0, azimuth + 1.0, azimuth)


def light_cone(
    energy: Elementwise, along: Elementwise, rest: Elementwise
) -> tuple[Elementwise, Elementwise]:
    """E + p and E - p for the component p = `along`, both to relative precision.

    rest: E^2 - p^2 as a sum of positive terms, m^2 plus the square of the other components. The
    smaller of the two is taken from it: E - |p| would lose its digits when p is nearly all of E. A
    boost multiplies E + p and divides E - p, so particles that it slows down keep their digits.
    """
    large = energy + jnp.abs(along)
    small = rest / (large + _TINY)
    ahead = along >= 0.0
    return jnp.where(ahead, large, small), jnp.where(ahead, small, large)


def unit_ratio(numerator: PerEvent, size: PerEvent, otherwise: float) -> PerEvent:
    """numerator / size, and a constant where size is 0."""
    positive = size > 0.0
    return jnp.where(positive, numerator / jnp.where(positive, size, 1.0), otherwise)


class Turn(NamedTuple):
    """The rotation that takes the z axis to a direction and leaves y in the plane across z."""

    cos: PerEvent  #: of the polar angle
    sin: PerEvent
    cos_phi: PerEvent  #: of the azimuth
    sin_phi: PerEvent

    @classmethod
    def to(cls, x: PerEvent, y: PerEvent, z: PerEvent) -> tuple[Turn, PerEvent, PerEvent]:
        """To the direction of a momentum, none if that is 0; its size, and that across z."""
        across = gradient_once(safe_sqrt(x * x + y * y))
        size = gradient_once(jnp.sqrt(across * across + z * z))
        ratios = (
            unit_ratio(z, size, 1.0),
            unit_ratio(across, size, 0.0),
            unit_ratio(x, across, 1.0),
            unit_ratio(y, across, 0.0),
        )
        return cls(*map(gradient_once, ratios)), size, across

    def forward(
        self, x: Elementwise, y: Elementwise, z: Elementwise
    ) -> tuple[Elementwise, Elementwise, Elementwise]:
        """A vector after the rotation."""
        x, z = self.cos * x + self.sin * z, self.cos * z - self.sin * x
        return self.cos_phi * x - self.sin_phi * y, self.sin_phi * x + self.cos_phi * y, z

    def back(
        self, x: Elementwise, y: Elementwise, z: Elementwise
    ) -> tuple[Elementwise, Elementwise, Elementwise]:
        """The vector before it."""
        x, y = self.cos_phi * x + self.sin_phi * y, self.cos_phi * y - self.sin_phi * x
        return self.cos * x - self.sin * z, y, self.cos * z + self.sin * x


def boost_from_rest(
    p: Momenta,
    frame: Float[Array, "4 events"],
    mass: Number,
    square: Float[Array, "*n #events"] | Number,
) -> Momenta:
    """Momenta p, given in the rest frame of `frame`, in the system where `frame` is given.

    A pure boost, no rotation. frame (4, events), mass its mass (GeV, > 0), square: p^2 (GeV^2).
    Particles that the boost slows down keep their digits (see light_cone).
    """
    energy, vector = p[..., 0, :], p[..., 1:, :]
    frame_energy, frame_vector = frame[0], frame[1:]
    dot = jnp.sum(vector * frame_vector, axis=-2)
    boosted = (energy * frame_energy + dot) / mass
    # the factor (E + E*) / (Q0 + M) equals E*/M + p.Q / (M (Q0 + M)): one division less
    factor = (boosted + energy) / (frame_energy + mass)
    plain = jnp.concatenate(
        [boosted[..., None, :], vector + factor[..., None, :] * frame_vector], axis=-2
    )
    # The derivatives are left to these formulas: those of the precise ones would take longer.
    size = jnp.sqrt(jnp.sum(frame_vector**2, axis=0))
    axis = _unit(frame_vector, size)
    along = jnp.sum(vector * axis, axis=-2)
    x, y, z = (vector[..., k, :] for k in range(3))
    nx, ny, nz = axis
    cx, cy, cz = y * nz - z * ny, z * nx - x * nz, x * ny - y * nx
    ahead, behind = light_cone(energy, along, cx * cx + cy * cy + cz * cz + square)
    stretch = (frame_energy + size) / mass
    ahead, behind = 0.5 * stretch * ahead, 0.5 * behind / stretch
    along = ahead - behind
    precise = (
        ahead + behind,
        ny * cz - nz * cy + along * nx,
        nz * cx - nx * cz + along * ny,
        nx * cy - ny * cx + along * nz,
    )
    return plain + lax.stop_gradient(jnp.stack(precise, axis=-2) - plain)


def _unit(
    vector: Float[Array, "3 events"], size: Float[Array, " events"]
) -> Float[Array, "3 events"]:
    """vector / size, (3, events); along z where size is 0."""
    return jnp.where(size > 0.0, vector / jnp.where(size > 0.0, size, 1.0), jnp.eye(3)[2][:, None])


def relative_momentum(
    p: Float[Array, "3 events"], q: Float[Array, "3 events"], mass_p: Number, mass_q: Number
) -> Float[Array, "3 events"]:
    """The three-momentum of p in the rest frame of p + q after a pure boost: of |p| = |q| there.

    p, q: three-momenta (3, events) in GeV. With f the shares of E + p along p + q, the part across
    is that of f_q p - f_p q: for collinear particles its error is that of the softer one, and the
    direction of p + q, known no better than that of the harder one, does not enter.
    """
    total = p + q
    size = jnp.sqrt(jnp.sum(total**2, axis=0))
    axis = _unit(total, size)
    alongs, cones = [], []
    for vector, mass in ((p, mass_p), (q, mass_q)):
        along = jnp.sum(vector * axis, axis=0)
        rest = jnp.sum(jnp.cross(vector, axis, axis=0) ** 2, axis=0) + mass**2
        alongs.append(along)
        cones.append(light_cone(jnp.sqrt(along**2 + rest), along, rest))
    (plus_p, minus_p), (plus_q, minus_q) = cones
    plus = plus_p + plus_q
    relative = (plus_q * p - plus_p * q) / plus
    across = relative - jnp.sum(relative * axis, axis=0) * axis
    square = jnp.sum(across**2, axis=0)
    # If both are ahead their E - p follow from the mass shell with the same momentum across: the
    # angle to the axis then depends on the shares alone.
    both = (alongs[0] > 0.0) & (alongs[1] > 0.0)
    behind_p = jnp.where(both, (square + mass_p**2) / jnp.where(both, plus_p, 1.0), minus_p)
    behind_q = jnp.where(both, (square + mass_q**2) / jnp.where(both, plus_q, 1.0), minus_q)
    mass = safe_sqrt(plus * (behind_p + behind_q))
    along = (plus_p * behind_q - plus_q * behind_p) / (2.0 * jnp.where(mass > 0.0, mass, 1.0))
    return across + along * axis


def pair_products(
    momenta: Float[Array, "n 4 *events"], masses: Float[Array | np.ndarray, " n"]
) -> list[list[Float[Array, "*events"]]]:
    """Lorentz products p_i.p_j in GeV^2 as a symmetric n x n table of (events,) arrays.

    momenta (n, 4, events), masses (n,). On the diagonal m_i^2. For light, collinear particles the
    relative error is 1e-16 / angle instead of 1e-16 / angle^2:
        p.q = (E_p E_q - |p||q|) + |p||q| (1 - cos),  |p||q| (1 - cos) = |p x q|^2 / (|p||q| + p.q),
        E_p E_q - |p||q| = (m_p^2 E_q^2 + |p|^2 m_q^2) / (E_p E_q + |p||q|).
    """
    n = momenta.shape[0]
    vector = [tuple(momenta[i, k] for k in (1, 2, 3)) for i in range(n)]
    square = [x * x + y * y + z * z for x, y, z in vector]
    size = [safe_sqrt(v) for v in square]
    energy = [jnp.sqrt(square[i] + masses[i] ** 2) for i in range(n)]
    events = momenta.shape[2:]
    table = [[jnp.broadcast_to(masses[i] ** 2, events)] * n for i in range(n)]
    for i in range(n):
        for j in range(i):
            dot = sum(a * b for a, b in zip(vector[i], vector[j], strict=True))
            sizes = size[i] * size[j]
            (ax, ay, az), (bx, by, bz) = vector[i], vector[j]
            cross = (ay * bz - az * by) ** 2 + (az * bx - ax * bz) ** 2 + (ax * by - ay * bx) ** 2
            ahead = dot > 0.0
            opening = jnp.where(ahead, cross / jnp.where(ahead, sizes + dot, 1.0), sizes - dot)
            product = energy[i] * energy[j] + sizes
            light = masses[i] ** 2 * energy[j] ** 2 + square[i] * masses[j] ** 2
            table[i][j] = table[j][i] = light / jnp.where(product > 0.0, product, 1.0) + opening
    return table


def subset_mass_squared(products: Sequence[Sequence[PerEvent]], legs: Sequence[int]) -> PerEvent:
    """(sum of p_i, i in legs)^2 in GeV^2 from pair_products: a sum of positive terms."""
    terms = [products[i][i] for i in legs]
    terms += [2.0 * products[i][j] for i in legs for j in legs if j < i]
    return functools.reduce(jnp.add, terms)
