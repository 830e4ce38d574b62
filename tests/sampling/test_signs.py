"""f of both signs: exact integrals, and events whose signed weights are distributed as f."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.integrand.density import DensityIntegrand
from fabgen.sampling.integrate import integrate, with_optimal_allocation
from fabgen.sampling.sampler import weighted_sampler
from fabgen.sampling.unweight import Totals, unweight, weighted
from fabgen.sampling.values import CompiledIntegrand
from fabgen.surrogate import MultiChannel, Uniform
from fabgen.surrogate.channel_weights import ChannelLayout

BLOCK, CUT = 2000, 0.2
KEY = jax.random.key(21)
METHODS = [(unweight, 0.0), (unweight, 0.3), (weighted, 0.0)]


@dataclass(frozen=True)
class Parabola(DensityIntegrand):
    """f = 4 u_0^2 - 1, below zero in half of the cube; zero for u_1 < CUT."""

    dim: int = 2

    def f(self, u):
        return jnp.where(u[:, 1] < CUT, 0.0, 4.0 * u[:, 0] ** 2 - 1.0)

    def log_density(self, u):
        return jnp.log(jnp.abs(self.f(u)))

    def evaluate(self, points, parameters=None):
        value = self.f(points.final.T)
        point = self.at(points, jnp.log(jnp.abs(value)))
        return point._replace(sign=jnp.where(value < 0.0, -1, 1).astype(jnp.int8))


@dataclass(frozen=True)
class WithSubtraction(Parabola):
    """The parabola in two flat channels of weights u_0 and 1 - u_0, and a component of one channel
    that is negative everywhere: -0.1 (1 + u_0)."""

    component_of_channel: tuple[int, ...] = (0, 0, 1)

    def evaluate(self, points, parameters=None):
        x, other = points.final[0], points.channel == 2
        value = jnp.where(other, -0.1 * (1.0 + x), self.f(points.final.T))
        alone = jnp.stack([jnp.zeros_like(x), jnp.full_like(x, -jnp.inf)])
        log_prior = jnp.where(other, alone, jnp.log(jnp.stack([x, 1.0 - x])))
        point = self.at(points, jnp.log(jnp.abs(value)), log_prior)
        return point._replace(sign=jnp.where(value < 0.0, -1, 1).astype(jnp.int8))


@dataclass(frozen=True)
class Tilted:
    """q(u) = 1/2 + u_0 in the first direction, flat else."""

    dim: int = 2

    def sample_and_log_prob(self, params, key, n):
        u = jax.random.uniform(key, (n, self.dim))
        x = jnp.sqrt(0.25 + 2.0 * u[:, 0]) - 0.5
        return u.at[:, 0].set(x), jnp.log(0.5 + x)


#: Of the parabola.
SIGNED, ABSOLUTE = (1.0 - CUT) / 3.0, 1.0 - CUT
#: Of both of its channels, and of the other component.
PARTS = np.array([(1.0 - CUT) / 2.0, -(1.0 - CUT) / 6.0, -0.15])


@functools.cache
def sampler():
    return weighted_sampler(CompiledIntegrand(Parabola(), BLOCK).values, Tilted(), (), block=BLOCK)


@functools.cache
def sampler_of_channels():
    integrand = WithSubtraction()
    surrogate = MultiChannel(Uniform(2), ChannelLayout(integrand.component_of_channel), (0, 0, 0))
    values, params = CompiledIntegrand(integrand, BLOCK).values, surrogate.init(KEY)
    return weighted_sampler(values, surrogate, params, (0.4, 0.3, 0.3), block=BLOCK)


def cumulated(x):
    """The integral of the parabola over u_0 < x."""
    return (1.0 - CUT) * (4.0 * x**3 / 3.0 - x)


def with_subtraction(x):
    """The integral of both components over u_0 < x."""
    return cumulated(x) - 0.1 * (x + 0.5 * x**2)


def joined(parts, name):
    return np.concatenate([getattr(part, name) for part in parts])


def check_histogram(u, weight, survey, exact):
    """Chi^2 of the summed signed weights in bins of u_0; the common factor has the survey's error:
    that of the mean |w|, which is at most that of the signed mean."""
    n, edges = len(weight), np.linspace(0.0, 1.0, 11)
    bins = np.minimum((10 * u[:, 0]).astype(int), 9)
    found = np.bincount(bins, weight, minlength=10) / n
    square = np.bincount(bins, weight**2, minlength=10) / n
    factor = survey.metrics.integral_error / survey.metrics.absolute_integral
    variance = (square - found**2) / n + (found * factor) ** 2
    assert np.sum((found - np.diff(exact(edges))) ** 2 / variance) < 32.0  # probability 4e-4


def test_the_integral_is_the_signed_one():
    m = integrate(sampler(), 50_000, jax.random.key(1)).metrics
    assert abs(m.integral - SIGNED) < 4.0 * m.integral_error
    x = (np.arange(100_000) + 0.5) / 100_000
    square = (1.0 - CUT) * np.mean((4.0 * x**2 - 1.0) ** 2 / (0.5 + x))
    assert m.integral_error == pytest.approx(math.sqrt((square - SIGNED**2) / m.n), rel=0.05)
    error = math.sqrt((square - ABSOLUTE**2) / m.n)
    assert abs(m.absolute_integral - ABSOLUTE) < 4.0 * error
    assert m.sampling_efficiency == pytest.approx(ABSOLUTE**2 / square, rel=0.02)
    # q(u_0 < 1/2) = 3/8
    assert m.negative / m.n == pytest.approx(0.375 * (1.0 - CUT), abs=0.01)
    assert m.zero / m.n == pytest.approx(CUT, abs=0.01)


def test_pulls_of_the_signed_integral():
    found = [integrate(sampler(), 4000, jax.random.key(seed)).metrics for seed in range(40)]
    pulls = [(m.integral - SIGNED) / m.integral_error for m in found]
    assert abs(np.mean(pulls)) < 4.0 / math.sqrt(40)
    assert 0.6 < np.std(pulls) < 1.5


@pytest.mark.parametrize(("method", "max_overweight"), METHODS)
def test_events_have_weights_of_both_signs(method, max_overweight):
    n = 40_000
    survey = integrate(sampler(), 20_000, KEY, max_overweight=max_overweight)
    parts = list(method(sampler(), survey, n, jax.random.key(8)))
    u, weight, overweight = (joined(parts, name) for name in ("u", "weight", "overweight"))
    assert len(weight) == n
    np.testing.assert_array_equal(weight < 0.0, u[:, 0] < 0.5)
    assert 0.2 < np.mean(weight < 0.0) < 0.5
    error = math.hypot(survey.metrics.integral_error, np.std(weight) / math.sqrt(n))
    assert abs(np.mean(weight) - SIGNED) < 4.0 * error
    check_histogram(u, weight, survey, cumulated)
    if method is unweight:
        np.testing.assert_allclose(np.abs(weight[~overweight]), survey.unweighted_weight)
        assert (np.mean(overweight) > 0.05) == (max_overweight > 0.0)
    totals = sum(parts, Totals())
    assert totals.sum_weight == pytest.approx(np.abs(weight).sum())
    assert totals.overweight_share == pytest.approx(survey.overweight_share, abs=0.02)


def test_channels_of_both_signs_add_up():
    pulls = []
    for seed in range(20):
        found = integrate(sampler_of_channels(), 10_000, jax.random.key(seed))
        m = found.metrics
        pulls.append((m.integral - PARTS.sum()) / m.integral_error)
    assert abs(np.mean(pulls)) < 4.0 / math.sqrt(20)
    assert 0.5 < np.std(pulls) < 1.6
    for channel, exact in zip(found.channels, PARTS, strict=True):
        own = channel.metrics
        assert abs(own.integral - exact) < 4.0 * own.integral_error
    assert m.absolute_integral == pytest.approx(
        sum(channel.metrics.absolute_integral for channel in found.channels)
    )
    other = found.channels[2].metrics
    assert other.negative > 0
    assert other.absolute_integral == pytest.approx(-other.integral, rel=1e-12)


@pytest.mark.parametrize(("method", "max_overweight"), METHODS)
def test_events_of_channels_of_both_signs(method, max_overweight):
    chosen, calls = with_optimal_allocation(sampler_of_channels(), 50_000, 5_000, KEY)
    assert calls == 6_000
    assert sum(chosen.shares) == pytest.approx(1.0)
    assert min(chosen.shares) > 0.05
    survey = integrate(chosen, 50_000, KEY, max_overweight=max_overweight)
    n = 40_000
    parts = list(method(chosen, survey, n, jax.random.key(8)))
    u, weight, channel = (joined(parts, name) for name in ("u", "weight", "channel"))
    np.testing.assert_array_equal(weight < 0.0, (channel == 2) | (u[:, 0] < 0.5))
    error = math.hypot(survey.metrics.integral_error, np.std(weight) / math.sqrt(n))
    assert abs(np.mean(weight) - PARTS.sum()) < 4.0 * error
    sums = np.bincount(channel, weight, minlength=3) / n
    errors = np.sqrt(np.bincount(channel, weight**2, minlength=3)) / n
    assert np.all(np.abs(sums - PARTS) <= 4.0 * np.hypot(errors, survey.metrics.integral_error))
    check_histogram(u, weight, survey, with_subtraction)
