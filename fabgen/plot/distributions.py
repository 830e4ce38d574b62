"""The distribution of one observable, with its ratio to a reference sample.

The reference are new points of the surrogate and points of the untrained map, weighted as parts of
their mixture. It is independent of the weighted points of the surrogate, and both estimate the same
d sigma/dx without bias. So their ratio tests the surrogate: it is 1 within the errors unless the
surrogate leaves out a part of phase space, which the untrained map does not. (The map alone would
be no good reference: where f has peaks, rare large weights are missing from the sample, and from
its errors. Nor would the events of the run: they come from the surrogate themselves.) The surrogate
is drawn unweighted, too; how far it is from the points is how much the weights have to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mplhep import histplot
from numpy.typing import NDArray

from fabgen.plot.histogram import (
    Spectrum,
    chi_squared,
    joined,
    ratio,
    ratio_limit,
    sensible_range,
    spectrum,
)
from fabgen.plot.observables import Observable
from fabgen.plot.sample import Samples
from fabgen.plot.style import (
    BAND,
    REFERENCE,
    SURROGATE,
    TARGET,
    bracket,
    legend_above,
    new_figure,
    power_of_ten,
)

Floats = NDArray[np.float64]
BINS = 50
#: A distribution that spans more than this is drawn on a logarithmic axis.
SPAN = 50.0


@dataclass(frozen=True)
class Spectra:
    """One observable of the surrogate's points, weighted and not, and of the reference."""

    weighted: Spectrum
    surrogate: Spectrum
    reference: Spectrum | None


def spectra(samples: Samples, values: Sequence[Floats], edges: Floats) -> Spectra:
    """The spectra of an observable; `values` (n,) for each of samples.parts.

    The unweighted surrogate is normalized to the integral of f.
    """
    weights = samples.surrogate.weights
    mean = np.full(len(weights), np.mean(weights))
    others = [
        spectrum(x, w, edges) for x, w in zip(values[1:], samples.reference_weights(), strict=True)
    ]
    sizes = [len(part) for part in samples.parts[1:]]
    return Spectra(
        weighted=spectrum(values[0], weights, edges),
        surrogate=spectrum(values[0], mean, edges),
        reference=joined(others, sizes) if others else None,
    )


def differential(unit: str) -> str:
    """What is distributed, in LaTeX: a cross section, a width, or the integral of an intensity."""
    return {"pb": r"\sigma", "GeV": r"\Gamma"}.get(unit, "I")


def density_label(quantity: str, unit: str, x_latex: str, x_unit: str, exponent: int = 0) -> str:
    """Label of d sigma/dx with its unit: quantity and x in LaTeX, units "pb", "GeV" or ""."""
    if unit == x_unit:
        divided = ""
    elif not x_unit:
        divided = unit
    else:
        divided = f"{unit or 1}/{x_unit}"
    return rf"$\mathrm{{d}}{quantity}/\mathrm{{d}}{x_latex}$" + bracket(divided, exponent)


def distribution(
    observable: Observable, samples: Samples, unit: str, title: str, label: str
) -> Figure | None:
    """The picture of one observable; None if it is the same in all events.

    unit: of f, "" for none. label: what the surrogate is called.
    """
    values = [observable.values(part.momenta) for part in samples.parts]
    weighted = [(values[0], samples.surrogate.weights)]
    if samples.reference is not None:
        weighted.append((np.concatenate(values[1:]), np.concatenate(samples.reference_weights())))
    limits = sensible_range(weighted)
    if limits is None:
        return None
    found = spectra(samples, values, np.linspace(*limits, BINS + 1))
    if found.reference is None:
        figure = new_figure(2.4)
        main = lowest = figure.subplots()
    else:
        figure = new_figure(3.0)
        main, lowest = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.6, 1.0]})
        draw_ratio(lowest, found)
    log, exponent = axis_of(found)
    draw_spectra(main, found, 10.0**-exponent, label)
    if log:
        main.set_yscale("log")
        main.set_ylim(_floor(found) * 10.0**-exponent, 1.5 * _top(found) * 10.0**-exponent)
    else:
        main.set_ylim(0.0, 1.08 * _top(found) * 10.0**-exponent)
    main.set_title(title)
    quantity = differential(unit)
    main.set_ylabel(density_label(quantity, unit, observable.symbol, observable.unit, exponent))
    lowest.set_xlabel(f"${observable.latex}$" + bracket(observable.unit))
    lowest.set_xlim(*limits)
    figure.align_ylabels()
    legend_above(main)
    return figure


def axis_of(found: Spectra) -> tuple[bool, int]:
    """Whether the axis is logarithmic, and the power of ten to take out of its numbers."""
    best = found.weighted
    filled = best.value[best.entries >= 4.0]
    if filled.size and np.max(filled) > SPAN * np.quantile(filled, 0.1):
        return True, 0
    return False, power_of_ten(_top(found))


def _top(found: Spectra) -> float:
    parts = [s for s in (found.weighted, found.surrogate, found.reference) if s is not None]
    return max(float(np.max(s.value + np.where(s.entries > 4.0, s.error, 0.0))) for s in parts)


def _floor(found: Spectra) -> float:
    """Where a logarithmic axis begins: below the lowest bin that is known, within 8 decades."""
    best = found.weighted
    known = best.value[(best.entries >= 4.0) & (best.value > 0.0)]
    lowest = float(np.min(known)) if known.size else float(np.max(best.value))
    return max(0.5 * lowest, 1e-8 * _top(found))


def draw_spectra(axes: Axes, found: Spectra, scale: float, label: str) -> None:
    """Reference as a band, weighted points with error bars, the surrogate itself as steps."""
    edges, points = found.weighted.edges, found.weighted
    if found.reference is not None:
        reference = found.reference
        low, high = reference.value - reference.error, reference.value + reference.error
        axes.stairs(
            high * scale, edges, baseline=np.maximum(low, 0.0) * scale, fill=True, color=BAND
        )
        histplot(
            reference.value * scale,
            edges,
            yerr=False,
            ax=axes,
            color=REFERENCE,
            lw=0.6,
            label="reference",
        )
        histplot(
            found.surrogate.value * scale,
            edges,
            yerr=False,
            ax=axes,
            color=SURROGATE,
            lw=0.8,
            ls="--",
            label=label,
        )
        test = chi_squared(points, reference)
        agreement = rf" ($\chi^2/{test.bins} = {test.value / test.bins:.2f}$)" if test.bins else ""
    else:
        agreement = ""
    axes.errorbar(
        points.centres,
        points.value * scale,
        points.error * scale,
        fmt="o",
        ms=2.0,
        elinewidth=0.7,
        color=TARGET,
        label=f"{label}, weighted{agreement}",
    )


def draw_ratio(axes: Axes, found: Spectra) -> None:
    """Weighted and unweighted surrogate in units of the reference, whose errors are the band."""
    assert found.reference is not None
    edges = found.weighted.edges
    points, steps = ratio(found.weighted, found.reference), ratio(found.surrogate, found.reference)
    band = np.nan_to_num(points.reference_error)
    limit = ratio_limit([points, steps])
    axes.stairs(1.0 + band, edges, baseline=1.0 - band, fill=True, color=BAND)
    axes.axhline(1.0, color=REFERENCE, lw=0.6)
    histplot(steps.value, edges, yerr=False, ax=axes, color=SURROGATE, lw=0.8, ls="--")
    axes.errorbar(
        found.weighted.centres,
        points.value,
        points.error,
        fmt="o",
        ms=2.0,
        elinewidth=0.7,
        color=TARGET,
    )
    _mark_outside(axes, found.weighted.centres, points.value, limit)
    axes.set_ylim(1.0 - limit, 1.0 + limit)
    axes.set_ylabel("ratio")


def _mark_outside(axes: Axes, x: Floats, value: Floats, limit: float) -> None:
    """Triangles at the edge of the panel where a point lies beyond it."""
    for outside, edge, marker in (
        (value > 1.0 + limit, 1.0 + 0.93 * limit, "^"),
        (value < 1.0 - limit, 1.0 - 0.93 * limit, "v"),
    ):
        axes.plot(x[outside], np.full(np.count_nonzero(outside), edge), marker, color=TARGET, ms=3)
