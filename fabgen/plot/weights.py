"""The distribution of the weights w = f/q, with w_max and what lies above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fabgen.metrics import Metrics, WeightSum
from fabgen.plot.style import SURROGATE, UNTRAINED, legend_above, log_ticks, new_figure
from fabgen.sampling.integrate import Survey, survey

Floats = NDArray[np.float64]

#: Weights further below the mean than this are not drawn.
LOWEST = 1e-6


@dataclass(frozen=True)
class WeightDistribution:
    """A histogram of the n weights of a sample, in units of their mean.

    edges (bins + 1,): spaced evenly in log w, in units of <w>. density (bins,): share of the points
    per decade of w. w_max: reference weight of the unweighting, in units of <w>. overweight: share
    of the integral that weights above it carry.
    """

    edges: Floats
    density: Floats
    w_max: float
    overweight: float
    metrics: Metrics

    @property
    def zero_share(self) -> float:
        """Share of the points where f vanishes or is not finite."""
        return (self.metrics.zero + self.metrics.nonfinite) / self.metrics.n


def log_spaced(low: float, high: float, bins: int) -> Floats:
    """Edges (bins + 1,) from `low` to `high`, evenly spaced in their logarithm."""
    return np.geomspace(low, high, bins + 1)


def survey_of(log_weights: Floats, max_overweight: float) -> Survey:
    """The Survey of one array of log weights; FabgenError if all weights vanish."""
    total = WeightSum.of(log_weights)
    return survey(total, total.largest, max_overweight, len(log_weights))


def weight_range(log_weights: list[Floats]) -> tuple[float, float]:
    """The range of w/<w> to draw: up to the largest, down to the lowest permille or `LOWEST`."""
    lows, highs = [], []
    for log_w in log_weights:
        scaled = log_w - _log_mean(log_w)
        finite = scaled[np.isfinite(scaled)]
        lows.append(max(float(np.quantile(finite, 1e-3)), np.log(LOWEST)))
        highs.append(float(np.max(finite)))
    # Equal weights, of a perfect surrogate, still need a range.
    return np.exp(min(*lows, np.log(0.8))) / 1.2, np.exp(max(*highs, np.log(1.25))) * 1.2


def weight_distribution(
    log_weights: Floats, edges: Floats, max_overweight: float
) -> WeightDistribution:
    """The distribution of weights given by their natural logarithms (n,), -inf for zero."""
    found = survey_of(log_weights, max_overweight)
    log_mean = _log_mean(log_weights)
    finite = log_weights[np.isfinite(log_weights)]
    counts, _ = np.histogram(finite - log_mean, np.log(edges))
    density = counts / len(log_weights) / np.diff(np.log10(edges))
    return WeightDistribution(
        edges=edges,
        density=density,
        w_max=float(np.exp(found.log_w_max - log_mean)),
        overweight=found.overweight_share,
        metrics=found.metrics,
    )


def _log_mean(log_weights: Floats) -> float:
    total = WeightSum.of(log_weights)
    return float(total.log_max + np.log(total.mean))


def weight_picture(
    surrogate: Floats,
    untrained: Floats | None,
    max_overweight: float,
    title: str,
    label: str,
    bins: int = 80,
    *,
    several: bool = False,
) -> Figure:
    """The weights (as natural logarithms) of the surrogate, beside those of the untrained map.

    several: they are those of a mixture of channels. Events are unweighted channel by channel, each
    with a maximum of its own: w_max is then only a mark, and no unweighting efficiency is told.
    """
    samples = [surrogate] if untrained is None else [surrogate, untrained]
    edges = log_spaced(*weight_range(samples), bins)
    main = weight_distribution(surrogate, edges, max_overweight)
    shown = [main]
    figure = new_figure(2.6)
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    if untrained is not None:
        flat = weight_distribution(untrained, edges, max_overweight)
        shown.append(flat)
        name = _label("untrained map", flat, several)
        axes.stairs(flat.density, edges, color=UNTRAINED, lw=0.8, label=name)
        axes.axvline(flat.w_max, color=UNTRAINED, ls=":", lw=0.8)
    axes.stairs(main.density, edges, color=SURROGATE, label=_label(label, main, several))
    above = edges > main.w_max
    cut = np.concatenate([[main.w_max], edges[above]])
    over = main.density[len(edges) - len(cut) :]
    axes.stairs(over, cut, color=SURROGATE, fill=True, alpha=0.4)
    share = rf"$w_\mathrm{{max}}$: {_percent(main.overweight)} of the integral above"
    axes.axvline(main.w_max, color=SURROGATE, ls="--", lw=0.8, label=share)
    # One point in one bin is the least there can be.
    least = 1.0 / main.metrics.n / np.log10(edges[1] / edges[0])
    highest = max(float(np.max(one.density)) for one in shown)
    axes.set_ylim(0.5 * least, 2.0 * highest)
    axes.set_xlim(edges[0], edges[-1])
    log_ticks(axes.xaxis, edges[0], edges[-1])
    axes.set_xlabel(r"$w/\langle w\rangle$")
    axes.set_ylabel(r"$\mathrm{d}N/(N\,\mathrm{d}\log_{10} w)$")
    axes.set_title(title)
    height = legend_above(axes)
    for line in axes.lines:
        line.set_ydata([0.0, height])  # not through the legend
    return figure


def _label(name: str, weights: WeightDistribution, several: bool) -> str:
    m = weights.metrics
    parts = [rf"$\varepsilon = {m.sampling_efficiency:#.3g}$"]
    if not several:
        parts.append(rf"$\varepsilon_\mathrm{{uw}} = {m.unweighting_efficiency:#.2g}$")
    if weights.zero_share > 0.0:
        parts.append(f"{_percent(weights.zero_share)} zero")
    return f"{name}: {', '.join(parts)}"


def _percent(share: float) -> str:
    return f"{100.0 * share:.2g} %"
