"""HMC in the cube: folding, exact invariance, reversibility, rejection, adaptation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blackjax.mcmc.integrators import IntegratorState
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from fabgen.integrand.density import DensityIntegrand
from fabgen.training.annealing import hmc
from fabgen.training.annealing.hmc import Chains
from fabgen.training.target import InvalidCounts, evaluate


def evaluator(target, surrogate):
    params = surrogate.init(jax.random.key(0))
    return jax.jit(lambda u: evaluate(target, surrogate, params, u))


def move(evaluate_parts, chains, beta, step_size, key):
    step = jax.jit(hmc.transition, static_argnums=(0, 4))
    return step(evaluate_parts, chains, jnp.asarray(beta), jnp.asarray(step_size), 3, key)


FOLD = jax.jit(hmc.fold)


@given(st.floats(-1e6, 1e6))
def test_folding_stays_in_the_cube_and_is_even_and_periodic(x):
    (u, even, periodic), (sign, *_) = map(np.asarray, FOLD(np.asarray([x, -x, x + 2.0])))
    assert 0.0 <= u <= 1.0
    assert abs(sign) == 1.0
    np.testing.assert_allclose(even, u, atol=1e-9)
    np.testing.assert_allclose(periodic, u, atol=1e-9)


def test_folding_of_points_that_are_not_finite_is_finite():
    u, _ = map(np.asarray, FOLD(np.asarray([np.inf, -np.inf, np.nan])))
    assert np.all((u >= 0.0) & (u <= 1.0))


def test_leapfrog_is_reversible_through_the_faces_of_the_cube(toys):
    evaluate_parts = evaluator(toys.GaussianTarget(width=0.3), toys.Kumaraswamy(2))
    step = jax.jit(hmc.leapfrog(evaluate_parts, jnp.asarray(0.5)))
    rng = np.random.default_rng(1)
    u = jnp.asarray(rng.uniform(size=(50, 2)))
    parts, _ = evaluate_parts(u)
    momentum = jnp.asarray(3.0 * rng.normal(size=u.shape))
    start = IntegratorState(
        u, momentum, hmc.tempered(parts, 0.5), hmc.tempered_gradient(parts, 0.5)
    )
    state = start
    for _ in range(4):
        state, _ = step(state, 0.2)
    assert np.any(np.abs(np.asarray(state.position) - 0.5) > 0.5)
    state = state._replace(momentum=-state.momentum)
    for _ in range(4):
        state, _ = step(state, 0.2)
    np.testing.assert_allclose(state.position, start.position, atol=1e-10)
    np.testing.assert_allclose(state.momentum, -np.asarray(momentum), atol=1e-10)


@pytest.mark.parametrize("cut", [-1.0, 0.3])
def test_samples_of_the_tempered_density_stay_samples_of_it(toys, cut):
    """b = 1/2 makes pi = p: a Gaussian wider than the cube, whose chains meet faces and the cut."""
    target = toys.GaussianTarget(dim=1, centre=0.1, width=0.5, cut=cut)
    evaluate_parts = evaluator(target, toys.Kumaraswamy(1))
    n = 40_000
    edges = np.linspace(max(cut, 0.0), 1.0, 9)
    cdf = norm.cdf((edges - 0.1) / 0.5)
    share = np.random.default_rng(3).uniform(cdf[0], cdf[-1], (n, 1))
    u = jnp.asarray(0.1 + 0.5 * norm.ppf(share))
    chains = Chains(u, evaluate_parts(u)[0])
    for i in range(3):
        chains, acceptance, _ = move(evaluate_parts, chains, 0.5, 0.35, jax.random.key(i))
    assert 0.3 < acceptance < 0.999
    moved = np.asarray(chains.u)
    assert np.all(moved >= max(cut, 0.0))
    assert np.mean(moved != u) > 0.3
    expected = n * np.diff(cdf) / (cdf[-1] - cdf[0])
    observed, _ = np.histogram(moved, edges)
    # chi^2 with 7 degrees of freedom: above 35 with a probability of 1e-5
    assert np.sum((observed - expected) ** 2 / expected) < 35.0


def test_parts_belong_to_the_positions_after_accept_and_reject(toys):
    evaluate_parts = evaluator(toys.GaussianTarget(), toys.Kumaraswamy(2))
    u = jnp.asarray(np.random.default_rng(4).uniform(size=(200, 2)))
    chains, _, _ = move(
        evaluate_parts, Chains(u, evaluate_parts(u)[0]), 0.7, 0.15, jax.random.key(5)
    )
    expected, _ = evaluate_parts(chains.u)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), chains.parts, expected)


def test_values_and_gradients_that_are_not_finite_are_counted_and_harmless(toys):
    class Broken(DensityIntegrand):
        dim = 1

        def log_density(self, u):
            x = u[:, 0]
            value = jnp.where(x < 0.2, jnp.nan, jnp.where(x > 0.9, jnp.inf, -x))
            value = jnp.where((x > 0.4) & (x < 0.5), -jnp.inf, value)
            return value + 0.0 * jnp.sqrt(jnp.maximum(x - 0.7, 0.0))  # NaN gradient below 0.7

    evaluate_parts = evaluator(Broken(), toys.Kumaraswamy(1))
    u = jnp.asarray([[0.1], [0.3], [0.45], [0.8], [0.95]])
    parts, faults = evaluate_parts(u)
    assert faults == InvalidCounts(1, 2, 1)
    np.testing.assert_array_equal(parts.log_p, [-jnp.inf, -0.3, -jnp.inf, -0.8, -jnp.inf])
    np.testing.assert_allclose(parts.grad_p[:, 0], [0, 0, 0, -1, 0])
    chains, _, _ = move(evaluate_parts, Chains(u, parts), 1.0, 0.1, jax.random.key(0))
    assert all(not np.any(np.isnan(leaf)) for leaf in jax.tree.leaves(chains))


def test_step_size_follows_the_acceptance_in_both_directions(toys):
    sizes = jnp.asarray([0.1, 0.1, 0.1])
    new = hmc.adapt(sizes, jnp.asarray([0.0, 0.65, 1.0]), 0.65)
    assert new[0] < 0.1 < new[2]
    np.testing.assert_allclose(new[1], 0.1, rtol=1e-12)
    for _ in range(200):
        new = hmc.adapt(new, jnp.asarray([0.0, 0.5, 1.0]), 0.65)
    assert jnp.all((new >= hmc.MIN_STEP_SIZE) & (new <= hmc.MAX_STEP_SIZE))
