"""Weighted points in blocks of one compiled size: u ~ q with log w = log f(u) - log q(u).

With several channels a point is drawn from channel i with probability a_i, u ~ q_i, and
w = alpha_i f_i / (a_i q_i): one sample of the mixture, whatever the a_i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from fabgen.sampling.reference import Witness

#: Points per compiled block. Large enough to hide the dispatch, small enough to stay in memory.
DEFAULT_BLOCK = 16384

Array = jax.Array


class Target(Protocol):
    """What sampling needs of an integrand of one channel."""

    @property
    def dim(self) -> int: ...

    def log_density(self, u: Array) -> Array:
        """Natural log of f at u (n, dim), (n,); -inf where f vanishes."""


class Density(Protocol):
    """What sampling needs of a surrogate of one channel."""

    def sample_and_log_prob(self, params: Any, key: Array, n: int) -> tuple[Array, Array]:
        """u (n, dim) ~ q and log q(u) (n,)."""


class Weighted(NamedTuple):
    """A block of points u (n, dim), log w (n,) and channels (n,), as arrays not yet waited for, and
    what they tell of another density, if they do."""

    u: Array
    log_w: Array
    channel: Array
    witness: Witness | None = None


@dataclass(frozen=True)
class WeightedSampler:
    """Blocks of independent weighted points: `sampler(key, i)` is block i of the stream of `key`.

    step: (params, key, channel (block,)) -> u (block, dim) and log(alpha_i f_i / q_i) (block,); one
    channel gets None. A third entry may tell of another density. shares (n_channels,): a_i, adding
    up to 1. Each call is `block` target evaluations. Block i uses fold_in(key, i), so a stream can
    be cut and continued anywhere, and a longer run starts with the points of a shorter one.
    """

    step: Callable[[Any, Array, Array | None], tuple[Array, Array] | tuple[Array, Array, Witness]]
    params: Any
    dim: int
    block: int
    shares: tuple[float, ...] = (1.0,)

    @property
    def n_channels(self) -> int:
        return len(self.shares)

    def __call__(self, key: Array, index: int) -> Weighted:
        if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.wrap_key_data(key)  # an old-style key
        key = jax.random.fold_in(key, index)
        if self.n_channels == 1:
            u, log_w, *told = self.step(self.params, key, None)
            return Weighted(u, log_w, jnp.zeros(self.block, jnp.int32), *told)
        channel_key, key = jax.random.split(key)
        shares = jnp.asarray(self.shares)
        channel, log_share = draw_channels(channel_key, shares, self.block)
        u, log_w, *told = self.step(self.params, key, channel)
        told = [witness._replace(log_part=witness.log_part - log_share) for witness in told]
        return Weighted(u, log_w - log_share, channel, *told)


@jax.jit(static_argnums=2)
def draw_channels(key: Array, shares: Array, n: int) -> tuple[Array, Array]:
    """Channels (n,) with probabilities a_i = shares (n_channels,), and log a_i (n,) of each.

    Stratified: n equal steps through the summed shares from a random start, in random order. The
    number of points of a channel is n a_i, rounded down or up, and n a_i on average, so that sums
    over blocks are without bias and have nearly no variance from the choice of channels.
    """
    start_key, order_key = jax.random.split(key)
    steps = (jnp.arange(n) + jax.random.uniform(start_key)) / n
    edges = jnp.cumsum(shares) / jnp.sum(shares)
    # side="right": a channel without a share is never drawn
    channel = jnp.searchsorted(edges, steps, side="right")
    last = shares.shape[0] - 1 - jnp.argmax(shares[::-1] > 0.0)
    channel = jax.random.permutation(order_key, jnp.minimum(channel, last).astype(jnp.int32))
    return channel, jnp.log(shares / jnp.sum(shares))[channel]


def weighted_sampler(
    integrand: Target, surrogate: Density, params: Any, block: int = DEFAULT_BLOCK
) -> WeightedSampler:
    """The sampler of w = f/q for a surrogate of one channel with parameters `params`.

    Compiles at once, so the time this takes is compilation and no call compiles again; use the same
    sampler to integrate and to unweight.
    """

    def step(params: Any, key: Array) -> tuple[Array, Array]:
        u, log_q = surrogate.sample_and_log_prob(params, key, block)
        return u, integrand.log_density(u) - log_q

    compiled = jax.jit(step).lower(params, jax.random.key(0)).compile()
    return WeightedSampler(
        lambda params, key, channel: compiled(params, key), params, integrand.dim, block
    )
