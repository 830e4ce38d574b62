"""Functions of many events, evaluated a block at a time where that is faster: on CPUs.

What a block needs stays in the cache of a core. Other devices have no such cache, and want all
events at once: a loop over blocks would start thousands of small programs there. Which it is, is
chosen when a program is traced.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

_platform: contextvars.ContextVar[str | None] = contextvars.ContextVar("platform", default=None)


@contextlib.contextmanager
def traced_for(platform: str) -> Iterator[None]:
    """Programs traced inside are for this platform ("cpu", "cuda", ...), not for the default one:
    to lower them for a device that is not there."""
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def loops_over_blocks() -> bool:
    """Whether programs that are traced now run blocks of events one after the other."""
    return (_platform.get() or jax.default_backend()) == "cpu"


def in_blocks(function: Callable[[Any], Any], size: int, arrays: Any) -> Any:
    """function(arrays), whose arrays and results (pytrees) have the events as last axis.

    It must treat events one by one. On CPUs it runs in blocks of at most `size` events, of which
    the last one is filled up with the last event.
    """
    n_events = jax.tree.leaves(arrays)[0].shape[-1]
    n_blocks = -(-n_events // size)
    if n_blocks <= 1 or not loops_over_blocks():
        return function(arrays)
    padding = n_blocks * size - n_events

    def split(array: Array) -> Array:
        padded = jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, padding)], mode="edge")
        return jnp.moveaxis(padded.reshape(*array.shape[:-1], n_blocks, size), -2, 0)

    def join(array: Array) -> Array:
        joined = jnp.moveaxis(array, 0, -2)
        return joined.reshape(*joined.shape[:-2], n_blocks * size)[..., :n_events]

    return jax.tree.map(join, jax.lax.map(function, jax.tree.map(split, arrays)))
