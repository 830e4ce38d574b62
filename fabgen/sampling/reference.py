"""A surrogate seen from points that it has not drawn.

Its own sample cannot tell what it misses: where q is too small by more than the number of points,
there are none. A sample of another density, such as the untrained map, finds the part of the
integral that lies there, and at its points the weight alpha_i f_i / (a_i q_i) that the surrogate
would have given them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Points of a reference that are kept: memory does not grow beyond.
MOST_POINTS = 1_000_000
#: Those with the largest f/p, whose places are kept, too.
BEST_POINTS = 4096


class Witness(NamedTuple):
    """At points (n,) of a reference density p: logarithms of f/p, whose mean is the integral, and
    of the weight f/q that the surrogate gives them. Of several channels both with its channel
    weights, p and q with the probabilities of the channels."""

    log_part: Array
    log_weight: Array


class Points(NamedTuple):
    """Points u (n, dim) of channels (n,), and log f/p (n,) there."""

    u: Floats
    channel: NDArray[np.int64]
    log_part: Floats


@dataclass
class Reference:
    """The points of a reference so far at which f > 0, and how many all are.

    best: those with the largest f/p. partial: the density hardly reaches some of f, so that its
    points tell how much there is in places, but not which share of all that is.
    """

    n: int = 0
    partial: bool = False
    best: Points | None = None
    _parts: list[Floats] = field(default_factory=list)
    _weights: list[Floats] = field(default_factory=list)
    _channels: list[NDArray[np.int64]] = field(default_factory=list)

    def add(
        self, witness: Witness, channel: ArrayLike, size: int, u: ArrayLike | None = None
    ) -> None:
        """The first `size` points of a block, drawn from the channels (n,), and where they are."""
        if self.n >= MOST_POINTS:
            return
        part, weight = (np.asarray(column, float)[:size] for column in witness)
        kept = np.isfinite(part)
        self.n += size
        self._parts.append(part[kept])
        self._weights.append(weight[kept])
        self._channels.append(np.asarray(channel, np.int64)[:size][kept])
        if u is not None:
            self._keep_best(np.asarray(u)[:size][kept])

    def _keep_best(self, u: Floats) -> None:
        """The best of those so far and of the last block, at u (n, dim)."""
        found = Points(u, self._channels[-1], self._parts[-1])
        if self.best is not None:
            both = [np.concatenate(pair) for pair in zip(self.best, found, strict=True)]
            found = Points(*both)
        order = np.argsort(-found.log_part, kind="stable")[:BEST_POINTS]
        self.best = Points(found.u[order], found.channel[order], found.log_part[order])

    @property
    def points(self) -> float:
        """How many equal weights would know the integral as well."""
        log_part = np.concatenate([*self._parts, np.empty(0)])
        return Share.of(log_part, np.ones(len(log_part), bool)).points

    def share_above(self, log_weight: float) -> Share:
        """The share of the integral at points to which the surrogate gives a larger weight."""
        log_part = np.concatenate([*self._parts, np.empty(0)])
        above = np.concatenate([*self._weights, np.empty(0)]) > log_weight
        return Share.of(log_part, above)

    def integral_above(self, log_weight: float) -> tuple[float, float]:
        """The integral at points to which the surrogate gives a larger weight, and its error."""
        parts = np.exp(np.concatenate([*self._parts, np.empty(0)]))
        above = parts[np.concatenate([*self._weights, np.empty(0)]) > log_weight]
        n = max(self.n, 1)
        mean, square = np.sum(above) / n, np.sum(above**2) / n
        return float(mean), math.sqrt(max(square - mean**2, 0.0) / n)

    def of_channels(self, n_channels: int) -> tuple[Floats, Floats]:
        """The integral of alpha_i f_i of every channel, and its error."""
        parts = np.exp(np.concatenate([*self._parts, np.empty(0)]))
        channel = np.concatenate([*self._channels, np.empty(0, np.int64)])
        n = max(self.n, 1)
        mean, square = (
            np.bincount(channel, values, n_channels) / n for values in (parts, parts**2)
        )
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0) / n)


@dataclass(frozen=True)
class Share:
    """A share of a sum of weights, its error, and how many equal weights would have that error."""

    value: float
    error: float
    points: float

    @classmethod
    def of(cls, log_weights: Floats, chosen: NDArray[np.bool_]) -> Share:
        """Of the weights at the chosen places. Where these are all, the next may be another."""
        if not np.any(chosen):
            return cls(0.0, 0.0, 0.0)
        weights = np.exp(log_weights - log_weights.max())
        total, part = weights.sum(), weights[chosen]
        value = part.sum() / total
        squares = (1.0 - value) ** 2 * np.sum(part**2) + value**2 * np.sum(weights[~chosen] ** 2)
        points = part.sum() ** 2 / np.sum(part**2)
        error = 1.0 / points if np.all(chosen) else np.sqrt(squares) / total
        return cls(float(value), float(error), float(points))
