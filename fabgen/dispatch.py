"""Events of several channels, evaluated in blocks that hold one channel each.

A function that differs from channel to channel (a map, the parameters of a flow) would have to run
for every channel at every event if the channels were mixed. Sorted into blocks it runs once per
event, and the channel of a block is one number: lax.switch takes one branch, an index one slice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.blocks import loops_over_blocks

#: Blocks that hold this many times the channels waste at most a fifth of their places.
_BLOCKS_PER_CHANNEL = 4
#: Sizes are multiples of the smallest one: whole vectors. (The gradient of the
#: densities of 17 flows at 2048 points in 8 dimensions: 51 ms in blocks of 31, 45 ms of 32.)
_SMALLEST_BLOCK = 16
#: What has no channel to choose sizes by takes blocks that a core does not notice the start of.
_SMALL_BLOCK = 64
#: Blocks of this size keep a core busy, one after the other, and stay in its cache.
_LARGE_BLOCK = 128


def dispatch(
    function: Callable[..., Any],
    channel: Array | int,
    n_channels: int,
    *arrays: Any,
    block: int | None = None,
    side_by_side: bool = False,
    events_last: bool = False,
    used_only: bool = False,
    by_event: bool = False,
) -> Any:
    """function(channel, *arrays) event by event; the first axis of all arrays is that of events,
    or, with `events_last`, the last one.

    channel (events,): from 0 to n_channels - 1. `function` gets the channel as one number (traced)
    and blocks of `block` events of this channel; it must treat events one by one. Arrays and result
    may be pytrees. Differentiable in the arrays and in what the function closes over.

    n events fill at most n // block + n_channels blocks, a number that does not depend on how they
    are spread. Places left over repeat an event of the block (of the first event in blocks without
    any), so that no point is evaluated that was not asked for. One channel: the function as it is.

    side_by_side: small blocks all at once (vmap), not one after the other: faster where the channel
    is an index into arrays (training 17 flows takes half the time), but a lax.switch would take all
    branches.

    by_event: what a channel means to `function` is a few numbers. On devices that do not loop over
    blocks there are none then: all events run at once, each with its own channel.

    used_only: blocks without any event are left out. n_channels may then be any number that is
    large enough; there are no reverse derivatives.
    """
    if n_channels == 1:
        return function(0, *arrays)
    axis = -1 if events_last else 0
    n = jax.tree.leaves(arrays)[0].shape[axis]
    channel = jnp.broadcast_to(jnp.asarray(channel), (n,))
    if by_event and not loops_over_blocks():
        return _one_by_one(function, channel, arrays, axis)
    size = block or _SMALLEST_BLOCK * -(-n // (_SMALLEST_BLOCK * _BLOCKS_PER_CHANNEL * n_channels))
    if used_only and not block:
        size = min(max(size, _SMALL_BLOCK), n)
    n_blocks = n // size + n_channels
    order = jnp.argsort(channel, stable=True)
    counts = jnp.bincount(channel, length=n_channels)
    first = jnp.cumsum(counts) - counts  # the place in `order` of the first event of a channel
    blocks = -(-counts // size)
    first_block = jnp.cumsum(blocks) - blocks
    rank = jnp.arange(n) - first[channel[order]]
    slot = jnp.zeros(n, rank.dtype).at[order].set(first_block[channel[order]] * size + rank)

    owner = jnp.searchsorted(jnp.cumsum(blocks), jnp.arange(n_blocks), side="right")
    used = owner < n_channels
    owner = jnp.where(used, jnp.minimum(owner, n_channels - 1), channel[0])
    # Every place starts with the first event of its block's channel, then gets its own.
    start = jnp.where(used, order[jnp.clip(first[owner], 0, n - 1)], 0)
    event = jnp.repeat(start, size).at[slot].set(jnp.arange(n))

    def shaped(array: Array) -> Array:
        array = jnp.moveaxis(array, axis, 0)
        split = array[event].reshape(n_blocks, size, *array.shape[1:])
        return jnp.moveaxis(split, 1, -1) if events_last else split

    def one_block(xs: tuple[Array, Any]) -> Any:
        return function(xs[0], *xs[1])

    given = owner, jax.tree.map(shaped, arrays)
    at_once = side_by_side and (size < _LARGE_BLOCK or not loops_over_blocks())
    over_blocks = jax.vmap(one_block) if at_once else functools.partial(jax.lax.map, one_block)
    result = _over_first(one_block, given, jnp.sum(blocks)) if used_only else over_blocks(given)

    def joined(array: Array) -> Array:
        array = jnp.moveaxis(array, -1, 1) if events_last else array
        chosen = array.reshape(n_blocks * size, *array.shape[2:])[slot]
        return jnp.moveaxis(chosen, 0, axis)

    return jax.tree.map(joined, result)


def _over_first(function: Callable[[Any], Any], arrays: Any, n: Array) -> Any:
    """function along the first axis of arrays as far as n, which may be traced; zeros beyond."""
    length = jax.tree.leaves(arrays)[0].shape[0]

    def taken(i: Array | int) -> Any:
        return jax.tree.map(lambda array: array[i], arrays)

    shapes = jax.eval_shape(lambda: function(taken(0)))
    start = jax.tree.map(lambda s: jnp.zeros((length, *s.shape), s.dtype), shapes)

    def step(i: Array, found: Any) -> Any:
        return jax.tree.map(lambda whole, part: whole.at[i].set(part), found, function(taken(i)))

    return jax.lax.fori_loop(0, n, step, start)


def _one_by_one(
    function: Callable[..., Any], channel: Array, arrays: tuple[Any, ...], axis: int
) -> Any:
    """function(channel, *arrays) for all events at once."""

    def one(channel: Array, arrays: tuple[Any, ...]) -> Any:
        block = jax.tree.map(lambda array: jnp.expand_dims(array, axis), arrays)
        return jax.tree.map(lambda array: jnp.squeeze(array, axis), function(channel, *block))

    return jax.vmap(one, in_axes=(0, axis), out_axes=axis)(channel, arrays)
