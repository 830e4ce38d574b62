"""Numbers drawn in proportion to weights."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int


def choose(
    weights: Float[Array, "n events"], random: Float[Array, " events"]
) -> Int[Array, " events"]:
    """Numbers (events,) drawn in proportion to weights (n, events) >= 0 with uniform random numbers
    (events,); what has no weight is never drawn."""
    if len(weights) == 1:
        return jnp.zeros(random.shape, int)
    steps = jnp.cumsum(weights, axis=0)
    picked = jnp.sum(steps <= random * steps[-1], axis=0)
    last = len(weights) - 1 - jnp.argmax(weights[::-1] > 0.0, axis=0)
    return jnp.minimum(picked, last)
