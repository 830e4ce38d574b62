"""Metrics of weights: definitions, bounds, merging."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.metrics import Mean, Metrics, WeightSum, summarize_log

log_weight = st.one_of(
    st.floats(min_value=-300.0, max_value=300.0),
    st.sampled_from([-math.inf, math.inf, math.nan]),
)
log_weights = st.lists(log_weight, min_size=1, max_size=60).map(np.array)


def summarize(weights) -> Metrics:
    """As runs do: of the logarithms, -inf for zero and NaN for a negative weight."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return summarize_log(np.log(weights))


def test_definitions() -> None:
    w = np.array([1.0, 2.0, 3.0, 0.0])
    m = summarize(w)
    assert m == summarize_log(np.log(np.where(w > 0, w, 1.0)) + np.where(w > 0, 0.0, -np.inf))
    assert m.n == 4 and m.zero == 1 and m.nonfinite == 0
    assert m.integral == pytest.approx(1.5)
    assert m.integral_error == pytest.approx(np.std(w, ddof=1) / 2.0)
    assert m.sampling_efficiency == pytest.approx(36.0 / (4 * 14.0))
    assert m.unweighting_efficiency == pytest.approx(0.5)
    assert m.max_weight == pytest.approx(3.0)


def test_nonfinite_and_negative_weights_stay_in_the_denominator() -> None:
    m = summarize([2.0, np.nan, np.inf, -1.0])
    assert (m.n, m.nonfinite, m.zero) == (4, 3, 0)
    assert m.integral == pytest.approx(0.5)
    assert m.max_weight == pytest.approx(2.0)


def test_no_positive_weight_has_every_field() -> None:
    nothing = dict.fromkeys((field.name for field in dataclasses.fields(Metrics)), 0.0)
    assert summarize([0.0, 0.0]) == Metrics(**nothing | {"n": 2, "zero": 2})
    infinite = dict.fromkeys(("integral_error", "forward_kl_error"), math.inf)
    assert summarize([np.nan]) == Metrics(**nothing | infinite | {"n": 1, "nonfinite": 1})


def test_one_weight_has_no_error_estimate() -> None:
    assert summarize([3.0]).integral_error == math.inf
    assert summarize([3.0]).forward_kl == 0.0
    assert summarize([3.0]).forward_kl_error == math.inf


def test_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        WeightSum().metrics()


def test_nearly_constant_weights_do_not_cancel() -> None:
    """A relative spread of 1e-9 is lost by sum w^2 - (sum w)^2."""
    w = 1e40 * (1.0 + 1e-9 * np.tile([-1.0, 1.0], 5000))
    total = WeightSum()
    for block in np.split(w, 10):
        total = total + WeightSum.of(np.log(block))
    expected = 1e40 * 1e-9 / math.sqrt(len(w))
    # The logarithm of 1e40 carries a rounding error of 1e-14: five digits of the spread survive.
    assert total.metrics().integral_error == pytest.approx(expected, rel=1e-4)


def test_huge_logarithms_do_not_overflow() -> None:
    m = summarize_log([690.0, 700.0, -800.0])
    assert m.integral == pytest.approx((math.exp(700.0) + math.exp(690.0)) / 3)
    assert math.isfinite(m.integral_error) and 1 / 3 <= m.sampling_efficiency <= 1


def test_forward_divergence_by_hand() -> None:
    """Two points with r = w/mean = 1/2 and 3/2, and one of weight zero beside r = 3/2, 3/2."""
    kl = (0.5 * math.log(0.5) + 1.5 * math.log(1.5)) / 2
    assert summarize([1.0, 3.0]).forward_kl == pytest.approx(kl, rel=1e-14)
    assert summarize([2.0, 2.0, 0.0]).forward_kl == pytest.approx(math.log(1.5), rel=1e-14)
    assert summarize([5.0] * 7).forward_kl == pytest.approx(0.0, abs=1e-15)
    psi = [r * (math.log(r) - kl - 1.0) + 1.0 for r in (0.5, 1.5)]
    error = summarize([1.0, 3.0]).forward_kl_error
    assert error == pytest.approx(math.sqrt((psi[0] ** 2 + psi[1] ** 2) / 2 / 1), rel=1e-12)


def test_forward_divergence_of_a_power_law() -> None:
    """p = (a+1) u^a from flat points: KL(p || 1) = log(a+1) - a/(a+1), within its error."""
    a, n, trials = 2.0, 4000, 60
    u = np.random.default_rng(1).uniform(size=(trials, n))
    results = [summarize(7.0 * row**a) for row in u]
    pulls = [(m.forward_kl - math.log(a + 1) + a / (a + 1)) / m.forward_kl_error for m in results]
    assert abs(np.mean(pulls)) < 4.0 / math.sqrt(trials)
    assert 0.75 < np.std(pulls) < 1.3


def test_quantile_by_hand() -> None:
    """Of 5000 weights the largest five may exceed the quantile: the sixth counts."""
    w = np.ones(5000)
    w[:5], w[5] = 100.0, 4.0
    m = summarize(np.random.default_rng(0).permutation(w))
    assert m.unweighting_efficiency_999 == pytest.approx(np.mean(w) / 4.0)
    assert m.unweighting_efficiency == pytest.approx(np.mean(w) / 100.0)
    few = summarize([1.0, 2.0, 3.0])
    assert few.unweighting_efficiency_999 == pytest.approx(few.unweighting_efficiency)
    rare = np.zeros(5000)
    rare[:5] = 1.0
    assert summarize(rare).unweighting_efficiency_999 == 0.0


def test_quantile_beyond_the_weights_kept_is_conservative(monkeypatch) -> None:
    monkeypatch.setattr("fabgen.metrics.TAIL", 10)
    w = np.arange(1.0, 20001.0)
    assert summarize(w).unweighting_efficiency_999 == pytest.approx(np.mean(w) / 19991.0)


@given(log_weights, st.integers(0, 60))
@settings(max_examples=100)
def test_merge_equals_whole(values: np.ndarray, cut: int) -> None:
    whole = WeightSum.of(values)
    joined = WeightSum.of(values[:cut]) + WeightSum.of(values[cut:])
    assert (joined.n, joined.zero, joined.nonfinite) == (whole.n, whole.zero, whole.nonfinite)
    assert joined.log_max == whole.log_max
    assert joined.mean == pytest.approx(whole.mean, rel=1e-12, abs=1e-300)
    assert joined.deviations == pytest.approx(whole.deviations, rel=1e-10, abs=1e-20)
    for name in ("entropy", "square", "cross"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name), rel=1e-10, abs=1e-12)
    assert sorted(joined.largest) == sorted(whole.largest)


@given(log_weights)
@settings(max_examples=100)
def test_bounds(values: np.ndarray) -> None:
    m = summarize_log(values)
    assert m.n == len(values) and 0 <= m.zero + m.nonfinite <= m.n
    if m.zero + m.nonfinite == m.n:
        assert m.integral == m.sampling_efficiency == m.unweighting_efficiency == 0.0
        return
    assert 1.0 / m.n <= m.sampling_efficiency <= 1.0
    # mean^2/<w^2> >= mean/max, since <w^2> <= max <w>
    assert 0.0 <= m.unweighting_efficiency <= m.sampling_efficiency * (1 + 1e-12)
    assert m.integral <= m.max_weight * (1 + 1e-12)
    assert m.unweighting_efficiency_999 in (0.0, pytest.approx(m.unweighting_efficiency))
    # the divergences are ordered: KL <= log of the chi-square one, log(1/eps)
    assert 0.0 <= m.forward_kl <= -math.log(m.sampling_efficiency) + 1e-9
    assert not math.isnan(m.integral_error)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=30), st.floats(1e-30, 1e30))
@settings(max_examples=50)
def test_scaling_the_integrand_scales_the_integral_only(w: list[float], factor: float) -> None:
    a, b = summarize(w), summarize(np.array(w) * factor)
    assert b.integral == pytest.approx(a.integral * factor)
    assert b.integral_error == pytest.approx(
        a.integral_error * factor, rel=1e-6, abs=1e-12 * b.integral
    )
    assert b.sampling_efficiency == pytest.approx(a.sampling_efficiency)
    assert b.unweighting_efficiency == pytest.approx(a.unweighting_efficiency)
    assert b.unweighting_efficiency_999 == pytest.approx(a.unweighting_efficiency_999)
    assert b.forward_kl == pytest.approx(a.forward_kl, abs=1e-12)
    assert b.forward_kl_error == pytest.approx(a.forward_kl_error, rel=1e-5, abs=1e-7)


signed_weight = st.one_of(
    st.floats(1e-3, 1e3),
    st.floats(-1e3, -1e-3),
    st.sampled_from([0.0, math.inf, -math.inf, math.nan]),
)
signed_weights = st.lists(signed_weight, min_size=1, max_size=60).map(np.array)


def signed_sum(w: np.ndarray, scale: float = 0.0) -> WeightSum:
    """Of weights exp(scale) w of any sign, as an integrand gives them."""
    with np.errstate(divide="ignore"):
        return WeightSum.of(np.log(np.abs(w)) + scale, np.where(w < 0.0, -1, 1).astype(np.int8))


def test_signed_weights_by_hand() -> None:
    m = signed_sum(np.array([3.0, -1.0, 0.0, 2.0])).metrics()
    assert (m.n, m.zero, m.negative) == (4, 1, 1)
    assert m.integral == pytest.approx(1.0)
    assert m.integral_error == pytest.approx(math.sqrt((4.0 + 4.0 + 1.0 + 1.0) / 3 / 4))
    assert m.absolute_integral == pytest.approx(1.5)
    assert m.sampling_efficiency == pytest.approx(36.0 / (4 * 14.0))
    assert m.unweighting_efficiency == pytest.approx(0.5)
    only = signed_sum(np.array([-2.0, -2.0])).metrics()
    assert (only.integral, only.absolute_integral, only.negative) == pytest.approx((-2.0, 2.0, 2))


@given(signed_weights, st.floats(-300.0, 300.0))
@settings(max_examples=100)
def test_signs_enter_the_integral_and_its_error_only(w: np.ndarray, scale: float) -> None:
    m, plain = signed_sum(w, scale).metrics(), signed_sum(np.abs(w), scale).metrics()
    finite = np.where(np.isfinite(w), w, 0.0)
    unit = np.exp(scale)
    assert m.negative == np.count_nonzero(finite < 0.0)
    tiny = 1e-12 * unit * np.max(np.abs(finite))
    assert m.integral == pytest.approx(unit * np.mean(finite), rel=1e-12, abs=tiny)
    assert m.absolute_integral == plain.integral
    assert abs(m.integral) <= m.absolute_integral * (1.0 + 1e-12)
    if len(w) > 1:
        error = unit * np.std(finite, ddof=1) / math.sqrt(len(w))
        assert m.integral_error == pytest.approx(error, rel=1e-9, abs=tiny)
        # the variance of w is that of |w| and what their means differ by
        assert m.integral_error >= plain.integral_error * (1.0 - 1e-9) - tiny
    signed = {"integral", "integral_error", "negative"}
    for field in dataclasses.fields(Metrics):
        if field.name not in signed:
            assert getattr(m, field.name) == getattr(plain, field.name)
    turned = signed_sum(-w, scale).metrics()
    assert (turned.integral, turned.integral_error) == (-m.integral, m.integral_error)


@given(signed_weights, st.lists(st.integers(0, 60), max_size=5), st.floats(-300.0, 300.0))
@settings(max_examples=100)
def test_signed_weights_may_come_in_any_blocks(w: np.ndarray, cuts: list[int], by: float) -> None:
    """Of very different sizes, too: the second half has another unit."""
    scale = np.where(np.arange(len(w)) < len(w) // 2, 0.0, by)
    whole, joined = signed_sum(w, scale), WeightSum()
    for part in np.split(np.arange(len(w)), sorted(cuts)):
        joined = joined + signed_sum(w[part], scale[part])
    assert (joined.n, joined.zero, joined.nonfinite) == (whole.n, whole.zero, whole.nonfinite)
    assert (joined.negative, joined.log_max) == (whole.negative, whole.log_max)
    for name in ("mean", "signed_mean"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name), rel=1e-12, abs=1e-14)
    for name in ("deviations", "signed_deviations"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name), rel=1e-10, abs=1e-12)
    a, b = joined.metrics(), whole.metrics()
    assert a.integral == pytest.approx(b.integral, rel=1e-12, abs=1e-14 * b.max_weight)
    assert a.integral_error == pytest.approx(b.integral_error, rel=1e-6, abs=1e-6 * b.max_weight)


@given(log_weights, st.integers(0, 60))
@settings(max_examples=50)
def test_without_negative_weights_signs_change_nothing(values: np.ndarray, cut: int) -> None:
    """Not a bit, and the signed mean is the mean."""
    signs = np.ones(len(values), np.int8)
    given_signs = WeightSum.of(values[:cut], signs[:cut]) + WeightSum.of(values[cut:], signs[cut:])
    plain = WeightSum.of(values[:cut]) + WeightSum.of(values[cut:])
    assert given_signs == plain
    assert (plain.signed_mean, plain.signed_deviations) == (plain.mean, plain.deviations)
    m = plain.metrics()
    assert (m.absolute_integral, m.negative) == (m.integral, 0)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), min_size=1, max_size=5))
def test_means_of_blocks_are_those_of_all(blocks) -> None:
    x = np.concatenate([np.array(block) for block in blocks])
    joined = sum((Mean.of(block) for block in blocks), Mean())
    assert joined.n == len(x)
    assert joined.mean == pytest.approx(np.mean(x), abs=1e-9)
    if len(x) == 1:
        assert joined.error == math.inf
    else:
        expected = np.std(x, ddof=1) / math.sqrt(len(x))
        assert joined.error == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_an_infinite_number_makes_the_mean_infinite_without_an_error() -> None:
    for blocks in ([[1.0, math.inf], [2.0]], [[2.0], [math.inf]], [[math.inf], [math.inf]]):
        joined = sum((Mean.of(block) for block in blocks), Mean())
        assert joined.mean == math.inf
        assert math.isnan(joined.error)
