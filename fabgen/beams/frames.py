"""From the rest frame of what comes in to the lab, and back."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from fabgen.beams import Collision
from fabgen.phasespace.kinematics import Number, components, light_cone


def with_beams(incoming: Array, final: Array) -> Array:
    """Incoming momenta (n_initial, 4), the same for all events, before final (n_final, 4, n)."""
    beams = jnp.broadcast_to(incoming[..., None], (*incoming.shape, final.shape[-1]))
    return jnp.concatenate([beams, final])


def in_lab(collision: Collision, final: Array, masses: Array) -> Array:
    """All momenta (n_external, 4, events) in the lab, from the final ones in the rest frame."""
    return with_beams(collision.lab, boost_z(final, masses, collision.rapidity))


def boost_z(momenta: Array, masses: Array, rapidity: Number) -> Array:
    """Momenta (n, 4, events) of masses (n,) with all rapidities along z larger by `rapidity`.

    E + pz and E - pz are multiplied by exp(+-rapidity): both keep their relative precision, however
    fast the boost, and every particle stays on its mass shell.
    """
    energy, x, y, z = components(momenta)
    plus, minus = light_cone(energy, z, x * x + y * y + masses[:, None] ** 2)
    plus, minus = plus * jnp.exp(rapidity), minus * jnp.exp(-rapidity)
    return jnp.stack([0.5 * (plus + minus), x, y, 0.5 * (plus - minus)], axis=1)
