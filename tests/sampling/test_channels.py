"""Several channels: exact sums, their shares, unweighting with a maximum of each."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.sampling.integrate import integrate, with_optimal_allocation
from fabgen.sampling.sampler import Step, WeightedSampler, draw_channels
from fabgen.sampling.unweight import unweight, weighted

#: Integral and relative spread of the weights of each channel: w_i = I_i (1 + spread x), x from -1
#: to 1, uniform; one channel does not contribute.
INTEGRALS = np.array([3.0, 0.5, 0.0, 1.5])
SPREADS = np.array([0.9, 0.2, 0.0, 0.0])
KEY = jax.random.key(3)


BLOCK = 1000


@jax.jit
def step(params, key, channel):
    del params
    u = jax.random.uniform(key, (BLOCK, 1))
    w = jnp.asarray(INTEGRALS)[channel] * (
        1.0 + jnp.asarray(SPREADS)[channel] * (2.0 * u[:, 0] - 1.0)
    )
    return Step(u, jnp.log(w), jnp.ones(BLOCK, jnp.int8))


def sampler(shares=(0.25,) * 4):
    return WeightedSampler(step, (), 1, BLOCK, shares)


@pytest.mark.parametrize("shares", [(0.25,) * 4, (0.6, 0.3, 0.0, 0.1), (0.0, 1.0, 0.0, 0.0)])
def test_channels_are_drawn_with_their_shares(shares):
    channel, log_share = map(np.asarray, draw_channels(KEY, jnp.asarray(shares), 1001))
    counts = np.bincount(channel, minlength=4)
    assert np.all(np.abs(counts - 1001 * np.asarray(shares)) < 1.0 + 1e-9)
    np.testing.assert_allclose(np.exp(log_share), np.asarray(shares)[channel])
    if shares[0] == 0.25:  # in random order
        assert np.bincount(channel[:400], minlength=4).min() > 60


def test_integral_adds_channel_by_channel():
    shares = (0.3, 0.3, 0.1, 0.3)
    pulls = []
    for seed in range(40):
        found = integrate(sampler(shares), 10_500, jax.random.key(seed))
        m = found.metrics
        pulls.append((m.integral - INTEGRALS.sum()) / m.integral_error)
    # sigma_i^2 = I_i^2 spread^2 / 3 with n a_i points
    variance = INTEGRALS**2 * SPREADS**2 / 3 / (10_500 * np.asarray(shares))
    assert m.integral_error == pytest.approx(math.sqrt(variance.sum()), rel=0.05)
    assert abs(np.mean(pulls)) < 4 / math.sqrt(40)
    assert 0.6 < np.std(pulls) < 1.5
    for channel, integral in zip(found.channels, INTEGRALS, strict=True):
        if integral == 0.0:
            assert channel.metrics is None
        else:
            assert channel.metrics.integral == pytest.approx(integral, rel=0.05)
    assert found.channels[2].log_w_max == pytest.approx(
        math.log(20 / 10_500)
        + math.log(sum(math.exp(c.log_w_max) for c in found.channels if c.metrics))
    )


def test_a_channel_that_the_survey_missed_has_its_events():
    """Channel 1 has a fifth of the integral in a hundredth of its points: 25 may all be zero."""

    def step(params, key, channel):
        u = jax.random.uniform(key, (channel.size, 1))
        w = jnp.where(channel == 0, 0.8, jnp.where(u[:, 0] > 0.99, 20.0, 0.0))
        return Step(u, jnp.log(w), jnp.ones(channel.size, jnp.int8))

    chosen = WeightedSampler(step, (), 1, BLOCK, (0.5, 0.5))
    surveys = (integrate(chosen, 50, jax.random.key(seed)) for seed in range(40))
    survey = next(s for s in surveys if s.channels[1].metrics is None)
    assert sum(survey.unweighting_shares) == pytest.approx(1.0)
    parts = list(unweight(chosen, survey, 20_000, jax.random.key(8)))
    channel = np.concatenate([p.channel for p in parts])
    weight = np.concatenate([p.weight for p in parts])
    share = weight[channel == 1].sum() / weight.sum()
    error = math.sqrt(np.sum(weight[channel == 1] ** 2)) / weight.sum()
    assert share == pytest.approx(0.2, abs=4 * error)
    assert error < 0.03


def test_efficiencies_of_the_mixture():
    shares = (0.4, 0.2, 0.1, 0.3)
    found = integrate(sampler(shares), 100_000, KEY, max_overweight=0.0)
    squares = INTEGRALS**2 * (1.0 + SPREADS**2 / 3)
    expected = INTEGRALS.sum() ** 2 / np.sum(squares / np.asarray(shares))
    assert found.metrics.sampling_efficiency == pytest.approx(expected, rel=0.01)
    largest = INTEGRALS * (1.0 + SPREADS)
    assert found.metrics.max_weight == pytest.approx(largest.sum(), rel=1e-3)
    expected = INTEGRALS.sum() / largest.sum()
    assert found.metrics.unweighting_efficiency == pytest.approx(expected, rel=5e-3)
    assert found.acceptance == pytest.approx(expected, rel=1e-2)
    expected = np.where(largest > 0.0, largest / largest.sum(), 20 / 100_000)
    np.testing.assert_allclose(found.unweighting_shares, expected, rtol=2e-3)


def test_balanced_shares_are_the_most_efficient():
    best, calls = with_optimal_allocation(sampler(), 20_000, 5_000, KEY)
    assert calls == 5_000
    sizes = INTEGRALS * np.sqrt(1.0 + SPREADS**2 / 3)
    np.testing.assert_allclose(best.shares, np.maximum(sizes / sizes.sum(), 1e-3), rtol=0.05)
    assert sum(best.shares) == pytest.approx(1.0)
    found = integrate(best, 20_000, KEY).metrics.sampling_efficiency
    assert found == pytest.approx((INTEGRALS.sum() / sizes.sum()) ** 2, rel=0.02)


@pytest.mark.parametrize(
    ("method", "max_overweight"), [(unweight, 0.0), (unweight, 0.1), (weighted, 0.0)]
)
def test_events_of_all_channels_in_the_right_proportions(method, max_overweight):
    chosen = sampler((0.4, 0.2, 0.1, 0.3))
    survey = integrate(chosen, 50_000, KEY, max_overweight=max_overweight)
    n = 30_000
    parts = list(method(chosen, survey, n, jax.random.key(8)))
    channel = np.concatenate([p.channel for p in parts])
    weight = np.concatenate([p.weight for p in parts])
    u = np.concatenate([p.u[:, 0] for p in parts])
    assert len(weight) == n
    assert np.mean(weight) == pytest.approx(INTEGRALS.sum(), rel=0.02)
    sums = np.bincount(channel, weight, minlength=4) / n
    errors = np.sqrt(np.bincount(channel, weight**2, minlength=4)) / n
    assert np.all(np.abs(sums - INTEGRALS) <= 4 * errors + 0.01)
    # within channel 0 as 1 + spread (2 u - 1)
    mine = channel == 0
    mean = np.average(u[mine], weights=weight[mine])
    assert mean == pytest.approx(0.5 + SPREADS[0] / 6, abs=0.01)
    overweight = np.concatenate([p.overweight for p in parts])
    share = np.sum(weight[overweight]) / np.sum(weight)
    # of the two channels whose weights vary
    assert share == pytest.approx(max_overweight * INTEGRALS[:2].sum() / INTEGRALS.sum(), abs=0.02)
