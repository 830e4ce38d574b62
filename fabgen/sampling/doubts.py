"""Reasons not to believe the error of an integral, found by comparing what is known twice.

The error of a mean of weights is that of a sample that has met all of f. What speaks against it are
halves of the sample that disagree, a largest weight that is a good part of the sum, a tail of the
weights without a variance, and other estimates: of the untrained map, as a whole, channel by
channel and where the surrogate is small, and of iterations that adapted a grid. Every doubt has an
error of its own that covers what it found; it is infinite where nothing can be said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fabgen.metrics import WeightSum
from fabgen.sampling.integrate import Survey
from fabgen.sampling.reference import Reference
from fabgen.sampling.tails import tail_index

#: Two estimates that differ by more of their standard deviations disagree. Runs are many.
DISAGREEMENT = 4.0
#: Sampling efficiency below which few points carry most of the weight.
LEAST_EFFICIENCY = 0.01
#: Largest part of the sum of weights, and of the sum of their squared deviations, that one may be.
LARGEST_PART = 0.05
LARGEST_PART_OF_VARIANCE = 0.5
#: Tail index of weights beyond which an error means nothing (`tails`). The largest weight of such a
#: tail makes about 1 - 1/(2 k) of the variance however large the sample is: one that makes less
#: than the second number belongs to no such tail, whatever the fit says.
HEAVIEST_TAIL = 0.7
LEAST_PART_OF_VARIANCE = 0.05
#: A surrogate hardly draws points where one weight is such a part of the sum of all.
RARE = 1e-3
#: Standard deviations by which a reference must have found more there; few points have many.
MISSED = 2.5


@dataclass(frozen=True)
class Doubt:
    """One reason, as a sentence, and the error (in the unit of the integral) that covers it."""

    reason: str
    error: float


@dataclass(frozen=True)
class Estimate:
    """Another integral with its error, and where it comes from."""

    source: str
    integral: float
    error: float


def doubts(
    survey: Survey, references: Sequence[Reference] = (), others: Sequence[Estimate] = ()
) -> tuple[Doubt, ...]:
    """The reasons to doubt the integral of an evaluation sample.

    references: points of other densities, with the weights that the surrogate gives them. others:
    estimates that do not know of the sample.
    """
    found = [*_of_weights(survey), *_of_halves(survey), *_of_others(survey, others)]
    for reference in references:
        found += [*_of_reference(survey, reference), *_of_channels(survey, reference)]
    return tuple(found)


def with_error_for(survey: Survey, found: tuple[Doubt, ...]) -> Survey:
    """The survey with an error of the integral that covers all doubts."""
    if not found:
        return survey
    error = math.hypot(survey.metrics.integral_error, *(doubt.error for doubt in found))
    return replace(survey, metrics=replace(survey.metrics, integral_error=error))


def doubts_of_weights(survey: Survey) -> tuple[Doubt, ...]:
    """Those that the weights of the sample raise alone; more of them may lay these."""
    return tuple(_of_weights(survey))


def tail_of(survey: Survey) -> float | None:
    """The index of the tail of the weights of a sample, see `tails.tail_index`."""
    sums = survey.sums
    return tail_index(sums.largest, sums.n - sums.zero - sums.nonfinite)


def channel_pulls(survey: Survey, reference: Reference) -> NDArray[np.float64]:
    """How many standard deviations more a reference found than the sample, for each channel."""
    integrals, errors = reference.of_channels(len(survey.channels))
    own = [(c.metrics.absolute_integral, c.metrics.integral_error) if c.metrics else (0.0, 0.0)
           for c in survey.channels]  # fmt: skip
    values, more = np.array(own).reshape(-1, 2).T
    error = np.hypot(errors, more)
    return (integrals - values) / np.where(error > 0.0, error, np.inf)


def _of_weights(survey: Survey) -> Iterator[Doubt]:
    metrics, sums = survey.metrics, survey.sums
    if metrics.sampling_efficiency < LEAST_EFFICIENCY:
        yield Doubt(
            f"sampling efficiency below {100.0 * LEAST_EFFICIENCY:g} %: few points carry most of "
            "the weight, and the result may be wrong by many times its error",
            0.0,
        )
    largest = 1.0 / (sums.mean * sums.n)
    of_variance = (1.0 - sums.mean) ** 2 / sums.deviations if sums.deviations > 0.0 else 0.0
    if largest > LARGEST_PART or of_variance > LARGEST_PART_OF_VARIANCE:
        yield Doubt(
            f"the largest weight is {_percent(largest)} of the sum of all, and makes "
            f"{_percent(of_variance)} of the variance",
            largest * metrics.absolute_integral,
        )
    k = tail_of(survey)
    if k is not None and k > HEAVIEST_TAIL and of_variance > LEAST_PART_OF_VARIANCE:
        # What lies beyond the largest weight of such a tail, on average.
        beyond = largest / (1.0 - k) if k < 1.0 else math.inf
        yield Doubt(
            f"the weights have a heavy tail (index {k:.2f}): the sample does not tell their mean",
            beyond * metrics.absolute_integral,
        )


def _of_halves(survey: Survey) -> Iterator[Doubt]:
    if min((half.n for half in survey.halves), default=0) < 2:
        return
    first, second = (half.metrics() for half in survey.halves)
    difference = abs(first.integral - second.integral)
    error = math.hypot(first.integral_error, second.integral_error)
    if difference > DISAGREEMENT * error:
        yield Doubt(
            f"the halves of the sample differ by {difference / error:.1f} standard deviations",
            difference / 2.0,
        )


def _of_others(survey: Survey, others: Sequence[Estimate]) -> Iterator[Doubt]:
    """Others that found more: a sample that misses a part of f is low, of a signed f either."""
    metrics = survey.metrics
    for other in others:
        excess = other.integral - metrics.integral
        excess = abs(excess) if metrics.negative else excess
        error = math.hypot(other.error, metrics.integral_error)
        if excess > DISAGREEMENT * error:
            yield Doubt(
                f"{other.source} found {_percent(excess / metrics.absolute_integral)} more, "
                f"{excess / error:.1f} standard deviations",
                excess,
            )


def _of_reference(survey: Survey, reference: Reference) -> Iterator[Doubt]:
    metrics, sums = survey.metrics, survey.sums
    log_rare = math.log(max(RARE * metrics.n, 10.0) * sums.mean) + sums.log_max
    own = _share_above(sums, log_rare)
    relative = metrics.integral_error / metrics.absolute_integral
    if reference.partial:
        # What it has found comes on top of what the sample has.
        found, error = (
            part / metrics.absolute_integral for part in reference.integral_above(log_rare)
        )
        missed = found - own
        share, where = missed / (1.0 + missed), "in peaks found by a search, "
    else:
        there = reference.share_above(log_rare)
        missed = share = there.value - own
        error, where = there.error, ""
    if missed > max(2.0 * relative, MISSED * error):
        yield Doubt(
            f"{_percent(share)} of the integral lies {where}where the surrogate hardly draws "
            "points",
            (missed + error) * metrics.absolute_integral,
        )


def _of_channels(survey: Survey, reference: Reference) -> Iterator[Doubt]:
    """The part of one of several channels is known twice, too."""
    integrals, _ = reference.of_channels(len(survey.channels))
    pulls = channel_pulls(survey, reference)
    for number, (channel, pull) in enumerate(zip(survey.channels, pulls, strict=True)):
        own = channel.metrics
        excess = float(integrals[number]) - (own.absolute_integral if own else 0.0)
        if pull > DISAGREEMENT and excess > 2.0 * survey.metrics.integral_error:
            share = excess / survey.metrics.absolute_integral
            yield Doubt(
                f"channel {number + 1} misses {_percent(share)} of the integral, "
                f"{pull:.1f} standard deviations",
                excess,
            )


def _share_above(sums: WeightSum, log_weight: float) -> float:
    """The share of the sum that weights larger than this carry."""
    larger = sums.largest[sums.largest > log_weight]
    return float(np.sum(np.exp(larger - sums.log_max)) / (sums.mean * sums.n))


def _percent(share: float) -> str:
    percent = 100.0 * share
    return f"{percent:.0f} %" if percent >= 99.5 else f"{percent:.2g} %"
