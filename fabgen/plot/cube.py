"""Corner plot of the unit hypercube: f and the surrogate, in all pairs of dimensions.

Densities are in units of the uniform one, on one scale for all panels: where nothing happens there
is one colour and no contour. (Contours of equal mass, as in statistics, would trace the noise.)
"""

from __future__ import annotations

from typing import Any

import corner
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fabgen.plot.sample import Samples
from fabgen.plot.style import COLUMN, PAGE, REFERENCE, SURROGATE, TARGET, log_ticks, new_figure

Floats = NDArray[np.float64]
#: More dimensions than this cannot be read on a page.
MOST = 8
BINS = 25
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


def corner_plot(samples: Samples, title: str, label: str, most: int = MOST) -> Figure:
    """f (all points, weighted) and the surrogate (its points as they are)."""
    u = np.concatenate([part.u for part in samples.parts])
    weights = np.concatenate(samples.target())
    q = samples.surrogate.u
    dims = list(liveliest(u, weights, most))
    size = COLUMN if len(dims) <= 3 else PAGE
    figure = new_figure(size, size, arranged=False)
    # corner draws the frame and the diagonal, its planes stay empty.
    for points, w, color, style in (
        (u, weights / np.sum(weights), TARGET, "-"),
        (q, np.full(len(q), 1.0 / len(q)), SURROGATE, "--"),
    ):
        corner.corner(
            points[:, dims],
            weights=w * BINS,
            color=color,
            range=[(0.0, 1.0)] * len(dims),
            bins=BINS,
            labels=[f"$u_{{{d + 1}}}$" for d in dims],
            plot_datapoints=False,
            plot_density=False,
            plot_contours=False,
            hist_kwargs={"lw": 0.9, "ls": style},
            fig=figure,
        )
    grid = np.array(figure.axes).reshape(len(dims), len(dims))
    pairs = [(row, col) for row in range(len(dims)) for col in range(row)]
    target = {(r, c): plane_density(u[:, dims[c]], u[:, dims[r]], weights) for r, c in pairs}
    ones = np.ones(len(q))
    limits = colour_range(list(target.values()))
    norm, levels = LogNorm(*limits), contour_levels(*limits)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # Contours end at the faces of the cube, not half a cell before.
    centres = np.concatenate([[0.0], 0.5 * (edges[1:] + edges[:-1]), [1.0]])
    mesh: QuadMesh | None = None
    for row, col in pairs:
        axes, density = grid[row, col], target[row, col]
        mesh = axes.pcolormesh(edges, edges, density.T, cmap=_GREYS, norm=norm, rasterized=True)
        learnt = plane_density(q[:, dims[col]], q[:, dims[row]], ones)
        for values, color, style in ((density, TARGET, "-"), (learnt, SURROGATE, "--")):
            if np.any(levels):
                whole = np.pad(values, 1, mode="edge").T
                axes.contour(
                    centres, centres, whole, levels, colors=color, linestyles=style, linewidths=0.8
                )
    _arrange(figure, grid)
    if len(dims) < u.shape[1]:
        title = f"{title}\n{len(dims)} of {u.shape[1]} dimensions: those that vary most"
    _explain(figure, grid, title, ["target, weighted", label])
    if mesh is not None:
        _colour_scale(figure, mesh, lines=title.count("\n") + 1)
    return figure


def _arrange(figure: Figure, grid: NDArray[np.object_]) -> None:
    """Ticks at 0, 1/2 and 1, labels beside them, little room between the panels."""
    dim, size = len(grid), figure.get_size_inches()[0]
    margin, gap = 0.42 / size, 0.05
    figure.subplots_adjust(margin, margin, 1.0 - 0.08 / size, 1.0 - 0.08 / size, gap, gap)
    panel = size * (1.0 - margin - 0.08 / size) / (dim + (dim - 1) * gap)
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


def _explain(figure: Figure, grid: NDArray[np.object_], title: str, names: list[str]) -> None:
    """The legend, in the free corner."""
    lines = [Line2D([], [], color=TARGET), Line2D([], [], color=SURROGATE, ls="--")]
    if len(grid) == 1:
        axes = grid[0, 0]
        axes.set_ylim(0.0, 1.5 * axes.get_ylim()[1])
        axes.legend(lines, names, title=title, loc="upper right", alignment="right")
        return
    figure.legend(
        lines, names, title=title, loc="upper right", alignment="right", title_fontsize=8.0
    )


def _colour_scale(figure: Figure, mesh: QuadMesh, lines: int) -> None:
    """The scale of the colours, below the legend with so many lines of title in the free corner."""
    size = figure.get_size_inches()[0]
    width, height, right = 1.2 / size, 0.07 / size, 0.16 / size
    top = (0.71 + 0.14 * lines) / size
    scale = figure.add_axes((1.0 - right - width, 1.0 - top, width, height))
    figure.colorbar(mesh, cax=scale, orientation="horizontal")
    log_ticks(scale.xaxis, *scale.get_xlim())
    scale.minorticks_off()
    scale.set_title("density, uniform = 1", fontsize=7.0, loc="right", pad=2.0)
