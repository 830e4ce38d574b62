"""Two beams of fixed energy along z, or one particle at rest."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from fabgen.units import PB_GEV2


class Collision(NamedTuple):
    """The initial state; all values may be traced.

    incoming (n, 4): momenta in the rest frame of the total momentum, first beam along +z, GeV.
    sqrt_s: total energy there, GeV. beta: velocity of that frame along z in the lab. factor: times
    |M|^2 dPhi gives pb, or GeV for a decay.
    """

    incoming: Array
    sqrt_s: Array
    beta: Array
    factor: Array


def fixed_beams(energies: tuple[float, float], masses: tuple[ArrayLike, ArrayLike]) -> Collision:
    """Beams on their mass shells, head on; flux 1/(4 sqrt((p1.p2)^2 - m1^2 m2^2))."""
    m1, m2 = (jnp.asarray(m, dtype=float) for m in masses)
    e1, e2 = energies
    k1, k2 = jnp.sqrt(e1**2 - m1**2), jnp.sqrt(e2**2 - m2**2)
    s = m1**2 + m2**2 + 2 * (e1 * e2 + k1 * k2)
    sqrt_s = jnp.sqrt(s)
    beta = (k1 - k2) / (e1 + e2)
    # The momentum of both in their rest frame: k sqrt(s) is the invariant sqrt((p1.p2)^2 - ...).
    k = jnp.sqrt((s - (m1 + m2) ** 2) * (s - (m1 - m2) ** 2)) / (2 * sqrt_s)
    zero = jnp.zeros(())
    incoming = jnp.stack(
        [
            jnp.stack([jnp.sqrt(m1**2 + k**2), zero, zero, k]),
            jnp.stack([jnp.sqrt(m2**2 + k**2), zero, zero, -k]),
        ]
    )
    return Collision(incoming, sqrt_s, beta, PB_GEV2 / (4 * k * sqrt_s))


def decay_at_rest(mass: ArrayLike) -> Collision:
    """One particle at rest: dGamma = |M|^2 dPhi / (2 M), in GeV."""
    mass = jnp.asarray(mass, dtype=float)
    zero = jnp.zeros(())
    incoming = jnp.stack([mass, zero, zero, zero])[None]
    return Collision(incoming, mass, zero, 1 / (2 * mass))
