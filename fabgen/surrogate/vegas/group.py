"""The map of a group of channels that share axes.

G.P. Lepage, Adaptive multidimensional integration: VEGAS enhanced, arXiv:2009.05112, section II,
with `vegas.AdaptiveMap`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import vegas
from jax import Array
from jaxtyping import Float, Float64, Int, Int32

from fabgen.surrogate.vegas.edges import grade_map

#: Points with f > 0 per bin of the map, at least: fewer would adapt it to noise. But it has some
#: bins whatever their number, or it would never begin to close in on few points.
_POINTS_PER_BIN = 10
_FEWEST_BINS = 16

_Numbers = Float64[np.ndarray, " n"]
_Points = Float64[np.ndarray, "n dim"]
_Turns = Int32[np.ndarray, " n"]


class GroupMap:
    """Maps of the axes of some channels: of the first n_own axes each has its own, the others are
    those of all. Points belong to channels by their number in the group, `turns` (n,).

    inside (channels,): points with f > 0 of each in the last iteration. cut: whether f = 0 anywhere
    in the first one.
    """

    def __init__(self, channels: Sequence[int], dim: int, n_own: int = 0) -> None:
        self.channels, self.dim = tuple(channels), dim
        self.n_own = n_own if len(self.channels) > 1 and n_own < dim else 0
        self.inside, self.cut = np.zeros(len(self.channels), int), False
        self._common = _even(dim - self.n_own)
        self._own = [_even(self.n_own) for _ in self.channels] if self.n_own else []

    def without(self, channels: Collection[int]) -> GroupMap:
        """That of the other channels."""
        kept = [number for number, k in enumerate(self.channels) if k not in channels]
        left = GroupMap([self.channels[number] for number in kept], self.dim)
        left.n_own, left.cut, left.inside = self.n_own, self.cut, self.inside[kept]
        left._common = self._common
        left._own = [self._own[number] for number in kept] if self.n_own else []
        return left

    def of_first(self, channels: Sequence[int], bins: int) -> GroupMap:
        """That of other channels with all axes in common: those of the first that is here."""
        taken = GroupMap(channels, self.dim)
        taken.cut, taken.inside = self.cut, np.resize(self.inside, len(channels))
        first = next(k for k in channels if k in self.channels)
        taken._common = vegas.AdaptiveMap(self.borders(first, bins))
        return taken

    def turns(self, n: int) -> _Turns:
        """Of n points in no order, as many of each channel as possible."""
        return np.resize(np.arange(len(self.channels), dtype=np.int32), n)

    def __call__(self, y: _Points, turns: _Turns) -> tuple[_Points, _Numbers]:
        """u (n, dim) at the map's own variables y (n, dim), and du/dy (n,)."""
        u, jacobian = np.empty_like(y), np.empty(len(y))
        if not self.n_own:
            self._common.map(y, u, jacobian)
            return u, jacobian
        u[:, self.n_own :], jacobian = _mapped(self._common, y[:, self.n_own :])
        for number, axes in enumerate(self._own):
            of_it = turns == number
            u[of_it, : self.n_own], more = _mapped(axes, y[of_it, : self.n_own])
            jacobian[of_it] *= more
        return u, jacobian

    def set_bins(self, most: int) -> None:
        """As many bins as the points with f > 0 allow."""
        _refine(self._common, int(self.inside.sum()), most)
        for axes, points in zip(self._own, self.inside, strict=False):
            _refine(axes, int(points), most)

    def learn(self, y: _Points, weights: _Numbers, turns: _Turns, alpha: float) -> None:
        """Adapts to weights f du/dy (n,) at y (n, dim)."""
        common = self._alike(weights, turns)
        _adapt(self._common, y[:, self.n_own :], common, alpha, self.cut)
        for number, axes in enumerate(self._own):
            of_it = turns == number
            _adapt(axes, y[of_it, : self.n_own], weights[of_it], alpha, self.cut)

    def _alike(self, weights: _Numbers, turns: _Turns) -> _Numbers:
        """Weights (n,), whose squares the axes in common learn from.

        With the best shares of the points the error is that of sum_i S_i, S_i^2 = <w_i^2>; the
        density g that makes it small has g^2 in proportion to sum_i f_i^2 / S_i.
        """
        if len(self.channels) == 1:
            return weights
        n = len(self.channels)
        points = np.maximum(np.bincount(turns, minlength=n), 1)
        size = np.sqrt(np.bincount(turns, weights**2, n) / points)
        scaled: _Numbers = weights / np.sqrt(np.where(size > 0.0, size, 1.0))[turns]
        return scaled

    def borders(self, channel: int, bins: int) -> Float64[np.ndarray, "dim {bins}+1"]:
        """Borders of all axes of one channel."""
        own = [self._own[self.channels.index(channel)]] if self.n_own else []
        maps = [(np.asarray(axes.ninc), np.asarray(axes.grid)) for axes in (*own, self._common)]
        return np.concatenate([even_borders(*axes, bins) for axes in maps])


def even_borders(
    n_bins: Sequence[int] | Int[np.ndarray, " dim"],
    grid: Float[np.ndarray | Array, "dim borders"],
    bins: int,
) -> Float64[np.ndarray, "dim {bins}+1"]:
    """Borders (dim, bins + 1) of the package's maps of the axes, whose own bins may be fewer.

    n_bins (dim,): theirs; grid (dim, largest of them + 1): their borders. They are divided evenly
    in the package's own variable.
    """
    even = np.linspace(0.0, 1.0, bins + 1)
    rows = zip(n_bins, np.asarray(grid), strict=True)
    return np.stack(
        [np.interp(even, np.linspace(0.0, 1.0, n + 1), row[: n + 1]) for n, row in rows]
    )


def _even(dim: int) -> vegas.AdaptiveMap:
    return vegas.AdaptiveMap(dim * [[0.0, 1.0]], ninc=1)


def _mapped(axes: vegas.AdaptiveMap, y: _Points) -> tuple[_Points, _Numbers]:
    y = np.ascontiguousarray(y)
    u, jacobian = np.empty_like(y), np.empty(len(y))
    axes.map(y, u, jacobian)
    return u, jacobian


def _refine(axes: vegas.AdaptiveMap, inside: int, most: int) -> None:
    if inside > 0:
        axes.adapt(ninc=int(min(max(inside // _POINTS_PER_BIN, _FEWEST_BINS), most)))


def _adapt(axes: vegas.AdaptiveMap, y: _Points, weights: _Numbers, alpha: float, cut: bool) -> None:
    largest = weights.max(initial=0.0)
    if largest > 0.0:
        axes.add_training_data(np.ascontiguousarray(y), (weights / largest) ** 2)
        axes.adapt(alpha=alpha)
        if cut:
            grade_map(axes)
