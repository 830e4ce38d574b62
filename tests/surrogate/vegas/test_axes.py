"""Maps of the axes against densities whose best maps are known."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.card.schema import VegasOptions
from fabgen.surrogate.vegas.axes import FEWEST_EVALUATIONS, adapt_axes, n_iterations


def options(evaluations=12_000, warmup_iterations=0, warmup_evaluations=0, iterations=8):
    return VegasOptions(
        iterations=iterations,
        evaluations=evaluations,
        bins=32,
        alpha=0.5,
        warmup_iterations=warmup_iterations,
        warmup_evaluations=warmup_evaluations,
    )


def products(u, channel, jacobian):
    """Two densities up to a factor: u^3 v, and a peak in the first coordinate."""
    rising = 8.0 * u[:, 0] ** 3 * u[:, 1]
    peak = 1.0 / ((u[:, 0] - 0.3) ** 2 + 0.05**2)
    return np.where(channel == 0, rising, peak)


@pytest.fixture(scope="module")
def adapted():
    return adapt_axes(products, ((0,), (1,)), 2, options(iterations=25), seed=3)


def inverse_of(borders, u):
    """The coordinate of the map at u."""
    return np.interp(u, borders, np.linspace(0.0, 1.0, len(borders)))


def test_the_maps_follow_the_projections_of_products(adapted):
    assert [adapted.borders[k].shape for k in (0, 1)] == 2 * [(2, 33)]
    assert all(np.all(np.diff(adapted.borders[k]) > 0.0) for k in (0, 1))
    u = np.linspace(0.05, 0.95, 10)
    # VEGAS makes even what each increment adds to sqrt(<f^2>): the cumulated density of a product
    np.testing.assert_allclose(inverse_of(adapted.borders[0][0], u), u**4, atol=0.02)
    np.testing.assert_allclose(inverse_of(adapted.borders[0][1], u), u**2, atol=0.02)
    angle = np.arctan((u - 0.3) / 0.05)
    low, high = np.arctan(-0.3 / 0.05), np.arctan(0.7 / 0.05)
    expected = (angle - low) / (high - low)
    np.testing.assert_allclose(inverse_of(adapted.borders[1][0], u), expected, atol=0.03)
    np.testing.assert_allclose(inverse_of(adapted.borders[1][1], u), u, atol=0.02)


def test_every_evaluation_is_counted(adapted):
    assert adapted.evaluations == 25 * 12_000
    assert adapted.nonfinite == 0
    few = options(3 * FEWEST_EVALUATIONS, warmup_iterations=2, warmup_evaluations=500)
    calls = []

    def counted(u, channel, jacobian):
        calls.append(len(u))
        return products(u, channel, jacobian)

    found = adapt_axes(
        counted, [[k] for k in range(4)], 2, few, 1, lambda *seen: calls.append(seen)
    )
    assert n_iterations(few) == 10
    assert calls[:4] == [2000, (1, 2000), 2000, (2, 4000)]
    assert found.evaluations == 2 * 4 * 500 + 8 * 4 * FEWEST_EVALUATIONS
    assert calls[-1] == (10, found.evaluations)


def test_a_density_without_points_keeps_the_even_map():
    def half(u, channel, jacobian):
        return np.where(channel == 0, np.where(u[:, 0] < 0.5, np.nan, 1.0), 0.0)

    found = adapt_axes(half, ((0,), (1,)), 2, options(), seed=1)
    np.testing.assert_array_equal(found.borders[1], np.tile(np.linspace(0.0, 1.0, 33), (2, 1)))
    assert 0 < found.nonfinite < found.evaluations // 4  # fewer and fewer of the points lie there
    assert inverse_of(found.borders[0][0], 0.5) < 0.05


def test_the_same_seed_gives_the_same_maps(adapted):
    again = adapt_axes(products, ((0,), (1,)), 2, options(iterations=25), seed=3)
    for channel, borders in adapted.borders.items():
        np.testing.assert_array_equal(again.borders[channel], borders)
    other = adapt_axes(products, ((0,), (1,)), 2, options(iterations=25), seed=4)
    assert np.any(other.borders[0] != adapted.borders[0])


def peaks(u, channel, jacobian):
    """In the first coordinate each channel has a peak of its own, in the second all have one; those
    of odd numbers are a thousand times as large."""
    place = 0.2 + 0.15 * channel
    own = 1.0 / ((u[:, 0] - place) ** 2 + 0.02**2)
    return np.where(channel % 2, 1e3, 1.0) * own / ((u[:, 1] - 0.6) ** 2 + 0.02**2)


def sampling_efficiency(borders, channel):
    """<w>^2 / <w^2> of points drawn from a map."""
    random = np.random.default_rng(7)
    n = 20_000
    bins = borders.shape[1] - 1
    cell, within = random.integers(bins, size=(n, 2)), random.random((n, 2))
    axis = np.arange(2)
    low, high = borders[axis, cell], borders[axis, cell + 1]
    u, jacobian = low + within * (high - low), np.prod(bins * (high - low), axis=1)
    w = peaks(u, np.full(n, channel), None) * jacobian
    return np.mean(w) ** 2 / np.mean(w**2)


def test_channels_that_share_a_map_keep_axes_of_their_own():
    """However much one of them is larger."""
    found = adapt_axes(peaks, [[0, 3], [1], [2]], 2, options(24_000, iterations=12), 5, n_own=1)
    np.testing.assert_array_equal(found.borders[0][1], found.borders[3][1])
    assert abs(inverse_of(found.borders[0][0], 0.2) - inverse_of(found.borders[3][0], 0.65)) < 0.05
    assert np.any(found.borders[0][0] != found.borders[3][0])
    for channel in range(4):
        assert sampling_efficiency(found.borders[channel], channel) > 0.9
    shared = adapt_axes(peaks, [[0, 3], [1], [2]], 2, options(24_000, iterations=12), 5)
    np.testing.assert_array_equal(shared.borders[0], shared.borders[3])
    # a share p of the points costs 3 its I_3 p / 2 and 0 its I_0 / sqrt(p): p^(3/2) = I_0 / I_3
    assert 0.005 < sampling_efficiency(shared.borders[0], 0) < 0.02


def test_small_channels_join_after_a_third_of_the_iterations():
    calls = []

    def counted(u, channel, jacobian):
        calls.append(np.bincount(channel, minlength=5))
        return peaks(u, channel, jacobian)

    given = options(5 * FEWEST_EVALUATIONS, iterations=6)
    groups = [[0, 3], [1], [2], [4]]
    found = adapt_axes(counted, groups, 2, given, 5, n_own=1, small=lambda: [0, 2, 4])
    np.testing.assert_array_equal(calls[1], [625, 1250, 1250, 625, 1250])
    np.testing.assert_array_equal(calls[2], [417, 1250, 417, 1250, 416])
    assert found.evaluations == sum(map(np.sum, calls))
    for channel in (2, 4):
        np.testing.assert_array_equal(found.borders[channel], found.borders[0])
    alone = adapt_axes(peaks, groups, 2, given, 5, n_own=1, small=lambda: [0])
    assert np.any(alone.borders[0] != alone.borders[2])  # one is none that could join others
