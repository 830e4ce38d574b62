"""Affine couplings of logits: what splines are compared with.

Everything is elementwise over (coordinates, events): raw (2, coordinates, events) holds the raw
logarithm of the scale and the shift; raw = 0 is the identity. A flow of them takes the logits of
the coordinates once and the sigmoid of the result.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

_Raw = Float[Array, " 2 *shape"]
_Each = Float[Array, "*shape"]

#: Largest |log scale| of one layer.
MAX_LOG_SCALE = 2.0
#: Points this close to 0 or 1 count as this far away from it: a logit is finite, and below 1 the
#: numbers are 10^-16 apart. A density that grows like u^(1/k - 1) towards a face has a share of
#: exp(-32 / k) of its points there, whose log q is that of the edge.
EDGE = 1e-14


def logit(u: _Each) -> tuple[_Each, _Each]:
    """x = log(u / (1 - u)) and log dx/du for u in [0, 1]; see EDGE."""
    u = jnp.clip(u, EDGE, 1.0 - EDGE)
    log_u, log_1u = jnp.log(u), jnp.log1p(-u)
    return log_u - log_1u, -log_u - log_1u


def sigmoid(x: _Each) -> tuple[_Each, _Each]:
    """u = 1 / (1 + exp(-x)) and log du/dx."""
    return jax.nn.sigmoid(x), -jax.nn.softplus(x) - jax.nn.softplus(-x)


def affine_forward(raw: _Raw, x: _Each) -> tuple[_Each, _Each]:
    """y = exp(s) x + t and log dy/dx."""
    log_scale, shift = _scale_and_shift(raw, x.dtype)
    return jnp.exp(log_scale) * x + shift, log_scale


def affine_inverse(raw: _Raw, y: _Each) -> tuple[_Each, _Each]:
    """x = exp(-s) (y - t) and log dx/dy."""
    log_scale, shift = _scale_and_shift(raw, y.dtype)
    return jnp.exp(-log_scale) * (y - shift), -log_scale


def _scale_and_shift(raw: _Raw, dtype: jnp.dtype) -> tuple[_Each, _Each]:
    log_scale = MAX_LOG_SCALE * jnp.tanh(raw[0] / MAX_LOG_SCALE)
    return log_scale.astype(dtype), raw[1].astype(dtype)
