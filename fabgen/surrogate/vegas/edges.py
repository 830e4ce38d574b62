"""Maps of the axes that stay close to where cuts end.

A map of VEGAS has bins of equal probability. Where f ends at a cut, dense bins lie beside one that
reaches over all that is cut away. As soon as noise moves the last border of the dense ones a little
inwards, what is left of f beyond it lies in that wide bin: hardly a point falls there, the next
iteration moves the border further, and the integral loses a part that no error tells of. So no bin
is wider than some multiple of its neighbours: wide ones are divided into pieces that grow by that
factor from both ends. The strip beside a dense bin is then never thinner populated than by this
factor, and the adaptation sees what it has lost.
"""

from __future__ import annotations

import math

import numpy as np
import vegas
from jaxtyping import Float64

Borders = Float64[np.ndarray, " borders"]

#: The smallest factor between neighbours, and the largest part of the bins that pieces take up, of
#: one axis and of all together; where it is not enough, the factor is doubled.
_RATIO = 4.0
_PART = 0.125
_PART_OF_ALL = 0.5

#: The same for a wide map, its bins, and how many of them have the same width: noise of the points
#: is no edge.
_WIDE_RATIO = 2.0
_WIDE_PART = 0.5
WIDE_BINS = 256
_ALIKE = 4


def graded(borders: Borders, ratio: float, part: float) -> Borders:
    """Borders (bins + 1,) with no bin wider than `ratio` times its neighbours, or twice that and
    so on until pieces of divided bins are at most a part of all; the others get fewer instead.
    Borders that double precision cannot tell apart stay as they are."""
    width = np.diff(borders)
    n = len(width)
    around = np.minimum(
        np.concatenate([[np.inf], width[:-1]]), np.concatenate([width[1:], [np.inf]])
    )
    while True:
        wide = np.flatnonzero(width > ratio * around)
        if not len(wide):
            return borders
        pieces = [_pieces(borders, int(i), ratio) for i in wide]
        runs = np.split(np.arange(n), np.stack([wide, wide + 1]).T.ravel())[::2]
        runs = [run for run in runs if len(run)]
        left = n - sum(len(piece) + 1 for piece in pieces)
        if sum(len(piece) for piece in pieces) <= part * n and left >= len(runs):
            break
        ratio *= 2.0
    found = [borders[[0, -1]], borders[wide], borders[wide + 1], *pieces]
    for run, bins in zip(runs, _allotted([len(run) for run in runs], left), strict=True):
        own = borders[run[0] : run[-1] + 2]
        found.append(np.interp(np.linspace(0.0, len(run), bins + 1), np.arange(len(own)), own))
    new = np.unique(np.concatenate(found))
    return new if len(new) == len(borders) else borders


def grade_map(axes: vegas.AdaptiveMap) -> None:
    """Grades a map of the package, in place."""
    grid, widths = np.asarray(axes.grid), np.asarray(axes.inc)
    part = min(_PART, _PART_OF_ALL / axes.dim)
    for d, n in enumerate(axes.ninc):
        grid[d, : n + 1] = graded(grid[d, : n + 1], _RATIO, part)
        widths[d, :n] = np.diff(grid[d, : n + 1])


def wide_map(u: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, "dim borders"]:
    """Borders (dim, WIDE_BINS + 1) around points u (n, dim), which end nowhere at once: half of the
    probability is beyond them. The identity without points."""
    n, dim = u.shape
    even = np.linspace(0.0, 1.0, WIDE_BINS + 1)
    if n == 0:
        return np.tile(even, (dim, 1))
    levels = np.linspace(0.0, 1.0, WIDE_BINS // _ALIKE + 1)
    coarse = np.quantile(u, levels, axis=0).T
    inner = np.linspace(0.0, 1.0, WIDE_BINS - 1)
    ends = np.zeros((dim, 1)), np.ones((dim, 1))
    borders = np.hstack([ends[0], [np.interp(inner, levels, row) for row in coarse], ends[1]])
    borders += 1e-9 * (even - borders)  # no bin is empty
    return np.stack([graded(row, _WIDE_RATIO, _WIDE_PART) for row in borders])


def _pieces(borders: Borders, i: int, ratio: float) -> Float64[np.ndarray, " inner"]:
    """Borders inside of bin i: steps from its ends that grow from its neighbours' widths."""
    low, high = borders[i], borders[i + 1]
    up = borders[i] - borders[i - 1] if i > 0 else math.inf
    down = borders[i + 2] - borders[i + 1] if i + 2 < len(borders) else math.inf
    found = []
    while high - low > ratio * min(up, down):
        if up <= down:
            up *= ratio
            low += up
            found.append(low)
        else:
            down *= ratio
            high -= down
            found.append(high)
    return np.array(found)


def _allotted(sizes: list[int], total: int) -> list[int]:
    """Shares of a total in proportion to sizes, each at least one."""
    exact = np.asarray(sizes, float) * total / sum(sizes)
    shares = np.maximum(np.floor(exact), 1.0)
    while (missing := int(total - shares.sum())) != 0:
        gain = exact - shares
        if missing > 0:
            shares[np.argmax(gain)] += 1.0
        else:
            shares[np.argmin(np.where(shares > 1.0, gain, np.inf))] -= 1.0
    return [int(share) for share in shares]
