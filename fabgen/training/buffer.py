"""Prioritized replay buffer of annealed samples (Midgley et al., FAB, algorithm 1).

Points are drawn in proportion to their weights w towards p^2/q_old, where q_old is the surrogate
when the weight was last set. Once q has moved on, w *= q_old/q makes up for it, without clipping.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Buffer(NamedTuple):
    """Arrays of fixed capacity; places not filled yet have log_w = -inf."""

    u: Array  # (capacity, dim)
    log_w: Array  # (capacity,)
    log_q: Array  # (capacity,) log q_old
    cursor: Array  # int64: where the next batch goes
    filled: Array  # int64
    channel: Any = ()  # (capacity,) int32 where there are several

    @property
    def capacity(self) -> int:
        return self.log_w.shape[0]


class Draw(NamedTuple):
    """A batch taken from the buffer, without replacement; log_w = -inf marks a place not filled."""

    places: Array  # (n,)
    u: Array  # (n, dim)
    log_w: Array  # (n,)
    log_q: Array  # (n,)
    channel: Any = ()  # (n,) where there are several

    @property
    def valid(self) -> Array:
        return jnp.isfinite(self.log_w)


def empty(capacity: int, dim: int, n_channels: int = 1) -> Buffer:
    """A buffer for `capacity` points; capacity must be a multiple of the size of added batches."""
    return Buffer(
        u=jnp.full((capacity, dim), 0.5, jnp.float64),
        log_w=jnp.full(capacity, -jnp.inf, jnp.float64),
        log_q=jnp.zeros(capacity, jnp.float64),
        cursor=jnp.zeros((), jnp.int64),
        filled=jnp.zeros((), jnp.int64),
        channel=jnp.zeros(capacity, jnp.int32) if n_channels > 1 else (),
    )


def add(buffer: Buffer, u: Array, log_w: Array, log_q: Array, channel: Any = ()) -> Buffer:
    """Writes a batch over the oldest entries. A weight that is not finite becomes zero.

    channel (n,) is kept if the buffer has several.
    """
    n = log_w.shape[0]
    if buffer.capacity % n:
        raise ValueError(f"buffer of {buffer.capacity} points cannot hold whole batches of {n}")
    log_w = jnp.where(jnp.isfinite(log_w) & jnp.isfinite(log_q), log_w, -jnp.inf)
    log_q = jnp.where(jnp.isfinite(log_q), log_q, 0.0)

    def write(array, batch):
        return jax.lax.dynamic_update_slice_in_dim(array, batch, buffer.cursor, axis=0)

    return Buffer(
        u=write(buffer.u, u),
        log_w=write(buffer.log_w, log_w),
        log_q=write(buffer.log_q, log_q),
        cursor=(buffer.cursor + n) % buffer.capacity,
        filled=jnp.minimum(buffer.filled + n, buffer.capacity),
        channel=jax.tree.map(lambda old: write(old, channel.astype(old.dtype)), buffer.channel),
    )


def draw(buffer: Buffer, key: Array, n: int) -> Draw:
    """n different points in proportion to w: the n largest of log w + Gumbel noise.

    Without replacement, as in FAB, so that one huge weight cannot make up a whole batch. Every
    gradient step draws anew, from weights that the step before has adjusted (the authors' code
    draws the batches of all `updates` at once).

    Only the order of the sums counts, so they are compared in float32: XLA sorts the whole buffer
    to find the largest float64 on a CPU (42 ms of 10^5), but not to find the largest float32
    (1 ms). Sums are taken relative to the largest weight, where float32 tells them apart best.
    """
    noise = jax.random.gumbel(key, buffer.log_w.shape, buffer.log_w.dtype)
    top = jnp.max(buffer.log_w)
    relative = buffer.log_w - jnp.where(jnp.isfinite(top), top, 0.0)
    _, places = jax.lax.top_k((relative + noise).astype(jnp.float32), n)
    channel = jax.tree.map(lambda channel: channel[places], buffer.channel)
    return Draw(places, buffer.u[places], buffer.log_w[places], buffer.log_q[places], channel)


def adjust(buffer: Buffer, drawn: Draw, log_q: Array) -> Buffer:
    """log w += log q_old - log q and log q_old := log q for the drawn points; log_q (n,) is new.

    New values are computed from the draw and written, never added in place: a place that occurs
    twice is adjusted once. Points whose new log q is not finite stay as they are.
    """
    usable = drawn.valid & jnp.isfinite(log_q)
    log_w = jnp.where(usable, drawn.log_w + drawn.log_q - log_q, drawn.log_w)
    log_q = jnp.where(usable, log_q, drawn.log_q)
    return buffer._replace(
        log_w=buffer.log_w.at[drawn.places].set(log_w),
        log_q=buffer.log_q.at[drawn.places].set(log_q),
    )
