from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.errors import InputError
from fabgen.surrogate import Flow

SMALL = Flow(3, layers=2, bins=6, hidden=(16,), permutation="random")
DOUBLE = dataclasses.replace(SMALL, precision="float64")

# One program for each flow and number of points: most tests take N points.
N = 300
SAMPLE = jax.jit(
    lambda flow, params, key, n: flow.sample_and_log_prob(params, key, n), static_argnums=(0, 3)
)
LOG_PROB = jax.jit(lambda flow, params, u: flow.log_prob(params, u), static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def LOG_PROB_AND_GRADS(flow, params, u):
    def total(params, u):
        log_q = flow.log_prob(params, u)
        return log_q.sum(), log_q

    (_, log_q), grads = jax.value_and_grad(total, (0, 1), has_aux=True)(params, u)
    return log_q, grads


@pytest.fixture
def trained(anywhere):
    return anywhere(SMALL)


def points(n=N):
    return np.random.default_rng(2).uniform(size=(n, 3))


def in_double(params):
    return jax.tree.map(lambda leaf: leaf.astype(float), params)


def test_identity_at_the_start():
    params = SMALL.init(jax.random.key(0))
    u, log_q = SAMPLE(SMALL, params, jax.random.key(1), N)
    np.testing.assert_allclose(log_q, 0.0, atol=1e-5)
    z = jax.random.uniform(jax.random.key(1), (N, 3), jnp.float64)
    np.testing.assert_allclose(u, z, atol=1e-6)


@pytest.mark.parametrize(
    "flow",
    [
        Flow(1, 2, 6, (16,), "log", "float32", boundary=1e-3),
        Flow(2, 2, 6, (16,), "exchange", "float32", boundary=1e-3),
        SMALL,
        Flow(5, 2, 6, (16,), "log", "float64", boundary=1e-3),
    ],
    ids=lambda flow: f"{flow.dim}-{flow.permutation}-{flow.precision}",
)
def test_density_of_a_sample_is_the_same_in_both_directions(flow, anywhere):
    params = anywhere(flow)
    u, log_q = SAMPLE(flow, params, jax.random.key(1), N)
    assert u.shape == (N, flow.dim)
    assert u.dtype == log_q.dtype == jnp.float64
    assert np.all((u >= flow.boundary) & (u <= 1 - flow.boundary))
    assert np.std(log_q) > 0.05
    np.testing.assert_allclose(LOG_PROB(flow, params, u), log_q, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boundary", [0.0, 0.1])
def test_density_integrates_to_one_and_samples_follow_it(boundary, anywhere):
    flow = Flow(2, layers=2, bins=6, hidden=(16,), boundary=boundary)
    params = anywhere(flow)
    n = 200
    axis = (np.arange(n) + 0.5) / n
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    q = np.exp(LOG_PROB(flow, params, grid))
    assert q.max() > 1.5
    assert q.mean() == pytest.approx(1.0, abs=1e-4)
    if boundary == 0.0:
        u, _ = SAMPLE(flow, params, jax.random.key(3), 40_000)
        counts, _, _ = np.histogram2d(u[:, 0], u[:, 1], bins=5, range=[[0, 1], [0, 1]])
        expected = 40_000 * q.reshape(5, n // 5, 5, n // 5).mean(axis=(1, 3)) / 25
        chi2 = np.sum((counts - expected) ** 2 / expected)
        assert chi2 < 60.0  # 24 degrees of freedom


@pytest.mark.parametrize("low", [0.0, 1e-5])
def test_support_and_faces(low, trained):
    flow = dataclasses.replace(DOUBLE, boundary=low)
    high = 1.0 - low
    step = 1e-7
    u = np.array(
        [
            [low, 0.5, high],
            [low + step, 0.5, high],
            [high, high, high],
            [low, low, low],
            [low - 1e-9, 0.5, 0.5],
            [0.5, high + 1e-9, 0.5],
            [np.nan, 0.5, 0.5],
        ]
    )
    log_q, (by_params, by_u) = LOG_PROB_AND_GRADS(flow, in_double(trained), u)
    log_q, by_u = np.asarray(log_q), np.asarray(by_u)
    assert np.all(np.isfinite(log_q[:4]))
    assert np.all(log_q[4:] == -np.inf)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves((by_params, by_u)))
    np.testing.assert_array_equal(by_u[4:], 0.0)
    # the derivative on a face is the one-sided one
    np.testing.assert_allclose((log_q[1] - log_q[0]) / step, by_u[0, 0], rtol=1e-3)


def test_gradients_against_finite_differences(trained):
    u = 0.05 + 0.9 * points(4)
    rng = np.random.default_rng(3)
    params = in_double(trained)
    direction = jax.tree.map(lambda a: rng.normal(size=a.shape), params)

    def along(t):
        return jax.tree.map(lambda a, b: a + t * b, params, direction)

    def density(t):
        return DOUBLE.log_prob(along(t), u + t).sum()

    def samples(t):
        u, log_q = DOUBLE.sample_and_log_prob(along(t), jax.random.key(3), 4)
        return jnp.sum(u * jnp.arange(3.0)) + log_q.sum()

    both = jax.jit(lambda t: [jax.value_and_grad(f)(t) for f in (density, samples)])
    h = 1e-6
    for below, at, above in zip(both(-h), both(0.0), both(h), strict=True):
        np.testing.assert_allclose((above[0] - below[0]) / (2 * h), at[1], rtol=1e-6)


def test_float32_networks_give_float64_gradients_in_u(trained):
    """They round differently in batches of different size, but hardly."""
    log_q, (by_params, by_u) = LOG_PROB_AND_GRADS(SMALL, trained, points()[:50])
    assert by_u.dtype == jnp.float64
    assert {leaf.dtype for leaf in jax.tree.leaves(by_params)} == {jnp.dtype("float32")}
    whole = LOG_PROB(SMALL, trained, points())
    np.testing.assert_allclose(log_q, whole[:50], rtol=0, atol=1e-3)


def test_float32_networks_agree_with_float64(trained):
    single = LOG_PROB(SMALL, trained, points())
    error = np.abs(np.asarray(single) - LOG_PROB(DOUBLE, in_double(trained), points()))
    assert np.median(error) < 1e-5


def test_distribution_is_the_same_density(trained):
    @jax.jit
    def draw(params):
        distribution = SMALL.distribution(params)
        u, log_q = distribution.sample_and_log_prob(seed=jax.random.key(5), sample_shape=(N,))
        return u, log_q, distribution.log_prob(u)

    u, log_q, again = draw(trained)
    assert u.shape == (N, 3)
    np.testing.assert_allclose(again, log_q, rtol=0, atol=1e-6)
    np.testing.assert_allclose(LOG_PROB(SMALL, trained, u), log_q, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"precision": "float16"}, "surrogate.precision"),
        ({"boundary": 0.5}, "surrogate.boundary"),
        ({"permutation": "shuffle"}, "surrogate.permutation"),
    ],
)
def test_wrong_options(change, key):
    with pytest.raises(InputError) as error:
        dataclasses.replace(SMALL, **change)
    assert error.value.key == key


def test_flows_are_static_and_comparable():
    assert hash(SMALL) == hash(dataclasses.replace(SMALL))
    assert dataclasses.replace(SMALL, bins=7) != SMALL
