"""Weighted points in blocks of one compiled size: u ~ q with log w = log f(u) - log q(u).

With several channels a point is drawn from channel i with probability a_i, u ~ q_i, and
w = alpha_i f_i / (a_i q_i): one sample of the mixture, whatever the a_i. f may be negative: then
log w is that of |w|, and the sign travels beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fabgen.sampling.reference import Witness
from fabgen.surrogate.channels import AnyChannels, ChannelValues, as_multichannel

#: Points per compiled block. Large enough to hide the dispatch, small enough to stay in memory.
DEFAULT_BLOCK = 16384

Array = jax.Array

Values = Callable[[Any, Any], ChannelValues]
"""f at u (block, dim) of channels (block,)."""


class Step(NamedTuple):
    """A block of points u (n, dim) of given channels, log |w| and the sign of w (n,), with w =
    alpha_i f_i / q_i, and what they tell of another density, if they do."""

    u: Array
    log_w: Array
    sign: Array
    witness: Witness | None = None


class Weighted(NamedTuple):
    """A block of points u (n, dim), log |w|, the sign of w and channels (n,), as arrays not yet
    waited for, and what they tell of another density, if they do."""

    u: Array
    log_w: Array
    sign: Array
    channel: Array
    witness: Witness | None = None


@dataclass(frozen=True)
class WeightedSampler:
    """Blocks of independent weighted points: `sampler(key, i)` is block i of the stream of `key`.

    step: (params, key, channel (block,)) -> Step. shares (n_channels,): a_i, adding up to 1. Each
    call is `block` target evaluations. Block i uses fold_in(key, i), so a stream can
    be cut and continued anywhere, and a longer run starts with the points of a shorter one.
    """

    step: Callable[[Any, Array, Array], Step]
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
            channel = jnp.zeros(self.block, jnp.int32)
            u, log_w, sign, witness = self.step(self.params, key, channel)
            return Weighted(u, log_w, sign, channel, witness)
        channel_key, key = jax.random.split(key)
        shares = jnp.asarray(self.shares)
        channel, log_share = draw_channels(channel_key, shares, self.block)
        u, log_w, sign, witness = self.step(self.params, key, channel)
        if witness is not None:
            witness = witness._replace(log_part=witness.log_part - log_share)
        return Weighted(u, log_w - log_share, sign, channel, witness)


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


Weigh = Callable[[Any, ChannelValues, Array, Array], Array]
"""(params, values, log q, channel) -> log |w|, all but the parameters of points (block,)."""


def weights(view: AnyChannels) -> Weigh:
    """The weights of points of channels, w = alpha_i f_i / q_i."""

    def weigh(params: Any, values: ChannelValues, log_q: Array, channel: Array) -> Array:
        log_alpha = view.log_alpha(params, values.log_prior, values.features, channel)
        return values.log_f + log_alpha - log_q

    return weigh


def weighted_sampler(
    values: Values,
    surrogate: Any,
    params: Any,
    shares: tuple[float, ...] = (1.0,),
    *,
    draw: Callable[[Any, Array, Array], tuple[Array, Array]] | None = None,
    weigh: Weigh | None = None,
    block: int = DEFAULT_BLOCK,
) -> WeightedSampler:
    """The sampler of the weights of a surrogate with parameters `params`.

    values: f at blocks of this size, compiled (`CompiledIntegrand.values`). shares: of the
    channels. draw: (params, key, channel (block,)) -> u (block, dim) and log q (block,) of the
    surrogate, compiled; weigh: `weights`, compiled. By default they are now. Use the same sampler
    to integrate and to unweight.
    """
    view = as_multichannel(surrogate)
    drawn, weighed = draw or jax.jit(view.sample_and_log_prob), weigh or jax.jit(weights(view))

    def step(params: Any, key: Array, channel: Array) -> Step:
        u, log_q = drawn(params, key, channel)
        found = values(u, channel)
        return Step(u, weighed(params, found, log_q, channel), found.sign)

    return WeightedSampler(step, params, view.dim, block, shares)
