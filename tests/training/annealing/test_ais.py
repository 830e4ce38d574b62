"""Annealed importance sampling: unbiased weights, the number of evaluations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from fabgen.training.annealing import ais
from fabgen.training.target import evaluate


def anneal(target, surrogate, params, n, intermediate, step_size, leapfrog_steps=3, moves=1):
    @jax.jit
    def run(params, key):
        u_key, key = jax.random.split(key)
        u, log_q = surrogate.sample_and_log_prob(params, u_key, n)

        def parts(u):
            return evaluate(target, surrogate, params, u)

        step_sizes = jnp.full(intermediate, step_size)
        return u, log_q, ais.anneal(parts, u, key, step_sizes, leapfrog_steps, moves)

    return run(params, jax.random.key(0))


def integral(width, cut, power):
    """int p^power of a GaussianTarget over the square, midpoint rule (the reference q is 1)."""
    x = (np.arange(800) + 0.5) / 800
    one = np.exp(-0.5 * power * ((x - 0.4) / width) ** 2)
    return np.mean(one * (x > cut)) * np.mean(one)


@pytest.mark.parametrize(
    ("intermediate", "cut", "moves"), [(1, -1.0, 1), (5, 0.35, 1), (2, 0.35, 3)]
)
def test_mean_weight_is_the_integral_of_p_squared_over_q(toys, intermediate, cut, moves):
    target = toys.GaussianTarget(width=0.2, cut=cut)
    surrogate = toys.Kumaraswamy(2)
    n = 20_000
    _, _, result = anneal(target, surrogate, surrogate.init(None), n, intermediate, 0.1, 3, moves)
    w = np.exp(result.log_w)
    error = np.std(w) / np.sqrt(n)
    assert abs(np.mean(w) - integral(0.2, cut, 2)) < 4.5 * error
    assert error < 0.05 * np.mean(w)
    acceptance = np.asarray(result.acceptance)
    assert np.all((acceptance > 0.2) & (acceptance <= 1.0))


def test_annealed_samples_with_their_weights_follow_p_squared_over_q(toys):
    """f = x^(a-1) on uniform q: p^2/q is a power law, whose mean is known."""
    target = toys.KumaraswamyTarget(((float(np.log(2.0)), 0.0),))  # f = 2 x
    surrogate = toys.Kumaraswamy(1)
    _, _, result = anneal(target, surrogate, surrogate.init(None), 40_000, 2, 0.2)
    w, u = np.exp(result.log_w), np.asarray(result.u)
    mean = np.sum(w * u[:, 0]) / np.sum(w)
    assert abs(mean - 0.75) < 0.006  # density 3 x^2


def test_annealing_brings_the_weights_closer_together_than_plain_importance_sampling(toys):
    target, surrogate = toys.GaussianTarget(width=0.08), toys.Kumaraswamy(2)
    _, _, result = anneal(target, surrogate, surrogate.init(None), 4000, 8, 0.03)

    def efficiency(log_w):
        return np.exp(2 * logsumexp(log_w) - logsumexp(2 * log_w)) / log_w.size

    before, after = np.asarray(result.initial_log_w), np.asarray(result.log_w)
    assert efficiency(after) > 2.0 * efficiency(2.0 * before)


def test_perfect_surrogate_has_weights_of_one(toys):
    log_ab = ((0.5, 0.7), (0.2, 0.1))
    target, surrogate = toys.KumaraswamyTarget(log_ab), toys.Kumaraswamy(2)
    _, _, result = anneal(target, surrogate, {"log_ab": jnp.asarray(log_ab)}, 500, 2, 0.05)
    np.testing.assert_allclose(result.log_w, 0.0, atol=1e-10)


def test_initial_weights_are_those_of_the_samples_and_log_q_belongs_to_the_end(toys):
    target, surrogate = toys.GaussianTarget(cut=0.2), toys.Kumaraswamy(2)
    params = {"log_ab": np.asarray([[0.3, 0.1], [0.2, 0.4]])}
    u, log_q, result = anneal(target, surrogate, params, 300, 2, 0.1)
    log_p = np.asarray(jax.jit(target.log_density)(u))
    np.testing.assert_allclose(result.initial_log_w, log_p - log_q, rtol=1e-10, atol=1e-10)
    moved = np.isfinite(result.log_w)
    found, expected = result.log_q, jax.jit(surrogate.log_prob)(params, result.u)
    np.testing.assert_allclose(
        np.asarray(found)[moved], np.asarray(expected)[moved], rtol=1e-10, atol=1e-10
    )
    assert np.any(~moved)  # chains that began below the cut have weight zero


@pytest.mark.parametrize(
    ("intermediate", "leapfrog_steps", "moves"), [(1, 1, 1), (2, 3, 1), (2, 3, 2)]
)
def test_number_of_evaluations_is_counted_by_the_target_itself(
    toys, intermediate, leapfrog_steps, moves
):
    calls = []

    class Counting(toys.GaussianTarget):
        def log_density(self, u):
            jax.debug.callback(lambda u: calls.append(u.shape[0]), u)
            return super().log_density(u)

    surrogate = toys.Kumaraswamy(2)
    _, _, result = anneal(
        Counting(), surrogate, surrogate.init(None), 16, intermediate, 0.1, leapfrog_steps, moves
    )
    jax.block_until_ready(result)
    jax.effects_barrier()
    expected = ais.evaluations_per_sample(intermediate, leapfrog_steps, moves)
    assert expected == 1 + intermediate * leapfrog_steps * moves
    assert result.acceptance.shape == (intermediate,)
    assert sum(calls) == 16 * expected
