"""Integral, survey and the choice of w_max."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabgen
from fabgen.errors import FabgenError
from fabgen.integrand.density import DensityIntegrand
from fabgen.metrics import WeightSum, keep_largest
from fabgen.sampling.integrate import integrate, reference_index, survey
from fabgen.sampling.sampler import weighted_sampler
from fabgen.sampling.values import CompiledIntegrand

assert fabgen.__version__


@dataclass(frozen=True)
class Flat:
    """The uniform density on the cube; its parameter does nothing."""

    dim: int

    def sample_and_log_prob(self, params, key, n):
        return jax.random.uniform(key, (n, self.dim)), jnp.zeros(n)


@dataclass(frozen=True)
class Power(DensityIntegrand):
    """f = prod_i (a + 1) u_i^a, zero for u_0 < cut; its integral is 1 - cut^(a + 1)."""

    dim: int = 2
    a: float = 2.0
    cut: float = 0.0
    scale: float = 1.0

    def log_density(self, u):
        log_f = jnp.sum(math.log(self.a + 1) + self.a * jnp.log(u), axis=-1)
        return jnp.where(u[..., 0] < self.cut, -jnp.inf, log_f + math.log(self.scale))


def sampler_of(integrand, block=1000):
    values = CompiledIntegrand(integrand, block).values
    return weighted_sampler(values, Flat(integrand.dim), (), block=block)


def test_integral_and_its_error() -> None:
    result = integrate(sampler_of(Power(scale=7.0, cut=0.5)), 20_000, jax.random.key(1))
    m = result.metrics
    # <f^2> of u^2 on [c, 1] x [0, 1]: (9/5)^2 (1 - c^5)
    exact, square = 7.0 * (1 - 0.5**3), 49.0 * (9 / 5) ** 2 * (1 - 0.5**5)
    assert abs(m.integral - exact) < 4 * m.integral_error
    assert m.integral_error == pytest.approx(math.sqrt((square - exact**2) / m.n), rel=0.05)
    assert m.sampling_efficiency == pytest.approx(exact**2 / square, rel=0.05)
    assert m.n == 20_000
    assert m.zero / m.n == pytest.approx(0.5, abs=0.02)
    assert result.nonzero_fraction == pytest.approx(1 - m.zero / m.n)


def test_blocks_do_not_matter_and_every_call_is_counted() -> None:
    """The end of the last block is left out of the sample but counted."""
    steps = []
    result = integrate(
        sampler_of(Power(), block=300), 1000, jax.random.key(0), progress=steps.append
    )
    assert result.metrics.n == 1000
    assert result.target_evaluations == 1200
    assert steps == [300, 600, 900, 1000]


def test_longer_streams_begin_with_shorter_ones() -> None:
    sampler, key = sampler_of(Power(), block=100), jax.random.key(5)
    draws = [np.asarray(sampler(key, i)[1]) for i in range(3)]
    result = integrate(sampler, 250, key)
    joined = np.concatenate(draws)[:250]
    assert (
        result.metrics
        == (
            WeightSum.of(joined[:100]) + WeightSum.of(joined[100:200]) + WeightSum.of(joined[200:])
        ).metrics()
    )


def test_nonfinite_values_are_counted() -> None:
    @dataclass(frozen=True)
    class Broken(DensityIntegrand):
        dim: int = 1

        def log_density(self, u):
            return jnp.where(u[..., 0] < 0.1, jnp.nan, 0.0)

    m = integrate(sampler_of(Broken()), 5000, jax.random.key(0)).metrics
    assert m.nonfinite == pytest.approx(500, abs=120)
    assert m.integral == pytest.approx(1 - m.nonfinite / m.n)


def test_integrand_that_vanishes_everywhere() -> None:
    with pytest.raises(FabgenError, match="vanishes at all 1000"):
        integrate(sampler_of(Power(cut=2.0)), 1000, jax.random.key(0))


weights = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=80).map(np.array)


@given(weights, st.floats(0.0, 1.0))
@settings(max_examples=100)
def test_reference_weight_is_the_smallest_that_keeps_the_share(w: np.ndarray, share: float) -> None:
    result = survey(WeightSum.of(np.log(w)), np.log(w), share, w.size)
    w_max = math.exp(result.log_w_max)
    above = w[w > w_max * (1 + 1e-12)]
    assert np.sum(above) <= share * np.sum(w) * (1 + 1e-9)
    assert result.overweight_share <= share * (1 + 1e-9)
    smaller = w[w < w_max * (1 - 1e-12)]
    if smaller.size:
        assert np.sum(w[w > np.max(smaller)]) >= share * np.sum(w) * (1 - 1e-9)
    assert result.acceptance == pytest.approx(np.mean(np.minimum(1.0, w / w_max)))


@given(weights, st.floats(0.0, 1.0), st.integers(1, 40))
@settings(max_examples=50)
def test_a_short_tail_is_conservative(w: np.ndarray, share: float, size: int) -> None:
    tail = keep_largest(np.empty(0), np.log(w), size)
    short = survey(WeightSum.of(np.log(w)), tail, share, w.size)
    whole = survey(WeightSum.of(np.log(w)), np.log(w), share, w.size)
    assert short.log_w_max >= whole.log_w_max
    w_max = math.exp(short.log_w_max)
    assert short.acceptance == pytest.approx(np.mean(np.minimum(1.0, w / w_max)))


@given(st.lists(weights, min_size=1, max_size=5), st.integers(1, 30))
@settings(max_examples=50)
def test_keep_largest_in_blocks(blocks: list[np.ndarray], size: int) -> None:
    tail = np.empty(0)
    for block in blocks:
        tail = keep_largest(tail, block, size)
    assert np.sort(tail) == pytest.approx(np.sort(np.concatenate(blocks))[-size:])


def test_zero_overweight_is_the_largest_weight() -> None:
    assert reference_index(np.array([3.0, 2.0, 1.0]), 0.0) == 0
    w = np.array([1.0, 5.0, 3.0])
    assert survey(WeightSum.of(np.log(w)), np.log(w), 0.0, 3).overweight_share == 0.0
