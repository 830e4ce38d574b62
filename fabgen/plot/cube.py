"""Corner plot of the unit hypercube: f and the surrogate, in all pairs of dimensions.

Densities are in units of the uniform one, on one scale for all panels: where nothing happens there
is one colour and no contour. (Contours of equal mass, as in statistics, would trace the noise.)
Contours are drawn only where the points know them: the density changes by more than its noise, and
by less than several levels from cell to cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import corner
import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fabgen.plot.sample import Samples
from fabgen.plot.style import (
    COLUMN,
    PAGE,
    REFERENCE,
    SURROGATE,
    TARGET,
    TITLE_LINE,
    log_ticks,
    new_figure,
    wrapped,
)

Floats = NDArray[np.float64]
#: More dimensions than this cannot be read on a page.
MOST = 8
BINS = 25
#: Bins of the diagonal.
LINE_BINS = 40
#: A contour is drawn where the density changes by so many of its errors within NEAR cells,
#: and by fewer than STEEP levels from a cell to its neighbours.
CLEAR, NEAR, STEEP = 9.0, 3, 3
#: The extent of a piece of a contour that is not drawn.
SHORT = 0.2
#: The most contours of one density.
CONTOURS = 6
_ALONG_X: Any = ("left", "center", "right")
_ALONG_Y: Any = ("bottom", "center", "top")
# From white to a grey on which the contours can still be told apart.
_GREYS = LinearSegmentedColormap.from_list("greys", ["#FFFFFF", "#8C8C8C"])


def liveliest(u: Floats, weights: Floats, most: int, bins: int = 20) -> tuple[int, ...]:
    """The `most` dimensions in which weighted points u (n, dim) are least uniform, in order."""
    total = np.sum(weights)
    spread = [
        np.sum((np.histogram(x, bins, (0.0, 1.0), weights=weights)[0] / total - 1.0 / bins) ** 2)
        for x in u.T
    ]
    return tuple(sorted(int(i) for i in np.argsort(spread)[::-1][:most]))


def plane_density(x: Floats, y: Floats, weights: Floats, bins: int = BINS) -> Floats:
    """Density (bins, bins) of weighted points on the unit square, 1 where it is uniform; smoothed.

    First index: x.
    """
    counts, _, _ = np.histogram2d(x, y, bins, ((0.0, 1.0), (0.0, 1.0)), weights=weights)
    return smooth(counts / np.sum(weights) * bins**2)


def known(x: Floats, y: Floats, weights: Floats, levels: Sequence[float]) -> NDArray[np.bool_]:
    """Where in the plane (bins, bins) contours of `plane_density` mean something."""
    density = plane_density(x, y, weights)
    bins = len(density)
    squares, _, _ = np.histogram2d(x, y, bins, ((0.0, 1.0), (0.0, 1.0)), weights=weights**2)
    error = np.sqrt(SMOOTHED * smooth(squares)) / np.sum(weights) * bins**2
    near, beside = (_extremes(density, size) for size in (NEAR, 1))
    clear = near[1] - near[0] > CLEAR * error
    crossed = sum(((beside[0] < level) & (level < beside[1])).astype(int) for level in levels)
    return clear & (crossed < STEEP)


def _extremes(values: Floats, size: int) -> tuple[Floats, Floats]:
    """The least and the largest value among the cells up to `size` away, each way."""
    padded = np.pad(values, size, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * size + 1,) * 2)
    return np.min(windows, axis=(2, 3)), np.max(windows, axis=(2, 3))


#: What `smooth` leaves of the variance of independent cells: (sum of its weights^2)^2.
SMOOTHED = (70.0 / 256.0) ** 2


def smooth(values: Floats) -> Floats:
    """Each cell averaged with its neighbours, weights 1 2 1 each way, twice; sums stay the same."""
    for axis in (0, 1, 0, 1):
        padded = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        n = values.shape[axis]
        parts = [np.take(padded, range(start, start + n), axis) for start in range(3)]
        values = 0.25 * (parts[0] + 2.0 * parts[1] + parts[2])
    return values


def colour_range(densities: list[Floats]) -> tuple[float, float]:
    """The range of the colours: nearly all cells of all panels, at least from 1/2 to 2."""
    values = np.concatenate([d.ravel() for d in densities]) if densities else np.ones(1)
    low, high = np.quantile(values, [0.01, 0.995])
    return float(np.clip(low, 0.02, 0.5)), float(max(high, 2.0))


def contour_levels(low: float, high: float, most: int = CONTOURS) -> list[float]:
    """Densities at equal factors, the uniform one in the middle between two of them."""
    for factor in (1.5, 2.0, 4.0, 10.0, 100.0):
        exponents = np.arange(-50, 50) + 0.5
        levels = factor**exponents
        inside = levels[(levels > low) & (levels < high)]
        if len(inside) <= most:
            return [float(level) for level in inside]
    return []


def contours(centres: Floats, values: np.ma.MaskedArray, levels: Sequence[float]) -> list[Floats]:
    """Lines (points, 2) of equal values, of the second and the first index, without short scraps.

    Where values are masked lines are cut; what is left of them tells nothing if it is `SHORT`.
    """
    drawn = contour_generator(centres, centres, values)
    lines = [np.asarray(line) for level in levels for line in drawn.lines(level)]
    return [
        line
        for line in lines
        if np.array_equal(line[0], line[-1]) or np.max(np.ptp(line, axis=0)) > SHORT
    ]


def corner_plot(samples: Samples, title: str, label: str, most: int = MOST) -> Figure:
    """f (all points, weighted) and the surrogate (its points as they are)."""
    u = np.concatenate([part.u for part in samples.parts])
    weights = np.concatenate(samples.target())
    drawn = (samples.surrogate, *(samples.reference or ())[:1])
    q = np.concatenate([part.u for part in drawn])
    dims = list(liveliest(u, weights, most))
    if len(dims) < u.shape[1]:
        title = f"{title}\n{len(dims)} of {u.shape[1]} dimensions: those that vary most"
    size = COLUMN if len(dims) <= 3 else PAGE
    figure = new_figure(size, size, arranged=False)
    # corner draws the frame and the diagonal, its planes stay empty.
    for points, w, color, style in (
        (u, weights / np.sum(weights), TARGET, "-"),
        (q, np.full(len(q), 1.0 / len(q)), SURROGATE, "--"),
    ):
        corner.corner(
            points[:, dims],
            weights=w * LINE_BINS,
            color=color,
            range=[(0.0, 1.0)] * len(dims),
            bins=LINE_BINS,
            labels=[f"$u_{{{d + 1}}}$" for d in dims],
            plot_datapoints=False,
            plot_density=False,
            plot_contours=False,
            hist_kwargs={"lw": 0.9, "ls": style},
            fig=figure,
        )
    grid = np.array(figure.axes).reshape(len(dims), len(dims))
    mesh = _draw_planes(grid, u[:, dims], weights, q[:, dims])
    top = _arrange(figure, grid, title)
    _explain(figure, grid, top, ["target, weighted", label])
    if mesh is not None:
        _colour_scale(figure, mesh, top)
    return figure


def _draw_planes(
    grid: NDArray[np.object_], u: Floats, weights: Floats, q: Floats
) -> QuadMesh | None:
    """Densities of weighted u below the diagonal, with contours of them and of q; the last mesh."""
    pairs = [(row, col) for row in range(len(grid)) for col in range(row)]
    target = {(r, c): plane_density(u[:, c], u[:, r], weights) for r, c in pairs}
    ones = np.ones(len(q))
    limits = colour_range(list(target.values()))
    norm, levels = LogNorm(*limits), contour_levels(*limits)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # Contours end at the faces of the cube, not half a cell before.
    centres = np.concatenate([[0.0], 0.5 * (edges[1:] + edges[:-1]), [1.0]])
    mesh: QuadMesh | None = None
    for row, col in pairs:
        axes: Axes = grid[row, col]
        mesh = axes.pcolormesh(
            edges, edges, target[row, col].T, cmap=_GREYS, norm=norm, rasterized=True
        )
        for points, w, color, style in ((u, weights, TARGET, "-"), (q, ones, SURROGATE, "--")):
            plane = points[:, col], points[:, row], w
            hidden = np.pad(~known(*plane, levels), 1, mode="edge").T
            whole = np.ma.array(np.pad(plane_density(*plane), 1, mode="edge").T, mask=hidden)
            lines = contours(centres, whole, levels)
            axes.add_collection(
                LineCollection(lines, colors=color, linestyles=style, linewidths=0.8), autolim=False
            )
    return mesh


def _arrange(figure: Figure, grid: NDArray[np.object_], title: str) -> float:
    """Title above, ticks at 0, 1/2 and 1, labels beside them, little room between the panels.

    The figure grows by its title; returns the height of the panels' upper end in inches.
    """
    dim, size = len(grid), figure.get_size_inches()[0]
    lines = wrapped(figure, title, size - 0.6)
    top = size
    height = size + 0.1 + TITLE_LINE * (1 + lines.count("\n"))
    figure.set_size_inches(size, height)
    margin, gap, room = 0.42, 0.05, 0.08
    figure.subplots_adjust(
        margin / size, margin / height, 1.0 - room / size, (top - room) / height, gap, gap
    )
    figure.text(margin / size, (top - room + 0.05) / height, lines, va="bottom")
    panel = (size - margin - room) / (dim + (dim - 1) * gap)
    ticks, names = [0.0, 0.5, 1.0], ["0", "0.5", "1"]
    for row in range(dim):
        for col in range(row + 1):
            axes: Axes = grid[row, col]
            axes.minorticks_off()
            axes.set_xticks(ticks, names if row == dim - 1 else [], rotation=0)
            if row == col:
                highest = max(float(np.max(p.get_xy()[:, 1])) for p in axes.patches)  # type: ignore[attr-defined]
                axes.set_ylim(0.0, 1.15 * highest)
                axes.axhline(1.0, color=REFERENCE, lw=0.5, ls=":")
            else:
                axes.set_yticks(ticks, names if col == 0 else [], rotation=0)
            # The outer numbers would run into those of the neighbours.
            for text, side in zip(axes.get_xticklabels(), _ALONG_X, strict=False):
                text.set_horizontalalignment(side)
            for text, side in zip(axes.get_yticklabels(), _ALONG_Y, strict=False):
                text.set_verticalalignment(side)
            axes.xaxis.set_label_coords(0.5, -0.2 / panel)
            axes.yaxis.set_label_coords(-0.26 / panel, 0.5)
    return top


def _explain(figure: Figure, grid: NDArray[np.object_], top: float, names: list[str]) -> None:
    """The legend, in the free corner below `top` inches."""
    lines = [Line2D([], [], color=TARGET), Line2D([], [], color=SURROGATE, ls="--")]
    if len(grid) == 1:
        axes = grid[0, 0]
        axes.set_ylim(0.0, 1.3 * axes.get_ylim()[1])
        axes.legend(lines, names, loc="upper right")
        return
    at = (1.0, top / figure.get_size_inches()[1])
    figure.legend(lines, names, loc="upper right", bbox_to_anchor=at)


def _colour_scale(figure: Figure, mesh: QuadMesh, top: float) -> None:
    """The scale of the colours, below the legend in the free corner."""
    size, whole = figure.get_size_inches()
    width, height, right = 1.2 / size, 0.07 / whole, 0.16 / size
    scale = figure.add_axes((1.0 - right - width, (top - 0.71) / whole, width, height))
    figure.colorbar(mesh, cax=scale, orientation="horizontal")
    log_ticks(scale.xaxis, *scale.get_xlim())
    scale.minorticks_off()
    scale.set_title("density, uniform = 1", fontsize=7.0, loc="right", pad=2.0)
