"""Numbers behind the distributions: values and errors of bins, ratios, chi^2, ranges."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.histogram import (
    Ratio,
    Spectrum,
    bins_for,
    chi_squared,
    joined,
    ratio,
    ratio_limit,
    sensible_range,
    spectrum,
    weighted_quantiles,
)

EDGES = np.array([0.0, 1.0, 3.0])


def test_a_bin_is_the_mean_of_its_weights_over_all_points_and_the_width():
    x = np.array([0.5, 0.5, 2.0, 2.5, 9.0, np.nan])
    w = np.array([1.0, 3.0, 2.0, 0.0, 5.0, 0.0])
    found = spectrum(x, w, EDGES)
    np.testing.assert_allclose(found.value, [4.0 / 6, 2.0 / 6 / 2])
    np.testing.assert_allclose(found.entries, [16.0 / 10.0, 1.0])
    inside = np.array([1.0, 3.0, 0, 0, 0, 0])
    expected = np.std(inside, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(found.error[0], expected)
    np.testing.assert_allclose(found.centres, [0.5, 2.0])


def test_one_bin_that_holds_all_equal_weights_has_no_error():
    found = spectrum(np.full(10, 0.5), np.full(10, 2.0), EDGES)
    assert found.value[0] == 2.0
    assert found.error[0] == 0.0
    assert found.value[1] == found.error[1] == found.entries[1] == 0.0


def test_errors_are_those_of_repeated_experiments():
    rng = np.random.default_rng(1)
    values, errors = [], []
    for _ in range(2000):
        x = rng.uniform(0.0, 4.0, 200)
        found = spectrum(x, np.exp(-x), EDGES)
        values.append(found.value)
        errors.append(found.error)
    # The integral of f = exp(-x) q with q = 1/4, per unit of x.
    exact = -np.diff(np.exp(-EDGES)) / 4.0 / np.diff(EDGES)
    np.testing.assert_allclose(np.mean(values, axis=0), exact, rtol=0.01)
    np.testing.assert_allclose(np.std(values, axis=0), np.mean(errors, axis=0), rtol=0.05)


def test_samples_are_joined_by_their_sizes():
    x, w = np.array([0.5, 0.5, 2.0, 2.0]), np.array([1.0, 2.0, 3.0, 3.0])
    one, two = spectrum(x, w, EDGES), spectrum(x[:2], w[:2], EDGES)
    both = joined([one, two], [4, 2])
    all_of_them = spectrum(np.append(x, x[:2]), np.append(w, w[:2]), EDGES)
    np.testing.assert_allclose(both.value, all_of_them.value)
    np.testing.assert_allclose(both.entries, all_of_them.entries)
    np.testing.assert_allclose(both.error**2, (4 * one.error**2 + two.error**2) / 9)


def test_a_ratio_keeps_both_errors_apart():
    one = np.ones(3)
    a = Spectrum(np.arange(4.0), np.array([2.0, 3.0, 1.0]), 0.1 * one, 100 * one)
    b = Spectrum(np.arange(4.0), np.array([4.0, 2.0, 0.0]), np.array([0.4, 0.1, 0.0]), 100 * one)
    found = ratio(a, b)
    np.testing.assert_allclose(found.value, [0.5, 1.5, np.nan])
    np.testing.assert_allclose(found.error, [0.025, 0.05, np.nan])
    np.testing.assert_allclose(found.reference_error, [0.1, 0.05, np.nan])


def test_chi_squared_adds_errors_and_leaves_out_thin_bins():
    edges = np.arange(4.0)
    a = Spectrum(edges, np.array([1.0, 2.0, 9.0]), np.array([0.3, 0.3, 1.0]), np.full(3, 50.0))
    b = Spectrum(edges, np.array([1.5, 2.0, 1.0]), np.full(3, 0.4), np.array([50.0, 25.0, 24.0]))
    found = chi_squared(a, b)
    assert found.bins == 2
    assert found.value == pytest.approx(0.25 / 0.25)


def test_chi_squared_of_two_samples_of_one_density_is_one_per_bin():
    rng = np.random.default_rng(2)
    edges = np.linspace(0.0, 1.0, 21)
    total = 0.0
    for _ in range(100):
        x, y = rng.uniform(size=4000), rng.beta(2.0, 1.0, 4000)
        # f = 2 x: once with flat points and weights, once drawn from it.
        one = chi_squared(spectrum(x, 2.0 * x, edges), spectrum(y, np.ones(4000), edges))
        total += one.value / one.bins
    assert total / 100 == pytest.approx(1.0, abs=0.1)


def test_weighted_quantiles():
    x = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(
        weighted_quantiles(x, np.array([1.0, 1.0, 2.0]), (0.0, 0.25, 0.5, 1.0)), [1, 1, 2, 3]
    )


def test_the_range_goes_to_near_ends_and_cuts_long_tails():
    rng = np.random.default_rng(3)
    flat = rng.uniform(2.0, 5.0, 10_000)
    low, high = sensible_range([(flat, np.ones(10_000))])
    assert low == np.min(flat)
    assert np.max(flat) < high < 5.001
    tail = rng.standard_cauchy(10_000)
    low, high = sensible_range([(tail, np.ones(10_000))])
    assert -400 < low < -50
    assert 50 < high < 400


def test_the_range_joins_samples_and_sees_weighted_points_only():
    a = (np.array([1.0, 2.0, 99.0]), np.array([1.0, 1.0, 0.0]))
    b = (np.array([3.0, 4.0, np.nan]), np.ones(3))
    low, high = sensible_range([a, b])
    assert low == 1.0
    assert high == pytest.approx(4.0)


def test_no_range_without_spread_or_points():
    assert sensible_range([(np.full(5, 1000.0) + 1e-7, np.ones(5))]) is None
    assert sensible_range([(np.arange(5.0), np.zeros(5))]) is None


def test_the_ratio_panel_shows_most_bins_within_its_bounds():
    def of(value: float, error: float, reference: float = 0.0) -> Ratio:
        return Ratio(np.full(100, value), np.full(100, error), np.full(100, reference))

    assert ratio_limit([of(1.1, 0.05)]) == pytest.approx(1.15 * 0.15)
    assert ratio_limit([of(1.0, 0.0)]) == 0.02
    assert ratio_limit([of(1.0, 0.0, 0.1)]) == pytest.approx(0.115)
    assert ratio_limit([of(5.0, 0.1)]) == 1.0
    # Bins that nobody knows say nothing on the range.
    assert ratio_limit([of(1.1, 0.05), of(1.9, 0.9)]) == pytest.approx(1.15 * 0.15)
    assert ratio_limit([of(np.nan, np.nan)]) == 1.0


@pytest.mark.parametrize(("n", "most", "bins"), [(20_000, 80, 54), (70, 50, 8), (10**6, 50, 50)])
def test_few_points_have_few_bins(n, most, bins):
    assert bins_for(np.append(np.ones(n, bool), np.zeros(n, bool)), most) == bins
    assert bins_for(np.zeros(9, bool), most) == 5
