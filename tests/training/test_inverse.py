"""The six losses of MadNIS-Lite: forward and inverse ones have the gradient of one closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.training.counters import Tally
from fabgen.training.registry import METHODS, objective_class

#: Gradients in a of D(3 u^2, a u^(a-1)): with 9/(a (6 - a)) - 1, log(3/a) - (3 - a)/3 and
#: log(a/3) - (a - 3)/a for the variance and the two Kullback-Leibler divergences.
SLOPES = {
    "variance": lambda a: -9.0 * (6.0 - 2.0 * a) / (a * (6.0 - a)) ** 2,
    "kl": lambda a: 1.0 / 3.0 - 1.0 / a,
    "rkld": lambda a: 1.0 / a - 3.0 / a**2,
}


class Power:
    """q = a u^(a-1) on [0, 1], parameter a; as a target u^2 above `cut`."""

    dim = 1

    def __init__(self, cut: float = 0.0):
        self.cut = cut

    def log_prob(self, a, u):
        return jnp.log(a) + (a - 1.0) * jnp.log(u[:, 0])

    def sample_and_log_prob(self, a, key, n):
        u = jax.random.uniform(key, (n, 1), minval=1e-9) ** (1.0 / a)
        return u, self.log_prob(a, u)

    def log_density(self, u):
        return jnp.where(u[:, 0] > self.cut, 2.0 * jnp.log(u[:, 0]), -jnp.inf)


def slope_of(objective, a):
    @jax.jit
    def slope(a, key):
        memory, tally = objective.observe(a, objective.init(), Tally.zero(), key)
        batch = objective.batch(memory, key)
        return jax.grad(lambda a: objective.loss(a, batch, tally)[0])(a)

    found = [slope(jnp.asarray(a), jax.random.key(i)) for i in range(8)]
    return np.mean(found), np.std(found) / np.sqrt(7)


@pytest.mark.parametrize("method", [m for m in METHODS if m.split("-")[0] in SLOPES])
def test_gradient_of_the_closed_form(toys, method):
    a = 2.0
    options = toys.options(method=method, batch_size=20_000)
    mean, error = slope_of(objective_class(method)(Power(), Power(), options), a)
    exact = SLOPES[method.split("-")[0]](a)
    assert abs(mean - exact) < 4 * error + 2e-4  # the mean weight of a batch costs 1/n
    assert error < 0.1 * abs(exact)


@pytest.mark.parametrize("method", ["variance-inverse", "kl-inverse", "rkld-forward"])
def test_zeros_of_f_do_no_harm(toys, method):
    options = toys.options(method=method, batch_size=64)
    for cut in (0.5, 1.0):
        mean, _ = slope_of(objective_class(method)(Power(cut), Power(), options), 2.0)
        assert np.isfinite(mean)
        assert (mean == 0.0) == (cut == 1.0)


@pytest.mark.parametrize("method", [m for m in METHODS if m.split("-")[0] in SLOPES])
def test_no_batch_moves_a_perfect_surrogate(toys, method):
    """Not only on average: what single points would do cancels the score."""
    objective = objective_class(method)(Power(), Power(), toys.options(method=method))
    mean, error = slope_of(objective, 3.0)
    assert abs(mean) < 1e-9
    assert error < 1e-9


@pytest.mark.parametrize("method", ["rkld", "kl-inverse"])
def test_the_plain_gradient_is_the_same_on_average(toys, method):
    options = toys.options(method=method, batch_size=20_000, path_gradient=False)
    mean, error = slope_of(objective_class(method)(Power(), Power(), options), 2.0)
    assert abs(mean - SLOPES[method.split("-")[0]](2.0)) < 4 * error + 2e-4
