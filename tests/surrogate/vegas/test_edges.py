"""Maps of the axes of functions that end at a cut: no strip beside it is lost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fabgen.card.schema import VegasOptions
from fabgen.surrogate.vegas.adapt import train_vegas, vegas_grid
from fabgen.surrogate.vegas.axes import adapt_axes
from fabgen.surrogate.vegas.edges import WIDE_BINS, graded, wide_map

WIDTHS = arrays(float, st.integers(2, 40), elements=st.floats(1e-6, 1.0))


def density(borders, u):
    k = np.searchsorted(borders, u, side="right") - 1
    return 1.0 / ((len(borders) - 1) * np.diff(borders)[k])


@given(WIDTHS, st.floats(1.2, 100.0), st.floats(0.0, 1.0))
def test_borders_stay_borders(widths, ratio, part):
    borders = np.concatenate([[0.0], np.cumsum(widths) / widths.sum()])
    borders[-1] = 1.0
    found = graded(borders, ratio, part)
    assert found.shape == borders.shape
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert np.all(np.diff(found) > 0.0)


def test_a_strip_beside_dense_bins_is_not_empty():
    """63 bins on [0, 0.002], and one for all that is beyond: a hundred-thousandth of their density;
    then at two strips, with the gap between them."""
    for strip in (1.0, 0.3):
        high = 1.0 - 0.002 * (1.0 - strip)
        above = np.linspace(high, 1.0, round(63 * (1.0 - strip)) + 1)
        below = np.linspace(0.0, 0.002 * strip, 63 - round(63 * (1.0 - strip)) + 1)
        borders = np.unique(np.concatenate([below, above]))
        assert len(borders) == 65
        assert density(borders, 0.002 * strip + 1e-5) < 1e-4 * density(borders, 1e-5)
        found = graded(borders, 4.0, 0.125)
        assert density(found, 1e-5) > 0.85 * density(borders, 1e-5)
        for edge in (0.002 * strip + 1e-6, high - 1e-6)[: 1 if strip == 1.0 else 2]:
            assert density(found, edge) > density(borders, 1e-5) / 10.0
        ratios = np.diff(found)[1:] / np.diff(found)[:-1]
        assert np.all((ratios < 10.0) & (ratios > 1.0 / 10.0))


def test_maps_without_an_edge_stay():
    even = np.linspace(0.0, 1.0, 65)
    for borders in (even, 0.1 * even + 0.9 * even**3):
        np.testing.assert_array_equal(graded(borders, 4.0, 0.125), borders)


@given(arrays(float, st.integers(2, 40), elements=st.floats(-60.0, 0.0)), st.booleans())
def test_bins_at_the_end_of_double_precision(logs, mirrored):
    """Bins of any width, beside 0 or 1, where neighbouring borders differ by one unit."""
    widths = np.exp2(logs) / np.exp2(logs).sum()
    borders = np.unique(np.clip(np.concatenate([[0.0], np.cumsum(np.sort(widths)), [1.0]]), 0, 1))
    borders = np.unique(1.0 - borders[::-1]) if mirrored else borders
    found = graded(borders, 4.0, 0.5)
    assert found.shape == borders.shape
    assert np.all(np.diff(found) > 0.0)


def test_few_bins_take_larger_steps():
    borders = np.append(np.linspace(0.0, 1e-6, 16), 1.0)
    found = graded(borders, 2.0, 0.2)
    assert np.sum(found > 1.1e-6) == 4  # three pieces of sixteen bins, and the rest
    assert density(found, 2e-6) > 1e3


@given(st.integers(0, 3), st.sampled_from([1, 2, 5]))
def test_a_wide_map_has_points_beside_all_others(seed, dim):
    """Half of the bins are where points are, none is far from their density beside them."""
    random = np.random.default_rng(seed)
    u = 0.4 + 1e-4 * random.random((5000, dim))
    u[::2, 0] += 0.3  # two strips
    for row in wide_map(u):
        assert row.shape == (WIDE_BINS + 1,)
        assert (row[0], row[-1]) == (0.0, 1.0)
        assert np.all(np.diff(row) > 0.0)
        inside = density(row, 0.40005)
        for distance, least in ((1e-6, 0.1), (1e-5, 0.02), (3e-5, 0.005)):
            assert density(row, 0.4 - distance) > least * inside
            assert density(row, 0.4001 + distance) > least * inside
    np.testing.assert_array_equal(wide_map(u[:0])[0], np.linspace(0.0, 1.0, WIDE_BINS + 1))


OPTIONS = VegasOptions(
    iterations=10,
    evaluations=10_000,
    bins=64,
    alpha=0.5,
    warmup_iterations=0,
    warmup_evaluations=0,
)


def in_corner(u):
    """1 in 0.3 % of the square: a strip at each side of the first axis; its integral is 0.003."""
    return ((u[:, 0] < 0.0017) | (u[:, 0] > 0.9987)) * 1.0


@pytest.mark.parametrize("seed", range(4))
def test_axes_close_in_on_what_cuts_leave_and_lose_nothing(seed):
    axes = adapt_axes(lambda u, *_: in_corner(u), ((0,),), 2, OPTIONS, seed)
    borders = axes.borders[0]
    random = np.random.default_rng(seed)
    v = random.random((200_000, 2)) * 64
    k = v.astype(int)
    widths = np.diff(borders, axis=1)
    u = np.stack([borders[d, k[:, d]] + widths[d, k[:, d]] * (v - k)[:, d] for d in range(2)], 1)
    weights = in_corner(u) * widths[0, k[:, 0]] * widths[1, k[:, 1]] * 64**2
    error = weights.std() / np.sqrt(len(weights))
    assert weights.mean() == pytest.approx(0.003, abs=4 * error)
    assert weights.mean() ** 2 / (weights**2).mean() > 0.4
    assert weights.max() < 100 * weights.mean()


def test_an_iteration_with_few_points_inside_goes_on():
    """A hundred-thousandth of the square: an iteration as planned has a tenth of a point there."""

    def tiny(u, *_):
        return (np.abs(u - 0.3).max(axis=1) < 0.0016) * 1.0

    calls = []
    axes = adapt_axes(tiny, ((0,),), 2, OPTIONS, 0, lambda *seen: calls.append(seen))
    assert calls[0] == (1, 26 * OPTIONS.evaluations)
    for row in axes.borders[0]:
        assert np.sum((row > 0.298) & (row < 0.302)) > 40


def test_nothing_inside_ends_the_search():
    axes = adapt_axes(lambda u, *_: np.zeros(len(u)), ((0,),), 2, OPTIONS, 0)
    assert axes.evaluations == axes.zeros == (25 + OPTIONS.iterations) * OPTIONS.evaluations


@pytest.mark.parametrize("seed", range(3))
def test_the_grid_of_vegas_plus_loses_nothing_under_cuts(seed):
    def log_density(u):
        return jnp.where((u[:, 0] < 0.0017) | (u[:, 0] > 0.9987), jnp.log1p(u[:, 1]), -jnp.inf)

    grid, params, result = train_vegas(log_density, 2, OPTIONS, seed)
    assert result.few
    assert grid == vegas_grid(2, OPTIONS)  # known before, as of any other f
    u, log_q = grid.sample_and_log_prob(params, jax.random.key(seed), 100_000)
    weights = np.exp(np.asarray(log_density(u) - log_q))
    error = weights.std() / np.sqrt(len(weights))
    assert weights.mean() == pytest.approx(0.0045, abs=4 * error)
    assert error < 0.004 * weights.mean()
