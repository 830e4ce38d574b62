"""Weights -> integral, sampling efficiency, unweighting efficiencies, forward KL divergence.

A weight is w = f(u)/q(u) with u ~ q. Only the logarithm of |w| and its sign travel, so nothing
overflows. The integral is the mean of w; all else is about |w|, which events are drawn with. The
running sums are those of Chan, Golub and LeVeque (Am. Stat. 37 (1983) 242): mean and sum of squared
deviations, in units of the largest weight so far. They merge, so a sample may come in any blocks,
and the variance of nearly constant weights does not cancel away.

The forward divergence KL(p || q) = <log(p/q)>_p, p = f/I, is measured on the same sample,
reweighted to p: with r = w/mean(w),

    KL = sum w log w / sum w - log mean(w) = mean(r log r) .

It is never negative, and blind to a region that the sample of q does not reach. Its error is that
of first order in the two sums (delta method): each point moves KL by psi/n,
psi = r (log r - KL - 1) + 1. The unnormalized <log(f/q)>_p of the FAB paper is KL + log I.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: How many of the largest weights are kept. Weights above the mean carry at least 1/N of the
#: integral each, so at most N x max_overweight of them lie above w_max, and 0.001 N above the
#: 99.9 % quantile: exact up to N = 2 x 10^7, conservative (w too high) beyond.
TAIL = 20_000
#: Share of the points above the quantile of `Metrics.unweighting_efficiency_999`.
ABOVE_QUANTILE = 0.001


@dataclass(frozen=True)
class Metrics:
    """Figures of N weights, every field defined.

    n                       number of weights, zero and non-finite ones included
    integral                mean of the weights, in the unit of the integrand
    integral_error          its standard error; infinite for n = 1
    absolute_integral       mean of |w|; of the following all are about |w|
    sampling_efficiency     eps = (sum w)^2 / (n sum w^2) (Kish), in [1/n, 1]; 0 if all are 0
    unweighting_efficiency  eps_uw = mean(w) / max(w) of these n weights; at most eps
    unweighting_efficiency_999
                            mean(w) / (99.9 % quantile of w): the largest 0.1 % of the n weights,
                            counted downwards, may exceed it; above 1 where they carry nearly all
                            of the integral, 0 where the quantile vanishes
    forward_kl              KL(p || q), p = f/I, in nats; 0 if all weights are 0
    forward_kl_error        its standard error; infinite for n = 1
    max_weight              largest weight, in the unit of the integrand
    zero                    number of vanishing weights (outside the cube or the cuts)
    nonfinite               number of weights that are NaN or infinite, taken as zero
    negative                number of weights below zero
    """

    n: int
    integral: float
    integral_error: float
    absolute_integral: float
    sampling_efficiency: float
    unweighting_efficiency: float
    unweighting_efficiency_999: float
    forward_kl: float
    forward_kl_error: float
    max_weight: float
    zero: int
    nonfinite: int
    negative: int = 0


@dataclass(frozen=True)
class WeightSum:
    """Mergeable sums over a sample of weights; `a + b` is the sum of the joint sample.

    mean and deviations (sum of (x - mean)^2) are those of x = |w| / exp(log_max), where log_max is
    the natural logarithm of the largest |w| (-inf while there is none); signed_mean and
    signed_deviations those of w / exp(log_max). entropy, square and
    cross are the sums of x s, (x s)^2 and x^2 s, s = log x, for the forward divergence. largest:
    natural logarithms of the `TAIL` largest weights, in no order.
    """

    n: int = 0
    zero: int = 0
    nonfinite: int = 0
    log_max: float = -math.inf
    mean: float = 0.0
    deviations: float = 0.0
    negative: int = 0
    signed_mean: float = 0.0
    signed_deviations: float = 0.0
    entropy: float = 0.0
    square: float = 0.0
    cross: float = 0.0
    largest: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), compare=False)

    @classmethod
    def of(cls, log_weights: ArrayLike, signs: ArrayLike = 1) -> WeightSum:
        """The sums of one block of natural logarithms of |w|, of any shape, and their signs."""
        log_w = np.ravel(np.asarray(log_weights, dtype=np.float64))
        sign = np.broadcast_to(np.ravel(np.asarray(signs)), log_w.shape)
        finite = np.isfinite(log_w)
        zero = int(np.count_nonzero(log_w == -np.inf))
        n_finite = int(np.count_nonzero(finite))
        if n_finite == 0:
            return cls(n=log_w.size, zero=zero, nonfinite=log_w.size - zero)
        log_max = float(np.max(log_w[finite]))
        shift = np.where(finite, log_w - log_max, -np.inf)
        w = np.exp(shift)
        mean = float(np.mean(w))
        deviations = float(np.sum((w - mean) ** 2))
        signed_mean, signed_deviations = mean, deviations
        negative = int(np.count_nonzero(finite & (sign < 0)))
        if negative:
            signed = np.where(sign < 0, -w, w)
            signed_mean = float(np.mean(signed))
            signed_deviations = float(np.sum((signed - signed_mean) ** 2))
        terms = w * np.where(finite, shift, 0.0)
        return cls(
            n=log_w.size,
            zero=zero,
            nonfinite=log_w.size - zero - n_finite,
            log_max=log_max,
            mean=mean,
            deviations=deviations,
            negative=negative,
            signed_mean=signed_mean,
            signed_deviations=signed_deviations,
            entropy=float(np.sum(terms)),
            square=float(np.sum(terms**2)),
            cross=float(np.sum(terms * w)),
            largest=keep_largest(np.empty(0), log_w, TAIL),
        )

    def __add__(self, other: WeightSum) -> WeightSum:
        n = self.n + other.n
        if n == 0:
            return self
        log_max = max(self.log_max, other.log_max)
        scale_a, scale_b = _ratio(self.log_max, log_max), _ratio(other.log_max, log_max)

        def joined(name: str) -> tuple[float, float]:
            """Mean and deviations of both."""
            mean_a = getattr(self, f"{name}mean") * scale_a
            delta = getattr(other, f"{name}mean") * scale_b - mean_a
            deviations = (
                getattr(self, f"{name}deviations") * scale_a**2
                + getattr(other, f"{name}deviations") * scale_b**2
                + delta**2 * (self.n * (other.n / n))
            )
            return mean_a + delta * (other.n / n), deviations

        (mean, deviations), (signed_mean, signed_deviations) = joined(""), joined("signed_")
        a, b = self._moments(log_max), other._moments(log_max)
        return WeightSum(
            n=n,
            zero=self.zero + other.zero,
            nonfinite=self.nonfinite + other.nonfinite,
            log_max=log_max,
            mean=mean,
            deviations=deviations,
            negative=self.negative + other.negative,
            signed_mean=signed_mean,
            signed_deviations=signed_deviations,
            entropy=a[0] + b[0],
            square=a[1] + b[1],
            cross=a[2] + b[2],
            largest=keep_largest(self.largest, other.largest, TAIL),
        )

    @property
    def _mean_square(self) -> float:
        return self.deviations / self.n + self.mean**2

    def _moments(self, log_max: float) -> tuple[float, float, float]:
        """entropy, square and cross in units of another largest weight."""
        if self.log_max == -math.inf:
            return 0.0, 0.0, 0.0
        shift = self.log_max - log_max
        scale = math.exp(shift)
        squares = self.n * self._mean_square
        return (
            scale * (self.entropy + shift * self.n * self.mean),
            scale**2 * (self.square + 2.0 * shift * self.cross + shift**2 * squares),
            scale**2 * (self.cross + shift * squares),
        )

    def metrics(self) -> Metrics:
        """The figures of the whole sample; ValueError for an empty one."""
        if self.n == 0:
            raise ValueError("no weights: the metrics of an empty sample are not defined")
        counts = {"n": self.n, "zero": self.zero, "nonfinite": self.nonfinite}
        counts["negative"] = self.negative
        if self.log_max == -math.inf:
            error = math.inf if self.n == 1 else 0.0
            return Metrics(
                integral=0.0,
                integral_error=error,
                absolute_integral=0.0,
                sampling_efficiency=0.0,
                unweighting_efficiency=0.0,
                unweighting_efficiency_999=0.0,
                forward_kl=0.0,
                forward_kl_error=error,
                max_weight=0.0,
                **counts,
            )
        maximum = _exp(self.log_max)
        relative_variance = self.deviations / self.n / self.mean**2
        variance_of_mean = math.inf
        if self.n > 1:
            variance_of_mean = self.signed_deviations / (self.n - 1) / self.n
        kl, kl_error = self._divergence()
        # eps is written as 1/(1 + variance/mean^2), so it cannot exceed 1; only rounding
        # can take it below 1/n.
        return Metrics(
            integral=maximum * self.signed_mean,
            absolute_integral=maximum * self.mean,
            integral_error=maximum * math.sqrt(variance_of_mean),
            sampling_efficiency=max(1.0 / (1.0 + relative_variance), 1.0 / self.n),
            unweighting_efficiency=min(self.mean, 1.0),
            unweighting_efficiency_999=self._quantile_efficiency(),
            forward_kl=kl,
            forward_kl_error=kl_error,
            max_weight=maximum,
            **counts,
        )

    def _quantile_efficiency(self) -> float:
        """mean(w) / w_k with w_k the k-th largest weight, k = 1 + n/1000 rounded down."""
        above = int(ABOVE_QUANTILE * self.n)
        if above >= self.largest.size:
            if self.largest.size < TAIL:
                return 0.0  # all positive weights are kept, so this one is zero
            above = TAIL - 1
        place = self.largest.size - 1 - above
        log_quantile = float(np.partition(self.largest, place)[place])
        return _exp(math.log(self.mean) + self.log_max - log_quantile)

    def _divergence(self) -> tuple[float, float]:
        """KL(p || q) and its error, from moments of r = x/mean and r log r."""
        log_mean = math.log(self.mean)
        kl = max(self.entropy / (self.n * self.mean) - log_mean, 0.0)
        if self.n == 1:
            return kl, math.inf
        # psi = r log r - c r + 1 with mean 0; r log r = (x s - x log_mean)/mean.
        c = kl + 1.0
        r_squared = self._mean_square / self.mean**2
        cross = self.cross / self.n / self.mean**2 - log_mean * r_squared
        square = (
            self.square / self.n / self.mean**2 - 2.0 * log_mean * cross - log_mean**2 * r_squared
        )
        variance = square - 2.0 * c * cross + c**2 * r_squared - 1.0
        return kl, math.sqrt(max(variance, 0.0) / (self.n - 1))


@dataclass(frozen=True)
class Mean:
    """The mean of n numbers and their deviations, sum of (x - mean)^2; `a + b` is of all of them.

    Numbers that are not finite leave a mean that is not, either, and no error.
    """

    n: int = 0
    mean: float = 0.0
    deviations: float = 0.0

    @classmethod
    def of(cls, values: ArrayLike) -> Mean:
        """Of one block of numbers (n,), n > 0."""
        x = np.asarray(values, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            mean = float(np.mean(x))
            return cls(x.size, mean, float(np.sum((x - mean) ** 2)))

    def __add__(self, other: Mean) -> Mean:
        n = self.n + other.n
        if n == 0:
            return self
        delta = other.mean - self.mean
        deviations = self.deviations + other.deviations + delta * delta * (self.n * (other.n / n))
        return Mean(n, (self.n * self.mean + other.n * other.mean) / n, deviations)

    @property
    def error(self) -> float:
        """The standard error of the mean; infinite for n < 2, NaN if a number was not finite."""
        return math.sqrt(self.deviations / (self.n - 1) / self.n) if self.n > 1 else math.inf


def summarize_log(log_weights: ArrayLike) -> Metrics:
    """Metrics of an array of natural logarithms of weights, -inf for zero."""
    return WeightSum.of(log_weights).metrics()


def keep_largest(
    tail: NDArray[np.float64], log_weights: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """The `size` largest finite log weights of both arrays, in no order."""
    floor = np.min(tail) if tail.size >= size else -np.inf
    joined = np.concatenate([tail, log_weights[np.isfinite(log_weights) & (log_weights > floor)]])
    if joined.size <= size:
        return joined
    return np.partition(joined, joined.size - size)[joined.size - size :]


def _ratio(log_a: float, log_b: float) -> float:
    return 0.0 if log_a == -math.inf else math.exp(log_a - log_b)


def _exp(x: float) -> float:
    return math.exp(x) if x < 709.0 else math.inf
