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

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mplhep import histplot
from numpy.typing import NDArray

from fabgen.plot.binning import NARROW, Peak, edges_around, peaks_in, pieces, shares
from fabgen.plot.histogram import (
    Ratio,
    Spectrum,
    bins_for,
    chi_squared,
    joined,
    ratio,
    ratio_limit,
    sensible_range,
    spectrum,
    weighted_quantiles,
)
from fabgen.plot.names import particle_name
from fabgen.plot.observables import Observable
from fabgen.plot.sample import Samples
from fabgen.plot.style import (
    BAND,
    REFERENCE,
    SURROGATE,
    TARGET,
    bracket,
    legend_above,
    log_ticks,
    mark_break,
    new_figure,
    power_of_ten,
    set_title,
)

Floats = NDArray[np.float64]
BINS = 50
#: A distribution that rises above its median by more than this is drawn on a logarithmic axis.
SPAN = 6.0


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
    """The quantity in LaTeX: a cross section, a width, or the integral of an intensity."""
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
    observable: Observable,
    samples: Samples,
    unit: str,
    title: str,
    label: str,
    particles: Sequence[Peak] = (),
) -> Iterator[tuple[str, Figure]]:
    """The pictures of one observable by the names of their files: it, and resonances in it close.

    unit: of f, "" for none. label: what the surrogate is called. particles: those that may be
    resonances. There is no picture of what is the same in all events.
    """
    values = [observable.values(part.momenta) for part in samples.parts]
    weighted = [(values[0], samples.surrogate.weights)]
    if samples.reference is not None:
        weighted.append((np.concatenate(values[1:]), np.concatenate(samples.reference_weights())))
    limits = sensible_range(weighted)
    if limits is None:
        return
    x, w = weighted[-1]
    seen = (x >= limits[0]) & (x <= limits[1])
    peaks = peaks_in(x[seen], w[seen], particles) if observable.is_mass else ()
    parts = pieces(weighted, *limits)
    length = sum(high - low for low, high in parts)
    x, used = values[0], samples.surrogate.weights > 0.0
    bins = bins_for(used, BINS)
    edges = [
        edges_around(low, high, math.ceil(bins * share), peaks)
        for (low, high), share in zip(parts, shares(parts), strict=True)
    ]

    def draw(edges: Sequence[Floats]) -> Figure:
        found = [spectra(samples, values, one) for one in edges]
        return draw_distribution(found, observable, unit, title, label)

    yield observable.file, draw(edges)
    for peak in peaks:
        low, high = max(peak.close_up[0], limits[0]), min(peak.close_up[1], limits[1])
        if high - low < NARROW * length:
            name = f"{observable.file}_at_{particle_name(peak.pdg).file}"
            bins = bins_for(used & (x > low) & (x < high), BINS)
            yield name, draw([edges_around(low, high, bins)])


def draw_distribution(
    found: Sequence[Spectra], observable: Observable, unit: str, title: str, label: str
) -> Figure:
    """The spectra of the pieces of one axis, with their ratios where there is a reference."""
    edges = [one.weighted.edges for one in found]
    with_ratio = found[0].reference is not None
    figure = new_figure(3.0 if with_ratio else 2.4)
    rows = figure.subplots(
        1 + with_ratio,
        len(found),
        squeeze=False,
        sharex="col",
        sharey="row",
        gridspec_kw={
            "height_ratios": [2.6, 1.0][: 1 + with_ratio],
            "width_ratios": shares([(one[0], one[-1]) for one in edges]),
        },
    )
    main, lowest = rows[0], rows[-1]
    if with_ratio:
        limit = ratio_limit([r for one in found for r in ratios(one)])
        for axes, one in zip(lowest, found, strict=True):
            draw_ratio(axes, one, limit)
        lowest[0].set_ylabel("ratio")
    low, high, log = heights(found)
    exponent = power_of_ten(high) if not log or high / low < 300.0 else 0
    scale = 10.0**-exponent
    for axes, one in zip(main, found, strict=True):
        draw_spectra(axes, one, scale, label, agreement(found))
    main[0].set_yscale("log" if log else "linear")
    main[0].set_ylim(low * scale, high * scale)
    quantity = differential(unit)
    main[0].set_ylabel(density_label(quantity, unit, observable.symbol, observable.unit, exponent))
    name = f"${observable.latex}$" + bracket(observable.unit)
    if len(found) == 1:
        lowest[0].set_xlabel(name)
    else:
        figure.supxlabel(name, fontsize="medium")
    for axes, ends in zip(lowest, edges, strict=True):
        axes.set_xlim(ends[0], ends[-1])
        if ends[-1] - ends[0] < 0.02 * abs(ends[0]):
            axes.xaxis.set_major_locator(MaxNLocator(4))  # numbers of many digits
    for row in rows:
        for one, other in itertools.pairwise(row):
            mark_break(one, other, along="x")
    set_title(main[0], title)
    figure.align_ylabels(list(rows[:, 0]))
    legend_above(main[-1])
    if log:
        log_ticks(main[0].yaxis, *main[0].get_ylim())
    return figure


def heights(found: Sequence[Spectra]) -> tuple[float, float, bool]:
    """Limits of the axis of the spectra, and whether it is logarithmic.

    It is where a spectrum rises so far above most of its range that this would be squashed.
    """
    parts = [s for one in found for s in (one.weighted, one.surrogate, one.reference) if s]
    top = max(float(np.max(s.value + np.where(s.entries > 4.0, s.error, 0.0))) for s in parts)
    value = np.concatenate([one.weighted.value for one in found])
    widths = np.concatenate([np.diff(one.weighted.edges) for one in found])
    known = np.concatenate([one.weighted.entries for one in found]) >= 4.0
    if not np.any(known):
        return 0.0, 1.08 * top, False
    value, widths = value[known], widths[known]
    (typical,) = weighted_quantiles(value, widths, (0.5,))
    if top <= SPAN * typical:
        return 0.0, 1.08 * top, False
    return max(0.5 * float(np.min(value)), 1e-8 * top), 1.5 * top, True


def agreement(found: Sequence[Spectra]) -> str:
    """chi^2 of the weighted points and the reference over the number of bins, in LaTeX."""
    tests = [chi_squared(one.weighted, one.reference) for one in found if one.reference]
    bins = sum(test.bins for test in tests)
    total = sum(test.value for test in tests)
    return rf" ($\chi^2/n = {total:.0f}/{bins}$)" if bins else ""


def draw_spectra(axes: Axes, found: Spectra, scale: float, label: str, agrees: str) -> None:
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
    axes.errorbar(
        points.centres,
        points.value * scale,
        points.error * scale,
        fmt="o",
        ms=2.0,
        elinewidth=0.7,
        color=TARGET,
        label=f"{label}, weighted{agrees}",
    )


def ratios(found: Spectra) -> tuple[Ratio, Ratio]:
    """Weighted and unweighted surrogate in units of the reference."""
    assert found.reference is not None
    return ratio(found.weighted, found.reference), ratio(found.surrogate, found.reference)


def draw_ratio(axes: Axes, found: Spectra, limit: float) -> None:
    """Both ratios from 1 - limit to 1 + limit; the errors of the reference are the band."""
    edges = found.weighted.edges
    points, steps = ratios(found)
    band = np.nan_to_num(points.reference_error)
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


def _mark_outside(axes: Axes, x: Floats, value: Floats, limit: float) -> None:
    """Triangles at the edge of the panel where a point lies beyond it."""
    for outside, edge, marker in (
        (value > 1.0 + limit, 1.0 + 0.93 * limit, "^"),
        (value < 1.0 - limit, 1.0 - 0.93 * limit, "v"),
    ):
        axes.plot(x[outside], np.full(np.count_nonzero(outside), edge), marker, color=TARGET, ms=3)
