"""Unweighted and weighted points: exact distributions, exact numbers, honest counts."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fabgen
from fabgen.errors import FabgenError
from fabgen.integrand.density import DensityIntegrand
from fabgen.sampling.integrate import integrate
from fabgen.sampling.sampler import weighted_sampler
from fabgen.sampling.unweight import Totals, unweight, weighted
from fabgen.sampling.values import CompiledIntegrand

assert fabgen.__version__


@dataclass(frozen=True)
class Tilted:
    """q(u) = 1/2 + u_0 in the first direction (inverse of its distribution function), flat else."""

    dim: int

    def sample_and_log_prob(self, params, key, n):
        u = jax.random.uniform(key, (n, self.dim))
        x = jnp.sqrt(0.25 + 2.0 * u[:, 0]) - 0.5
        return u.at[:, 0].set(x), jnp.log(0.5 + x)


@dataclass(frozen=True)
class Peak(DensityIntegrand):
    """f = scale x 3 u_0^2 with a narrow spike at u_0 > 0.99; zero for u_1 < cut."""

    dim: int = 2
    scale: float = 5.0
    spike: float = 8.0
    cut: float = 0.0

    def density(self, x):
        return self.scale * 3.0 * x**2 * jnp.where(x > 0.99, self.spike, 1.0)

    def log_density(self, u):
        return jnp.where(u[..., 1] < self.cut, -jnp.inf, jnp.log(self.density(u[..., 0])))

    @property
    def integral(self):
        return self.scale * (1 + (self.spike - 1) * (1 - 0.99**3)) * (1 - self.cut)


KEY = jax.random.key(11)


@functools.cache
def sampler_of(integrand, block):
    values = CompiledIntegrand(integrand, block).values
    return weighted_sampler(values, Tilted(integrand.dim), (), block=block)


@functools.cache
def run(method, integrand, n, *, max_overweight=0.001, samples=20_000, block=2000, seed=11):
    sampler, key = sampler_of(integrand, block), jax.random.key(seed)
    survey = integrate(sampler, samples, jax.random.key(2), max_overweight=max_overweight)
    blocks = list(method(sampler, survey, n, key))
    totals = Totals()
    for block_ in blocks:
        totals = totals + block_
    u = np.concatenate([b.u for b in blocks])
    return survey, totals, u, np.concatenate([b.weight for b in blocks])


@pytest.mark.parametrize(
    ("method", "max_overweight"),
    [(unweight, 0.0), (unweight, 0.001), (unweight, 0.3), (weighted, 0.001)],
)
def test_histogram_is_unbiased(method, max_overweight: float) -> None:
    """Chi^2 of the histogram of the summed event weights against the exact bin integrals.

    With max_overweight = 0.3 the spike (17 % of the cross section) is overweight: wrong factors or
    a wrong mean factor would show at once.
    """
    integrand, n = Peak(), 40_000
    survey, totals, u, weight = run(method, integrand, n, max_overweight=max_overweight)
    assert len(u) == len(weight) == totals.events == n
    edges = np.array([0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])
    height = np.where(edges[1:] > 0.99, integrand.spike, 1.0)
    expected = integrand.scale * height * np.diff(edges**3)
    bins = np.digitize(u[:, 0], edges) - 1
    found = np.bincount(bins, weight, minlength=len(expected)) / n
    square = np.bincount(bins, weight**2, minlength=len(expected)) / n
    variance = (square - found**2) / n
    # The common normalization has the error of the survey.
    scale_error = survey.metrics.integral_error / survey.metrics.integral
    variance += (found * scale_error) ** 2
    chi2 = np.sum((found - expected) ** 2 / variance)
    assert chi2 < 32.0  # 10 bins: probability 4e-4
    assert (totals.overweight_share > 0.1) == (max_overweight == 0.3)


@pytest.mark.parametrize("max_overweight", [0.0, 0.3])
def test_mean_event_weight_is_the_cross_section(max_overweight: float) -> None:
    survey, totals, _, weight = run(unweight, Peak(), 40_000, max_overweight=max_overweight)
    error = math.hypot(survey.metrics.integral_error, np.std(weight) / math.sqrt(len(weight)))
    assert abs(np.mean(weight) - Peak().integral) < 4 * error
    # <c> of the accepted events in the evaluation sample, by its definition
    mean_factor = survey.metrics.integral / survey.unweighted_weight
    factor = weight / survey.unweighted_weight
    assert np.min(factor) == pytest.approx(1.0)
    assert np.mean(factor) == pytest.approx(mean_factor, abs=4 * np.std(factor) / 200 + 0.01)
    assert totals.overweight_share == pytest.approx(survey.overweight_share, abs=0.02)


def test_overweight_events_carry_their_exact_factor() -> None:
    integrand = Peak()
    survey, _, u, weight = run(unweight, integrand, 5000, max_overweight=0.3)
    w = np.asarray(jax.jit(integrand.density)(u[:, 0])) / (0.5 + u[:, 0])
    expected = survey.unweighted_weight * np.maximum(1.0, w / math.exp(survey.log_w_max))
    assert weight == pytest.approx(expected)


def test_acceptance_is_what_the_survey_says() -> None:
    survey, totals, *_ = run(unweight, Peak(), 20_000, block=500)
    assert totals.events / totals.target_evaluations == pytest.approx(survey.acceptance, rel=0.05)
    assert totals.target_evaluations % 500 == 0


@pytest.mark.parametrize("method", [unweight, weighted])
def test_first_events_of_a_longer_run_are_the_same(method) -> None:
    _, _, u_long, w_long = run(method, Peak(cut=0.3), 3000, block=500)
    _, _, u_short, w_short = run(method, Peak(cut=0.3), 700, block=500)
    assert np.array_equal(u_short, u_long[:700])
    assert np.array_equal(w_short, w_long[:700])
    other = run(method, Peak(cut=0.3), 700, block=500, seed=12)[2]
    assert not np.array_equal(u_short, other)


def test_weighted_events_leave_out_zeros_and_keep_the_mean() -> None:
    integrand = Peak(cut=0.3)
    survey, totals, u, weight = run(weighted, integrand, 20_000)
    assert np.all(u[:, 1] >= 0.3) and np.all(weight > 0) and totals.events == 20_000
    error = math.hypot(survey.metrics.integral_error, np.std(weight) / math.sqrt(len(weight)))
    assert abs(np.mean(weight) - integrand.integral) < 4 * error
    assert totals.overweight_events == 0


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_events(n: int) -> None:
    sampler = sampler_of(Peak(), 100)
    survey = integrate(sampler, 1000, KEY)
    assert sum(len(b.weight) for b in unweight(sampler, survey, n, KEY)) == n


def test_events_that_stay_away_are_an_error() -> None:
    """A survey that promises events which the integrand does not have."""
    survey = integrate(sampler_of(Peak(), 100), 1000, KEY)
    empty = sampler_of(Peak(cut=2.0), 100)
    with pytest.raises(FabgenError, match=r"Only 0 of 5 events after \d+ target evaluations"):
        list(unweight(empty, survey, 5, KEY))


def test_nonfinite_weights_are_never_accepted() -> None:
    @dataclass(frozen=True)
    class Broken(Peak):
        def log_density(self, u):
            return jnp.where(u[..., 1] < 0.5, jnp.nan, super().log_density(u))

    _, _, u, weight = run(unweight, replace(Broken(), spike=1.0), 3000)
    assert np.all(u[:, 1] >= 0.5) and np.all(np.isfinite(weight))
