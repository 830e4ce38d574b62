"""Accepted points of the unit cube -> batches of events.

sampler = weighted_sampler(integrand, surrogate, params)
drawer = event_drawer(integrand)
survey = integrate(sampler, samples, evaluation_key)
points = unweight(sampler, survey, n, points_key)
write_lhe(path, info, integrand.topologies, assemble(drawer, points, events_key))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np
from numpy.typing import NDArray

from fabgen.events.record import EventBatch, EventTopology
from fabgen.sampling.unweight import Accepted

#: Events per compiled block.
DEFAULT_BLOCK = 8192


class EventSource(Protocol):
    """What events need of an integrand."""

    @property
    def dim(self) -> int: ...

    @property
    def topologies(self) -> tuple[EventTopology, ...]:
        """The subprocesses as they appear in the file; EventBatch.topology counts them."""

    @property
    def n_channels(self) -> int: ...

    def draw_events(
        self, u: jax.Array, key: jax.Array, channel: jax.Array | int = 0
    ) -> Mapping[str, jax.Array]:
        """Everything of an EventBatch but its weights, by field name, at u (n, dim).

        Pure JAX; the key draws what u leaves open: subprocess, colour flow, helicities.
        """


class PlacedSource(Protocol):
    """What they need of an integrand of several channels, whose maps are compiled already."""

    def draw_at(
        self, placed: Any, key: jax.Array, channel: jax.Array | int
    ) -> Mapping[str, jax.Array]:
        """draw_events of what `place` has placed."""


@dataclass(frozen=True)
class EventDrawer:
    """EventSource.draw_events for blocks of one compiled size."""

    step: Callable[[Any, jax.Array, Any], Mapping[str, Any]]
    block: int

    def __call__(
        self,
        u: NDArray[np.float64],
        channel: NDArray[np.int32],
        weight: NDArray[np.float64],
        key: jax.Array,
    ) -> EventBatch:
        """The events at u (n, dim) of channels (n,) with event weights (n,), n <= block."""
        n = len(u)
        # A short block is filled up with its last point.
        padded = np.pad(u, ((0, self.block - n), (0, 0)), mode="edge")
        channels = np.pad(channel, (0, self.block - n), mode="edge")
        values = self.step(padded, key, channels)
        return EventBatch(weight=weight, **{k: np.asarray(v)[:n] for k, v in values.items()})


def event_drawer(source: EventSource, block: int = DEFAULT_BLOCK) -> EventDrawer:
    """Compiles at once, so the time this takes is compilation."""
    u = jax.ShapeDtypeStruct((block, source.dim), np.float64)
    if source.n_channels == 1:
        one = jax.jit(source.draw_events).lower(u, jax.random.key(0)).compile()
        return EventDrawer(lambda u, key, channel: one(u, key), block)
    channel = jax.ShapeDtypeStruct((block,), np.int32)
    step = jax.jit(source.draw_events).lower(u, jax.random.key(0), channel).compile()
    return EventDrawer(step, block)


def drawer_of_placed(source: PlacedSource, place: jax.stages.Compiled, block: int) -> EventDrawer:
    """The same for several channels, with source.place compiled before for blocks of this size."""
    channel = jax.ShapeDtypeStruct((block,), np.int32)
    draw = jax.jit(source.draw_at).lower(place.out_info, jax.random.key(0), channel).compile()
    return EventDrawer(lambda u, key, channel: draw(place(u, channel), key, channel), block)


def assemble(
    source: EventDrawer | EventSource, accepted: Iterable[Accepted], key: jax.Array
) -> Iterator[EventBatch]:
    """Batches of one size (the last one shorter) of events of a stream of accepted points.

    An integrand is compiled first, see `event_drawer`. Events depend on their position in the
    stream and the key, not on how many there are.
    """
    drawer = source if isinstance(source, EventDrawer) else event_drawer(source)
    for i, (u, channel, weight) in enumerate(_rebatch(accepted, drawer.block)):
        yield drawer(u, channel, weight, jax.random.fold_in(key, i))


def _rebatch(
    accepted: Iterable[Accepted], size: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]]:
    """u (size, dim), channels and weights (size,) of a stream of blocks of any size."""
    parts: list[tuple[NDArray, NDArray, NDArray]] = []
    held = 0
    for block in accepted:
        parts.append((block.u, block.channel, block.weight))
        held += len(block.weight)
        if held < size:
            continue
        u, channel, weight = map(np.concatenate, zip(*parts, strict=True))
        whole = held - held % size
        for start in range(0, whole, size):
            part = slice(start, start + size)
            yield u[part], channel[part], weight[part]
        parts, held = [(u[whole:], channel[whole:], weight[whole:])], held - whole
    if held:
        u, channel, weight = map(np.concatenate, zip(*parts, strict=True))
        yield u, channel, weight
