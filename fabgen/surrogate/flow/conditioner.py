"""The small network that turns the conditioning coordinates into spline parameters.

Plain pytrees, explicit dtypes, events on the last axis: (features, events). Measured on one CPU
core, this layout makes the backward pass 1.5 times faster than (events, features).
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float, PRNGKeyArray

_UNIFORM_STD = 1.0 / math.sqrt(12.0)
_FEATURES = 3


class Linear(NamedTuple):
    """weight (n_out, n_in), bias (n_out, 1)."""

    weight: Float[Array, "n_out n_in"]
    bias: Float[Array, "n_out 1"]


def init_conditioner(
    key: PRNGKeyArray,
    n_in: int,
    start: Float[np.ndarray, " n_out"],
    hidden: tuple[int, ...],
    dtype: DTypeLike,
    n_context: int = 0,
) -> tuple[Linear, ...]:
    """The network of n_in coordinates and n_context further inputs; its output at the start."""
    n_inputs = _FEATURES * n_in + n_context
    *hidden_layers, last = init_perceptron(key, n_inputs, len(start), hidden, dtype)
    return (*hidden_layers, last._replace(bias=jnp.asarray(start, dtype)[:, None]))


def init_perceptron(
    key: PRNGKeyArray, n_in: int, n_out: int, hidden: tuple[int, ...], dtype: DTypeLike
) -> tuple[Linear, ...]:
    """A multilayer perceptron whose last layer is zero, so that its output is zero at the start.

    Hidden weights are normal with variance 1 / fan-in. Without inputs a bias is all there is.
    """
    sizes = (n_in, *hidden, n_out) if n_in > 0 else (0, n_out)
    layers = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        last = i == len(sizes) - 2
        key, subkey = jax.random.split(key)
        scale = 0.0 if last else 1.0 / math.sqrt(a)
        weight = scale * jax.random.normal(subkey, (b, a), dtype)
        layers.append(Linear(weight.astype(dtype), jnp.zeros((b, 1), dtype)))
    return tuple(layers)


def apply_conditioner(
    layers: tuple[Linear, ...],
    x: Float[Array, "n_in n"],
    context: Float[Array, "n_context n"] | None = None,
) -> Float[Array, "n_out n"]:
    """x (n_in, events) in [0, 1] -> (n_out, events), in the dtype of the layers.

    context (n_context, events): inputs of order one that go in as they are.

    The features are the inputs, centred and scaled to unit variance under the uniform density, with
    sine and cosine of 2 pi x: many coordinates are azimuths, for which x = 0 and x = 1 are the same
    point. (Trained alike by reverse KL on two densities in 8 dimensions, the two waves raised the
    sampling efficiency from 0.74 to 0.91 for the periodic one and left the other one at 0.94; gelu
    gained 0.08 over silu and 0.16 over tanh; one or two seeds each, no real process. Two seeds of
    relu differ by more than its distance to gelu.)
    """
    dtype = layers[-1].bias.dtype
    if x.shape[0] == 0 and context is None:
        return jnp.broadcast_to(layers[-1].bias, (layers[-1].bias.shape[0], x.shape[1]))
    x = x.astype(dtype)
    angle = 2.0 * math.pi * x
    further = () if context is None else (context.astype(dtype),)
    return apply_perceptron(
        layers,
        jnp.concatenate([(x - 0.5) / _UNIFORM_STD, jnp.sin(angle), jnp.cos(angle), *further]),
    )


def apply_perceptron(
    layers: tuple[Linear, ...], h: Float[Array, "n_in n"]
) -> Float[Array, "n_out n"]:
    """h (n_in, events), of order one and in the dtype of the layers -> (n_out, events)."""
    for layer in layers[:-1]:
        h = jax.nn.gelu(layer.weight @ h + layer.bias)
    return layers[-1].weight @ h + layers[-1].bias
