"""The distribution of weights, w_max and the overweights."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.weights import (
    efficiency,
    log_spaced,
    percent,
    weight_distribution,
    weight_picture,
    weight_range,
)


def test_edges_are_evenly_spaced_in_the_logarithm():
    np.testing.assert_allclose(log_spaced(0.01, 100.0, 4), [0.01, 0.1, 1.0, 10.0, 100.0])


def test_densities_are_shares_per_decade_of_all_points():
    # Mean 1: 0.5 and 1.5, and none of weight zero among the counted.
    log_w = np.log(np.array([0.5, 0.5, 1.5, 1.5])) + 7.0
    found = weight_distribution(log_w, np.array([0.1, 1.0, 100.0]), 0.0)
    np.testing.assert_allclose(found.density, [0.5, 0.25])
    assert found.w_max == pytest.approx(1.5)
    assert found.overweight == 0.0
    assert found.zero_share == 0.0


def test_zeros_count_in_the_mean_and_are_told():
    log_w = np.array([0.0, 0.0, -np.inf, -np.inf])
    found = weight_distribution(log_w, np.array([0.1, 1.0, 10.0]), 0.0)
    np.testing.assert_allclose(found.density, [0.0, 0.5])
    assert found.w_max == pytest.approx(2.0)
    assert found.zero_share == 0.5


def test_w_max_leaves_the_allowed_share_above():
    w = np.concatenate([np.ones(990), np.full(10, 5.0)])
    edges = log_spaced(0.1, 10.0, 20)
    mean = np.mean(w)
    assert weight_distribution(np.log(w), edges, 0.0).w_max == pytest.approx(5.0 / mean)
    found = weight_distribution(np.log(w), edges, 0.0481)
    assert found.w_max == pytest.approx(1.0 / mean)
    assert found.overweight == pytest.approx(50.0 / 1040.0)


def test_the_range_holds_the_largest_weight_and_is_never_empty():
    rng = np.random.default_rng(1)
    log_w = rng.normal(0.0, 1.0, 10_000)
    low, high = weight_range(log_w)
    assert high > np.exp(np.max(log_w)) / np.mean(np.exp(log_w))
    assert low < 0.2
    low, high = weight_range(np.zeros(100))
    assert 0.99 < low < 0.999 < 1.001 < high < 1.01
    assert weight_range(np.append(np.zeros(10), [-1e3] * 10))[0] > 1e-7


def test_a_mixture_of_channels_has_no_unweighting_efficiency_of_its_own():
    log_w = np.random.default_rng(1).normal(0.0, 0.1, 1000)
    for several in (False, True):
        figure = weight_picture(log_w, log_w, 0.001, "title", "flow", several=several)
        texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert sum("varepsilon =" in text for text in texts) == 2
        assert any("uw" in text for text in texts) != several


def test_narrow_weights_beside_wide_ones_have_bins_of_their_own():
    rng = np.random.default_rng(1)
    narrow, wide = rng.normal(0.0, 0.002, 20_000), rng.normal(0.0, 1.5, 20_000)
    axes = weight_picture(narrow, wide, 0.001, "title", "flow").axes[0]
    _, main, *_ = axes.patches
    assert np.count_nonzero(main.get_data().values) > 20
    low, high = axes.get_xlim()
    assert low < 0.1 < 10.0 < high


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.73912, "0.739"),
        (0.99992, "0.999920"),
        (0.0021, "0.0021"),
        (1.0, "1"),
        (1 - 1e-9, "1"),
        (2.61e-5, r"2.6 \times 10^{-5}"),
    ],
)
def test_efficiencies_near_one_are_told_from_it(value, text):
    assert efficiency(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.99617, "99.62 %"), (0.345, "34 %"), (0.00095, "0.095 %"), (1.0, "100 %"), (0.0, "0 %")],
)
def test_shares_in_percent(share, text):
    assert percent(share) == text
