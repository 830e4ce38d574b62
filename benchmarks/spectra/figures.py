"""Pictures of spectra: d sigma/dx of each sample over the first reference, and their ratios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from mplhep import histplot

from fabgen.plot.distributions import density_label
from fabgen.plot.style import (
    BAND,
    COLUMN,
    PAGE,
    REFERENCE,
    TARGET,
    bracket,
    encode,
    legend_above,
    log_ticks,
    new_figure,
    set_title,
    style,
)
from spectra.compare import Observable, Reference, compared
from spectra.processes import Process

#: Okabe-Ito colours and markers of the samples.
LOOKS = {"unweighted": (TARGET, "o"), "weighted": ("#D55E00", "s")}


def draw(process: Process, records: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A PNG of all observables of a process; records: of its runs by their kind."""
    n = len(process.observables)
    columns, rows = min(n, 2), -(-n // 2)
    with style():
        figure = new_figure(3.0 * rows, COLUMN if n == 1 else PAGE)
        axes = figure.subplots(
            2 * rows, columns, squeeze=False, gridspec_kw={"height_ratios": [2.4, 1.0] * rows}
        )
        pairs = [
            axes[2 * row : 2 * row + 2, column]
            for row in range(rows)
            for column in (0, 1)[:columns]
        ]
        for pair, observable, references in zip(
            pairs, process.observables, process.references(), strict=True
        ):
            _draw(*pair, observable, references, records)
        for column in axes.T:
            figure.align_ylabels(list(column))
        set_title(axes[0, 0], f"{process.name}, 13 TeV")
        for main, _ in pairs:
            legend_above(main)
        return encode(figure, "png")


def _draw(
    main: Axes,
    below: Axes,
    observable: Observable,
    references: list[Reference],
    records: Mapping[str, Mapping[str, Any]],
) -> None:
    edges, inside = observable.edges, observable.inside
    width, first = np.diff(edges), references[0]
    known, error = first.pb[inside], first.error[inside]
    histplot(known / width, edges, yerr=False, ax=main, color=REFERENCE, lw=0.6, label=first.label)
    below.stairs(1.0 + error / known, edges, baseline=1.0 - error / known, fill=True, color=BAND)
    below.axhline(1.0, color=REFERENCE, lw=0.6)
    reach = 0.0
    for place, (kind, record) in enumerate(records.items()):
        (_, spectrum, found), *_ = compared(record, observable, references)
        x = edges[:-1] + (0.35 + 0.3 * place) * width
        pb, spread = spectrum.pb[inside], spectrum.error[inside]
        colour, marker = LOOKS[kind]
        label = rf"{kind} events ($\chi^2/n = {found.chi2:.0f}/{len(found.pulls)}$)"
        how = {"fmt": marker, "ms": 1.6, "elinewidth": 0.6, "color": colour}
        main.errorbar(x, pb / width, spread / width, label=label, **how)
        below.errorbar(x, pb / known, spread / known, **how)
        reach = max(reach, float(np.max((np.abs(pb - known) + spread) / known)))
    main.set_yscale("log" if observable.log else "linear")
    if not observable.log:
        main.set_ylim(0.0, 1.1 * float(np.max(known / width)))
    below.set_ylim(1.0 - 1.1 * reach, 1.0 + 1.1 * reach)
    below.set_ylabel("ratio")
    for axes in (main, below):
        axes.set_xlim(edges[0], edges[-1])
    main.tick_params(labelbottom=False)
    below.set_xlabel(f"${observable.latex}$" + bracket(observable.unit))
    main.set_ylabel(density_label(r"\sigma", "pb", observable.latex, observable.unit))
    if observable.log:
        log_ticks(main.yaxis, *main.get_ylim())
