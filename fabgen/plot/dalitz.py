"""The Dalitz plot of a decay into three particles, with its projections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fabgen.plot.binning import Peak, edges_around, peaks_in
from fabgen.plot.distributions import Spectra, differential, spectra
from fabgen.plot.histogram import sensible_range
from fabgen.plot.names import leg_names, numbered
from fabgen.plot.observables import invariant_mass
from fabgen.plot.sample import Samples
from fabgen.plot.style import (
    BAND,
    REFERENCE,
    SURROGATE,
    TARGET,
    bracket,
    log_ticks,
    new_figure,
    power_of_ten,
    set_title,
)
from fabgen.process.event_topology import EventTopology

Floats = NDArray[np.float64]
#: Cells of the plane and bins of a projection, each way.
CELLS, BINS = 70, 45
#: Decades of the colour scale.
DECADES = 3.0
#: The least share of the kinematic range of an axis that points fill if all of it is drawn.
FILLED = 0.6
Limits = tuple[float, float]


def is_three_body_decay(topologies: Sequence[EventTopology]) -> bool:
    """Whether there is a Dalitz plot: one incoming particle, three final ones."""
    return all(t.n_initial == 1 and t.n_external == 4 for t in topologies)


@dataclass(frozen=True)
class Plane:
    """The masses that bound a Dalitz plot, in GeV: of the decaying particle and of the others.

    x is m^2 of the last two particles, y that of the first two, in GeV^2.
    """

    parent: float
    first: float
    second: float
    third: float

    @property
    def x_range(self) -> tuple[float, float]:
        return (self.second + self.third) ** 2, (self.parent - self.first) ** 2

    @property
    def y_range(self) -> tuple[float, float]:
        return (self.first + self.second) ** 2, (self.parent - self.third) ** 2

    def coordinates(self, momenta: Floats) -> tuple[Floats, Floats]:
        """x, y (n,) in GeV^2 of events (n, 4, 4) in GeV, the decaying particle first."""
        one, two, three = momenta[:, 1], momenta[:, 2], momenta[:, 3]
        return invariant_mass(two + three) ** 2, invariant_mass(one + two) ** 2

    def boundary(self, x: Floats) -> tuple[Floats, Floats]:
        """Smallest and largest y at x (PDG Review, Kinematics), in GeV^2.

        In the rest frame of particles 2 and 3 the energies of 2 and 1 are fixed by x; y is least
        and largest where their momenta are parallel and antiparallel.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            m23 = np.sqrt(x)
            energy_2 = (x + self.second**2 - self.third**2) / (2.0 * m23)
            energy_1 = (self.parent**2 - x - self.first**2) / (2.0 * m23)
        p2 = np.sqrt(np.maximum(energy_2**2 - self.second**2, 0.0))
        p1 = np.sqrt(np.maximum(energy_1**2 - self.first**2, 0.0))
        total = (energy_1 + energy_2) ** 2
        return total - (p1 + p2) ** 2, total - (p1 - p2) ** 2


def plane_of(topologies: Sequence[EventTopology]) -> Plane:
    """The plane of the first subprocess."""
    return Plane(*topologies[0].masses)


def dalitz_plot(
    samples: Samples,
    topologies: Sequence[EventTopology],
    unit: str,
    title: str,
    label: str,
    particles: Sequence[Peak] = (),
) -> Figure:
    """f in the plane, from all points, and the spectra of its two axes.

    unit: of f, "" for none. label: what the surrogate is called. particles: those that may be
    resonances.
    """
    plane = plane_of(topologies)
    figure = new_figure(3.4)
    grid = figure.add_gridspec(2, 2, height_ratios=[1.0, 2.4], width_ratios=[2.4, 1.0])
    main = figure.add_subplot(grid[1, 0])
    above = figure.add_subplot(grid[0, 0], sharex=main)
    beside = figure.add_subplot(grid[1, 1], sharey=main)
    key = figure.add_subplot(grid[0, 1])
    key.axis("off")

    x, y = zip(*(plane.coordinates(part.momenta) for part in samples.parts), strict=True)
    limits = window(samples, plane)
    _draw_plane(main, key, samples, plane, limits)
    squared = [Peak(one.pdg, one.mass**2, 2.0 * one.mass * one.width) for one in particles]
    found_x, found_y = (
        spectra(
            samples,
            values,
            edges_around(*ends, BINS, peaks_in(values[0], samples.surrogate.weights, squared)),
        )
        for values, ends in zip((x, y), limits, strict=True)
    )
    draw_projection(above, found_x, label)
    draw_projection(beside, found_y, label, sideways=True)

    first, second, third = (n.latex for n in numbered(leg_names(topologies)[1:]))
    _label_axis(main.xaxis, rf"m^2({second}\,{third})", plane.x_range[1])
    _label_axis(main.yaxis, rf"m^2({first}\,{second})", plane.y_range[1])
    quantity = rf"$\mathrm{{d}}{differential(unit)}/\mathrm{{d}}m^2$"
    above.set_ylabel(quantity)
    beside.set_xlabel(quantity)
    above.tick_params(labelbottom=False, labelleft=False)
    beside.tick_params(labelleft=False, labelbottom=False)
    set_title(above, title)
    handles, names = above.get_legend_handles_labels()
    key.legend(handles, names, loc="lower left", borderaxespad=0.0, handlelength=1.2)
    return figure


def _label_axis(axis: Axis, symbol: str, largest: float) -> None:
    """A label with the unit, the numbers in powers of ten of it where they are large or small."""
    exponent = power_of_ten(largest)
    axis.set_label_text(f"${symbol}$" + bracket("GeV$^2$", exponent))
    axis.set_major_formatter(lambda value, position: f"{value / 10.0**exponent:g}")


def _points(samples: Samples, plane: Plane) -> tuple[Floats, Floats, Floats]:
    """x, y and weights (n,) of all points of f."""
    weights = np.concatenate(samples.target())
    x, y = plane.coordinates(np.concatenate([part.momenta for part in samples.parts]))
    used = (weights > 0.0) & np.isfinite(x) & np.isfinite(y)
    return x[used], y[used], weights[used]


def window(samples: Samples, plane: Plane) -> tuple[Limits, Limits]:
    """Limits of x and y: those of phase space, unless the points fill less than `FILLED` of them.

    A decay through a resonance is a narrow band of the plane.
    """
    x, y, weights = _points(samples, plane)
    found = []
    for values, (low, high) in ((x, plane.x_range), (y, plane.y_range)):
        ends = sensible_range([(values, weights)])
        if ends is None or ends[1] - ends[0] > FILLED * (high - low):
            ends = low, high
        found.append(ends)
    return found[0], found[1]


def density(
    samples: Samples, plane: Plane, limits: tuple[Limits, Limits], cells: int = CELLS
) -> tuple[Floats, Floats, Floats]:
    """d^2I/dx dy (cells, cells) in units of its mean over the filled cells, and the edges of x, y.

    NaN in cells without a point. limits: of x and of y.
    """
    x, y, weights = _points(samples, plane)
    x_edges, y_edges = (np.linspace(*ends, cells + 1) for ends in limits)
    counts, _, _ = np.histogram2d(x, y, bins=(x_edges, y_edges), weights=weights)
    filled = counts > 0.0
    return np.where(filled, counts / np.mean(counts[filled]), np.nan), x_edges, y_edges


def _draw_plane(
    main: Axes, key: Axes, samples: Samples, plane: Plane, limits: tuple[Limits, Limits]
) -> None:
    """The density, the boundary of phase space around it, and the colour scale in `key`."""
    values, x_edges, y_edges = density(samples, plane, limits)
    top = float(np.nanmax(values))
    low = max(float(np.nanquantile(values, 0.02)), top / 10.0**DECADES)
    mesh = main.pcolormesh(
        x_edges, y_edges, values.T, cmap="Blues", norm=LogNorm(low, top), rasterized=True
    )
    x = np.linspace(*plane.x_range, 2000)
    main.plot(x, plane.boundary(x)[0], color=REFERENCE, lw=0.6)
    main.plot(x, plane.boundary(x)[1], color=REFERENCE, lw=0.6)
    (left, right), (bottom, upper) = (
        (start - 0.03 * (end - start), end + 0.03 * (end - start)) for start, end in limits
    )
    main.set_xlim(left, right)
    main.set_ylim(bottom, upper)
    scale = key.inset_axes((0.0, 0.8, 1.0, 0.09))
    main.figure.colorbar(mesh, cax=scale, orientation="horizontal")
    scale.set_title("density / mean", fontsize=7.0, loc="center", pad=2.0)
    log_ticks(scale.xaxis, low, top)


def draw_projection(axes: Axes, found: Spectra, label: str, *, sideways: bool = False) -> None:
    """The spectra of one axis of the plane, without numbers on their own axis."""
    points = found.weighted
    style: Any = {"orientation": "horizontal"} if sideways else {}
    if found.reference is not None:
        one = found.reference
        low, high = np.maximum(one.value - one.error, 0.0), one.value + one.error
        axes.stairs(
            high, one.edges, baseline=low, fill=True, color=BAND, label="reference", **style
        )
        style |= {"baseline": None, "lw": 0.8, "ls": "--", "label": label}
        axes.stairs(found.surrogate.value, one.edges, color=SURROGATE, **style)
    centres, value, error = points.centres, points.value, points.error
    look: Any = {"fmt": "o", "ms": 1.2, "elinewidth": 0.5, "color": TARGET, "label": "weighted"}
    top = 1.1 * float(np.max(value))
    if sideways:
        axes.errorbar(value, centres, xerr=error, **look)
        axes.set_xlim(0.0, top)
    else:
        axes.errorbar(centres, value, yerr=error, **look)
        axes.set_ylim(0.0, top)
