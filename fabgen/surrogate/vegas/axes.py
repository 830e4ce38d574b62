"""Maps of the axes alone, adapted to several densities side by side.

G.P. Lepage, Adaptive multidimensional integration: VEGAS enhanced, arXiv:2009.05112, section II,
with `vegas.AdaptiveMap`: what remains of VEGAS without its strata. All densities are asked in one
call, so that one compiled program serves them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import vegas
from jax import Array
from jaxtyping import Float, Float64, Int, Int32

from fabgen.card import VegasOptions
from fabgen.surrogate.vegas.edges import grade_map

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
"""Of one of several densities in an iteration, unless the card asks for fewer."""

FEWEST_INSIDE = 200
"""Points with f > 0, of all densities, that an iteration wants before it adapts the maps."""

#: Iterations' worth of points that one of them spends at most to find as many; all together four
#: times that.
_SPARE_ROUNDS = 25

#: Points with f > 0 per bin of the map, at least: fewer would adapt it to noise. But it has some
#: bins whatever their number, or it would never begin to close in on few points.
_POINTS_PER_BIN = 10
_FEWEST_BINS = 16

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
    """Borders (densities, dim, options.bins + 1), what they took, and how often f was zero or not
    finite (which counts as zero for the maps). wanted: points of one density that a further
    iteration would take, 0 for as many as planned."""

    borders: Float64[np.ndarray, "densities dim borders"]
    wanted: int
    evaluations: int
    zeros: int
    nonfinite: int


def adapt_axes(
    density: Density,
    channels: Sequence[int],
    dim: int,
    options: VegasOptions,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> Axes:
    """The maps of the densities of `channels`, adapted in the iterations of the options.

    The densities share the evaluations of an iteration evenly, down to FEWEST_EVALUATIONS.
    `report` gets the number of each iteration, from 1, and the evaluations so far. A density that
    is zero at all points keeps the uniform map. The same seed gives the same maps. Where cuts leave
    little of the cube an iteration goes on until it has FEWEST_INSIDE points there, further ones
    follow for as long as the maps still close in on it, and the later half take as many points as
    keep their noise down.
    """
    adaptation = _Adaptation(density, channels, dim, options, np.random.default_rng(seed))
    planned = _points(options, len(channels))
    hits = [0.0]
    iteration = 0
    while iteration < len(planned) or (
        iteration < 3 * len(planned) and 0.5 > hits[-1] > _RISING * hits[-2]
    ):
        n = planned[min(iteration, len(planned) - 1)]
        hits.append(adaptation.iterate(n, thorough=2 * iteration >= len(planned)))
        iteration += 1
        if report is not None:
            report(iteration, adaptation.evaluations)
    return adaptation.axes()


class _Adaptation:
    """The maps at work, and what they took so far."""

    def __init__(
        self,
        density: Density,
        channels: Sequence[int],
        dim: int,
        options: VegasOptions,
        random: np.random.Generator,
    ):
        self.density, self.channels, self.options, self.random = density, channels, options, random
        self.maps = [vegas.AdaptiveMap(dim * [[0.0, 1.0]], ninc=1) for _ in channels]
        self.evaluations = self.nonfinite = 0
        self.zeros = np.zeros(len(channels), int)
        self.spare = 4 * _SPARE_ROUNDS
        self.inside = np.zeros(len(channels), int)  # points with f > 0 of the last iteration
        self.cut = np.zeros(len(channels), bool)  # whether f = 0 anywhere in the first one
        self.wanted = 0

    def iterate(self, n: int, *, thorough: bool) -> float:
        """An iteration of n points of each map, or more; the share of points with f > 0."""
        self._set_bins()
        asked = [self._ask(n)]
        for _ in range(min(self.spare, _SPARE_ROUNDS)):
            if sum(np.count_nonzero(w) for _, w in asked) >= FEWEST_INSIDE:
                break
            self.spare -= 1
            asked.append(self._ask(n))
        if thorough and self.cut.any():
            most = MOST_ROUNDS * self.options.evaluations // (n * len(self.maps))
            rounds = min(math.ceil(self._wanted(asked[0][1]) / n), most)
            asked += [self._ask(n) for _ in range(rounds - len(asked))]
        y, weights = (np.concatenate(parts, axis=1) for parts in zip(*asked, strict=True))
        first = not self.inside.any()
        self.inside = np.count_nonzero(weights, axis=1)
        if not self.inside.any():
            self.spare = 0  # a second search would find nothing, either
        if first:
            self.cut = self.zeros > 0
            self._set_bins()  # of maps that are even yet: the points keep their places
        self.wanted = self._wanted(weights)
        self._learn(y, weights)
        return float(np.mean(self.inside) / weights.shape[1])

    def _wanted(self, weights: Float64[np.ndarray, "maps n"]) -> int:
        """Points of each map that have enough equal weights, by those of some (maps, n); 0 where
        as many as planned are enough."""
        of_maps, squares = weights.sum(axis=1), np.sum(weights**2)
        efficiency = of_maps.sum() ** 2 / squares / weights.size if squares > 0.0 else 1.0
        if efficiency > _LOW:
            return 0
        that_matter = float(of_maps.sum() ** 2 / np.sum(of_maps**2))
        needed: float = that_matter * _EQUAL_PER_BIN * self.maps[0].dim * self.options.bins
        return math.ceil(needed / efficiency / len(self.maps))

    def _set_bins(self) -> None:
        for axes, inside in zip(self.maps, self.inside, strict=True):
            if inside > 0:
                bins = max(inside // _POINTS_PER_BIN, _FEWEST_BINS)
                axes.adapt(ninc=int(min(bins, self.options.bins)))

    def _ask(
        self, n: int
    ) -> tuple[Float64[np.ndarray, "maps {n} dim"], Float64[np.ndarray, "maps {n}"]]:
        """n points of each map, in its own variable y (maps, n, dim), and f du/dy there (maps, n),
        0 for what is not finite."""
        dim = self.maps[0].dim
        y = _even_points(self.random, len(self.maps), n, dim)
        x, jacobian = np.empty_like(y), np.empty(y.shape[:2])
        for axes, *arrays in zip(self.maps, y, x, jacobian, strict=True):
            axes.map(*arrays)
        f = self.density(
            x.reshape(-1, dim), np.repeat(np.asarray(self.channels, np.int32), n), jacobian.ravel()
        )
        finite = np.isfinite(f)
        self.evaluations += f.size
        self.zeros += np.sum(f.reshape(len(self.maps), n) == 0.0, axis=1)
        self.nonfinite += int(np.sum(~finite))
        return y, np.where(finite, f, 0.0).reshape(len(self.maps), n) * jacobian

    def _learn(
        self, y: Float64[np.ndarray, "maps n dim"], weights: Float64[np.ndarray, "maps n"]
    ) -> None:
        for axes, points, weight, cut in zip(self.maps, y, weights, self.cut, strict=True):
            largest = weight.max()
            if largest > 0.0:
                axes.add_training_data(points, (weight / largest) ** 2)
                axes.adapt(alpha=self.options.alpha)
                if cut:
                    grade_map(axes)

    def axes(self) -> Axes:
        bins = self.options.bins
        maps = [(np.asarray(axes.ninc), np.asarray(axes.grid)) for axes in self.maps]
        borders = np.stack([even_borders(*axes, bins) for axes in maps])
        return Axes(borders, self.wanted, self.evaluations, int(self.zeros.sum()), self.nonfinite)


def n_iterations(options: VegasOptions) -> int:
    """How many iterations the options ask for, the warm-up included."""
    return options.warmup_iterations + options.iterations


def n_evaluations(options: VegasOptions, n_densities: int) -> int:
    """How many evaluations of f the adaptation to so many densities takes where cuts leave most of
    the cube."""
    return n_densities * sum(_points(options, n_densities))


def _points(options: VegasOptions, n_densities: int) -> list[int]:
    """Points of one density in each iteration, the warm-up first."""
    warm_up = options.warmup_iterations * [options.warmup_evaluations]
    totals = warm_up + options.iterations * [options.evaluations]
    return [min(max(total // n_densities, FEWEST_EVALUATIONS), total) for total in totals]


def _even_points(
    random: np.random.Generator, n_maps: int, n: int, dim: int
) -> Float64[np.ndarray, "{n_maps} {n} {dim}"]:
    """Latin hypercubes (n_maps, n, dim): along each axis one point in each of n even steps."""
    steps = np.tile(np.arange(n, dtype=float)[None, :, None], (n_maps, 1, dim))
    return (random.permuted(steps, axis=1) + random.random((n_maps, n, dim))) / n


def even_borders(
    n_bins: Sequence[int] | Int[np.ndarray, " dim"],
    grid: Float[np.ndarray | Array, "dim borders"],
    bins: int,
) -> Float64[np.ndarray, "dim {bins}+1"]:
    """Borders (dim, bins + 1) of the package's maps of the axes, whose own bins may be fewer.

    n_bins (dim,): theirs; grid (dim, largest of them + 1): their borders. They are divided evenly
    in the package's own variable.
    """
    even = np.linspace(0.0, 1.0, bins + 1)
    rows = zip(n_bins, np.asarray(grid), strict=True)
    return np.stack(
        [np.interp(even, np.linspace(0.0, 1.0, n + 1), row[: n + 1]) for n, row in rows]
    )
