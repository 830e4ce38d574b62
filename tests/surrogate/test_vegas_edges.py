"""Maps of the axes of functions that end at a cut: no strip beside it is lost."""

from __future__ import annotations

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fabgen.surrogate.vegas import train_vegas, vegas_grid
from fabgen.surrogate.vegas_axes import adapt_axes
from fabgen.surrogate.vegas_edges import spread

WIDTHS = arrays(float, st.integers(2, 40), elements=st.floats(1e-6, 1.0))


def density(borders, u):
    k = np.searchsorted(borders, u, side="right") - 1
    return 1.0 / ((len(borders) - 1) * np.diff(borders)[k])


@given(WIDTHS, st.floats(0.0, 1.0))
def test_borders_stay_borders(widths, share):
    borders = np.concatenate([[0.0], np.cumsum(widths) / widths.sum()])
    borders[-1] = 1.0
    found = spread(borders, share)
    assert found.shape == borders.shape
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert np.all(np.diff(found) > 0.0)
    if share == 0.0:
        np.testing.assert_allclose(found, borders, atol=1e-12)


def test_a_strip_beside_dense_bins_is_not_empty():
    """32 bins on [0, 0.002], and one for all that is beyond: a thousandth of their density."""
    borders = np.append(np.linspace(0.0, 0.002, 33), 1.0)
    assert density(borders, 0.003) < 2e-3 * density(borders, 0.001)
    found = spread(borders, 0.1)
    inside = density(found, 0.001)
    assert density(found, 0.001) > 0.75 * density(borders, 0.001)
    for distance in (1e-5, 1e-4, 3e-4):
        assert density(found, 0.002 + distance) > 0.05 * inside


def test_even_bins_keep_their_density():
    found = spread(np.linspace(0.0, 1.0, 65), 0.1)
    np.testing.assert_allclose(found, np.linspace(0.0, 1.0, 65), atol=0.01)


OPTIONS = types.SimpleNamespace(
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
    axes = adapt_axes(lambda u, *_: in_corner(u), (0,), 2, OPTIONS, seed)
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
    axes = adapt_axes(tiny, (0,), 2, OPTIONS, 0, lambda *seen: calls.append(seen))
    assert calls[0] == (1, 26 * OPTIONS.evaluations)
    for row in axes.borders[0]:
        assert np.sum((row > 0.298) & (row < 0.302)) > 40


def test_nothing_inside_ends_the_search():
    axes = adapt_axes(lambda u, *_: np.zeros(len(u)), (0,), 2, OPTIONS, 0)
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
