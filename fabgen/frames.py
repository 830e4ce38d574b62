"""From the rest frame of what comes in to the lab."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array


def with_beams(incoming: Array, final: Array) -> Array:
    """Incoming momenta (n_initial, 4), the same for all events, before final (n_final, 4, n)."""
    beams = jnp.broadcast_to(incoming[..., None], (*incoming.shape, final.shape[-1]))
    return jnp.concatenate([beams, final])


def boost_z(momenta: Array, beta: Array) -> Array:
    """Momenta (n, 4, events) from where they move with an additional velocity beta along z."""
    gamma = 1 / jnp.sqrt(1 - beta**2)
    energy, along = momenta[:, 0], momenta[:, 3]
    return jnp.stack(
        [
            gamma * (energy + beta * along),
            momenta[:, 1],
            momenta[:, 2],
            gamma * (along + beta * energy),
        ],
        axis=1,
    )
