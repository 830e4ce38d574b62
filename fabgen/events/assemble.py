"""Accepted points of the unit cube -> batches of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

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
    def topologies(self) -> tuple[EventTopology, ...]:
        """The subprocesses as they appear in the file; EventBatch.topology counts them."""

    def draw_events(self, u: jax.Array, key: jax.Array) -> Mapping[str, jax.Array]:
        """Everything of an EventBatch but its weights, by field name, at u (n, dim).

        Pure JAX; the key draws what u leaves open: subprocess, colour flow, helicities.
        """


def assemble(
    source: EventSource,
    accepted: Iterable[Accepted],
    key: jax.Array,
    block: int = DEFAULT_BLOCK,
) -> Iterator[EventBatch]:
    """Batches of `block` events (the last one shorter) of a stream of accepted points.

    Events depend on their position in the stream and the key, not on how many there are.
    """
    draw = jax.jit(source.draw_events)
    for i, (u, weight) in enumerate(_rebatch(accepted, block)):
        # The last batch is filled up with its last point: one compiled shape for all.
        padded = np.pad(u, ((0, block - len(u)), (0, 0)), mode="edge")
        drawn = draw(padded, jax.random.fold_in(key, i))
        values = {name: np.asarray(value)[: len(u)] for name, value in drawn.items()}
        yield EventBatch(weight=weight, **values)


def _rebatch(
    accepted: Iterable[Accepted], size: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """u (size, dim) and weights (size,) of a stream of blocks of any size."""
    points: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []
    held = 0
    for block in accepted:
        points.append(block.u)
        weights.append(block.weight)
        held += len(block.weight)
        if held < size:
            continue
        u, w = np.concatenate(points), np.concatenate(weights)
        whole = held - held % size
        for start in range(0, whole, size):
            yield u[start : start + size], w[start : start + size]
        points, weights, held = [u[whole:]], [w[whole:]], held - whole
    if held:
        yield np.concatenate(points), np.concatenate(weights)
