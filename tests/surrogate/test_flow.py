from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.errors import InputError
from fabgen.surrogate import Flow

SMALL = Flow(3, layers=2, bins=6, hidden=(16,))

SAMPLE = jax.jit(
    lambda flow, params, key, n: flow.sample_and_log_prob(params, key, n), static_argnums=(0, 3)
)
LOG_PROB = jax.jit(lambda flow, params, u: flow.log_prob(params, u), static_argnums=0)
GRADS = jax.jit(
    lambda flow, params, u: jax.grad(lambda p, u: flow.log_prob(p, u).sum(), (0, 1))(params, u),
    static_argnums=0,
)


@pytest.fixture
def trained(perturb):
    return perturb(SMALL.init(jax.random.key(0)))


def test_identity_at_the_start():
    params = SMALL.init(jax.random.key(0))
    u, log_q = SAMPLE(SMALL, params, jax.random.key(1), 500)
    np.testing.assert_allclose(log_q, 0.0, atol=1e-5)
    z = jax.random.uniform(jax.random.key(1), (500, 3), jnp.float64)
    np.testing.assert_allclose(u, z, atol=1e-6)


@pytest.mark.parametrize(
    ("dim", "permutation", "precision"),
    [
        (1, "log", "float32"),
        (2, "exchange", "float64"),
        (3, "random", "float32"),
        (5, "log", "float32"),
    ],
)
def test_density_of_a_sample_is_the_same_in_both_directions(dim, permutation, precision, perturb):
    flow = Flow(dim, 2, 6, (16,), permutation, precision, boundary=1e-3)
    params = perturb(flow.init(jax.random.key(0)))
    u, log_q = SAMPLE(flow, params, jax.random.key(1), 300)
    assert u.shape == (300, dim)
    assert u.dtype == log_q.dtype == jnp.float64
    assert np.all((u >= 1e-3) & (u <= 1 - 1e-3))
    assert np.std(log_q) > 0.05
    np.testing.assert_allclose(LOG_PROB(flow, params, u), log_q, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boundary", [0.0, 0.1])
def test_density_integrates_to_one(boundary, perturb):
    flow = Flow(2, layers=2, bins=6, hidden=(16,), boundary=boundary)
    params = perturb(flow.init(jax.random.key(0)), scale=0.15)
    n = 500
    axis = (np.arange(n) + 0.5) / n
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    q = np.exp(LOG_PROB(flow, params, jnp.asarray(grid)))
    assert q.max() > 1.5
    assert q.mean() == pytest.approx(1.0, abs=1e-4)


def test_samples_follow_the_density(perturb):
    flow = Flow(2, layers=2, bins=6, hidden=(16,))
    params = perturb(flow.init(jax.random.key(0)))
    u, _ = SAMPLE(flow, params, jax.random.key(3), 40_000)
    counts, _, _ = np.histogram2d(u[:, 0], u[:, 1], bins=5, range=[[0, 1], [0, 1]])
    n = 200
    axis = (np.arange(n) + 0.5) / n
    x, y = np.meshgrid(axis, axis, indexing="ij")
    q = np.exp(LOG_PROB(flow, params, jnp.stack([x.ravel(), y.ravel()], axis=-1)))
    expected = 40_000 * q.reshape(5, n // 5, 5, n // 5).mean(axis=(1, 3)) / 25
    chi2 = np.sum((counts - expected) ** 2 / expected)
    assert chi2 < 60.0  # 24 degrees of freedom


@pytest.mark.parametrize("low", [0.0, 1e-5])
def test_support_and_faces(low, trained):
    flow = dataclasses.replace(SMALL, boundary=low, precision="float64")
    trained = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), trained)
    high = 1.0 - low
    step = 1e-7
    u = jnp.array(
        [
            [low, 0.5, high],
            [low + step, 0.5, high],
            [high, high, high],
            [low, low, low],
            [low - 1e-9, 0.5, 0.5],
            [0.5, high + 1e-9, 0.5],
            [jnp.nan, 0.5, 0.5],
        ]
    )
    log_q = LOG_PROB(flow, trained, u)
    assert np.all(np.isfinite(log_q[:4]))
    assert np.all(log_q[4:] == -jnp.inf)
    by_params, by_u = GRADS(flow, trained, u)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves((by_params, by_u)))
    np.testing.assert_array_equal(by_u[4:], 0.0)
    # the derivative on a face is the one-sided one
    np.testing.assert_allclose((log_q[1] - log_q[0]) / step, by_u[0, 0], rtol=1e-3)


def test_gradients_against_finite_differences(perturb):
    flow = Flow(3, layers=2, bins=4, hidden=(8,), precision="float64")
    params = perturb(flow.init(jax.random.key(0)))
    u = jax.random.uniform(jax.random.key(2), (4, 3), jnp.float64, 0.05, 0.95)
    direction = jax.tree.map(lambda a: jax.random.normal(jax.random.key(a.size), a.shape), params)

    def along(t):
        return jax.tree.map(lambda a, b: a + t * b, params, direction)

    def density(t):
        return LOG_PROB(flow, along(t), u + t).sum()

    def samples(t):
        u, log_q = SAMPLE(flow, along(t), jax.random.key(3), 4)
        return jnp.sum(u * jnp.arange(3.0)) + log_q.sum()

    for f in (density, samples):
        h = 1e-6
        slope = jax.jit(jax.grad(f))(0.0)
        np.testing.assert_allclose((f(h) - f(-h)) / (2 * h), slope, rtol=1e-6)


def test_float32_networks_give_float64_gradients_in_u(trained):
    u = jax.random.uniform(jax.random.key(2), (50, 3), jnp.float64)
    by_params, by_u = GRADS(SMALL, trained, u)
    assert by_u.dtype == jnp.float64
    assert {leaf.dtype for leaf in jax.tree.leaves(by_params)} == {jnp.dtype("float32")}


def test_float32_networks_agree_with_float64(trained):
    u = jax.random.uniform(jax.random.key(2), (257, 3), jnp.float64)
    double = dataclasses.replace(SMALL, precision="float64")
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), trained)
    error = np.abs(LOG_PROB(SMALL, trained, u) - LOG_PROB(double, params, u))
    assert np.median(error) < 1e-5


def test_distribution_is_the_same_density(trained):
    @jax.jit
    def draw(params):
        distribution = SMALL.distribution(params)
        u, log_q = distribution.sample_and_log_prob(seed=jax.random.key(5), sample_shape=(20,))
        return u, log_q, distribution.log_prob(u)

    u, log_q, again = draw(trained)
    assert u.shape == (20, 3)
    np.testing.assert_allclose(again, log_q, rtol=0, atol=1e-6)
    np.testing.assert_allclose(LOG_PROB(SMALL, trained, u), log_q, rtol=0, atol=1e-6)


def test_density_hardly_depends_on_the_batch(trained):
    """Float32 networks round differently in batches of different size, not more than that."""
    u = jax.random.uniform(jax.random.key(2), (257, 3), jnp.float64)
    whole = LOG_PROB(SMALL, trained, u)
    np.testing.assert_allclose(LOG_PROB(SMALL, trained, u[:50]), whole[:50], rtol=0, atol=1e-3)


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
