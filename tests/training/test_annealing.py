"""Annealed importance sampling: unbiased weights, the number of evaluations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.training import annealing
from fabgen.training.target import evaluate


def anneal(target, surrogate, params, n, intermediate, step_size, leapfrog_steps=3, moves=1):
    @jax.jit
    def run(params, key):
        u_key, key = jax.random.split(key)
        u, log_q = surrogate.sample_and_log_prob(params, u_key, n)

        def parts(u):
            return evaluate(target, surrogate, params, u)

        step_sizes = jnp.full(intermediate, step_size)
        return u, log_q, annealing.anneal(parts, u, key, step_sizes, leapfrog_steps, moves)

    return run(params, jax.random.key(0))


def integral(target, power):
    """int p^power over the square, midpoint rule (the reference density q is 1)."""
    x = (np.arange(800) + 0.5) / 800
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    return float(jnp.mean(jnp.exp(power * target.log_density(jnp.asarray(grid)))))


@pytest.mark.parametrize(
    ("intermediate", "cut", "moves"), [(1, -1.0, 1), (2, 0.35, 1), (5, 0.35, 1), (2, 0.35, 3)]
)
def test_mean_weight_is_the_integral_of_p_squared_over_q(toys, intermediate, cut, moves):
    target = toys.GaussianTarget(width=0.2, cut=cut)
    surrogate = toys.Kumaraswamy(2)
    n = 20_000
    _, _, result = anneal(target, surrogate, surrogate.init(None), n, intermediate, 0.1, 3, moves)
    w = jnp.exp(result.log_w)
    error = jnp.std(w) / np.sqrt(n)
    assert abs(jnp.mean(w) - integral(target, 2)) < 4.5 * error
    assert error < 0.05 * jnp.mean(w)
    assert jnp.all((result.acceptance > 0.2) & (result.acceptance <= 1.0))


def test_annealed_samples_with_their_weights_follow_p_squared_over_q(toys):
    """f = x^(a-1) on uniform q: p^2/q is a power law, whose mean is known."""
    target = toys.KumaraswamyTarget(((float(np.log(2.0)), 0.0),))  # f = 2 x
    surrogate = toys.Kumaraswamy(1)
    _, _, result = anneal(target, surrogate, surrogate.init(None), 40_000, 2, 0.2)
    w = jnp.exp(result.log_w)
    mean = jnp.sum(w * result.u[:, 0]) / jnp.sum(w)
    assert abs(mean - 0.75) < 0.006  # density 3 x^2


def test_annealing_brings_the_weights_closer_together_than_plain_importance_sampling(toys):
    target, surrogate = toys.GaussianTarget(width=0.08), toys.Kumaraswamy(2)
    _, _, result = anneal(target, surrogate, surrogate.init(None), 4000, 8, 0.03)

    def efficiency(log_w):
        return jnp.exp(2 * jax.nn.logsumexp(log_w) - jax.nn.logsumexp(2 * log_w)) / log_w.size

    assert efficiency(result.log_w) > 2.0 * efficiency(2.0 * result.initial_log_w)


def test_perfect_surrogate_has_weights_of_one(toys):
    log_ab = ((0.5, 0.7), (0.2, 0.1))
    target, surrogate = toys.KumaraswamyTarget(log_ab), toys.Kumaraswamy(2)
    _, _, result = anneal(target, surrogate, {"log_ab": jnp.asarray(log_ab)}, 500, 2, 0.05)
    np.testing.assert_allclose(result.log_w, 0.0, atol=1e-10)


def test_initial_weights_are_those_of_the_samples_and_log_q_belongs_to_the_end(toys):
    target, surrogate = toys.GaussianTarget(cut=0.2), toys.Kumaraswamy(2)
    params = {"log_ab": jnp.asarray([[0.3, 0.1], [0.2, 0.4]])}
    u, log_q, result = anneal(target, surrogate, params, 300, 2, 0.1)
    np.testing.assert_allclose(
        result.initial_log_w, target.log_density(u) - log_q, rtol=1e-10, atol=1e-10
    )
    moved = jnp.isfinite(result.log_w)
    np.testing.assert_allclose(
        result.log_q[moved], surrogate.log_prob(params, result.u)[moved], rtol=1e-10, atol=1e-10
    )
    assert jnp.any(~moved)  # chains that began below the cut have weight zero


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
    expected = annealing.evaluations_per_sample(intermediate, leapfrog_steps, moves)
    assert expected == 1 + intermediate * leapfrog_steps * moves
    assert result.acceptance.shape == (intermediate,)
    assert sum(calls) == 16 * expected
