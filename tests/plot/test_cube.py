"""Densities in planes of the unit hypercube."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.cube import (
    colour_range,
    contour_levels,
    contours,
    known,
    liveliest,
    plane_density,
    smooth,
)


def test_the_density_is_one_where_uniform_and_follows_the_weights():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=(2, 400_000))
    flat = plane_density(x, y, np.full(x.size, 3.0))
    np.testing.assert_allclose(flat, 1.0, atol=0.1)
    assert np.mean(flat) == pytest.approx(1.0)
    slope = plane_density(x, y, x)
    np.testing.assert_allclose(slope[5, 5:-5].mean(), 2.0 * 5.5 / 25, rtol=0.02)
    assert slope[-1, 0] > 1.8


def test_smoothing_keeps_sums_and_constants():
    values = np.zeros((5, 7))
    values[2, 3] = 1.0
    assert np.sum(smooth(values)) == pytest.approx(1.0)
    assert smooth(values)[2, 3] == pytest.approx((6.0 / 16.0) ** 2)
    np.testing.assert_allclose(smooth(np.ones((4, 4))), 1.0)
    values = np.zeros((5, 5))
    values[0, 0] = 1.0
    assert np.sum(smooth(values)) == pytest.approx(1.0)


def test_contours_stay_off_the_uniform_density():
    assert contour_levels(0.9, 1.1) == []
    levels = contour_levels(0.5, 2.0)
    np.testing.assert_allclose(levels, [1.5**-1.5, 1.5**-0.5, 1.5**0.5, 1.5**1.5])
    assert len(contour_levels(0.02, 1e5)) <= 6
    assert all(0.02 < level < 1e5 for level in contour_levels(0.02, 1e5))


def test_the_colours_reach_from_a_half_to_two_at_least():
    assert colour_range([np.ones((3, 3))]) == (0.5, 2.0)
    assert colour_range([]) == (0.5, 2.0)
    assert colour_range([np.linspace(0.0, 100.0, 1000)]) == pytest.approx((0.5, 99.5), rel=1e-3)


def test_the_dimensions_that_vary_most():
    rng = np.random.default_rng(1)
    u = rng.uniform(size=(20_000, 4))
    weights = u[:, 1] ** 2 * (1.0 + u[:, 3])
    assert liveliest(u, weights, most=2) == (1, 3)
    assert liveliest(u, weights, most=8) == (0, 1, 2, 3)


@pytest.mark.parametrize("n", [2_000, 20_000, 200_000])
@pytest.mark.parametrize("weighted", [True, False])
def test_noise_has_no_contours(n, weighted):
    """Whatever the levels: a uniform density shows fluctuations only."""
    rng = np.random.default_rng(n)
    x, y = rng.uniform(size=(2, n))
    weights = rng.exponential(size=n) if weighted else np.ones(n)
    levels = [0.9, 0.95, 1.0, 1.05, 1.1]
    assert np.mean(known(x, y, weights, [])) < 0.01
    assert np.mean(known(x, y, weights, levels)) < 0.01


def test_contours_are_there_where_many_points_show_a_slope():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=(2, 400_000))
    slope = known(x, y, np.exp(3.0 * x), contour_levels(0.1, 4.0))
    assert np.mean(slope) > 0.95
    few = known(x[:2000], y[:2000], np.exp(1.0 * x[:2000]), contour_levels(0.1, 4.0))
    assert np.mean(few) < 0.2


def test_an_edge_that_the_cells_do_not_resolve_has_no_stack_of_contours():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=(2, 400_000))
    levels = contour_levels(0.02, 10.0)
    seen = known(x, y, np.where(x < 0.1, 10.0, 1e-3), levels)
    assert not np.any(seen[4])


def test_contours_are_lines_without_scraps():
    centres = np.linspace(0.0, 1.0, 27)
    plane = np.ma.array(np.tile(centres, (27, 1)))  # grows with the second index, along x
    [line] = contours(centres, plane, [0.51])
    np.testing.assert_allclose(line[:, 0], 0.51)
    assert np.ptp(line[:, 1]) == 1.0
    mask = np.ones((27, 27), bool)
    mask[:4] = False
    assert contours(centres, np.ma.array(plane, mask=mask), [0.51]) == []
    hill = np.ma.array(np.exp(-200.0 * ((centres - 0.5) ** 2 + (centres[:, None] - 0.5) ** 2)))
    [closed] = contours(centres, hill, [0.5])
    assert np.max(np.ptp(closed, axis=0)) < 0.15
