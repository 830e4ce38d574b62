"""Histograms of weighted samples with errors, their ratio, and the range they are drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import hist
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A bin with fewer effective entries is not Gaussian enough for a chi^2.
ENTRIES = 25.0


@dataclass(frozen=True)
class Spectrum:
    """An estimate of dI/dx in bins: I is the integral of f, x an observable.

    edges (bins + 1,) in the unit of x; value, error (bins,) in the unit of f per unit of x;
    entries (bins,): effective number of entries, (sum w)^2 / sum w^2.
    """

    edges: Floats
    value: Floats
    error: Floats
    entries: Floats

    @property
    def centres(self) -> Floats:
        return 0.5 * (self.edges[1:] + self.edges[:-1])


def spectrum(x: Floats, weights: Floats, edges: Floats) -> Spectrum:
    """dI/dx from n points with weights f/q: x, weights (n,), zero weights included.

    The value of a bin is the mean over all n points of w 1(x in bin), divided by the width; its
    error that of a mean. The sum of w^2 alone, which is right for a Poisson number of points, would
    be too large where a bin holds much of the integral.
    """
    n = len(weights)
    used = (weights > 0.0) & np.isfinite(x)
    filled = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
    filled.fill(x[used], weight=weights[used])
    sum_w, sum_w2 = np.asarray(filled.values()), np.asarray(filled.variances())
    mean, width = sum_w / n, np.diff(edges)
    variance = np.maximum(sum_w2 / n - mean**2, 0.0) / max(n - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        entries = np.where(sum_w2 > 0.0, sum_w**2 / sum_w2, 0.0)
    return Spectrum(edges, mean / width, np.sqrt(variance) / width, entries)


def joined(parts: Sequence[Spectrum], sizes: Sequence[int]) -> Spectrum:
    """The spectrum of several samples of given sizes, weighted as parts of their mixture.

    The number of points of each part is fixed, so the spread between the parts is no error.
    """
    shares = np.asarray(sizes) / sum(sizes)
    values = np.array([part.value for part in parts])
    errors = np.array([part.error for part in parts])
    sums = values * np.asarray(sizes)[:, None]
    entries = np.array([part.entries for part in parts])
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.sum(np.where(entries > 0.0, sums**2 / entries, 0.0), axis=0)
        pooled = np.where(squares > 0.0, np.sum(sums, axis=0) ** 2 / squares, 0.0)
    return Spectrum(
        edges=parts[0].edges,
        value=shares @ values,
        error=np.sqrt(shares**2 @ errors**2),
        entries=pooled,
    )


@dataclass(frozen=True)
class Ratio:
    """A spectrum in units of a reference, bin by bin: (bins,) each, NaN where the reference is 0.

    error is that of the numerator only, reference_error that of the reference (around 1).
    """

    value: Floats
    error: Floats
    reference_error: Floats


def ratio(numerator: Spectrum, reference: Spectrum) -> Ratio:
    """numerator / reference with the errors of both, apart."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(reference.value > 0.0, 1.0 / reference.value, np.nan)
    return Ratio(numerator.value * scale, numerator.error * scale, reference.error * scale)


@dataclass(frozen=True)
class ChiSquared:
    """chi^2 of two independent spectra, over the bins that are filled well in both."""

    value: float
    bins: int


def chi_squared(a: Spectrum, b: Spectrum) -> ChiSquared:
    """Sum of (a - b)^2 / (error_a^2 + error_b^2), bins with `ENTRIES` effective entries only."""
    good = (a.entries >= ENTRIES) & (b.entries >= ENTRIES)
    variance = (a.error**2 + b.error**2)[good]
    difference = (a.value - b.value)[good]
    return ChiSquared(float(np.sum(difference**2 / variance)), int(np.count_nonzero(good)))


def weighted_quantiles(x: Floats, weights: Floats, levels: Sequence[float]) -> Floats:
    """The smallest x below which a share of at least `levels` of the weight lies."""
    order = np.argsort(x)
    share = np.cumsum(weights[order])
    index = np.searchsorted(share, np.asarray(levels) * share[-1])
    return x[order][np.minimum(index, len(x) - 1)]


def bins_for(used: NDArray[np.bool_], most: int) -> int:
    """As many bins as the `used` points can fill: 2 n^(1/3) (Rice's rule), up to `most`."""
    return int(np.clip(2.0 * np.count_nonzero(used) ** (1.0 / 3.0), min(5, most), most))


#: The share of the weight that may lie beyond each end of a picture.
BEYOND = 0.002


def sensible_range(samples: Sequence[tuple[Floats, Floats]]) -> tuple[float, float] | None:
    """The range of x in which weighted samples (x, weights) are worth drawing.

    It leaves out the share `BEYOND` of the weight at each end, unless the sample ends nearby: then
    it goes to that end. The samples' ranges are joined. None if x is the same everywhere.
    """
    ends = []
    for x, weights in samples:
        used = (weights > 0.0) & np.isfinite(x)
        if not np.any(used):
            continue
        x, weights = x[used], weights[used]
        low, high = weighted_quantiles(x, weights, (BEYOND, 1.0 - BEYOND))
        first, last = np.min(x), np.max(x)
        near = 0.15 * (high - low)
        ends.append((first if low - first < near else low, last if last - high < near else high))
    if not ends:
        return None
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return None
    # The upper edge of the last bin does not belong to it.
    return float(low), float(high + 1e-9 * (high - low))


def ratio_limit(
    compared: Sequence[Ratio], least: float = 0.02, most: float = 1.0, coverage: float = 0.95
) -> float:
    """How far from 1 a ratio panel reaches: it shows most bins with their errors.

    Bins that are known worse than by half do not widen it. At least 1 +- `least`, at most
    1 +- `most`.
    """
    reach = []
    for one in compared:
        known = np.isfinite(one.value) & (one.error + one.reference_error < 0.5)
        distance = np.abs(one.value - 1.0) + one.error
        reach.append(np.maximum(distance, one.reference_error)[known])
    joined = np.concatenate(reach) if reach else np.empty(0)
    if joined.size == 0:
        return most
    return float(np.clip(1.15 * np.quantile(joined, coverage), least, most))
