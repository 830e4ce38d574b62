"""The channels of a toy: what each of them draws, and its trained weight beside the prior.

As Figs. 6 to 9 of T. Heimel et al., MadNIS, SciPost Phys. 15 (2023) 141.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fabgen.plot.style import (
    PAGE,
    REFERENCE,
    SURROGATE,
    TARGET,
    legend_above,
    new_figure,
    set_title,
)

Floats = NDArray[np.float64]
#: Height of a row of panels in inches.
PANEL = 1.95
_COLOURS = (TARGET, SURROGATE, "#009E73", "#CC79A7")


@dataclass(frozen=True)
class ChannelCurves:
    """Points x (n, dim) of a grid, sorted if dim = 1, as (side, side) rows if dim = 2.

    f (n,); prior and trained (n_channels, n): channel weights; drawn: points (m, dim) of each
    channel; names of the channels.
    """

    x: Floats
    f: Floats
    prior: Floats
    trained: Floats
    drawn: tuple[Floats, ...]
    names: tuple[str, ...]


def channel_picture(curves: ChannelCurves, title: str) -> Figure:
    """One dimension: f and the channels above their weights; two: a row for each channel."""
    return _line(curves, title) if curves.x.shape[1] == 1 else _planes(curves, title)


def _line(curves: ChannelCurves, title: str) -> Figure:
    figure = new_figure(3.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    x = curves.x[:, 0]
    upper.plot(x, curves.f, color=REFERENCE, label="$f$")
    # More channels than colours take them again.
    for name, drawn, colour in zip(curves.names, curves.drawn, itertools.cycle(_COLOURS)):
        density, borders = np.histogram(drawn[:, 0], 100, (x[0], x[-1]))
        width = borders[1] - borders[0]
        upper.stairs(density / (len(drawn) * width), borders, color=colour, label=f"$q$ {name}")
    for prior, trained, colour in zip(curves.prior, curves.trained, itertools.cycle(_COLOURS)):
        lower.plot(x, trained, color=colour)
        lower.plot(x, prior, color=colour, ls=":")
    set_title(upper, title)
    upper.set_ylabel("density")
    upper.set_ylim(bottom=0.0)
    legend_above(upper)
    lower.set_ylabel(r"$\alpha_i$ (dotted: prior)")
    lower.set_ylim(-0.03, 1.03)
    lower.set_xlim(x[0], x[-1])
    lower.set_xlabel("$x$")
    figure.align_ylabels()
    return figure


def _planes(curves: ChannelCurves, title: str) -> Figure:
    n = len(curves.names)
    figure = new_figure(0.5 + PANEL * n, PAGE)
    side = round(len(curves.x) ** 0.5)
    low, high = curves.x.min(axis=0), curves.x.max(axis=0)
    extent = (low[0], high[0], low[1], high[1])
    rows = figure.subplots(n, 3, squeeze=False, sharex=True, sharey=True)
    for row, name, trained, drawn in zip(
        rows, curves.names, curves.trained, curves.drawn, strict=True
    ):
        limits = ((low[0], high[0]), (low[1], high[1]))
        counts, _, _ = np.histogram2d(drawn[:, 0], drawn[:, 1], 80, limits)
        images = (counts.T, trained.reshape(side, side), (trained * curves.f).reshape(side, side))
        captions = (f"points of channel {name}", r"its weight $\alpha$", r"its target $\alpha f$")
        for axes, image, caption, top in zip(row, images, captions, (None, 1.0, None), strict=True):
            shown = axes.imshow(
                image, origin="lower", extent=extent, cmap="viridis", vmin=0.0, vmax=top,
                aspect="equal",
            )  # fmt: skip
            axes.set_title(caption)
            scale = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.02)
            # Densities have no unit of their own: their colours start at zero, that is all.
            scale.set_ticks([0.0, 0.5, 1.0] if top else [0.0])
            scale.minorticks_off()
        row[0].set_ylabel("$x_2$")
    for axes in rows[-1]:
        axes.set_xlabel("$x_1$")
    figure.suptitle(title, x=0.01, ha="left", fontsize="medium")
    return figure
