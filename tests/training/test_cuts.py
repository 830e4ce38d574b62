"""Every method draws away from what cuts leave out: the share of points with f = 0 falls."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.integrand.density import DensityIntegrand
from fabgen.training import train
from fabgen.training.objectives.registry import METHODS


class Corner(DensityIntegrand):
    """1 + u1 u2 where u1 + u2 is above a line."""

    dim = 2

    def __init__(self, line):
        self.line = line

    def log_density(self, u):
        return jnp.where(u.sum(axis=1) > self.line, jnp.log1p(u[:, 0] * u[:, 1]), -jnp.inf)


#: Lines that cut away half and a twentieth of the square.
LINES = {"half": 1.0, "5 %": np.sqrt(0.1)}

#: How much of the share of zeros may stay. A product of densities cannot follow the line, and
#: gains little from leaving a twentieth.
STAYS = {"half": 0.5, "5 %": 0.7}

#: Methods, and whether with the path gradient where both are possible.
WAYS = [(method, True) for method in METHODS if method != "fkld"]
WAYS += [("rkld", False), ("kl-inverse", False)]


def share_of_zeros(target, surrogate, params):
    u, _ = surrogate.sample_and_log_prob(params, jax.random.key(7), 50_000)
    return float(np.mean(np.isneginf(target.log_density(u))))


@pytest.mark.parametrize("cut", LINES)
@pytest.mark.parametrize(("method", "path_gradient"), WAYS)
def test_the_share_of_zeros_falls(toys, method, path_gradient, cut):
    target, surrogate = Corner(LINES[cut]), toys.Kumaraswamy(2)
    options = toys.options(
        method=method, steps=200, batch_size=256, learning_rate=0.02, path_gradient=path_gradient
    )
    result = train(target, surrogate, options)
    before = share_of_zeros(target, surrogate, surrogate.init(None))
    assert share_of_zeros(target, surrogate, result.params) < STAYS[cut] * before
