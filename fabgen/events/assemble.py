"""Accepted points of the unit cube -> batches of events.

sampler = weighted_sampler(CompiledIntegrand(integrand).values, surrogate, params)
drawer = event_drawer(CompiledIntegrand(integrand))
survey = integrate(sampler, samples, evaluation_key)
points = unweight(sampler, survey, n, points_key)
write_lhe(path, info, integrand.topologies, assemble(drawer, points, events_key))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from fabgen.events.record import EventBatch
from fabgen.integrand.point import EventFields
from fabgen.sampling.unweight import Accepted
from fabgen.sampling.values import CompiledIntegrand


@dataclass(frozen=True)
class EventDrawer:
    """Integrand.draw for blocks of one compiled size: (u, key, channels) -> EventFields."""

    step: Callable[[Any, jax.Array, Any], EventFields]
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
        fields = self.step(padded, key, channels)
        momenta, topology, flow, resonances, helicity, scale, aqed, aqcd = (
            np.moveaxis(np.asarray(field), -1, 0)[:n] for field in fields
        )
        return EventBatch(
            momenta=momenta,
            topology=topology,
            flow=flow,
            weight=weight,
            scale=scale,
            aqed=aqed,
            aqcd=aqcd,
            helicity=helicity,
            resonances=resonances,
        )


def event_drawer(compiled: CompiledIntegrand) -> EventDrawer:
    """Compiles at once, so the time this takes is compilation; quickly, since few points are drawn
    beside those that are evaluated."""
    place, draw = compiled.map, compiled.integrand.draw
    like = compiled.points_like, jax.random.key(0)
    step = compiled.compiler.compile(draw, *like, quickly=True)
    return EventDrawer(lambda u, key, channel: step(place(u, channel), key), compiled.block)


def assemble(
    drawer: EventDrawer, accepted: Iterable[Accepted], key: jax.Array
) -> Iterator[EventBatch]:
    """Batches of one size (the last one shorter) of events of a stream of accepted points.

    Events depend on their position in the stream and the key, not on how many there are.
    """
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
