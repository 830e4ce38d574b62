"""Cross section and survey of the weights from fresh samples of a surrogate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from numpy.typing import NDArray

from fabgen.errors import FabgenError
from fabgen.metrics import Metrics, WeightSum
from fabgen.sampling.sampler import WeightedSampler


@dataclass(frozen=True)
class Survey:
    """What an evaluation sample says about the integral and how to unweight.

    metrics            integral, error and efficiencies of the sample
    log_w_max          natural log of the reference weight w_max of the unweighting
    overweight_share   share of the cross section that weights above w_max carry in the sample
    acceptance         mean of min(1, w/w_max): share of the points that unweighting keeps
    target_evaluations calls of f, those of the masked end of the last block included
    """

    metrics: Metrics
    log_w_max: float
    overweight_share: float
    acceptance: float
    target_evaluations: int

    @property
    def unweighted_weight(self) -> float:
        """Event weight of an accepted event with w <= w_max (XWGTUP), in the integrand's unit.

        A point u ~ q is accepted with probability min(1, r), r = w/w_max, and carries the factor
        c = max(1, r). Since min(1, r) max(1, r) = r, accepted events times their factor are
        distributed as f, and the mean factor of the ACCEPTED events is

            <c>_acc = <min(1, r) max(1, r)>_q / <min(1, r)>_q = <r>_q / <min(1, r)>_q .

        The mean event weight must be the cross section sigma = <w>_q = w_max <r>_q, so an event
        carries  sigma / <c>_acc x c = w_max <min(1, r)>_q x c.  The mean of c over all points, or
        1, in the place of <c>_acc would be wrong by the share of the overweight events.
        """
        return math.exp(self.log_w_max) * self.acceptance

    @property
    def nonzero_fraction(self) -> float:
        """Share of the points with a weight above zero.

        Weighted events are written for these only: an event of weight w carries w times this
        share, so the mean event weight is again the cross section.
        """
        m = self.metrics
        return (m.n - m.zero - m.nonfinite) / m.n


def integrate(
    sampler: WeightedSampler,
    n: int,
    key: jax.Array,
    *,
    max_overweight: float = 0.001,
    progress: Callable[[int], None] | None = None,
) -> Survey:
    """Integral of f from n fresh points, and the reference weight w_max for unweighting.

    Memory does not grow with n: the weights come block by block and only sums and the largest of
    them (`metrics.TAIL`) stay. `progress` is called with the number of points done after each
    block. Raises FabgenError if f vanishes at every point.
    """
    if n < 1:
        raise ValueError(f"integrate needs at least one sample, got {n}")
    n_blocks = -(-n // sampler.block)
    total = WeightSum()
    upcoming = sampler(key, 0)
    for i in range(n_blocks):
        _, log_w = upcoming
        if i + 1 < n_blocks:
            upcoming = sampler(key, i + 1)  # on its way while the host reads this one
        done = min((i + 1) * sampler.block, n)
        block = np.asarray(log_w)[: done - i * sampler.block]
        total = total + WeightSum.of(block)
        if progress is not None:
            progress(done)
    return survey(total, total.largest, max_overweight, n_blocks * sampler.block)


def survey(
    total: WeightSum, tail: NDArray[np.float64], max_overweight: float, target_evaluations: int
) -> Survey:
    """The Survey of a sample with sums `total` and largest log weights `tail`."""
    metrics = total.metrics()
    if total.log_max == -math.inf:
        raise FabgenError(
            f"The integrand vanishes at all {metrics.n} sampled points "
            f"({metrics.nonfinite} of them not finite): the cuts may leave no phase space."
        )
    scaled = np.sort(np.exp(tail - total.log_max))[::-1]
    sum_w = total.mean * total.n
    index = reference_index(scaled, max_overweight * sum_w)
    w_max, above = scaled[index], scaled[:index]
    return Survey(
        metrics=metrics,
        log_w_max=float(total.log_max + np.log(w_max)),
        overweight_share=float(np.sum(above) / sum_w),
        acceptance=float((sum_w - np.sum(above - w_max)) / (total.n * w_max)),
        target_evaluations=target_evaluations,
    )


def reference_index(descending: NDArray[np.float64], allowed: float) -> int:
    """Index of w_max in descending weights: those before it sum to at most `allowed`.

    The smallest such weight; the last one kept, a larger weight than needed, if even the sum of all
    others stays below.
    """
    carried = np.cumsum(descending[:-1])
    return int(np.searchsorted(carried, allowed, side="right"))
