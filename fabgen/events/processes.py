"""Cross sections by process: the lines of `<init>`, one for each LPRUP.

The cross section of an evaluation is that of all processes together. What each of them has of it is
its share of the weights of the events in the file; the errors of these shares are those of that
many events.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from fabgen.events.record import EventBatch, EventTopology


class ProcessLine(NamedTuple):
    """XSECUP, XERRUP, XMAXUP (in the unit of the weights) and LPRUP of one process."""

    cross_section: float
    error: float
    max_weight: float
    number: int


class Sums(NamedTuple):
    """Of the events of one process: sum of the weights, of their squares, the largest |w|."""

    weights: float
    squares: float
    largest: float


class ProcessSums:
    """Sums over the events of a file, by process; `before` are those of events already there."""

    def __init__(self, topologies: Sequence[EventTopology], before: Sequence[Sums] = ()):
        numbers = [t.process for t in topologies]
        self.numbers = tuple(dict.fromkeys(numbers))
        self._place = np.array([self.numbers.index(number) for number in numbers])
        n = len(self.numbers)
        start = np.array(before or [Sums(0.0, 0.0, 0.0)] * n)
        self._weights, self._squares, self._largest = start.T.copy()

    @property
    def sums(self) -> tuple[Sums, ...]:
        """Those of each process, in the order of the lines of the card."""
        columns = self._weights.tolist(), self._squares.tolist(), self._largest.tolist()
        return tuple(Sums(*row) for row in zip(*columns, strict=True))

    def add(self, batch: EventBatch) -> None:
        """Counts the events of a batch."""
        place, n = self._place[batch.topology], len(self.numbers)
        self._weights += np.bincount(place, batch.weight, n)
        self._squares += np.bincount(place, batch.weight**2, n)
        np.maximum.at(self._largest, place, np.abs(batch.weight))

    def lines(self, cross_section: float, error: float) -> tuple[ProcessLine, ...]:
        """One for each process, in the order of the lines of the card.

        cross_section, error: of all together. The errors are that of the whole, by the share, and
        that of the share (of the ratio of two sums); of a process without events the weight of one.
        """
        total, square = self._weights.sum(), self._squares.sum()
        if total == 0.0:  # nothing is known yet
            shares = np.full(len(self.numbers), 1.0 / len(self.numbers))
            return tuple(self._lines(cross_section, error, shares, 1.0 - shares))
        shares = self._weights / total
        own, others = self._squares, square - self._squares
        uncertain = np.sqrt(own * (1.0 - shares) ** 2 + np.abs(others) * shares**2) / total
        uncertain = np.where(self._weights != 0.0, uncertain, square / total**2)
        return tuple(self._lines(cross_section, error, shares, uncertain))

    def _lines(
        self, cross_section: float, error: float, shares: np.ndarray, uncertain: np.ndarray
    ) -> Iterable[ProcessLine]:
        # Of a process without events the largest weight of the others: it has some that are rarer.
        largest = np.where(self._largest > 0.0, self._largest, self._largest.max())
        rows = zip(shares, uncertain, largest, self.numbers, strict=True)
        for share, spread, weight, number in rows:
            yield ProcessLine(
                float(cross_section * share),
                math.hypot(error * share, cross_section * spread),
                float(weight),
                number,
            )
