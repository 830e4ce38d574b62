"""Maps of the axes alone, adapted to several densities side by side.

G.P. Lepage, Adaptive multidimensional integration: VEGAS enhanced, arXiv:2009.05112, section II,
with `vegas.AdaptiveMap`: what remains of VEGAS without its strata. All densities are asked in one
call, so that one compiled program serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import vegas
from numpy.typing import ArrayLike, NDArray

from fabgen.surrogate.build import VegasSettings

Floats = NDArray[np.float64]
Channels = NDArray[np.int32]
Density = Callable[[Floats, Channels, Floats], Floats]
"""f_i: u (n, dim), channels (n,) and Jacobians of the maps so far (n,) -> (n,); asked once in an
iteration."""

FEWEST_EVALUATIONS = 1000
"""Of one of several densities in an iteration, unless the card asks for fewer."""

#: Points per bin of the map, at least: fewer would adapt it to noise.
_POINTS_PER_BIN = 10


@dataclass(frozen=True)
class Axes:
    """Borders (densities, dim, options.bins + 1), what they took, and how often f was zero or not
    finite (which counts as zero for the maps)."""

    borders: Floats
    evaluations: int
    zeros: int
    nonfinite: int


def adapt_axes(
    density: Density,
    channels: Sequence[int],
    dim: int,
    options: VegasSettings,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> Axes:
    """The maps of the densities of `channels`, adapted in the iterations of the options.

    The densities share the evaluations of an iteration evenly, down to FEWEST_EVALUATIONS.
    `report` gets the number of each iteration, from 1, and the evaluations so far. A density that
    is zero at all points keeps the uniform map. The same seed gives the same maps.
    """
    random = np.random.default_rng(seed)
    maps = [vegas.AdaptiveMap(dim * [[0.0, 1.0]], ninc=1) for _ in channels]
    evaluations = zeros = nonfinite = 0
    for iteration, n in enumerate(_points(options, len(channels)), start=1):
        bins = int(np.clip(n // _POINTS_PER_BIN, 1, options.bins))
        y = _even_points(random, len(channels), n, dim)
        x, jacobian = np.empty_like(y), np.empty(y.shape[:2])
        for axes, *arrays in zip(maps, y, x, jacobian, strict=True):
            axes.adapt(ninc=bins)
            axes.map(*arrays)
        f = density(
            x.reshape(-1, dim), np.repeat(np.asarray(channels, np.int32), n), jacobian.ravel()
        )
        finite = np.isfinite(f)
        evaluations, zeros = evaluations + f.size, zeros + int(np.sum(f == 0.0))
        nonfinite += int(np.sum(~finite))
        weights = np.where(finite, f, 0.0).reshape(len(channels), n) * jacobian
        for axes, points, weight in zip(maps, y, weights, strict=True):
            largest = weight.max()
            if largest > 0.0:
                axes.add_training_data(points, (weight / largest) ** 2)
                axes.adapt(alpha=options.alpha)
        if report is not None:
            report(iteration, evaluations)
    borders = np.stack([even_borders(axes.ninc, axes.grid, options.bins) for axes in maps])
    return Axes(borders, evaluations, zeros, nonfinite)


def n_iterations(options: VegasSettings) -> int:
    """How many iterations the options ask for, the warm-up included."""
    return options.warmup_iterations + options.iterations


def n_evaluations(options: VegasSettings, n_densities: int) -> int:
    """How many evaluations of f the adaptation to so many densities takes."""
    return n_densities * sum(_points(options, n_densities))


def _points(options: VegasSettings, n_densities: int) -> list[int]:
    """Points of one density in each iteration, the warm-up first."""
    warm_up = options.warmup_iterations * [options.warmup_evaluations]
    totals = warm_up + options.iterations * [options.evaluations]
    return [min(max(total // n_densities, FEWEST_EVALUATIONS), total) for total in totals]


def _even_points(random: np.random.Generator, n_maps: int, n: int, dim: int) -> Floats:
    """Latin hypercubes (n_maps, n, dim): along each axis one point in each of n even steps."""
    steps = np.tile(np.arange(n, dtype=float)[None, :, None], (n_maps, 1, dim))
    return (random.permuted(steps, axis=1) + random.random((n_maps, n, dim))) / n


def even_borders(n_bins: Sequence[int], grid: ArrayLike, bins: int) -> Floats:
    """Borders (dim, bins + 1) of the package's maps of the axes, whose own bins may be fewer.

    n_bins (dim,): theirs; grid (dim, largest of them + 1): their borders. They are divided evenly
    in the package's own variable.
    """
    even = np.linspace(0.0, 1.0, bins + 1)
    rows = zip(n_bins, np.asarray(grid), strict=True)
    return np.stack(
        [np.interp(even, np.linspace(0.0, 1.0, n + 1), row[: n + 1]) for n, row in rows]
    )
