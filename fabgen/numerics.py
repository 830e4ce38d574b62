"""Elementary functions whose derivatives stay finite where the textbook's do not."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


def safe_sqrt(x: ArrayLike) -> Array:
    """sqrt(max(x, 0)) whose derivative is 0, not infinite, where x <= 0."""
    positive = jnp.asarray(x) > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def safe_log(x: ArrayLike) -> Array:
    """Natural log of x >= 0 whose derivative is 0 where x = 0; NaN stays NaN, so it is counted."""
    zero = jnp.asarray(x) == 0.0
    return jnp.where(zero, -jnp.inf, jnp.log(jnp.where(zero, 1.0, x)))


def safe_divide(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """The quotient, and 0 with derivative 0 where the denominator is 0."""
    zero = jnp.asarray(denominator) == 0.0
    return jnp.where(zero, 0.0, numerator / jnp.where(zero, 1.0, denominator))
