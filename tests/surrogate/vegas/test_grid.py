from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

from fabgen.surrogate.vegas.grid import VegasGrid, VegasGridParams

Q = VegasGrid(2, bins=(6, 4), strata=(3, 8))
N = 100_000
SAMPLE = jax.jit(Q.sample_and_log_prob, static_argnums=2)
LOG_PROB = jax.jit(Q.log_prob)


@pytest.fixture
def params():
    grid = np.ones((2, 7))
    grid[0] = [0.0, 0.1, 0.15, 0.4, 0.7, 0.71, 1.0]
    grid[1, :5] = [0.0, 0.5, 0.6, 0.65, 1.0]
    points = np.random.default_rng(0).integers(2, 50, 24)
    return VegasGridParams(grid, points.astype(float))


def test_uniform_at_the_start():
    u = np.random.default_rng(0).uniform(size=(100, 2))
    np.testing.assert_allclose(LOG_PROB(Q.init(jax.random.key(0)), u), 0.0, atol=1e-12)


def test_density_is_what_the_construction_says(params):
    """Against the definition: share of the hypercube over its volume in u, per increment."""
    u, log_q = SAMPLE(params, jax.random.key(1), N)
    u, log_q = u[:500], log_q[:500]
    grid, points = np.asarray(params.grid), np.asarray(params.points)
    for point, log_density in zip(np.asarray(u), np.asarray(log_q), strict=True):
        y = [
            np.interp(point[d], grid[d, : b + 1], np.arange(b + 1) / b)
            for d, b in enumerate((6, 4))
        ]
        cube = int(y[0] * 3) + 3 * int(y[1] * 8)
        density = points[cube] / points.sum() * 24
        for d, b in enumerate((6, 4)):
            k = int(y[d] * b)
            density /= (grid[d, k + 1] - grid[d, k]) * b
        assert np.exp(log_density) == pytest.approx(density)


def test_integrates_to_one(params):
    n = 1000
    axis = (np.arange(n) + 0.5) / n
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(LOG_PROB(params, grid)).mean() == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize(
    ("low", "high"),
    [((0.0, 0.0), (1.0, 1.0)), ((0.05, 0.2), (0.5, 0.62)), ((0.6, 0.6), (0.9, 0.9))],
)
def test_samples_follow_the_density(params, low, high):
    """The mean of 1/q over a box is its volume."""
    u, log_q = map(np.asarray, SAMPLE(params, jax.random.key(2), N))
    assert u.dtype == log_q.dtype == float
    weights = np.all((u > low) & (u < high), axis=1) * np.exp(-log_q)
    error = weights.std() / np.sqrt(len(weights))
    assert weights.mean() == pytest.approx(np.prod(np.subtract(high, low)), abs=4 * error + 1e-12)


def test_faces_outside_and_gradients(params):
    u = np.array([[0.0, 0.0], [1.0, 1.0], [0.15, 0.5], [-1e-9, 0.5], [0.5, 1.1], [np.nan, 0.5]])

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def gradient(u, params):
        log_q = Q.log_prob(params, u)
        return log_q.sum(), log_q

    slope, log_q = map(np.asarray, gradient(u, params))
    assert np.all(np.isfinite(log_q[:3]))
    assert np.all(log_q[3:] == -np.inf)
    np.testing.assert_array_equal(slope, 0.0)


def test_hypercubes_without_points_are_never_drawn(params):
    every_other = np.where(np.arange(24) % 2 == 0, 0.0, params.points)
    params = params._replace(points=every_other)
    _, log_q = SAMPLE(params, jax.random.key(3), N)
    assert np.all(np.isfinite(log_q))


@pytest.mark.parametrize(("bins", "strata"), [((6,), (3, 8)), ((6, 4), (4, 4))])
def test_layouts_that_do_not_fit(bins, strata):
    with pytest.raises(ValueError):
        VegasGrid(2, bins, strata)
