"""A fixed map of each axis, linear between borders: the grid of VEGAS without its strata.

borders (dim, bins + 1), increasing from 0 to 1: v in [0, 1] takes every bin with the same
probability 1 / bins, and u is linear in v inside of it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float64, Int, PRNGKeyArray

from fabgen.surrogate.base import Params, Surrogate


def uniform_grid(dim: int, bins: int) -> Float64[Array, "{dim} {bins}+1"]:
    """Borders of the identity."""
    return jnp.broadcast_to(jnp.linspace(0.0, 1.0, bins + 1, dtype=jnp.float64), (dim, bins + 1))


def from_grid(
    borders: Float[Array, "dim borders"], v: Float[Array, "n dim"]
) -> tuple[Float[Array, "n dim"], Float[Array, " n"]]:
    """u (n, dim) and log|du/dv| (n,) at v (n, dim) in [0, 1]."""
    bins = borders.shape[1] - 1
    place = v.T * bins
    k = jnp.clip(place.astype(jnp.int32), 0, bins - 1)
    left, width = _bin(borders, k)
    u = jnp.clip(left + width * (place - k), left, left + width)
    return u.T, jnp.log(width * bins).sum(axis=0)


def to_grid(
    borders: Float[Array, "dim borders"], u: Float[Array, "n dim"]
) -> tuple[Float[Array, "n dim"], Float[Array, " n"]]:
    """v (n, dim) and log|dv/du| (n,) at u (n, dim) in [0, 1]."""
    bins = borders.shape[1] - 1
    x = u.T
    inner = jax.vmap(functools.partial(jnp.searchsorted, side="right"))
    k = inner(borders[:, 1:-1], jax.lax.stop_gradient(x))
    left, width = _bin(borders, k)
    v = jnp.clip((k + (x - left) / width) / bins, 0.0, 1.0)
    return v.T, -jnp.log(width * bins).sum(axis=0)


def _bin(
    borders: Float[Array, "dim borders"], k: Int[Array, "dim n"]
) -> tuple[Float[Array, "dim n"], Float[Array, "dim n"]]:
    """Left borders and widths of the bins k (dim, n). No gradient: a grid is not trained."""
    borders = jax.lax.stop_gradient(borders)
    left = jnp.take_along_axis(borders, k, axis=1)
    return left, jnp.take_along_axis(borders, k + 1, axis=1) - left


class GriddedParams(NamedTuple):
    """borders (dim, bins + 1), and the parameters of the density behind."""

    grid: Float[Array, "dim borders"]
    density: Params


@dataclass(frozen=True)
class Gridded(Surrogate):
    """u = grid(v), v from another surrogate: a flow that starts from a VEGAS grid."""

    density: Surrogate
    bins: int

    def init(self, key: PRNGKeyArray) -> GriddedParams:
        return GriddedParams(uniform_grid(self.dim, self.bins), self.density.init(key))

    def sample_and_log_prob(
        self, params: GriddedParams, key: PRNGKeyArray, n: int
    ) -> tuple[Float64[Array, "{n} {self.dim}"], Float64[Array, " {n}"]]:
        v, log_q = self.density.sample_and_log_prob(params.density, key, n)
        u, log_slope = from_grid(params.grid, v)
        return u, log_q - log_slope

    def log_prob(
        self, params: GriddedParams, u: Float[Array, "n {self.dim}"]
    ) -> Float64[Array, " n"]:
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        v, log_slope = to_grid(params.grid, jnp.where(inside[:, None], u, 0.5))
        log_q = self.density.log_prob(params.density, v)
        return jnp.where(inside, log_q + log_slope, -jnp.inf)
