"""The distribution of the weights w = f/q, with w_max and what lies above it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fabgen.metrics import Metrics, WeightSum
from fabgen.plot.histogram import bins_for
from fabgen.plot.style import (
    SURROGATE,
    UNTRAINED,
    legend_above,
    log_ticks,
    new_figure,
    set_title,
)
from fabgen.sampling.integrate import Survey, survey

Floats = NDArray[np.float64]

#: Weights further below the mean than this are not drawn.
LOWEST = 1e-6
#: The most bins of a distribution of weights.
BINS = 80
#: The range reaches at least so far beyond the weights, in log w.
LEAST = 0.005


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


def weight_range(log_weights: Floats) -> tuple[float, float]:
    """The range of w/<w> to draw: up to the largest, down to the lowest permille or `LOWEST`."""
    scaled = log_weights - _log_mean(log_weights)
    finite = scaled[np.isfinite(scaled)]
    low = max(float(np.quantile(finite, 1e-3)), np.log(LOWEST))
    high = float(np.max(finite))
    # Equal weights, of a perfect surrogate, still need a range.
    room = max(0.02 * (high - low), LEAST)
    return float(np.exp(low - room)), float(np.exp(high + room))


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
    *,
    several: bool = False,
) -> Figure:
    """The weights (as natural logarithms) of the surrogate, beside those of the untrained map.

    several: they are those of a mixture of channels. Events are unweighted channel by channel, each
    with a maximum of its own: w_max is then only a mark, and no unweighting efficiency is told.
    """
    # Each has bins for its own range: next to those of the map, the surrogate's may be one spike.
    main, *others = (
        weight_distribution(one, edges_of(one), max_overweight)
        for one in (surrogate, untrained)
        if one is not None
    )
    figure = new_figure(2.6)
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    for flat in others:
        name = _label("untrained map", flat, several)
        axes.stairs(flat.density, flat.edges, color=UNTRAINED, lw=0.8, label=name)
        axes.axvline(flat.w_max, color=UNTRAINED, ls=":", lw=0.8)
    axes.stairs(main.density, main.edges, color=SURROGATE, label=_label(label, main, several))
    above = main.edges > main.w_max
    cut = np.concatenate([[main.w_max], main.edges[above]])
    over = main.density[len(main.edges) - len(cut) :]
    axes.stairs(over, cut, color=SURROGATE, fill=True, alpha=0.4)
    share = rf"$w_\mathrm{{max}}$: {percent(main.overweight)} of the integral above"
    axes.axvline(main.w_max, color=SURROGATE, ls="--", lw=0.8, label=share)
    shown = [main, *others]
    filled = np.concatenate([one.density[one.density > 0.0] for one in shown])
    highest = float(np.max(filled))
    axes.set_ylim(min(0.5 * float(np.min(filled)), 0.01 * highest), 2.0 * highest)
    low, high = min(one.edges[0] for one in shown), max(one.edges[-1] for one in shown)
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high)
    axes.set_xlabel(r"$w/\langle w\rangle$")
    axes.set_ylabel(r"$\mathrm{d}N/(N\,\mathrm{d}\log_{10} w)$")
    set_title(axes, title)
    height = legend_above(axes)
    for line in axes.lines:
        line.set_ydata([0.0, height])  # not through the legend
    return figure


def edges_of(log_weights: Floats) -> Floats:
    """Edges for the range of weights, as many as there are weights for."""
    return log_spaced(*weight_range(log_weights), bins_for(np.isfinite(log_weights), BINS))


def _label(name: str, weights: WeightDistribution, several: bool) -> str:
    m = weights.metrics
    parts = [rf"$\varepsilon = {efficiency(m.sampling_efficiency)}$"]
    if not several:
        uw = efficiency(m.unweighting_efficiency)
        parts.append(rf"$\varepsilon_\mathrm{{uw}} = {uw}$")
    if weights.zero_share > 0.0:
        parts.append(f"{percent(weights.zero_share)} zero")
    return f"{name}: {', '.join(parts)}"


def efficiency(value: float) -> str:
    """A number from 0 to 1 in LaTeX: three decimals, or two digits of it and of the rest to 1."""
    if value < 1e-4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}"
    text = f"{value:.{max(digits_of(value), 3)}f}"
    return "1" if float(text) == 1.0 else text


def percent(share: float) -> str:
    """A share in percent, with two digits of it and of what is left to all."""
    if share in (0.0, 1.0):
        return f"{100.0 * share:.0f} %"
    return f"{100.0 * share:.{max(digits_of(share) - 2, 0)}f} %"


def digits_of(share: float, most: int = 8) -> int:
    """Decimals that show two digits of a number from 0 to 1, and of its distance from 1."""
    least = min(share, 1.0 - share)
    return most if least <= 0.0 else min(1 - math.floor(math.log10(least)), most)
