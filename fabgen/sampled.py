"""One component of an integrand at points of its cube."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Sampled(NamedTuple):
    """One component at points u: momenta in the rest frame and the lab, values of its terms."""

    momenta: Array
    lab: Array
    log_jacobian: Array
    values: Array  # (terms, events), flux included


def total(sampled: list[Sampled], u: Array) -> Array:
    """f (events,) at u (dim, events) of all components: zero outside the cube."""
    result = jnp.zeros(u.shape[-1])
    for made in sampled:
        open_ = ~jnp.isneginf(made.log_jacobian)
        jacobian = jnp.where(open_, jnp.exp(jnp.where(open_, made.log_jacobian, 0.0)), 0.0)
        result = result + jacobian * made.values.sum(axis=0)
    return jnp.where(jnp.all((u >= 0) & (u <= 1), axis=0), result, 0.0)
