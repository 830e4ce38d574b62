"""Weights -> integral, sampling efficiency, unweighting efficiency.

A weight is w = f(u)/q(u) with u ~ q. Only its natural logarithm travels, so nothing overflows. The
running sums are those of Chan, Golub and LeVeque (Am. Stat. 37 (1983) 242): mean and sum of squared
deviations, in units of the largest weight so far. They merge, so a sample may come in any blocks,
and the variance of nearly constant weights does not cancel away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Metrics:
    """What N weights say, every field defined.

    n                       number of weights, zero and non-finite ones included
    integral                mean of the weights, in the unit of the integrand
    integral_error          its standard error; infinite for n = 1
    sampling_efficiency     eps = (sum w)^2 / (n sum w^2) (Kish), in [1/n, 1]; 0 if all are 0
    unweighting_efficiency  eps_uw = mean(w) / max(w) of these n weights; at most eps
    max_weight              largest weight, in the unit of the integrand
    zero                    number of vanishing weights (outside the cube or the cuts)
    nonfinite               number of weights that are NaN, infinite or negative, taken as zero
    """

    n: int
    integral: float
    integral_error: float
    sampling_efficiency: float
    unweighting_efficiency: float
    max_weight: float
    zero: int
    nonfinite: int


@dataclass(frozen=True)
class WeightSum:
    """Mergeable sums over a sample of weights; `a + b` is the sum of the joint sample.

    mean and deviations (sum of (w - mean)^2) are those of w / exp(log_max), where log_max is the
    natural logarithm of the largest weight (-inf while there is none).
    """

    n: int = 0
    zero: int = 0
    nonfinite: int = 0
    log_max: float = -math.inf
    mean: float = 0.0
    deviations: float = 0.0

    @classmethod
    def of(cls, log_weights: ArrayLike) -> WeightSum:
        """The sums of one block of natural logarithms of weights, of any shape."""
        log_w = np.ravel(np.asarray(log_weights, dtype=np.float64))
        finite = np.isfinite(log_w)
        zero = int(np.count_nonzero(log_w == -np.inf))
        n_finite = int(np.count_nonzero(finite))
        if n_finite == 0:
            return cls(n=log_w.size, zero=zero, nonfinite=log_w.size - zero)
        log_max = float(np.max(log_w[finite]))
        w = np.exp(np.where(finite, log_w, -np.inf) - log_max)
        mean = float(np.mean(w))
        return cls(
            n=log_w.size,
            zero=zero,
            nonfinite=log_w.size - zero - n_finite,
            log_max=log_max,
            mean=mean,
            deviations=float(np.sum((w - mean) ** 2)),
        )

    def __add__(self, other: WeightSum) -> WeightSum:
        n = self.n + other.n
        if n == 0:
            return self
        log_max = max(self.log_max, other.log_max)
        scale_a, scale_b = _ratio(self.log_max, log_max), _ratio(other.log_max, log_max)
        mean_a, mean_b = self.mean * scale_a, other.mean * scale_b
        delta = mean_b - mean_a
        return WeightSum(
            n=n,
            zero=self.zero + other.zero,
            nonfinite=self.nonfinite + other.nonfinite,
            log_max=log_max,
            mean=mean_a + delta * (other.n / n),
            deviations=self.deviations * scale_a**2
            + other.deviations * scale_b**2
            + delta**2 * (self.n * (other.n / n)),
        )

    def metrics(self) -> Metrics:
        """The figures of the whole sample; ValueError for an empty one."""
        if self.n == 0:
            raise ValueError("no weights: the metrics of an empty sample are not defined")
        counts = {"n": self.n, "zero": self.zero, "nonfinite": self.nonfinite}
        if self.log_max == -math.inf:
            error = math.inf if self.n == 1 else 0.0
            return Metrics(
                integral=0.0,
                integral_error=error,
                sampling_efficiency=0.0,
                unweighting_efficiency=0.0,
                max_weight=0.0,
                **counts,
            )
        maximum = _exp(self.log_max)
        relative_variance = self.deviations / self.n / self.mean**2
        variance_of_mean = self.deviations / (self.n - 1) / self.n if self.n > 1 else math.inf
        # eps is written as 1/(1 + variance/mean^2), so it cannot exceed 1; only rounding
        # can take it below 1/n.
        return Metrics(
            integral=maximum * self.mean,
            integral_error=maximum * math.sqrt(variance_of_mean),
            sampling_efficiency=max(1.0 / (1.0 + relative_variance), 1.0 / self.n),
            unweighting_efficiency=min(self.mean, 1.0),
            max_weight=maximum,
            **counts,
        )


def summarize(weights: ArrayLike) -> Metrics:
    """Metrics of an array of weights; negative ones count as non-finite."""
    w = np.asarray(weights, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return WeightSum.of(np.log(w)).metrics()


def summarize_log(log_weights: ArrayLike) -> Metrics:
    """Metrics of an array of natural logarithms of weights, -inf for zero."""
    return WeightSum.of(log_weights).metrics()


def _ratio(log_a: float, log_b: float) -> float:
    return 0.0 if log_a == -math.inf else math.exp(log_a - log_b)


def _exp(x: float) -> float:
    return math.exp(x) if x < 709.0 else math.inf
