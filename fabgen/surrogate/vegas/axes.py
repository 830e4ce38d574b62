"""Maps of the axes alone, adapted to the densities of several channels side by side.

G.P. Lepage, Adaptive multidimensional integration: VEGAS enhanced, arXiv:2009.05112, section II,
with `vegas.AdaptiveMap`: what remains of VEGAS without its strata. Channels may share a map. All
are asked in one call, so that one compiled program serves them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32

from fabgen.card import VegasOptions
from fabgen.surrogate.vegas.group import GroupMap

#: Points, channels, and a number for each of them.
Floats = Float64[np.ndarray, "..."]
Channels = Int32[np.ndarray, " n"]
Density = Callable[
    [Float64[np.ndarray, "n dim"], Channels, Float64[np.ndarray, " n"]],
    Float64[np.ndarray, " n"],
]
"""f_i: u (n, dim), channels (n,) and Jacobians of the maps so far (n,) -> (n,); asked once in an
iteration."""

FEWEST_EVALUATIONS = 1000
"""Of one of several maps in an iteration, unless the card asks for fewer."""

_FEWEST_OF_CHANNEL = 200
"""The same of a channel that shares its map."""

FEWEST_INSIDE = 200
"""Points with f > 0, of all densities, that an iteration wants before it adapts the maps."""

#: Iterations' worth of points that one of them spends at most to find as many; all together four
#: times that.
_SPARE_ROUNDS = 25

#: Where cuts leave an efficiency below this, the second half of the iterations wants so many points
#: per bin and dimension, counted as equal weights, of each density that matters. Noise of fewer,
#: multiplied over the axes, would halve it: tops of 14 dimensions with a cut on a distance have
#: 0.11 with 7, 0.05 with 2.
_LOW = 0.2
_EQUAL_PER_BIN = 6.0

#: Points that such an iteration takes at most, of all densities together, over the evaluations that
#: the card asks for.
MOST_ROUNDS = 10

#: While more than half of the points miss what the cuts leave, and fewer by this factor in each
#: iteration, further ones follow: at most twice as many as planned.
_RISING = 1.2


@dataclass(frozen=True)
class Axes:
    """Borders (dim, options.bins + 1) of each channel, what they took, and how often f was zero or
    not finite (which counts as zero for the maps). wanted: points of one map that a further
    iteration would take, 0 for as many as planned."""

    borders: Mapping[int, Float64[np.ndarray, "dim borders"]]
    wanted: int
    evaluations: int
    zeros: int
    nonfinite: int


def adapt_axes(
    density: Density,
    groups: Sequence[Sequence[int]],
    dim: int,
    options: VegasOptions,
    seed: int,
    report: Callable[[int, int], None] | None = None,
    *,
    n_own: int = 0,
    small: Callable[[], Sequence[int]] | None = None,
) -> Axes:
    """The maps of groups of channels, one for each, adapted in the iterations of the options; but
    of the first n_own axes each channel has its own.

    The maps share the evaluations of an iteration evenly, down to FEWEST_EVALUATIONS, and so do the
    channels of one map. `report` gets the number of each iteration, from 1, and the evaluations so
    far. A density that is zero at all points keeps the uniform map. The same seed gives the same
    maps. Where cuts leave little of the cube an iteration goes on until it has FEWEST_INSIDE points
    there, further ones follow for as long as the maps still close in on it, and the later half take
    as many points as keep their noise down. `small` names, after a third of the iterations, the
    channels that shall have one map together from there on.
    """
    maps = [GroupMap(group, dim, n_own) for group in groups]
    adaptation = _Adaptation(density, maps, options, np.random.default_rng(seed))
    planned = _points(options, groups)
    hits = [0.0]
    iteration = 0
    while iteration < len(planned) or (
        iteration < 3 * len(planned) and 0.5 > hits[-1] > _RISING * hits[-2]
    ):
        n = planned[min(iteration, len(planned) - 1)]
        hits.append(adaptation.iterate(n, thorough=2 * iteration >= len(planned)))
        iteration += 1
        if small is not None and iteration == -(-len(planned) // 3):
            adaptation.join(small())
        if report is not None:
            report(iteration, adaptation.evaluations)
    return adaptation.axes()


class _Adaptation:
    """The maps at work, and what they took so far."""

    def __init__(
        self,
        density: Density,
        maps: Sequence[GroupMap],
        options: VegasOptions,
        random: np.random.Generator,
    ):
        self.density, self.maps, self.options, self.random = density, list(maps), options, random
        self.dim = self.maps[0].dim
        self.evaluations = self.zeros = self.nonfinite = 0
        self.spare = 4 * _SPARE_ROUNDS
        self.wanted = 0

    def join(self, channels: Sequence[int]) -> None:
        """Gives these channels one map, with the borders that most of them have."""
        members = [sum(k in channels for k in group.channels) for group in self.maps]
        if np.count_nonzero(members) < 2:
            return
        joined = self.maps[int(np.argmax(members))].of_first(channels, self.options.bins)
        left = [group.without(channels) for group in self.maps]
        self.maps = [*(group for group in left if group.channels), joined]

    def iterate(self, n: int, *, thorough: bool) -> float:
        """An iteration of n points of each map, or more; the share of points with f > 0."""
        self._set_bins()
        first = not self._found
        asked = [self._ask(n, first)]
        for _ in range(min(self.spare, _SPARE_ROUNDS)):
            if sum(np.count_nonzero(w) for _, w in asked) >= FEWEST_INSIDE:
                break
            self.spare -= 1
            asked.append(self._ask(n, first))
        if thorough and any(group.cut for group in self.maps):
            most = MOST_ROUNDS * self.options.evaluations // (n * len(self.maps))
            rounds = min(math.ceil(self._wanted(asked[0][1]) / n), most)
            asked += [self._ask(n, first) for _ in range(rounds - len(asked))]
        y, weights = (np.concatenate(parts, axis=1) for parts in zip(*asked, strict=True))
        turns = [np.tile(group.turns(n), len(asked)) for group in self.maps]
        for group, number, weight in zip(self.maps, turns, weights, strict=True):
            group.inside = np.bincount(number, weight > 0.0, len(group.channels)).astype(int)
        if not self._found:
            self.spare = 0  # a second search would find nothing, either
        if first:
            self._set_bins()  # of maps that are even yet: the points keep their places
        self.wanted = self._wanted(weights)
        for group, at, weight, number in zip(self.maps, y, weights, turns, strict=True):
            group.learn(at, weight, number, self.options.alpha)
        return float(np.mean([group.inside.sum() for group in self.maps]) / weights.shape[1])

    @property
    def _found(self) -> bool:
        """Whether the last iteration had any point with f > 0."""
        return any(group.inside.any() for group in self.maps)

    def _wanted(self, weights: Float64[np.ndarray, "maps n"]) -> int:
        """Points of each map that have enough equal weights, by those of some (maps, n); 0 where
        as many as planned are enough."""
        of_maps, squares = weights.sum(axis=1), np.sum(weights**2)
        efficiency = of_maps.sum() ** 2 / squares / weights.size if squares > 0.0 else 1.0
        if efficiency > _LOW:
            return 0
        that_matter = float(of_maps.sum() ** 2 / np.sum(of_maps**2))
        needed: float = that_matter * _EQUAL_PER_BIN * self.dim * self.options.bins
        return math.ceil(needed / efficiency / len(self.maps))

    def _set_bins(self) -> None:
        for group in self.maps:
            group.set_bins(self.options.bins)

    def _ask(
        self, n: int, first: bool
    ) -> tuple[Float64[np.ndarray, "maps {n} dim"], Float64[np.ndarray, "maps {n}"]]:
        """n points of each map, in its own variable y (maps, n, dim), and f du/dy there (maps, n),
        0 for what is not finite. first: in the first iteration that finds anything."""
        turns = [group.turns(n) for group in self.maps]
        y = _even_points(self.random, len(self.maps), n, self.dim)
        placed = [group(*given) for group, *given in zip(self.maps, y, turns, strict=True)]
        u, jacobian = (np.concatenate(parts) for parts in zip(*placed, strict=True))
        each = zip(self.maps, turns, strict=True)
        channel = np.concatenate([np.array(group.channels)[number] for group, number in each])
        f = self.density(u, channel.astype(np.int32), jacobian)
        zeros, finite = (f == 0.0).reshape(len(self.maps), n), np.isfinite(f)
        self.evaluations += f.size
        self.zeros += int(np.sum(zeros))
        self.nonfinite += int(np.sum(~finite))
        if first:
            for group, any_zero in zip(self.maps, zeros.any(axis=1), strict=True):
                group.cut |= bool(any_zero)
        return y, (np.where(finite, f, 0.0) * jacobian).reshape(len(self.maps), n)

    def axes(self) -> Axes:
        bins = self.options.bins
        borders = {k: group.borders(k, bins) for group in self.maps for k in group.channels}
        return Axes(borders, self.wanted, self.evaluations, self.zeros, self.nonfinite)


def n_iterations(options: VegasOptions) -> int:
    """How many iterations the options ask for, the warm-up included."""
    return options.warmup_iterations + options.iterations


def n_evaluations(options: VegasOptions, groups: Sequence[Sequence[int]]) -> int:
    """How many evaluations of f the adaptation of the maps of groups of channels takes where cuts
    leave most of the cube."""
    return len(groups) * sum(_points(options, groups))


def _points(options: VegasOptions, groups: Sequence[Sequence[int]]) -> list[int]:
    """Points of one map in each iteration, the warm-up first."""
    warm_up = options.warmup_iterations * [options.warmup_evaluations]
    totals = warm_up + options.iterations * [options.evaluations]
    fewest = max(FEWEST_EVALUATIONS, *(_FEWEST_OF_CHANNEL * len(group) for group in groups))
    return [min(max(total // len(groups), fewest), total) for total in totals]


def _even_points(
    random: np.random.Generator, n_maps: int, n: int, dim: int
) -> Float64[np.ndarray, "{n_maps} {n} {dim}"]:
    """Latin hypercubes (n_maps, n, dim): along each axis one point in each of n even steps."""
    steps = np.tile(np.arange(n, dtype=float)[None, :, None], (n_maps, 1, dim))
    return (random.permuted(steps, axis=1) + random.random((n_maps, n, dim))) / n
