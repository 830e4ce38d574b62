"""The constant density: flat sampling."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float64, PRNGKeyArray

from fabgen.surrogate.base import Params, Surrogate


@dataclass(frozen=True)
class Uniform(Surrogate):
    """q(u) = 1 on [0, 1]^dim. It has no parameters: `params` is ()."""

    def init(self, key: PRNGKeyArray) -> Params:
        del key
        return ()

    def sample_and_log_prob(
        self, params: Params, key: PRNGKeyArray, n: int
    ) -> tuple[Float64[Array, "{n} {self.dim}"], Float64[Array, " {n}"]]:
        del params
        u = jax.random.uniform(key, (n, self.dim), jnp.float64)
        return u, jnp.zeros(n, jnp.float64)

    def log_prob(self, params: Params, u: Float[Array, "n {self.dim}"]) -> Float64[Array, " n"]:
        del params
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        return jnp.where(inside, 0.0, -jnp.inf).astype(jnp.float64)
