"""Events of all parts of a run in one stream, each drawn from a part with its probability.

An unweighted event of part k has the weight W_k = w_max,k <min(1, w/w_max,k)>
(`Survey.unweighted_weight`). Drawn from part k with probability p_k = W_k / sum_j W_j and weighted
with 1/p_k, all events have the same weight sum_j W_j, and their mean is the whole cross section.
Weighted events are drawn in proportion to the cross sections.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fabgen.events import assemble
from fabgen.events.assemble import EventDrawer, event_drawer
from fabgen.events.record import EventBatch, MixedBatch
from fabgen.run.streams import EVENTS, GENERATION, PART_OF_EVENT
from fabgen.sampling import unweight

if TYPE_CHECKING:
    from fabgen.run.sources import Place, Source

#: Events that are mixed with each other.
_MIXED = 8192


class EventMixture:
    """The stream of events of some sources; `totals` counts those that have been taken."""

    def __init__(self, sources: Sequence[Source], place: Place, weighted: bool):
        self.sources, self.place, self.weighted = sources, place, weighted
        self.drawers = [event_drawer(source.session.compiled) for source in sources]
        self.totals = unweight.Totals()
        sizes = np.array([
            s.survey.metrics.absolute_integral if weighted else s.survey.unweighted_weight
            for s in sources
        ])  # fmt: skip
        self.shares = sizes / sizes.sum()

    def batches(self, n: int) -> Iterator[EventBatch | MixedBatch]:
        """n events; the first ones of more are the same."""
        if len(self.sources) == 1:
            yield from self._of_part(0, n)
            return
        counts = np.zeros(len(self.sources), int)
        for part in self._parts(n):
            counts += np.bincount(part, minlength=len(counts))
        streams = [_Stream(self._of_part(k, int(count))) for k, count in enumerate(counts)]
        offsets = np.cumsum([0, *(len(s.session.integrand.topologies) for s in self.sources)])
        for part in self._parts(n):
            pieces = []
            for k, stream in enumerate(streams):
                places = np.flatnonzero(part == k)
                taken = 0
                for piece in stream.take(len(places)):
                    own = places[taken : taken + len(piece)]
                    numbered = dataclasses.replace(piece, topology=piece.topology + offsets[k])
                    pieces.append((numbered, own))
                    taken += len(piece)
            yield MixedBatch(tuple(pieces))

    def _parts(self, n: int) -> Iterator[NDArray[np.integer]]:
        """The part of every event, some of them at a time."""
        import jax

        session = self.sources[0].session
        key = session.key_of_events(PART_OF_EVENT, self.place.number, self.place.piece)
        edges = np.cumsum(self.shares)[:-1]
        for i, start in enumerate(range(0, n, _MIXED)):
            random = np.asarray(jax.random.uniform(jax.random.fold_in(key, i), (_MIXED,)))
            yield np.searchsorted(edges, random[: n - start], side="right")

    def _of_part(self, k: int, n: int) -> Iterator[EventBatch]:
        """n events of one part, with their final weights."""
        source, drawer = self.sources[k], self.drawers[k]
        points, events = (
            source.session.key_of_events(stream, self.place.number, self.place.piece)
            for stream in (GENERATION, EVENTS)
        )
        select = unweight.weighted if self.weighted else unweight.unweight
        accepted = select(source.sampler, source.survey, n, points)
        for batch in assemble.assemble(drawer, self._counted(accepted, self.shares[k]), events):
            self._count_drawn(k, drawer)
            yield batch

    def _counted(
        self, blocks: Iterator[unweight.Accepted], share: float
    ) -> Iterator[unweight.Accepted]:
        for block in blocks:
            whole = dataclasses.replace(block, weight=block.weight / share)
            self.totals = self.totals + whole
            yield whole

    def _count_drawn(self, k: int, drawer: EventDrawer) -> None:
        """Drawing evaluates |M|^2 once more at each point of a block."""
        if self.sources[k].session.integrand.draw_needs_amplitudes:
            calls = self.totals.target_evaluations + drawer.block
            self.totals = dataclasses.replace(self.totals, target_evaluations=calls)


class _Stream:
    """Batches of a stream, taken in pieces of any size."""

    def __init__(self, batches: Iterator[EventBatch]):
        self._batches = batches
        self._held: EventBatch | None = None

    def take(self, n: int) -> Iterator[EventBatch]:
        """The next n events."""
        while n > 0:
            batch = self._held if self._held is not None else next(self._batches)
            size = min(n, len(batch))
            yield batch.take(slice(0, size))
            self._held = batch.take(slice(size, len(batch))) if size < len(batch) else None
            n -= size
