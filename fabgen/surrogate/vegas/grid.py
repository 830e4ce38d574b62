"""The density of a trained VEGAS+ integrator, sampled and evaluated in JAX.

G.P. Lepage, Adaptive multidimensional integration: VEGAS enhanced, arXiv:2009.05112.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float64, PRNGKeyArray

from fabgen.surrogate.base import Surrogate


class VegasGridParams(NamedTuple):
    """Plain float64 arrays, taken from the package.

    grid (dim, max(bins) + 1): borders of the increments, rows with fewer bins are filled up with 1.
    points (prod(strata),): points allotted to each hypercube, the first axis runs fastest.
    """

    grid: Float64[Array, "dim borders"]
    points: Float64[Array, " hypercubes"]


@dataclass(frozen=True)
class VegasGrid(Surrogate):
    """Adaptive map times adaptive stratification.

    The map takes y in [0, 1]^dim to u, linearly within each of `bins[d]` increments of an axis; y
    space is cut into a lattice of prod(strata) hypercubes, and a hypercube is chosen in proportion
    to its points. q(u) = share(hypercube) * prod(strata) / prod_d |du_d/dy_d|. Independent points
    are drawn, as from any surrogate, so the number per hypercube fluctuates; in the package it does
    not.
    """

    bins: tuple[int, ...]
    strata: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.bins) == len(self.strata) == self.dim:
            raise ValueError("bins and strata need one number per dimension")
        # the package makes one a multiple of the other, so that borders of bins and strata meet
        if any(b % s and s % b for b, s in zip(self.bins, self.strata, strict=True)):
            raise ValueError(f"bins {self.bins} and strata {self.strata} do not match")

    def init(self, key: PRNGKeyArray) -> VegasGridParams:
        """The uniform density."""
        del key
        width = max(self.bins) + 1
        steps = jnp.arange(width, dtype=jnp.float64)
        grid = jnp.minimum(steps / jnp.asarray(self.bins, jnp.float64)[:, None], 1.0)
        return VegasGridParams(grid, jnp.ones(math.prod(self.strata), jnp.float64))

    def sample_and_log_prob(
        self, params: VegasGridParams, key: PRNGKeyArray, n: int
    ) -> tuple[Float64[Array, "{n} {self.dim}"], Float64[Array, " {n}"]]:
        cube_key, key = jax.random.split(key)
        total = jnp.cumsum(params.points)
        draw = jax.random.uniform(cube_key, (n,), jnp.float64) * total[-1]
        # side="right": a hypercube without points is never chosen
        cube = jnp.searchsorted(total, draw, side="right")
        cube = jnp.minimum(cube, total.shape[0] - 1)
        y = jax.random.uniform(key, (n, self.dim), jnp.float64)
        columns = []
        for d, (bins, strata) in enumerate(zip(self.bins, self.strata, strict=True)):
            position = (cube % strata + y[:, d]) * (bins / strata)
            cube = cube // strata
            k = jnp.minimum(position.astype(jnp.int32), bins - 1)
            left, right = params.grid[d, k], params.grid[d, k + 1]
            columns.append(jnp.clip(left + (right - left) * (position - k), left, right))
        u = jnp.stack(columns, axis=-1)
        # evaluated, not carried along: a point that rounding put on a border has one density
        return u, self.log_prob(params, u)

    def log_prob(
        self, params: VegasGridParams, u: Float[Array, "n {self.dim}"]
    ) -> Float64[Array, " n"]:
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        x = jnp.where(inside[:, None], u, 0.5)
        cube = jnp.zeros(u.shape[0], jnp.int64)
        log_jacobian = jnp.zeros(u.shape[0], jnp.float64)
        stride = 1
        for d, (bins, strata) in enumerate(zip(self.bins, self.strata, strict=True)):
            grid = params.grid[d, : bins + 1]
            k = jnp.searchsorted(grid[1:-1], x[:, d], side="right").astype(jnp.int64)
            left, width = grid[k], grid[k + 1] - grid[k]
            log_jacobian += jnp.log(width * bins)
            if bins >= strata:
                stratum = k * strata // bins
            else:
                parts = strata // bins
                part = (jax.lax.stop_gradient((x[:, d] - left) / width) * parts).astype(jnp.int64)
                stratum = k * parts + jnp.clip(part, 0, parts - 1)
            cube = cube + stride * stratum
            stride *= strata
        share = params.points[cube] / params.points.sum() * np.prod(self.strata, dtype=float)
        return jnp.where(inside, jnp.log(share) - log_jacobian, -jnp.inf)
