"""A surrogate over a floor: normalized, unbiased in every piece, weights bounded."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.surrogate import MultiChannel, Uniform
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.floor import sample_above_floor

N, FLOOR = 4096, 0.1
CHANNEL = np.arange(N) % 2


@pytest.fixture(scope="module")
def channels():
    """Two channels whose densities have a step, and their parameters."""
    surrogate = MultiChannel(Uniform(1), ChannelLayout((0, 0)), (0, 1), grid_bins=2)
    grid = jnp.array([[[0.0, 0.01, 1.0]], [[0.0, 0.9, 1.0]]])
    return surrogate, surrogate.init(jax.random.key(0))._replace(grid=grid)


@pytest.fixture(scope="module")
def sample(channels):
    """u (16, N) and the density."""
    surrogate, params = channels

    def one(key):
        return sample_above_floor(surrogate, FLOOR, params, key, jnp.asarray(CHANNEL))

    keys = jax.random.split(jax.random.key(0), 16)
    u, log_q = jax.jit(lambda keys: jax.lax.map(one, keys))(keys)
    return np.asarray(u)[..., 0], np.exp(log_q)


def test_density(channels, sample):
    u, density = sample
    surrogate, params = channels
    share = round(FLOOR * N) / N
    q = np.exp(surrogate.log_prob(params, jnp.asarray(u[:1].T), jnp.asarray(CHANNEL)))
    np.testing.assert_allclose(density[0], (1 - share) * q + share, rtol=1e-12)
    assert density.min() >= share


@pytest.mark.parametrize("channel", [0, 1])
def test_every_piece_of_a_sample_is_unbiased(sample, channel):
    """The integral of 3 u^2, from all points and from some at either end of every block."""
    u, density = (part[:, channel::2] for part in sample)
    w = 3.0 * u**2 / density
    for piece in (w, w[:, :100], w[:, -100:]):
        error = piece.std() / np.sqrt(piece.size)
        assert abs(piece.mean() - 1.0) < 4.0 * error
        assert error < 0.06
