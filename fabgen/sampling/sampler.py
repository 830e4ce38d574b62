"""Weighted points: u ~ q with log w = log f(u) - log q(u), in blocks of one compiled size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax

#: Points per compiled block. Large enough to hide the dispatch, small enough to stay in memory.
DEFAULT_BLOCK = 16384

Array = jax.Array


class Target(Protocol):
    """What sampling needs of an integrand."""

    @property
    def dim(self) -> int: ...

    def log_density(self, u: Array) -> Array:
        """Natural log of f at u (n, dim), (n,); -inf where f vanishes."""


class Density(Protocol):
    """What sampling needs of a surrogate."""

    def sample_and_log_prob(self, params: Any, key: Array, n: int) -> tuple[Array, Array]:
        """u (n, dim) ~ q and log q(u) (n,)."""


@dataclass(frozen=True)
class WeightedSampler:
    """Blocks of independent weighted points: `sampler(key, i)` is block i of the stream of `key`.

    Returns u (block, dim) and log w (block,) as device arrays, not yet waited for. Each call is
    `block` target evaluations. Block i uses fold_in(key, i), so a stream can be cut and continued
    anywhere, and a longer run starts with the points of a shorter one.
    """

    step: Callable[[Any, Array], tuple[Array, Array]]
    params: Any
    dim: int
    block: int

    def __call__(self, key: Array, index: int) -> tuple[Array, Array]:
        if not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.wrap_key_data(key)  # an old-style key
        return self.step(self.params, jax.random.fold_in(key, index))


def weighted_sampler(
    integrand: Target, surrogate: Density, params: Any, block: int = DEFAULT_BLOCK
) -> WeightedSampler:
    """The sampler of w = f/q for a surrogate with parameters `params`.

    Compiles at once, so the time this takes is compilation and no call compiles again; use the same
    sampler to integrate and to unweight.
    """

    def step(params: Any, key: Array) -> tuple[Array, Array]:
        u, log_q = surrogate.sample_and_log_prob(params, key, block)
        return u, integrand.log_density(u) - log_q

    compiled = jax.jit(step).lower(params, jax.random.key(0)).compile()
    return WeightedSampler(compiled, params, integrand.dim, block)
