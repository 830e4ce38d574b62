"""Cross section and survey of the weights from fresh samples of a surrogate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from fabgen.errors import FabgenError
from fabgen.metrics import Metrics, WeightSum
from fabgen.sampling.reference import Reference
from fabgen.sampling.sampler import WeightedSampler

#: A channel is given at least so many points of a sample, if there are enough.
_FEWEST_POINTS = 20


@dataclass(frozen=True)
class ChannelSurvey:
    """One of several channels in a sample; its weights are alpha_i f_i / q_i.

    share       a_i, the probability of the channel in the sample
    metrics     integral, error and efficiencies of the channel; None if no weight was above zero
    log_w_max   natural log of its reference weight; if no weight was above zero such that a few
                points are drawn from it, since there may be some; -inf without a share
    """

    share: float
    metrics: Metrics | None
    log_w_max: float


@dataclass(frozen=True)
class Survey:
    """The results of an evaluation sample: the integral, and how to unweight.

    metrics            integral, error and efficiencies of the sample
    log_w_max          natural log of the reference weight w_max of the unweighting
    overweight_share   share of the cross section that weights above w_max carry in the sample
    acceptance         mean of min(1, w/w_max): share of the points that unweighting keeps
    target_evaluations calls of f, those of the masked end of the last block included
    sums, halves       of the weights, and of two halves of them if there are
    channels           one entry for each of several channels, () for one

    Several channels: sampling efficiency, divergence and counts are those of the mixture. Integral
    and error are added channel by channel. Every channel has a w_max,i of its own: it is unweighted
    with shares a_i in proportion to w_max,i, so that w_max is their sum, and the unweighting
    efficiency is sum_i I_i / sum_i max_i.
    """

    metrics: Metrics
    log_w_max: float
    overweight_share: float
    acceptance: float
    target_evaluations: int
    sums: WeightSum
    halves: tuple[WeightSum, ...] = ()
    channels: tuple[ChannelSurvey, ...] = ()

    @property
    def unweighting_shares(self) -> tuple[float, ...]:
        """a_i = w_max,i / w_max: the channels' shares of the points that are unweighted."""
        if not self.channels:
            return (1.0,)
        return tuple(math.exp(channel.log_w_max - self.log_w_max) for channel in self.channels)

    @property
    def unweighted_weight(self) -> float:
        """Event weight of an accepted event with w <= w_max (XWGTUP), in the integrand's unit.

        A point u ~ q is accepted with probability min(1, r), r = w/w_max, and carries the factor
        c = max(1, r). Since min(1, r) max(1, r) = r, accepted events times their factor are
        distributed as f, and the mean factor of the ACCEPTED events is

            <c>_acc = <min(1, r) max(1, r)>_q / <min(1, r)>_q = <r>_q / <min(1, r)>_q .

        Where f may be negative, w is |w| here, and the event weight has the sign of f. The mean
        event weight must be the cross section sigma = <w>_q = w_max <r>_q, so an event
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
    reference: Reference | None = None,
) -> Survey:
    """Integral of f from n fresh points, and the reference weight w_max for unweighting.

    Memory does not grow with n: the weights come block by block and only sums and the largest of
    them (`metrics.TAIL`) stay. `progress` is called with the number of points done after each
    block. reference: takes what the sampler tells of another density. Raises FabgenError if f
    vanishes at every point.
    """
    if n < 1:
        raise ValueError(f"integrate needs at least one sample, got {n}")
    n_blocks = -(-n // sampler.block)
    total, halves = WeightSum(), (WeightSum(), WeightSum())
    parts = [WeightSum()] * sampler.n_channels
    upcoming = sampler(key, 0)
    for i in range(n_blocks):
        u, log_w, sign, channel, witness = upcoming
        if i + 1 < n_blocks:
            upcoming = sampler(key, i + 1)  # on its way while the host reads this one
        done = min((i + 1) * sampler.block, n)
        size = done - i * sampler.block
        block, signs = np.asarray(log_w)[:size], np.asarray(sign)[:size]
        total = total + WeightSum.of(block, signs)
        split = zip(np.array_split(block, 2), np.array_split(signs, 2), strict=True)
        first, second = (WeightSum.of(*half) for half in split)
        halves = halves[0] + first, halves[1] + second
        if reference is not None and witness is not None:
            reference.add(witness, channel, len(block), u)
        if sampler.n_channels > 1:
            chosen = np.asarray(channel)[: len(block)]
            for k, share in enumerate(sampler.shares):
                if share > 0.0:
                    own = chosen == k
                    parts[k] += WeightSum.of(block[own] + math.log(share), signs[own])
        if progress is not None:
            progress(done)
    calls = n_blocks * sampler.block
    whole = survey(total, total.largest, max_overweight, calls, halves)
    return whole if sampler.n_channels == 1 else _joined(whole, parts, sampler, max_overweight)


def with_optimal_allocation(
    sampler: WeightedSampler, n: int, pilot: int, key: jax.Array
) -> tuple[WeightedSampler, int]:
    """The sampler with the best shares a_i for a sample of n points, and the calls of f they took.

    a_i in proportion to sqrt(<w_i^2>), w_i = alpha_i f_i / q_i, of `pilot` points: the largest
    sampling efficiency of the mixture. (The smallest error of the integral wants sigma_i, which is
    the same but for channels whose weights hardly vary; those would be left without points.) The
    points of the pilot are used for nothing else, so the shares leave no bias. Raises FabgenError
    if f vanishes at every point.
    """
    if sampler.n_channels == 1:
        return sampler, 0
    found = integrate(sampler, pilot, key)
    sizes = np.array([
        c.metrics.absolute_integral / math.sqrt(c.metrics.sampling_efficiency) if c.metrics else 0.0
        for c in found.channels
    ])  # fmt: skip
    least = min(_FEWEST_POINTS / n, 0.5 / sampler.n_channels) * sizes.sum()
    sizes = np.maximum(sizes, np.where(np.asarray(sampler.shares) > 0.0, least, 0.0))
    shares = tuple((sizes / sizes.sum()).tolist())
    return dataclasses.replace(sampler, shares=shares), found.target_evaluations


def _joined(
    whole: Survey, parts: Sequence[WeightSum], sampler: WeightedSampler, max_overweight: float
) -> Survey:
    """The survey of a mixture from those of its channels; parts: sums of their own weights."""
    known = [
        survey(part, part.largest, max_overweight, 0) if part.log_max > -math.inf else None
        for part in parts
    ]
    found = [s for s in known if s is not None]
    log_known = float(np.logaddexp.reduce([s.log_w_max for s in found]))
    shares = sampler.shares
    few = _FEWEST_POINTS / whole.metrics.n
    log_unknown = [math.log(min(a, few)) + log_known if a > 0.0 else -math.inf for a in shares]
    channels = tuple(
        ChannelSurvey(share, s.metrics if s else None, s.log_w_max if s else log_other)
        for share, s, log_other in zip(shares, known, log_unknown, strict=True)
    )
    log_w_max = float(np.logaddexp.reduce([channel.log_w_max for channel in channels]))
    integral = sum(s.metrics.absolute_integral for s in found)
    overweight = sum(s.overweight_share * s.metrics.absolute_integral for s in found)
    largest = sum(s.metrics.max_weight for s in found)
    quantiles = sum(
        s.metrics.absolute_integral / s.metrics.unweighting_efficiency_999
        for s in found
        if s.metrics.unweighting_efficiency_999 > 0.0
    )
    changes: dict[str, Any] = {
        "unweighting_efficiency": min(integral / largest, 1.0),
        "unweighting_efficiency_999": integral / quantiles if quantiles > 0.0 else 0.0,
        "max_weight": largest,
    }
    if all(part.n > 1 for part, share in zip(parts, shares, strict=True) if share > 0.0):
        # Else the mixture's own mean: a channel without points would be missing here.
        errors = [s.metrics.integral_error for s in found]
        signed = sum(s.metrics.integral for s in found)
        changes |= {"integral": signed, "integral_error": math.hypot(*errors)}
        changes["absolute_integral"] = integral
    return dataclasses.replace(
        whole,
        metrics=dataclasses.replace(whole.metrics, **changes),
        log_w_max=log_w_max,
        overweight_share=overweight / integral,
        acceptance=sum(s.acceptance * math.exp(s.log_w_max - log_w_max) for s in found),
        channels=channels,
    )


def joined(surveys: Sequence[Survey]) -> Survey:
    """The survey of a sum of integrands from the surveys of each; the survey itself of one.

    Efficiencies are those of points shared by the parts in the best way, for the integral in
    proportion to sqrt(<w^2>), for events to w_max. The divergence is the mean of the parts'.
    """
    if len(surveys) == 1:
        return surveys[0]
    metrics = [s.metrics for s in surveys]
    total = sum(m.absolute_integral for m in metrics)
    sizes = [
        m.absolute_integral / math.sqrt(m.sampling_efficiency) if m.sampling_efficiency else 0.0
        for m in metrics
    ]
    largest = sum(m.max_weight for m in metrics)
    quantiles = [
        m.absolute_integral / m.unweighting_efficiency_999
        for m in metrics
        if m.unweighting_efficiency_999 > 0.0
    ]
    shares = [m.absolute_integral / total for m in metrics]
    log_w_max = float(np.logaddexp.reduce([s.log_w_max for s in surveys]))
    over = zip(surveys, shares, strict=True)
    return Survey(
        metrics=Metrics(
            n=sum(m.n for m in metrics),
            integral=sum(m.integral for m in metrics),
            integral_error=math.hypot(*(m.integral_error for m in metrics)),
            absolute_integral=total,
            sampling_efficiency=(total / sum(sizes)) ** 2,
            unweighting_efficiency=total / largest,
            unweighting_efficiency_999=total / sum(quantiles) if quantiles else 0.0,
            forward_kl=sum(a * m.forward_kl for a, m in zip(shares, metrics, strict=True)),
            forward_kl_error=math.hypot(
                *(a * m.forward_kl_error for a, m in zip(shares, metrics, strict=True))
            ),
            max_weight=largest,
            zero=sum(m.zero for m in metrics),
            nonfinite=sum(m.nonfinite for m in metrics),
            negative=sum(m.negative for m in metrics),
        ),
        log_w_max=log_w_max,
        overweight_share=sum(share * s.overweight_share for s, share in over),
        acceptance=sum(s.acceptance * math.exp(s.log_w_max - log_w_max) for s in surveys),
        target_evaluations=sum(s.target_evaluations for s in surveys),
        sums=WeightSum(),
    )


def survey(
    total: WeightSum,
    tail: NDArray[np.float64],
    max_overweight: float,
    target_evaluations: int,
    halves: tuple[WeightSum, ...] = (),
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
        sums=total,
        halves=halves,
    )


def reference_index(descending: NDArray[np.float64], allowed: float) -> int:
    """Index of w_max in descending weights: those before it sum to at most `allowed`.

    The smallest such weight; the last one kept, a larger weight than needed, if even the sum of all
    others stays below.
    """
    carried = np.cumsum(descending[:-1])
    return int(np.searchsorted(carried, allowed, side="right"))
