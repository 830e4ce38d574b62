"""The course of a training against target evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fabgen.plot.style import (
    BAND,
    SURROGATE,
    TARGET,
    UNTRAINED,
    bracket,
    log_ticks,
    new_figure,
    power_of_ten,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Efficiencies:
    """Sampling efficiencies of fresh samples: of the finished surrogate and the untrained map."""

    surrogate: float
    untrained: float | None


def column(records: Sequence[Mapping[str, Any]], name: str) -> Floats:
    """One figure of the lines of training.jsonl, NaN where it is missing or null."""
    values = [record.get(name) for record in records]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def has_curve(records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the lines of training.jsonl hold something that can be drawn."""
    names = ("loss", "eps", "integral")
    return any(bool(np.any(np.isfinite(column(records, name)))) for name in names)


def robust_limits(values: Floats, room: float = 0.08) -> tuple[float, float]:
    """Limits of an axis that show all values but single wild ones.

    Values further from the quartiles than five times their distance do not count.
    """
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    lower, upper = np.quantile(values, [0.25, 0.75])
    reach = 5.0 * (upper - lower)
    kept = values[(values >= lower - reach) & (values <= upper + reach)]
    low, high = float(np.min(kept)), float(np.max(kept))
    margin = room * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def training_curve(
    records: Sequence[Mapping[str, Any]],
    title: str,
    unit: str,
    after: Efficiencies | None = None,
) -> Figure:
    """Loss and sampling efficiency of a flow, or the iterations of a VEGAS+ grid.

    records: the lines of training.jsonl. unit: of the integral, "" for none.
    """
    figure = new_figure(3.0)
    upper, lower = figure.subplots(2, 1, sharex=True)
    evaluations = column(records, "target_evaluations")
    exponent = power_of_ten(float(np.max(evaluations)))
    x = evaluations / 10.0**exponent
    if np.any(np.isfinite(column(records, "integral"))):
        _grid(upper, lower, x, records, unit)
    else:
        _flow(upper, lower, x, records, after)
    upper.set_title(title)
    lower.set_xlabel("target evaluations" + bracket("", exponent))
    lower.set_xlim(0.0, 1.03 * float(np.max(x)))
    figure.align_ylabels()
    return figure


def _flow(
    upper: Axes,
    lower: Axes,
    x: Floats,
    records: Sequence[Mapping[str, Any]],
    after: Efficiencies | None,
) -> None:
    loss, eps = column(records, "loss"), column(records, "eps")
    marker = "o" if len(x) <= 40 else ""
    upper.plot(x, loss, color=TARGET, marker=marker)
    upper.set_ylim(*robust_limits(loss))
    upper.set_ylabel("loss")
    lower.plot(x, eps, color=SURROGATE, marker=marker, label="during training")
    shown = eps[np.isfinite(eps)]
    if after is not None:
        if after.untrained is not None:
            lower.axhline(after.untrained, color=UNTRAINED, ls=":", label="untrained map")
            shown = np.append(shown, after.untrained)
        lower.plot(
            x[-1], after.surrogate, "*", color=TARGET, ms=6, label="after training", clip_on=False
        )
        shown = np.append(shown, after.surrogate)
    low = float(np.min(shown)) if shown.size else 0.0
    lower.set_ylim(max(0.0, low - 0.08 * (1.0 - low) - 0.01), 1.0 + 0.05 * (1.0 - low))
    lower.set_ylabel(r"sampling efficiency $\varepsilon$")
    if after is not None:
        lower.legend(loc="best")


def _grid(
    upper: Axes, lower: Axes, x: Floats, records: Sequence[Mapping[str, Any]], unit: str
) -> None:
    value, error = column(records, "integral"), column(records, "integral_error")
    mean, mean_error = column(records, "average"), column(records, "average_error")
    exponent = power_of_ten(float(np.nanmax(np.abs(value))))
    scale = 10.0**-exponent
    low, high = (mean - mean_error) * scale, (mean + mean_error) * scale
    upper.fill_between(x, low, high, color=BAND, lw=0.0, label="average so far")
    upper.errorbar(
        x, value * scale, error * scale, fmt="o", color=TARGET, elinewidth=0.8, label="iteration"
    )
    upper.set_ylabel("integral" + bracket(unit, exponent))
    upper.legend(loc="best")
    own, average = np.abs(error / value), np.abs(mean_error / mean)
    lower.plot(x, own, "o", color=TARGET, label="iteration")
    lower.plot(x, average, color=UNTRAINED, label="average so far")
    lower.set_yscale("log")
    log_ticks(lower.yaxis, *lower.get_ylim())
    lower.set_ylabel("relative error")
    lower.legend(loc="best")
