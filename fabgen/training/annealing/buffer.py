"""Prioritized replay buffer of weighted points (Midgley et al., FAB, algorithm 1).

A point has the weight w towards p^2/q_old, where q_old is the surrogate when the weight was last
set. Once q has moved on, w *= q_old/q makes up for it, without clipping. Of several channels p is
alpha_i f_i, and alpha_i moves, too: r = q_i / alpha_i^2 takes the place of q (`log_r`), and points
compete by w / S_i, S_i^2 = <w>_i. How points are drawn is the `Law` of a step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.numerics import last_good
from fabgen.training.stratification import SMALLEST_SHARE

#: Halvings of the interval that the exponent of the weights lies in.
_HALVINGS = 12


class Entries(NamedTuple):
    """Points with what the buffer keeps of them; the last axis but that of u is the points'.

    u (n, dim); log_w (n,), -inf where f = 0; log_r (n,): of q_i / alpha_i^2 when log_w was set;
    log_g (n,): of the density that drew them, +inf where it is not known; channel (n,) int32 and
    more (a pytree of (n, ...)) where there are several channels.
    """

    u: Array
    log_w: Array
    log_r: Array
    log_g: Array
    channel: Any = ()
    more: Any = ()
    progress: Any = ()


class Buffer(NamedTuple):
    """Entries of fixed capacity; where the next batch goes (int64); filled (capacity,) bool."""

    entries: Entries
    cursor: Array
    filled: Array

    @property
    def capacity(self) -> int:
        return self.entries.log_w.shape[0]


class Law(NamedTuple):
    """How points are drawn: in proportion to m = even + (1 - even) t, t = (w/S_i)^exponent.

    log_unit: of w; sizes (n_channels,): S_i in this unit; log_mean: of t before it is brought to
    mean 1 over the filled places. exponent <= 1: the largest with which the effective size of t is
    large enough. efficiency: the effective size of the weights themselves over the filled
    places. even: the part of the draws that goes by no weight.
    """

    log_unit: Array
    sizes: Array
    log_mean: Array
    exponent: Array
    efficiency: Array
    even: Array


class Draw(NamedTuple):
    """A batch taken from the buffer, without replacement.

    places (n,); entries; t and m (n,) of the Law; valid (n,): False marks a place not filled.
    """

    places: Array
    entries: Entries
    t: Array
    m: Array
    valid: Array


def empty(capacity: int, like: Entries) -> Buffer:
    """A buffer for `capacity` points with the shapes of `like`, a batch of them.

    Raises ValueError if it does not hold whole batches.
    """
    n = like.log_w.shape[0]
    if capacity % n:
        raise ValueError(f"a buffer of {capacity} points cannot hold whole batches of {n}")
    entries = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape[1:]), leaf.dtype), like)
    return Buffer(
        entries._replace(u=entries.u + 0.5, log_w=jnp.full(capacity, -jnp.inf, jnp.float64)),
        cursor=jnp.zeros((), jnp.int64),
        filled=jnp.zeros(capacity, bool),
    )


def add(buffer: Buffer, points: Entries) -> Buffer:
    """Writes a batch over the oldest entries. A weight that is not finite becomes zero."""
    n = points.log_w.shape[0]
    known = jnp.isfinite(points.log_w) & jnp.isfinite(points.log_r)
    points = points._replace(
        log_w=jnp.where(known, points.log_w, -jnp.inf),
        log_r=jnp.where(jnp.isfinite(points.log_r), points.log_r, 0.0),
    )

    def write(array: Array, batch: Array) -> Array:
        batch = batch.astype(array.dtype)
        return jax.lax.dynamic_update_slice_in_dim(array, batch, buffer.cursor, axis=0)

    return Buffer(
        jax.tree.map(write, buffer.entries, points),
        cursor=(buffer.cursor + n) % buffer.capacity,
        filled=write(buffer.filled, jnp.ones(n, bool)),
    )


def retire(buffer: Buffer, oldest: Array) -> Buffer:
    """Without the entries of less progress: their f is another one."""
    stale = buffer.entries.progress < oldest
    log_w = jnp.where(stale, -jnp.inf, buffer.entries.log_w)
    return buffer._replace(
        entries=buffer.entries._replace(log_w=log_w), filled=buffer.filled & ~stale
    )


def law(buffer: Buffer, n_channels: int = 1, *, even: float = 0.0, least_size: int = 0) -> Law:
    """The law of the next draws.

    Different points cannot be drawn in proportion to w where fewer carry the weight than are drawn.
    least_size: then they are drawn by a power of w, with which the effective size is at least this
    (or half of the filled places, if these are few); 0: by w itself. even: part of the draws by no
    weight where all weights are equal; it falls with the efficiency.
    """
    log_w, filled = buffer.entries.log_w, jnp.maximum(jnp.sum(buffer.filled), 1)
    top = jnp.max(log_w)
    log_unit = jnp.where(jnp.isfinite(top), top, 0.0)
    w = jnp.exp(log_w - log_unit)
    if n_channels == 1:
        squares = jnp.sum(w)[None] / filled
    else:
        squares = jax.ops.segment_sum(w, buffer.entries.channel, n_channels) / filled
    sizes = jnp.sqrt(squares)
    tiny = jnp.finfo(sizes.dtype).tiny
    sizes = jnp.maximum(sizes, jnp.maximum(SMALLEST_SHARE * jnp.sum(sizes) / n_channels, tiny))
    log_t = _log_priority(buffer.entries, log_unit, sizes)

    def effective_size(exponent: Array) -> Array:
        t = jnp.exp(jnp.where(jnp.isfinite(log_t), exponent * log_t, -jnp.inf))
        return jnp.sum(t) ** 2 / jnp.maximum(jnp.sum(t**2), tiny)

    one, wanted = jnp.ones(()), jnp.minimum(least_size, 0.5 * filled)
    size = effective_size(one)
    exponent = one
    if least_size:
        largest = last_good(lambda e: effective_size(e) >= wanted, jnp.zeros(()), one, _HALVINGS)
        exponent = jnp.where(size >= wanted, one, largest)
    t = jnp.exp(jnp.where(jnp.isfinite(log_t), exponent * log_t, -jnp.inf))
    total = jnp.sum(t)
    log_mean = jnp.log(jnp.where(total > 0.0, total, 1.0) / filled)
    efficiency = size / filled
    return Law(log_unit, sizes, log_mean, exponent, efficiency, even * efficiency)


def _log_priority(entries: Entries, log_unit: Array, sizes: Array) -> Array:
    """log of w / S_i over sum S_i, which has the mean 1."""
    own = sizes[0] if sizes.shape[0] == 1 else sizes[entries.channel]
    return entries.log_w - log_unit - jnp.log(own) - jnp.log(jnp.sum(sizes))


def _t_and_m(entries: Entries, law: Law) -> tuple[Array, Array]:
    log_t = _log_priority(entries, law.log_unit, law.sizes)
    log_t = jnp.where(jnp.isfinite(log_t), law.exponent * log_t - law.log_mean, -jnp.inf)
    t = jnp.exp(log_t)
    return t, law.even + (1.0 - law.even) * t


def draw(buffer: Buffer, law: Law, key: Array, n: int) -> Draw:
    """n different points in proportion to m: the n largest of log m + Gumbel noise.

    Without replacement, as in FAB, so that one huge weight cannot make up a whole batch. Every
    gradient step draws anew, so that heavy points are met in each of them. (One draw for all
    gradient steps of a step, as in the authors' code, learned less: on eight modes in 8D a KL of
    1.8 in the place of 0.3.)

    Only the order of the sums counts, so they are compared in float32: XLA sorts the whole buffer
    to find the largest float64 on a CPU (42 ms of 10^5), but not to find the largest float32
    (1 ms). Sums are relative to the mean, where float32 tells them apart.
    """
    t, m = _t_and_m(buffer.entries, law)
    noise = jax.random.gumbel(key, m.shape, jnp.float32)
    log_m = jnp.where(buffer.filled, jnp.log(m), -jnp.inf)
    _, places = jax.lax.top_k(log_m.astype(jnp.float32) + noise, n)
    entries = jax.tree.map(lambda leaf: leaf[places], buffer.entries)
    valid = buffer.filled & (m > 0.0)
    return Draw(places, entries, t[places], m[places], valid[places])


def adjust(buffer: Buffer, drawn: Draw, log_r: Array) -> Buffer:
    """log w += log r_old - log r and log r_old := log r for the drawn points; log_r (n,) is new.

    New values are computed from the draw and written, never added in place: a place that occurs
    twice is adjusted once. Points whose new log r is not finite stay as they are, but for +inf, of
    a channel that was dropped: they lose their weight.
    """
    old = drawn.entries
    usable = drawn.valid & jnp.isfinite(log_r)
    log_w = jnp.where(usable, old.log_w + old.log_r - log_r, old.log_w)
    log_w = jnp.where(drawn.valid & jnp.isposinf(log_r), -jnp.inf, log_w)
    log_r = jnp.where(usable, log_r, old.log_r)
    entries = buffer.entries
    return buffer._replace(
        entries=entries._replace(
            log_w=entries.log_w.at[drawn.places].set(log_w),
            log_r=entries.log_r.at[drawn.places].set(log_r),
        )
    )
