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
    mark_break,
    new_figure,
    power_of_ten,
    set_title,
)

Floats = NDArray[np.float64]

#: A loss that spans more than this factor is drawn on a logarithmic axis.
SPAN = 4.0
#: The axis of evaluations does not begin at zero if more than this share of it would be empty.
BEFORE = 0.25
#: An axis with a line far away is broken if more than this share of it would be empty.
EMPTY = 0.4


@dataclass(frozen=True)
class After:
    """The end of a training: the target evaluations it took, as the report counts them, and the
    sampling efficiencies of fresh samples of the finished surrogate and of the untrained map.
    """

    evaluations: int
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

    Values further from the quartiles than ten times their distance do not count.
    """
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    lower, upper = np.quantile(values, [0.25, 0.75])
    reach = 10.0 * (upper - lower)
    kept = values[(values >= lower - reach) & (values <= upper + reach)]
    low, high = float(np.min(kept)), float(np.max(kept))
    margin = room * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def evaluations_shown(x: Floats) -> tuple[float, float]:
    """Limits of the axis of evaluations: from zero, unless nothing is there for long."""
    first, last = float(np.min(x)), float(np.max(x))
    if BEFORE * last < first < last:
        room = 0.05 * (last - first)
        return first - room, last + room
    return 0.0, 1.03 * last


def is_squashed(curve: Floats, line: float) -> bool:
    """Whether on an axis with a line far from it, too much would be empty between the two."""
    low, high = float(np.min(curve)), float(np.max(curve))
    gap = max(low - line, line - high)
    return gap > EMPTY * (max(high, line) - min(low, line)) > 0.0


def training_curve(
    records: Sequence[Mapping[str, Any]],
    title: str,
    unit: str,
    after: After | None = None,
) -> Figure:
    """Loss and sampling efficiency of a flow, or the iterations of a VEGAS+ grid.

    records: the lines of training.jsonl. unit: of the integral, "" for none.
    """
    x = column(records, "target_evaluations")
    ends = x if after is None else np.append(x, after.evaluations)
    exponent = power_of_ten(float(np.max(ends)))
    x, ends = x / 10.0**exponent, ends / 10.0**exponent
    figure = new_figure(3.0)
    if np.any(np.isfinite(column(records, "integral"))):
        upper, lowest = figure.subplots(2, 1, sharex=True)
        _grid(upper, lowest, x, records, unit)
    else:
        eps = column(records, "eps")
        shown = eps if after is None else np.append(eps, after.surrogate)
        shown = shown[np.isfinite(shown)]
        line = None if after is None else after.untrained
        if line is not None and is_squashed(shown, line):
            upper, main, strip = _with_strip(figure, above=line > np.max(shown))
        else:
            upper, main = figure.subplots(2, 1, sharex=True)
            strip = None
        _loss(upper, x, column(records, "loss"))
        _efficiency(main, strip, x, eps, after, float(ends[-1]))
        lowest = figure.axes[-1]
    set_title(upper, title)
    lowest.set_xlabel("target evaluations" + bracket("", exponent))
    lowest.set_xlim(*evaluations_shown(ends))
    figure.align_ylabels()
    return figure


def _with_strip(figure: Figure, *, above: bool) -> tuple[Axes, Axes, Axes]:
    """Axes of the loss, of the efficiency, and a strip of its axis above or below that."""
    heights = [3.0, 0.5, 2.5] if above else [3.0, 2.5, 0.5]
    upper, *pair = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": heights})
    mark_break(pair[0], pair[1], along="y")
    strip, main = pair if above else pair[::-1]
    return upper, main, strip


def _loss(axes: Axes, x: Floats, loss: Floats) -> None:
    axes.plot(x, loss, color=TARGET, marker=_marker(x))
    known = loss[np.isfinite(loss)]
    if known.size and np.min(known) > 0.0 and np.max(known) > SPAN * np.min(known):
        low, high = np.exp(robust_limits(np.log(known)))
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        log_ticks(axes.yaxis, low, high)
    else:
        axes.set_ylim(*robust_limits(loss))
    axes.set_ylabel("loss")


def _efficiency(
    axes: Axes, strip: Axes | None, x: Floats, eps: Floats, after: After | None, end: float
) -> None:
    """The efficiency, after the training at `end`; a strip is for that of the untrained map."""
    axes.plot(x, eps, color=SURROGATE, marker=_marker(x), label="during training")
    shown = eps[np.isfinite(eps)]
    if after is not None:
        if after.untrained is not None:
            line: dict[str, Any] = {"color": UNTRAINED, "ls": ":", "label": "untrained map"}
            (strip or axes).axhline(after.untrained, **line)
            if strip is None:
                shown = np.append(shown, after.untrained)
            else:
                axes.plot([], [], **line)  # for the legend
                strip.set_ylim(0.9 * after.untrained, 1.1 * after.untrained)
                strip.set_yticks([after.untrained], [f"{after.untrained:.3g}"])
                strip.minorticks_off()
        axes.plot(
            end, after.surrogate, "*", color=TARGET, ms=6, label="after training", clip_on=False
        )
        shown = np.append(shown, after.surrogate)
    low, high = (np.min(shown), np.max(shown)) if shown.size else (0.0, 1.0)
    room = 0.1 * (high - low) or 0.1 * high
    axes.set_ylim(max(0.0, low - room), min(1.0 + 0.5 * room, high + room))
    axes.set_ylabel(r"efficiency $\varepsilon$")
    if after is not None:
        axes.legend(loc="best")


def _marker(x: Floats) -> str:
    return "o" if len(x) <= 40 else ""


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
