"""Two beams of fixed energy along z, or one particle at rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from fabgen.units import PB_GEV2


class Collision(NamedTuple):
    """The initial state; all values may be traced.

    incoming, lab (n, 4): momenta in the rest frame of the total momentum and in the lab, first beam
    along +z, GeV. sqrt_s: total energy in the rest frame, GeV. rapidity: of that frame along z in
    the lab. factor: times |M|^2 dPhi gives pb, or GeV for a decay.
    """

    incoming: Array
    lab: Array
    sqrt_s: Array
    rapidity: Array
    factor: Array


def fixed_beams(energies: tuple[float, float], masses: tuple[ArrayLike, ArrayLike]) -> Collision:
    """Beams on their mass shells, head on; flux 1/(4 sqrt((p1.p2)^2 - m1^2 m2^2)).

    All that follows are sums of positive terms, so that beams of very different energies, or hardly
    above their masses, lose no digits: E + pz and E - pz of both, s as their product, the invariant
    of the flux as e1 k2 + e2 k1.
    """
    m1, m2 = (jnp.asarray(m, dtype=float) for m in masses)
    e1, e2 = energies
    k1, k2, plus, minus = _light_cone(energies, (m1, m2), jnp.sqrt)
    sqrt_s = jnp.sqrt(plus) * jnp.sqrt(minus)
    flux = e1 * k2 + e2 * k1
    k = flux / sqrt_s
    zero = jnp.zeros(())

    def along_z(e1: Array, k1: Array, e2: Array, k2: Array) -> Array:
        first, second = jnp.stack([e1, zero, zero, k1]), jnp.stack([e2, zero, zero, -k2])
        return jnp.stack([first, second])

    return Collision(
        incoming=along_z(jnp.sqrt(m1**2 + k**2), k, jnp.sqrt(m2**2 + k**2), k),
        lab=along_z(jnp.asarray(e1, dtype=float), k1, jnp.asarray(e2, dtype=float), k2),
        sqrt_s=sqrt_s,
        rapidity=0.5 * jnp.log(plus / minus),
        factor=PB_GEV2 / (4 * flux),
    )


def energy_and_rapidity(
    energies: tuple[float, float], masses: tuple[float, float]
) -> tuple[float, float]:
    """sqrt(s) in GeV and the rapidity of the rest frame in the lab, as numbers."""
    _, _, plus, minus = _light_cone(energies, masses, math.sqrt)
    return math.sqrt(plus) * math.sqrt(minus), 0.5 * math.log(plus / minus)


def _light_cone(
    energies: tuple[float, float], masses: tuple[Any, Any], sqrt: Callable[[Any], Any]
) -> tuple[Any, Any, Any, Any]:
    """Momenta of both beams, and E + pz and E - pz of their sum, GeV."""
    (e1, e2), (m1, m2) = energies, masses
    k1, k2 = sqrt((e1 - m1) * (e1 + m1)), sqrt((e2 - m2) * (e2 + m2))
    return k1, k2, e1 + k1 + m2 * (m2 / (e2 + k2)), e2 + k2 + m1 * (m1 / (e1 + k1))


def decay_at_rest(mass: ArrayLike) -> Collision:
    """One particle at rest: dGamma = |M|^2 dPhi / (2 M), in GeV."""
    mass = jnp.asarray(mass, dtype=float)
    zero = jnp.zeros(())
    incoming = jnp.stack([mass, zero, zero, zero])[None]
    return Collision(incoming, incoming, mass, zero, 1 / (2 * mass))
