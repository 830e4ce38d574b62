"""VEGAS+ (the package `vegas`) as trainer of a surrogate and as integrator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import vegas
from jax import Array
from jaxtyping import Float, Float64

from fabgen.card import VegasOptions
from fabgen.errors import FabgenError
from fabgen.surrogate.vegas.axes import MOST_ROUNDS, adapt_axes
from fabgen.surrogate.vegas.edges import grade_map
from fabgen.surrogate.vegas.grid import VegasGrid, VegasGridParams
from fabgen.surrogate.vegas.group import even_borders

LogDensity = Callable[[Float[Array, "n dim"]], Float[Array, " n"]]
"""log f: u (n, dim) -> (n,), natural logarithm, -inf where f = 0."""

BLOCK = 2048
"""Points per call of a log f that is not compiled. The last block of a batch is filled up."""

#: Iterations with a chi2 less probable than this disagree.
LEAST_PROBABILITY = 1e-3

#: Where cuts leave less of the cube than this, maps of the axes close in on it before the strata of
#: VEGAS+, which would have no points in most of them, are laid.
_LITTLE = 0.1


@dataclass(frozen=True)
class CompiledDensity:
    """f of blocks of one size: u (size, dim) -> (size,), 0 where there is none."""

    function: Callable[[Float64[np.ndarray, "size dim"]], Float[Array | np.ndarray, " size"]]
    size: int


@dataclass(frozen=True)
class VegasIteration:
    """One iteration: its own integral and error, and the running average over all so far."""

    iteration: int
    evaluations: int
    integral: float
    integral_error: float
    average: float
    average_error: float

    def line(self, seconds: float) -> dict[str, Any]:
        """The line of training.jsonl, so long after the start."""
        figures = asdict(self)
        step, calls = figures.pop("iteration"), figures.pop("evaluations")
        counts = {"target_evaluations": calls, "seconds": seconds}
        return {"step": step, "loss": None, "eps": None, **counts, **figures}


@dataclass(frozen=True)
class VegasResult:
    """The package's own estimate: the average over iterations, weighted with their errors.

    chi2_per_dof compares the iterations with each other, probability is that of a larger chi2:
    where it is small the average is no estimate. Nor is it one where cuts leave little of the cube
    (few): iterations that have missed a part of f are low, with small errors and large weights.
    evaluations counts every point at which f
    was evaluated (not the filling of blocks), nonfinite those at which f was nan or +inf; these
    count as f = 0.
    """

    integral: float
    integral_error: float
    chi2_per_dof: float
    probability: float
    few: bool
    evaluations: int
    nonfinite: int
    history: tuple[VegasIteration, ...]

    def figures(self) -> dict[str, Any]:
        """What a report tells of it; no average that is no estimate."""
        agree = self.probability >= LEAST_PROBABILITY and not self.few
        return {
            "steps": len(self.history),
            "vegas_integral": self.integral if agree else None,
            "vegas_integral_error": self.integral_error if agree else None,
            "vegas_chi2_per_dof": self.chi2_per_dof,
            "nonfinite_values": self.nonfinite,
        }


@dataclass
class _Batch(vegas.LBatchIntegrand):
    """f for the package: points (n, dim) -> f (n,), in blocks of fixed size, counting.

    inside: the part of the points of the first iteration at which f is not 0; nan before.
    """

    density: CompiledDensity
    evaluations: int = 0
    zeros: int = 0
    nonfinite: int = 0
    inside: float = math.nan
    shape_known: bool = False

    @property
    def cut(self) -> bool:
        return self.inside < 1.0

    def __call__(self, x: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
        if not self.shape_known:
            # before it starts the package asks for the shape of the answer, at a point drawn from
            # a global generator whose value it ignores: not an evaluation
            self.shape_known = True
            return np.zeros(len(x))
        return self.values(x)

    def values(self, x: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
        """f (n,) at x (n, dim); 0 where it is not finite."""
        f, size = np.empty(len(x)), self.density.size
        for start in range(0, len(x), size):
            block = x[start : start + size]
            padded = np.concatenate([block, np.full((size - len(block), x.shape[1]), 0.5)])
            found = self.density.function(padded)
            f[start : start + len(block)] = np.asarray(found)[: len(block)]
        finite = np.isfinite(f)
        self.evaluations += len(x)
        self.zeros += int(np.sum(f == 0.0))
        self.nonfinite += int(np.sum(~finite))
        return np.where(finite, f, 0.0)


class _LittleInside(Exception):
    """Cuts leave little of the cube."""


@dataclass
class _Analyzer:
    """Hooks of the package around each iteration."""

    batch: _Batch
    report: Callable[[VegasIteration], None] | None
    history: list[VegasIteration] = field(default_factory=list)
    iteration: int = 0

    def begin(self, itn: int, integrator: vegas.Integrator) -> None:
        self.iteration = itn + 1
        if itn > 0 and self.batch.cut:  # the package has adapted its map behind the last one
            grade_map(integrator.map)

    def end(self, itn_ans: Any, ans: Any) -> None:
        if math.isnan(self.batch.inside):
            self.batch.inside = 1.0 - self.batch.zeros / self.batch.evaluations
            if self.batch.inside < _LITTLE:
                raise _LittleInside
        record = VegasIteration(
            self.iteration,
            self.batch.evaluations,
            float(itn_ans.mean),
            float(itn_ans.sdev),
            float(ans.mean),
            float(ans.sdev),
        )
        self.history.append(record)
        if self.report is not None:
            self.report(record)


def vegas_grid(dim: int, options: VegasOptions) -> VegasGrid:
    """The static part of the surrogate that training with these options will give."""
    return _grid(_integrator(dim, options, seed=0))


def train_vegas(
    density: LogDensity | CompiledDensity,
    dim: int,
    options: VegasOptions,
    seed: int,
    report: Callable[[VegasIteration], None] | None = None,
) -> tuple[VegasGrid, VegasGridParams, VegasResult]:
    """Adapt map and stratification to f, or exp(log f), in `options.iterations` iterations of at
    most `options.evaluations` points, then take both over as plain arrays. The warm-up of the
    options goes before; its estimates are thrown away, its evaluations count.

    `report` is called after each iteration. The same seed gives the same grid. Where the first
    iteration finds that cuts leave little of the cube, maps of the axes close in on it before.
    """
    compiled = density if isinstance(density, CompiledDensity) else _compiled(density)
    batch = _Batch(compiled)
    try:
        integrator = _integrator(dim, options, seed)
        result = _iterate(integrator, batch, options, report)
    except _LittleInside:
        axes = adapt_axes(lambda u, *_: batch.values(u), ((0,),), dim, options, seed)
        integrator = _integrator(dim, options, seed, axes.borders[0])
        most = MOST_ROUNDS * options.evaluations
        n = min(max(axes.wanted, options.evaluations), most)
        integrator.set(neval=n, nstrat=np.array(integrator.nstrat))  # the same strata
        result = _iterate(integrator, batch, options, report)
    return _grid(integrator), _params(integrator), result


def _iterate(
    integrator: vegas.Integrator,
    batch: _Batch,
    options: VegasOptions,
    report: Callable[[VegasIteration], None] | None,
) -> VegasResult:
    """The iterations of the options, the warm-up first."""
    _warm_up(integrator, batch, options.warmup_iterations, options.warmup_evaluations)
    return _run(integrator, batch, report)


def axis_borders(
    grid: VegasGrid, params: VegasGridParams, bins: int
) -> Float64[np.ndarray, "{grid.dim} {bins}+1"]:
    """The map of the axes alone, without strata: borders (dim, bins + 1)."""
    return even_borders(grid.bins, params.grid, bins)


def _warm_up(integrator: vegas.Integrator, batch: _Batch, iterations: int, points: int) -> None:
    """Iterations of at most `points` points that adapt and do not count as estimates."""
    if iterations > 0:
        old = integrator.set(nitn=iterations, neval=points)
        _run(integrator, batch, None)
        integrator.set(old)


def _compiled(log_density: LogDensity) -> CompiledDensity:
    return CompiledDensity(jax.jit(lambda u: jnp.exp(log_density(u))), BLOCK)


def _integrator(
    dim: int,
    options: VegasOptions,
    seed: int,
    borders: Float64[np.ndarray, "{dim} borders"] | None = None,
) -> vegas.Integrator:
    """The generator is private: the package's default is a global one.

    borders (dim, bins + 1): of the map to start from, even without. Such a map is of an f that cuts
    leave little of: then all hypercubes get the same number of points, since those that have met
    nothing of f yet would be left with the fewest, and f with large weights there.
    """
    integrator = vegas.Integrator(
        dim * [[0.0, 1.0]] if borders is None else vegas.AdaptiveMap(borders),
        nitn=options.iterations,
        neval=options.evaluations,
        maxinc_axis=options.bins,
        alpha=options.alpha,
        ran_array_generator=np.random.default_rng(seed).random,
    )
    if borders is not None:
        integrator.set(beta=0.0, nstrat=np.array(integrator.nstrat))
    elif dim == 1:
        # Thousands of strata with a few points each would only share out the noise that is left.
        integrator.set(beta=0.0)
    return integrator


def _run(
    integrator: vegas.Integrator,
    batch: _Batch,
    report: Callable[[VegasIteration], None] | None,
) -> VegasResult:
    analyzer = _Analyzer(batch, report)
    integrator.set(analyzer=analyzer)
    batch.shape_known = False
    average = integrator(batch)
    if batch.cut:
        grade_map(integrator.map)
    if not any(record.integral > 0.0 for record in analyzer.history):
        raise FabgenError(
            f"VEGAS found no point with a density above zero among {batch.evaluations}: the cuts "
            "may leave no phase space, or the map misses a narrow resonance (phase_space.mapping)"
        )
    return VegasResult(
        integral=float(average.mean),
        integral_error=float(average.sdev),
        chi2_per_dof=float(average.chi2 / average.dof) if average.dof > 0 else 0.0,
        probability=float(average.Q) if average.dof > 0 else 1.0,
        few=batch.inside < _LITTLE,
        evaluations=batch.evaluations,
        nonfinite=batch.nonfinite,
        history=tuple(analyzer.history),
    )


def _grid(integrator: vegas.Integrator) -> VegasGrid:
    return VegasGrid(
        integrator.dim,
        tuple(int(n) for n in np.asarray(integrator.map.ninc)),
        tuple(int(n) for n in np.asarray(integrator.nstrat)),
    )


def _params(integrator: vegas.Integrator) -> VegasGridParams:
    bins = np.asarray(integrator.map.ninc)
    grid = np.ones((integrator.dim, int(bins.max()) + 1))
    for d, n in enumerate(bins):
        grid[d, : n + 1] = np.asarray(integrator.map.grid)[d, : n + 1]
    return VegasGridParams(jnp.asarray(grid), jnp.asarray(_points_per_hypercube(integrator)))


def _points_per_hypercube(integrator: vegas.Integrator) -> Float64[np.ndarray, " hypercubes"]:
    """What the next iteration would use, by the formula of Integrator._random_batch."""
    sigf = np.asarray(integrator.sigf, float)
    if integrator.nhcube == 1 or integrator.beta <= 0.0:
        return np.ones(integrator.nhcube)
    scale = integrator.neval_frac * integrator.neval / integrator.sum_sigf
    points = np.floor(sigf * scale) + integrator.min_neval_hcube
    most = max(integrator.max_neval_hcube, integrator.min_neval_hcube)
    return np.asarray(np.minimum(points, most), float)
