"""Gaussians that climb f find peaks that no point of the start has met, and integrate them."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.sampling.population import GAUSSIANS, ROUNDS, adapted, mixture
from fabgen.sampling.reference import Points
from fabgen.sampling.sampler import DEFAULT_BLOCK, draw_channels
from fabgen.surrogate.channel_weights import ChannelLayout


@functools.cache
def peaks(dim, count, width):
    """Gaussians of equal parts, integral 1, at centres (count, dim) in [0.2, 0.8]."""
    centres = np.random.default_rng(5).uniform(0.2, 0.8, (count, dim))
    log_norm = -0.5 * dim * math.log(2.0 * math.pi * width**2) - math.log(count)

    @jax.jit
    def log_f(u, channel=0):
        distance = jnp.sum((u[:, None] - centres) ** 2, axis=-1)
        return jax.nn.logsumexp(-distance / (2.0 * width**2), axis=1) + log_norm

    return log_f, centres


def starts_of(log_f, dim, seed, n=20_000, channels=1):
    """The points (n, dim) of an untrained map with f > 0."""
    random = np.random.default_rng(seed)
    u, channel = random.random((n, dim)), random.integers(channels, size=n)
    log_part = np.asarray(log_f(u, channel))
    kept = np.flatnonzero(np.isfinite(log_part))
    kept = kept[np.argsort(-log_part[kept])[:4096]]
    return Points(u[kept], channel[kept], log_part[kept])


@functools.lru_cache(4)
def sampling(surrogate):
    return jax.jit(surrogate.sample_and_log_prob)


def weights_of(log_f, population, seed, channels=1):
    """u, channels and f/p of a block of the mixture."""
    key, key_channel = jax.random.split(jax.random.key(seed))
    surrogate, params, shares = mixture(population, ChannelLayout((0,) * channels))
    channel, log_share = draw_channels(key_channel, jnp.asarray(shares), DEFAULT_BLOCK)
    u, log_q = sampling(surrogate)(params, key, channel)
    weights = jnp.exp(log_f(u, channel) - log_q - log_share)
    return np.asarray(u), np.asarray(channel), np.asarray(weights)


def mean_and_error(weights):
    return weights.mean(), weights.std() / math.sqrt(len(weights))


def test_eight_narrow_peaks_in_eight_dimensions():
    """Of 20,000 points not one lies in a peak: their volume is 10^-8."""
    log_f, centres = peaks(8, 8, 0.03)
    pulls = []
    for seed in range(5):
        starts = starts_of(log_f, 8, seed)
        assert np.max(starts.log_part) < math.log(20_000)
        population, calls = adapted(log_f, starts, jax.random.key(seed))
        assert calls <= ROUNDS * DEFAULT_BLOCK
        u, _, weights = weights_of(log_f, population, seed)
        mean, error = mean_and_error(weights)
        nearest = np.argmin(np.sum((u[:, None] - centres) ** 2, axis=-1), axis=1)
        parts = np.bincount(nearest, weights, 8) / len(u)
        assert np.sum(parts > 0.1) >= 7
        if np.all(parts > 0.1):
            assert error < 0.05
            pulls.append((mean - 1.0) / error)
    assert len(pulls) >= 3
    assert abs(np.mean(pulls)) < 3.0 / math.sqrt(len(pulls))
    assert np.std(pulls) < 2.0


def test_two_channels_keep_their_own_peaks():
    """Each channel has one of two peaks."""
    log_both, centres = peaks(4, 2, 0.03)

    @jax.jit
    def log_f(u, channel):
        first = jnp.sum((u - centres[0]) ** 2, axis=1) < jnp.sum((u - centres[1]) ** 2, axis=1)
        return jnp.where(first == (channel == 0), log_both(u), -jnp.inf)

    population, _ = adapted(log_f, starts_of(log_f, 4, 1, channels=2), jax.random.key(1))
    _, channel, weights = weights_of(log_f, population, 1, channels=2)
    for number in (0, 1):
        mean, error = mean_and_error(np.where(channel == number, weights, 0.0))
        assert error < 0.02
        assert abs(mean - 0.5) < 4.0 * error


@pytest.mark.parametrize("few", [1, 3, None])
def test_little_of_the_cube_is_inside(few):
    """f = 1 in a ten-thousandth of the cube, and starts as few as one."""

    @jax.jit
    def log_f(u, channel):
        inside = jnp.all(jnp.abs(u - jnp.array([0.3, 0.9])) < 0.005, axis=1)
        return jnp.where(inside, 0.0, -jnp.inf)

    starts = starts_of(log_f, 2, 1, n=100_000)
    starts = Points(*(column[:few] for column in starts))
    population, _ = adapted(log_f, starts, jax.random.key(2))
    assert all(np.all(np.isfinite(column)) for column in population[:2])
    mean, error = mean_and_error(weights_of(log_f, population, 2)[2])
    assert error < 0.05 * 1e-4
    assert abs(mean - 1e-4) < 4.0 * error


def test_a_start_that_nothing_lies_around_is_no_failure():
    """f > 0 at one double only."""
    place = np.array([[0.3, 0.9]])

    @jax.jit
    def log_f(u, channel):
        return jnp.where(jnp.all(u == place, axis=1), 0.0, -jnp.inf)

    starts = Points(place, np.zeros(1, np.int64), np.zeros(1))
    population, _ = adapted(log_f, starts, jax.random.key(1))
    assert population.mean.shape == (GAUSSIANS, 2)
    weights = weights_of(log_f, population, 1)[2]
    assert np.all(weights == 0.0)
