"""Normal distributions cut off at 0 and 1, in closed form: densities and exact draws."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Float

from fabgen.arrays import Elementwise

#: Numbers whose axes mean nothing here.
Given = Elementwise | Float[np.ndarray, "*#shape"] | float


def log_truncated(x: Given, centre: Given, width: Given) -> Elementwise:
    """log of the density at x, with integral 1 over [0, 1]; it goes on smoothly outside of it."""
    low, high = _borders(centre, width)
    log_norm = jnp.log(math.sqrt(2.0 * math.pi) * jnp.asarray(width) * (high - low))
    return -0.5 * ((jnp.asarray(x) - centre) / width) ** 2 - log_norm


def draw_truncated(v: Given, centre: Given, width: Given) -> Elementwise:
    """The points in [0, 1] below which lies the part v, uniform in [0, 1), of the distribution.

    centre: inside [0, 1], where the inverse of the distribution function keeps its digits.
    """
    low, high = _borders(centre, width)
    # v = 0 is the face itself, which is -infinity where the tail below it underflows.
    return jnp.clip(centre + width * ndtri(low + (high - low) * v), 0.0, 1.0)


def _borders(centre: Given, width: Given) -> tuple[Elementwise, Elementwise]:
    """The parts below 0 and below 1 of the distribution that is not cut off."""
    low, high = -jnp.asarray(centre) / width, (1.0 - jnp.asarray(centre)) / width
    return ndtr(low), ndtr(high)
