"""Elementary functions whose derivatives stay finite where the textbook's do not; a bisection."""

from __future__ import annotations

from collections.abc import Callable

import jax
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


def log_where_open(x: ArrayLike, is_open: ArrayLike) -> Array:
    """Natural log of x > 0; -inf with derivative 0 where phase space is closed or x is 0.

    NaN of open phase space stays NaN: it is an error to be counted, and no point outside.
    """
    closed = ~jnp.asarray(is_open) | (jnp.asarray(x) <= 0.0)
    return jnp.where(closed, -jnp.inf, jnp.log(jnp.where(closed, 1.0, x)))


def safe_divide(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """The quotient, and 0 with derivative 0 where the denominator is 0."""
    zero = jnp.asarray(denominator) == 0.0
    return jnp.where(zero, 0.0, numerator / jnp.where(zero, 1.0, denominator))


def log_weights(scores: Array, allowed: ArrayLike = True) -> Array:
    """log of weights (n, ...) in proportion to exp(scores) that add up to 1 along the first axis.

    What is not allowed or has no finite score has no weight; where that is all, what is allowed
    shares alike.
    """
    known = jnp.isfinite(scores) & allowed
    nowhere = ~jnp.any(known, axis=0)
    scores = jnp.where(known, jnp.where(known, scores, 0.0), -jnp.inf)
    return jax.nn.log_softmax(jnp.where(nowhere & allowed, 0.0, scores), axis=0)


def last_good(good: Callable[[Array], Array], low: Array, high: Array, halvings: int) -> Array:
    """Where good, true below some place, ends between low and high (elementwise), to
    (high - low) / 2^halvings from below; low, if it holds nowhere."""

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        holds = good(middle)
        return jnp.where(holds, middle, low), jnp.where(holds, high, middle)

    return jax.lax.fori_loop(0, halvings, halve, (low, high))[0]
