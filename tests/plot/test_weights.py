"""The distribution of weights, w_max and the overweights."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.weights import log_spaced, weight_distribution, weight_picture, weight_range


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
    low, high = weight_range([log_w])
    assert high > np.exp(np.max(log_w)) / np.mean(np.exp(log_w))
    assert low < 0.8
    low, high = weight_range([np.zeros(100)])
    assert low < 0.8 < 1.25 < high
    assert weight_range([np.append(np.zeros(10), [-1e3] * 10)])[0] > 1e-7


def test_a_mixture_of_channels_has_no_unweighting_efficiency_of_its_own():
    log_w = np.random.default_rng(1).normal(0.0, 0.1, 1000)
    for several in (False, True):
        figure = weight_picture(log_w, log_w, 0.001, "title", "flow", several=several)
        texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert sum("varepsilon =" in text for text in texts) == 2
        assert any("uw" in text for text in texts) != several
