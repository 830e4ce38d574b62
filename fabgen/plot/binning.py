"""The bins of a distribution: on the pieces of its axis that hold data, finer at resonances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Bins of a width at the top of a resonance, and what a bin is of the distance from it.
PER_WIDTH, PER_DISTANCE = 4.0, 0.25
#: A piece of an axis without data is left out if it is more than this share of it.
EMPTY = 0.25
#: Fewer points are no piece of their own.
FEW = 5
#: Momenta do not resolve a width that is a smaller share of the mass.
RESOLVED = 1e-9
#: How many widths to each side of a resonance its close-up shows.
CLOSE = 8.0
#: A close-up is drawn where it is less than this share of the axis.
NARROW = 0.2


@dataclass(frozen=True)
class Peak:
    """An unstable particle: PDG id, mass and width in GeV."""

    pdg: int
    mass: float
    width: float

    @property
    def close_up(self) -> tuple[float, float]:
        return self.mass - CLOSE * self.width, self.mass + CLOSE * self.width


def unstable(masses: Mapping[int, float], widths: Mapping[int, float]) -> tuple[Peak, ...]:
    """The particles of a model with a width that can be seen, each once.

    masses, widths: in GeV by PDG id.
    """
    found = {
        abs(pdg): Peak(abs(pdg), masses[pdg], width)
        for pdg, width in widths.items()
        if width > RESOLVED * masses[pdg]
    }
    return tuple(found.values())


def peaks_in(
    x: Floats, weights: Floats, particles: Sequence[Peak], least: int = 50
) -> tuple[Peak, ...]:
    """The particles at whose mass weighted masses x (n,) have a peak.

    At least `least` points are within a width of it, three times as dense as at three to six.
    """
    used = (weights > 0.0) & np.isfinite(x)
    x, weights = x[used], weights[used]
    found = []
    for one in particles:
        distance = np.abs(x - one.mass) / one.width
        inside, beside = distance < 1.0, (distance > 3.0) & (distance < 6.0)
        if np.count_nonzero(inside) >= least and np.sum(weights[inside]) > np.sum(weights[beside]):
            found.append(one)
    return tuple(found)


def edges_around(low: float, high: float, bins: int, peaks: Sequence[Peak] = ()) -> Floats:
    """Edges from `low` to `high`: so many bins, or finer ones around peaks that need them.

    There a bin is a quarter of the width, further away a quarter of the distance.
    """
    even = (high - low) / bins
    fine = [peak for peak in peaks if peak.width < PER_WIDTH * even]
    if not fine:
        return np.linspace(low, high, bins + 1)

    def width(x: float) -> float:
        of_peaks = (max(one.width / PER_WIDTH, PER_DISTANCE * abs(x - one.mass)) for one in fine)
        return min(even, *of_peaks)

    edges = [low]
    while edges[-1] < high:
        # Of both ends: steps to and from a peak are alike.
        step = width(edges[-1])
        edges.append(edges[-1] + min(step, max(width(edges[-1] + step), step / 2.0)))
    # What is left at the end is no bin of its own.
    if len(edges) > 2 and high - edges[-2] < 0.5 * (edges[-2] - edges[-3]):
        edges.pop()
    edges[-1] = high
    return np.array(edges)


def pieces(
    samples: Sequence[tuple[Floats, Floats]], low: float, high: float
) -> list[tuple[float, float]]:
    """The intervals of the axis that hold points of weighted samples (x, weights).

    Gaps of more than the share `EMPTY` of it are left out, if both sides hold enough points.
    """
    x = np.sort(np.concatenate([x[(w > 0.0) & (x >= low) & (x <= high)] for x, w in samples]))
    room = 0.005 * (high - low)
    least = max(FEW, 0.01 * len(x))
    found, start, begin = [], low, 0
    for gap in map(int, np.flatnonzero(np.diff(x) > EMPTY * (high - low))):
        if gap + 1 - begin >= least and len(x) - gap - 1 >= least:
            found.append((start, float(x[gap] + room)))
            start, begin = float(x[gap + 1] - room), gap + 1
    return [*found, (start, high)]


def shares(parts: Sequence[tuple[float, float]]) -> Floats:
    """The share of each interval in the width of a picture: by its length, but not too little."""
    lengths = np.array([high - low for low, high in parts])
    lengths = np.maximum(lengths, 0.2 * np.max(lengths))
    return lengths / np.sum(lengths)
