"""The mixture of Gaussians in normal coordinates is a density of the points that it draws."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.channels import as_multichannel
from fabgen.surrogate.gaussians import Gaussians, GaussiansParams

N = 100_000


def two_channels():
    """A correlated Gaussian in the first of two channels, a narrow one in the second, and uniform
    points in both."""
    factors = [[[0.8, 0.0], [0.5, 0.3]], [[0.01, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
    shares = jnp.array([[0.7, 0.0, 0.3], [0.0, 0.6, 0.4]])
    means = jnp.array([[0.5, -1.0], [1.0, 0.0], [0.0, 0.0]])
    params = GaussiansParams(means, jnp.array(factors), jnp.log(shares))
    return Gaussians(2, 3, ChannelLayout((0, 0))), params


@pytest.mark.parametrize("number", [0, 1])
def test_the_density_is_that_of_the_points(number):
    surrogate, params = two_channels()
    channel = jnp.full(N, number)
    u, log_q = surrogate.sample_and_log_prob(params, jax.random.key(1), channel)
    np.testing.assert_allclose(surrogate.log_prob(params, u, channel), log_q, atol=1e-9)
    # <g/q> over q is the integral of g over the cube.
    for g, exact in ((jnp.ones(N), 1.0), (u[:, 0] * u[:, 1] ** 2, 1 / 6)):
        weights = np.asarray(g * jnp.exp(-log_q))
        assert abs(weights.mean() - exact) < 4.0 * weights.std() / np.sqrt(N)


def test_it_starts_uniform_and_has_channels_of_its_own():
    surrogate = Gaussians(3, 5)
    params = surrogate.init(jax.random.key(0))
    u, log_q = surrogate.sample_and_log_prob(params, jax.random.key(1), jnp.zeros(1000, jnp.int32))
    np.testing.assert_allclose(log_q, 0.0, atol=1e-12)
    assert abs(float(u.mean()) - 0.5) < 0.05
    assert as_multichannel(surrogate) is surrogate
    np.testing.assert_allclose(
        surrogate.log_alpha(params, jnp.zeros((1, 4)), jnp.zeros((0, 4)), 0), 0.0
    )


def test_faces_have_a_finite_density_and_the_outside_none():
    surrogate, params = two_channels()
    u = jnp.array([[0.0, 1.0], [1.0, 0.5], [1.5, 0.5]])
    log_q = np.asarray(surrogate.log_prob(params, u, 0))
    assert np.all(np.isfinite(log_q[:2]))
    assert log_q[2] == -np.inf
