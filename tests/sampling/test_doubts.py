"""Errors that are not to be believed: each kind is found, and healthy samples are left alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from fabgen.metrics import WeightSum
from fabgen.sampling.doubts import Estimate, channel_pulls, doubts, tail_of, with_error_for
from fabgen.sampling.integrate import ChannelSurvey, survey
from fabgen.sampling.reference import BEST_POINTS, Reference, Witness

N = 100_000


def survey_of(weights):
    with np.errstate(divide="ignore"):
        log_w = np.log(weights)
    first, second = np.array_split(log_w, 2)
    total = WeightSum.of(log_w)
    halves = WeightSum.of(first), WeightSum.of(second)
    return survey(total, total.largest, 0.001, len(weights), halves)


def reasons(*args):
    return " ".join(doubt.reason for doubt in doubts(*args))


def random(seed=1):
    return np.random.default_rng(seed)


def reference_of(parts, weights, partial=False):
    reference = Reference(partial=partial)
    reference.add(Witness(np.log(parts), np.log(weights)), np.zeros(len(parts)), len(parts))
    return reference


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "draw",
    [
        lambda r: r.exponential(size=N),
        lambda r: np.exp(0.5 * r.normal(size=N)),
        lambda r: np.where(r.random(N) < 0.003, 1.0 + r.random(N), 0.0),
        lambda r: np.repeat([1.0, 8.0, 30.0], [N - 1100, 1000, 100])[r.permutation(N)],
        lambda r: np.ones(N),
    ],
    ids=["exponential", "log-normal", "hard cut", "steps of a grid", "constant"],
)
def test_healthy_weights_raise_no_doubt(draw, seed):
    weights = draw(random(seed))
    found = survey_of(weights)
    if (
        found.metrics.sampling_efficiency < 0.01
    ):  # the hard cut: told as before, and as nothing else
        assert len(doubts(found)) == 1
    else:
        assert doubts(found) == ()
        assert with_error_for(found, ()) is found


def test_few_points_with_most_of_the_weight_are_told():
    w = np.array([*[1e-3] * 999, 0.1])
    assert "sampling efficiency" not in reasons(survey_of(w))
    w[-1] = 10.0
    assert "sampling efficiency below 1 %" in reasons(survey_of(w))


def test_one_weight_that_makes_the_variance_is_told_and_covered():
    """A strip of one per cent of the integral that one point of 10^5 has met."""
    w = 1.0 + 0.1 * random().random(N)
    w[77] = 1000.0
    found = survey_of(w)
    assert "the largest weight" in reasons(found)
    covered = with_error_for(found, doubts(found)).metrics.integral_error
    assert covered > 0.009


@pytest.mark.parametrize(("k", "told"), [(0.3, False), (1.4, True)])
def test_a_tail_without_a_mean_has_no_error(k, told):
    found = survey_of(random(3).pareto(1.0 / k, 1_000_000))
    assert ("heavy tail" in reasons(found)) == told
    assert tail_of(found) == pytest.approx(k, abs=0.15)
    assert math.isinf(with_error_for(found, doubts(found)).metrics.integral_error) == told


def test_halves_that_disagree_are_told_and_covered():
    w = 1.0 + 0.1 * random().random(N)
    w[N // 2 :] *= 1.01
    found = survey_of(w)
    assert "halves" in reasons(found)
    error = with_error_for(found, doubts(found)).metrics.integral_error
    assert error == pytest.approx(0.005 * found.metrics.integral, rel=0.1)


def test_other_estimates_that_found_more_are_told_and_covered():
    found = survey_of(1.0 + 0.1 * random().random(N))
    exact = found.metrics.integral
    assert doubts(found, (), (Estimate("x", 1.05 * exact, 0.02 * exact),)) == ()
    # Less is no doubt: others that miss something are no better.
    assert doubts(found, (), (Estimate("x", 0.8 * exact, 0.02 * exact),)) == ()
    other = Estimate("the untrained map", 1.1 * exact, 0.02 * exact)
    assert "the untrained map found 10 % more" in reasons(found, (), (other,))
    error = with_error_for(found, doubts(found, (), (other,))).metrics.integral_error
    assert error == pytest.approx(0.1 * exact, rel=0.01)


def test_what_the_surrogate_misses_is_found_by_a_reference():
    """f = 1 on [0, 1]; q is nearly uniform on [0.05, 1] and has one point in 10^5 below."""
    below, q = 0.05, 1e-5 / 0.05
    w = np.full(N, 0.95 / (1.0 - 1e-5)) * (1.0 + 0.01 * random().normal(size=N))
    u = random(2).random(2000)
    weights = np.where(u < below, 1.0 / q, 0.95)
    found = survey_of(w)
    assert doubts(found) == ()
    told = doubts(found, [reference_of(np.ones(2000), weights)])
    assert "of the integral lies where the surrogate hardly draws points" in told[0].reason
    covered = with_error_for(found, told).metrics
    assert abs(1.0 - covered.integral) < 1.5 * covered.integral_error
    assert covered.integral_error < 0.1
    # The same weights, met by the sample in the right proportion, are no reason to doubt.
    q = 0.005 / 0.05
    w = np.where(random(5).random(N) < 0.005, 1.0 / q, 0.95 / 0.995)
    weights = np.where(u < below, 1.0 / q, 0.95 / 0.995)
    assert doubts(survey_of(w), [reference_of(np.ones(2000), weights)]) == ()


def test_a_reference_keeps_points_with_f_above_zero_and_counts_all():
    reference = Reference()
    parts = np.array([-np.inf, 0.0, 0.0, np.nan])
    reference.add(Witness(parts, np.array([-np.inf, 3.0, 1.0, 0.0])), np.array([0, 1, 2, 0]), 3)
    assert reference.n == 3
    share = reference.share_above(2.0)
    assert share.value == pytest.approx(0.5)
    assert share.points == pytest.approx(1.0)
    assert Reference().share_above(0.0).value == 0.0

    assert (reference.points, Reference().points) == (pytest.approx(2.0), 0.0)
    integrals, errors = reference.of_channels(3)
    np.testing.assert_allclose(integrals, [0.0, 1 / 3, 1 / 3])
    np.testing.assert_allclose(errors[1:], np.sqrt((1 / 3 - 1 / 9) / 3))


def test_few_points_that_are_all_alike_are_no_proof():
    """Their share is 1, and the next one may be another."""
    reference = Reference()
    reference.add(Witness(np.log([1.0, 1.0, 1.0, 1.0]), np.full(4, 9.0)), np.zeros(4), 4)
    share = reference.share_above(2.0)
    assert (share.value, share.error) == (1.0, 0.25)


def test_peaks_of_a_search_are_told_and_covered():
    """The surrogate has an eighth of f, and e^-30 of its points in the rest."""
    found = survey_of(0.125 * (1.0 + 0.1 * random().random(N)))
    parts = random(2).random(2000)
    parts *= 0.92 / parts.mean()  # all of the rest, and half of what the surrogate has
    weights = np.where(np.arange(2000) % 20 == 0, 0.1, math.exp(30.0))
    (doubt,) = doubts(found, [reference_of(parts, weights, partial=True)])
    assert doubt.reason.startswith("87 % of the integral lies in peaks found by a search")
    assert 0.85 < doubt.error < 0.95
    # A search that has found only a bit of f where the surrogate draws no points: it is the bit
    # that is missed, not the integral.
    (doubt,) = doubts(found, [reference_of(1e-2 * parts, weights, partial=True)])
    assert doubt.error == pytest.approx(0.0087 + 0.0001, rel=0.1)
    assert doubts(found, [reference_of(1e-5 * parts, weights, partial=True)]) == ()
    # Nor does one whose weights vary so much that a few of them make all of it.
    few = np.where(np.arange(2000) < 5, 400.0, 0.0)
    with np.errstate(divide="ignore"):
        assert doubts(found, [reference_of(few, weights, partial=True)]) == ()


def test_a_reference_keeps_the_places_of_its_best_points():
    reference = Reference()
    random_numbers = random(4)
    blocks = [random_numbers.normal(size=3000) for _ in range(3)]
    for block in blocks:
        u = np.stack([block, 2.0 * block], axis=1)
        reference.add(Witness(block, block), np.zeros(3000), 2500, u)
    log_part = np.concatenate([block[:2500] for block in blocks])
    best = np.sort(log_part)[::-1][:BEST_POINTS]
    np.testing.assert_array_equal(reference.best.log_part, best)
    np.testing.assert_array_equal(reference.best.u, np.stack([best, 2.0 * best], axis=1))


def test_a_channel_that_misses_its_part_is_told_and_covered():
    """Two channels of half the integral each; the second draws hardly any of its own part."""
    n, channel = 20_000, np.arange(20_000) % 2
    w = np.where(channel == 0, 1.0, 0.9) * (1.0 + 0.1 * random().random(n))
    whole = survey_of(w)

    def part(number, shrink=1.0):
        own = survey_of(0.5 * w[channel == number] * shrink)
        return ChannelSurvey(0.5, own.metrics, own.log_w_max)

    found = dataclasses.replace(whole, channels=(part(0), part(1)))
    parts = np.where(channel == 0, 1.05, 1.05)
    reference = Reference()
    reference.add(Witness(np.log(parts), np.zeros(n)), channel, n)
    assert reasons(found, [reference]).startswith("channel 2 misses 5")
    first, second = channel_pulls(found, reference)
    error = 1.05 * 0.5 / math.sqrt(n)  # of points that lie in the channel or not
    assert abs(first) < 4.0 and second == pytest.approx((0.525 - 0.4725) / error, rel=0.05)
    error = with_error_for(found, doubts(found, [reference])).metrics.integral_error
    assert error == pytest.approx(0.525 - 0.4725, rel=0.05)
