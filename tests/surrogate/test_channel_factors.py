"""Factors of the channel weights: against their best values, and what they must not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.surrogate.channel_factors import LEAST, improved


def adapt_factors(log_f, log_prior, channel, representative_channel, steps=200):
    """Step after step on the same points, until nothing changes."""
    n = len(log_prior)
    factors, points = np.ones(n), np.bincount(channel, minlength=n).astype(float)
    for _ in range(steps):
        alpha = factors[:, None] * np.exp(log_prior)
        alpha = alpha / alpha.sum(axis=0)
        squares = (np.exp(log_f) * alpha[channel, np.arange(len(channel))]) ** 2
        moments = np.stack([np.bincount(channel, squares * a, n) for a in alpha], axis=1)
        factors = improved(factors, moments, points, representative_channel)
    return factors


def two_densities(n, first, seed=1):
    """f = first x g_0 + (1 - first) x g_1 with g_0 = 2 x and g_1 = 2 (1 - x), prior g_i / sum g."""
    channel = np.arange(n) % 2
    x = np.sqrt(np.random.default_rng(seed).random(n))
    x = np.where(channel == 0, x, 1.0 - x)
    g = np.stack([2.0 * x, 2.0 * (1.0 - x)])
    f = first * g[0] + (1.0 - first) * g[1]
    with np.errstate(divide="ignore"):
        log_f = np.log(f / g[channel, np.arange(n)])
        return log_f, np.log(g / g.sum(axis=0)), channel


def size(log_f, log_prior, channel, factors):
    """S of adapt_factors."""
    alpha = factors[:, None] * np.exp(log_prior)
    alpha = alpha / alpha.sum(axis=0)
    squares = (np.exp(log_f) * alpha[channel, np.arange(len(channel))]) ** 2
    points = np.bincount(channel, minlength=len(factors))
    return np.sum(np.sqrt(np.bincount(channel, squares, len(factors)) / points))


@pytest.mark.parametrize("first", [0.5, 0.8, 0.9])
def test_a_sum_of_the_densities_of_the_channels_is_sampled_without_variance(first):
    log_f, log_prior, channel = two_densities(200_000, first)
    factors = adapt_factors(log_f, log_prior, channel, (0, 1))
    np.testing.assert_allclose(factors, [1.0, (1.0 - first) / first], rtol=0.02)
    # with weights that do not vary S is the integral, which is 1
    assert size(log_f, log_prior, channel, factors) == pytest.approx(1.0, abs=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.3, 6.0), min_size=2, max_size=5), st.floats(0.3, 6.0), st.integers(0))
def test_no_factors_nearby_are_better(powers, power, seed):
    """Densities g_i = a_i x^(a_i - 1), and f of another power, with a bump."""
    n_channels, a = len(powers), np.array(powers)[:, None]
    channel = np.arange(500 * n_channels) % n_channels
    x = 1.0 - np.random.default_rng(seed).random(len(channel))
    x = x ** (1.0 / a[channel, 0])
    log_g = np.log(a) + (a - 1.0) * np.log(x)
    log_f = power * np.log(x) + np.exp(-100.0 * (x - 0.5) ** 2)
    log_f -= log_g[channel, np.arange(len(channel))]
    log_prior = log_g - np.log(np.exp(log_g).sum(axis=0))
    factors = adapt_factors(log_f, log_prior, channel, tuple(range(n_channels)))
    assert np.max(factors) == 1.0
    assert np.all(factors >= LEAST)
    best = size(log_f, log_prior, channel, factors)
    assert best <= size(log_f, log_prior, channel, np.ones(n_channels)) * (1.0 + 1e-9)
    for i in np.flatnonzero(factors > 2.0 * LEAST):
        for change in (0.8, 1.25):
            other = factors.copy()
            other[i] *= change
            assert best <= size(log_f, log_prior, channel, other) * (1.0 + 2e-3)


def test_mirrors_share_a_factor():
    """Three channels, the last one g_1 again: with points and without it has the same factor."""
    log_f, log_prior, channel = two_densities(100_000, 0.7)
    split = log_prior + np.log([[1.0], [0.5]])
    split = np.concatenate([split, split[1:]])
    found = adapt_factors(log_f, split, channel, (0, 1, 1))
    assert found[1] == found[2]
    np.testing.assert_allclose(found, [1.0, 0.3 / 0.7, 0.3 / 0.7], rtol=0.03)


def test_points_and_channels_without_f_change_nothing():
    log_f, log_prior, channel = two_densities(4000, 0.7)
    nothing = np.full_like(log_f, -np.inf)
    assert adapt_factors(nothing, log_prior, channel, (0, 1)).tolist() == [1.0, 1.0]
    # a third channel that nothing of f belongs to
    extended = np.concatenate([log_prior, np.full((1, len(log_f)), -np.inf)])
    found = adapt_factors(log_f, extended, channel, (0, 1, 2))
    expected = adapt_factors(log_f, log_prior, channel, (0, 1))
    np.testing.assert_allclose(found[:2] / found[0], expected / expected[0], rtol=1e-9)
