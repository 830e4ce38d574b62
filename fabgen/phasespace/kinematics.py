"""Four-vectors (E, px, py, pz) in GeV; the component axis is the last but one, events the last.

Every function takes (4, events) or (n, 4, events) unless it says otherwise. Differences of large
numbers are avoided throughout: each formula that looks longer than the textbook's is there because
the textbook's loses digits near a threshold or for collinear momenta.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from fabgen.numerics import safe_sqrt

#: A number or an array of them, one per event.
Number = Array | float

TWO_PI = 6.283185307179586


def kallen(mass: Number, mass_1: Number, mass_2: Number) -> Number:
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


def two_body_momentum(mass: Number, mass_1: Number, mass_2: Number) -> Array:
    """Momentum in GeV of the products of M -> m1 m2 in the rest frame of M; 0 below threshold."""
    return safe_sqrt(kallen(mass, mass_1, mass_2)) / (2.0 * mass)


def mass_squared(p: Array) -> Array:
    """E^2 - |p|^2 in GeV^2, (events,) or (n, events); error of the order of 1e-16 E^2."""
    energy, px, py, pz = components(p)
    return (energy - pz) * (energy + pz) - px * px - py * py


def invariant_mass(p: Array) -> Array:
    """sqrt(p^2) in GeV, 0 for space-like p."""
    return safe_sqrt(mass_squared(p))


def components(p: Array) -> tuple[Array, Array, Array, Array]:
    """E, px, py, pz."""
    return p[..., 0, :], p[..., 1, :], p[..., 2, :], p[..., 3, :]


def transverse_momentum_squared(p: Array) -> Array:
    """px^2 + py^2 in GeV^2."""
    return p[..., 1, :] ** 2 + p[..., 2, :] ** 2


def transverse_momentum(p: Array) -> Array:
    """sqrt(px^2 + py^2) in GeV, with derivative 0 along the beam."""
    return safe_sqrt(transverse_momentum_squared(p))


def rapidity(p: Array) -> Array:
    """y = 0.5 ln((E + pz)/(E - pz)); +-inf for a massless particle along the beam."""
    energy, _, _, pz = components(p)
    forward = jnp.abs(pz)
    return jnp.sign(pz) * 0.5 * jnp.log((energy + forward) / jnp.maximum(energy - forward, 0.0))


def delta_phi(p: Array, q: Array) -> Array:
    """Azimuthal angle between p and q, in [0, pi]."""
    dot = p[..., 1, :] * q[..., 1, :] + p[..., 2, :] * q[..., 2, :]
    cross = p[..., 1, :] * q[..., 2, :] - p[..., 2, :] * q[..., 1, :]
    return jnp.abs(jnp.arctan2(cross, dot))


def delta_r(p: Array, q: Array) -> Array:
    """sqrt(dy^2 + dphi^2) with rapidities y."""
    return jnp.hypot(rapidity(p) - rapidity(q), delta_phi(p, q))


def isotropic_angles(u: Array) -> tuple[Array, Array, Array, Array]:
    """cos and sin of the polar angle, then of the azimuth, each (k, events).

    u (2 k, events): (1 + cos theta)/2 and azimuth/(2 pi) in turn.
    """
    cos = 2.0 * u[0::2] - 1.0
    sin = 2.0 * safe_sqrt(u[0::2] * (1.0 - u[0::2]))
    phi = TWO_PI * u[1::2]
    return cos, sin, jnp.cos(phi), jnp.sin(phi)


def unit_angles(x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """(1 + cos theta)/2 and azimuth/(2 pi) of a direction, both in [0, 1]."""
    size = jnp.sqrt(x * x + y * y + z * z)
    cos = jnp.where(size > 0.0, z / jnp.where(size > 0.0, size, 1.0), 1.0)
    azimuth = jnp.arctan2(y, x) / TWO_PI
    return 0.5 * (1.0 + cos), jnp.where(azimuth < 0.0, azimuth + 1.0, azimuth)


def boost_from_rest(p: Array, frame: Array, mass: Number) -> Array:
    """Momenta p, given in the rest frame of `frame`, in the system where `frame` is given.

    A pure boost, no rotation. frame (4, events), mass its mass (GeV, > 0).
    """
    energy, vector = p[..., 0, :], p[..., 1:, :]
    frame_energy, frame_vector = frame[0], frame[1:]
    along = jnp.sum(vector * frame_vector, axis=-2)
    boosted = (energy * frame_energy + along) / mass
    # the factor (E + E*) / (Q0 + M) equals E*/M + p.Q / (M (Q0 + M)): one division less
    factor = (boosted + energy) / (frame_energy + mass)
    return jnp.concatenate(
        [boosted[..., None, :], vector + factor[..., None, :] * frame_vector], axis=-2
    )


def boost_to_rest(p: Array, frame: Array, mass: Number, energy: Number) -> Array:
    """The three-momenta (..., 3, events) of p in the rest frame of `frame`: undoes boost_from_rest.

    `energy`: that of p in the rest frame, p.frame / mass. The caller has it from invariants
    (pair_products); with it the error is 1e-16 E instead of 1e-16 E (E / mass).
    """
    factor = (p[..., 0, :] + energy) / (frame[0] + mass)
    return p[..., 1:, :] - factor[..., None, :] * frame[1:]


def pair_products(momenta: Array, masses: Array) -> list[list[Array]]:
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


def subset_mass_squared(products: Sequence[Sequence[Array]], legs: Sequence[int]) -> Array:
    """(sum of p_i, i in legs)^2 in GeV^2 from pair_products: a sum of positive terms."""
    terms = [products[i][i] for i in legs]
    terms += [2.0 * products[i][j] for i in legs for j in legs if j < i]
    return functools.reduce(jnp.add, terms)
