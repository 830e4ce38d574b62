"""The six losses of MadNIS-Lite: forward and inverse ones have the gradient of one closed form."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.integrand.density import DensityIntegrand
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.registry import METHODS, objective_class

#: Gradients in a of D(3 u^2, a u^(a-1)): with 9/(a (6 - a)) - 1, log(3/a) - (3 - a)/3 and
#: log(a/3) - (a - 3)/a for the variance and the two Kullback-Leibler divergences.
SLOPES = {
    "variance": lambda a: -9.0 * (6.0 - 2.0 * a) / (a * (6.0 - a)) ** 2,
    "kl": lambda a: 1.0 / 3.0 - 1.0 / a,
    "rkld": lambda a: 1.0 / a - 3.0 / a**2,
}


class Power(DensityIntegrand):
    """q = a u^(a-1) on [0, 1], parameter a; as a target u^2 above `cut`."""

    dim = 1

    def __init__(self, cut=0.0):
        self.cut = cut

    def log_prob(self, a, u):
        return jnp.log(a) + (a - 1.0) * jnp.log(u[:, 0])

    def sample_and_log_prob(self, a, key, n):
        u = jax.random.uniform(key, (n, 1), minval=1e-9) ** (1.0 / a)
        return u, self.log_prob(a, u)

    def log_density(self, u):
        return jnp.where(u[:, 0] > self.cut, 2.0 * jnp.log(u[:, 0]), -jnp.inf)


@pytest.fixture(scope="module")
def slope_of(toys):
    """Mean and error of the gradient in 8 batches; all tests of a method share its program."""

    @functools.cache
    def program(method, **more):
        options = toys.options(method=method, batch_size=20_000, **more)

        @jax.jit
        def slopes(a, cut, keys):
            objective = objective_class(method)(Power(cut), Power(), options)

            def slope(key):
                memory, tally = objective.observe(a, objective.init(), EvaluationStats.zero(), key)
                batch = objective.batch(memory, key)
                return jax.grad(lambda a: objective.loss(a, batch, tally)[0])(a)

            return jax.lax.map(slope, keys)

        return slopes

    def mean_and_error(method, a, cut=0.0, **more):
        found = program(method, **more)(a, cut, jax.random.split(jax.random.key(0), 8))
        return np.mean(found), np.std(found) / np.sqrt(7)

    return mean_and_error


@pytest.mark.parametrize("method", [m for m in METHODS if m.split("-")[0] in SLOPES])
def test_gradient_of_the_closed_form(slope_of, method):
    a = 2.0
    mean, error = slope_of(method, a)
    exact = SLOPES[method.split("-")[0]](a)
    assert abs(mean - exact) < 4 * error + 2e-4  # the mean weight of a batch costs 1/n
    assert error < 0.1 * abs(exact)


@pytest.mark.parametrize("method", ["variance-inverse", "kl-inverse", "rkld-forward"])
def test_zeros_of_f_do_no_harm(slope_of, method):
    for cut in (0.5, 1.0):
        mean, _ = slope_of(method, 2.0, cut)
        assert np.isfinite(mean)
        assert (mean == 0.0) == (cut == 1.0)


@pytest.mark.parametrize("method", [m for m in METHODS if m.split("-")[0] in SLOPES])
def test_no_batch_moves_a_perfect_surrogate(slope_of, method):
    """Not only on average: what single points would do cancels the score."""
    mean, error = slope_of(method, 3.0)
    assert abs(mean) < 1e-9
    assert error < 1e-9


@pytest.mark.parametrize("method", ["rkld", "kl-inverse"])
def test_the_plain_gradient_is_the_same_on_average(slope_of, method):
    mean, error = slope_of(method, 2.0, path_gradient=False)
    assert abs(mean - SLOPES[method.split("-")[0]](2.0)) < 4 * error + 2e-4


def slope_under_a_cut(method, a, cut):
    """E[path; f > 0] + grad P(f = 0) of -log t; the same without what flows through the cut at
    fixed points; and their like for the variance."""
    falling = cut**a * np.log(cut)
    u = cut + (1.0 - cut) * (np.arange(200_000) + 0.5) / 200_000
    q, integral = a * u ** (a - 1.0), (1.0 - cut**3) / 3.0
    slope_of_q, t = q * (1.0 / a + np.log(u)), u**2 / integral / q
    if method == "rkld":
        along = -(a - 3.0) / a * np.log(u)
        return np.mean(along * q) * (1.0 - cut) + falling
    if method == "rkld-forward":
        return np.mean(slope_of_q * (-np.log(t) - 1.0)) * (1.0 - cut)
    # d t/d a at fixed z: t depends on u and, through q, on a.
    moving = t * ((3.0 - a) / u * (-u * np.log(u) / a) - (1.0 / a + np.log(u)))
    if method == "variance-inverse":
        return np.mean(2.0 * (t - 1.0) * moving * q) * (1.0 - cut) + falling
    return np.mean((np.log(t) + 1.0) * moving * q) * (1.0 - cut)


@pytest.mark.parametrize("cut", [0.2, 0.6])
@pytest.mark.parametrize("path_gradient", [True, False])
@pytest.mark.parametrize("method", ["rkld", "rkld-forward", "variance-inverse", "kl-inverse"])
def test_gradient_under_a_cut(slope_of, method, path_gradient, cut):
    a = 2.0
    mean, error = slope_of(method, a, cut, path_gradient=path_gradient)
    exact = slope_under_a_cut(method, a, cut)
    assert abs(mean - exact) < 4 * error + 1e-3 * abs(exact)
    assert error < 0.1 * abs(exact)
