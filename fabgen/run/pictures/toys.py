"""The data of the pictures of a toy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fabgen.integrand.toys import ToyIntegrand
from fabgen.plot.channels import ChannelCurves
from fabgen.surrogate.channels import MultiChannel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CURVE, _SIDE = 2000, 150


def channel_curves(
    toy: ToyIntegrand, surrogate: MultiChannel, params: Any, key: jax.Array, n: int
) -> ChannelCurves:
    """f and weights on a grid over the interval of the flat map, n points of each channel."""
    u = _grid(toy.dim)
    x = np.asarray(toy.density.maps()["flat"].forward(jnp.asarray(u.T))).T
    point = jax.jit(toy.at)(x)
    alpha = jax.jit(surrogate.log_alphas)(params, point.log_prior, point.features, 0)

    @jax.jit
    def draw(key: jax.Array, channel: jax.Array) -> jax.Array:
        u, _ = surrogate.sample_and_log_prob(params, key, jnp.broadcast_to(channel, (n,)))
        return toy.space(u, channel)

    keys = jax.random.split(key, toy.n_channels)
    drawn = tuple(np.asarray(draw(keys[i], jnp.asarray(i))) for i in range(toy.n_channels))
    names = tuple(channel.map for channel in toy.channels)
    weights = np.exp(np.asarray(point.log_prior)), np.exp(np.asarray(alpha))
    return ChannelCurves(x, np.exp(np.asarray(point.log_f)), *weights, drawn, names)


def _grid(dim: int) -> NDArray[np.float64]:
    """Midpoints (points, dim); in two dimensions the first runs fastest."""
    if dim == 1:
        return ((np.arange(_CURVE) + 0.5) / _CURVE)[:, None]
    line = (np.arange(_SIDE) + 0.5) / _SIDE
    return np.stack([axis.ravel() for axis in np.meshgrid(line, line)], axis=-1)
