from __future__ import annotations

import dataclasses

import gvar
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vegas

from fabgen.card.schema import VegasOptions
from fabgen.errors import FabgenError
from fabgen.surrogate.vegas.adapt import train_vegas, vegas_grid

OPTIONS = VegasOptions(iterations=6, evaluations=4000, bins=30, alpha=0.5)
WIDTH = 0.12

SAMPLE = jax.jit(
    lambda grid, params, key, n: grid.sample_and_log_prob(params, key, n), static_argnums=(0, 3)
)
LOG_PROB = jax.jit(lambda grid, params, u: grid.log_prob(params, u), static_argnums=0)


@jax.jit
def log_peak(u):
    """A Gaussian and half of it on the diagonal, 4-D; its integral is 3/2 up to 1e-3."""
    norm = 2.0 * jnp.log(2.0 * jnp.pi * WIDTH**2)

    def gauss(centre):
        return -0.5 * jnp.sum((u - centre) ** 2, axis=-1) / WIDTH**2 - norm

    return jnp.logaddexp(gauss(0.4), gauss(0.6) + jnp.log(0.5))


def efficiency(w):
    return w.sum() ** 2 / (len(w) * np.sum(w**2))


@pytest.fixture(scope="module")
def trained():
    return train_vegas(log_peak, 4, OPTIONS, seed=1)


@pytest.fixture(scope="module")
def package():
    """The package alone, with the same random numbers."""
    integrator = vegas.Integrator(
        4 * [[0, 1]],
        nitn=6,
        neval=4000,
        maxinc_axis=30,
        alpha=0.5,
        ran_array_generator=np.random.default_rng(1).random,
    )
    result = integrator(vegas.lbatchintegrand(lambda x: np.exp(np.asarray(log_peak(x)))))
    return integrator, result


def test_integral_is_the_one_of_the_package(trained, package):
    result = trained[2]
    assert result.integral == pytest.approx(package[1].mean, rel=1e-10)
    assert result.integral_error == pytest.approx(package[1].sdev, rel=1e-8)
    assert result.integral == pytest.approx(1.5, abs=5 * result.integral_error + 2e-3)
    assert result.evaluations == package[1].sum_neval
    assert result.nonfinite == 0
    assert [h.iteration for h in result.history] == [1, 2, 3, 4, 5, 6]
    assert result.history[-1].evaluations == result.evaluations
    assert result.history[-1].average == result.integral


def test_density_and_efficiency_are_the_ones_of_the_package(trained, package):
    grid, params, _ = trained
    integrator, _ = package
    batches = []
    for _ in range(5):
        for x, weight in integrator.random_batch():
            batches.append((np.array(x), np.log(weight * integrator.last_neval)))
    x, log_weight = map(np.concatenate, zip(*batches, strict=True))
    np.testing.assert_allclose(LOG_PROB(grid, params, x), -log_weight)
    theirs = np.exp(np.asarray(log_peak(x)) + log_weight)
    u, log_q = SAMPLE(grid, params, jax.random.key(0), 20_000)
    ours = np.exp(np.asarray(log_peak(u)) - log_q)
    error = ours.std() / np.sqrt(len(ours))
    assert ours.mean() == pytest.approx(1.5, abs=4 * error + 2e-3)
    assert efficiency(ours) == pytest.approx(efficiency(theirs), abs=0.02)
    flat = np.exp(np.asarray(log_peak(np.random.default_rng(0).uniform(size=(20_000, 4)))))
    assert efficiency(ours) > 5 * efficiency(flat)


def test_same_seed_same_grid_whatever_the_global_generator(trained):
    gvar.ranseed(7)
    _, params, result = train_vegas(log_peak, 4, OPTIONS, seed=1)
    np.testing.assert_array_equal(params.grid, trained[1].grid)
    np.testing.assert_array_equal(params.points, trained[1].points)
    assert result == trained[2]


@pytest.mark.parametrize(
    ("dim", "options"),
    [
        (1, OPTIONS),
        (2, VegasOptions(iterations=2, evaluations=20_000, bins=64)),
        (8, VegasOptions(iterations=2, evaluations=3000, bins=64)),
        (8, VegasOptions(iterations=2, evaluations=100, bins=2)),
        (2, VegasOptions(2, 20_000, warmup_iterations=2, warmup_evaluations=1000)),
        (8, VegasOptions(2, 3000, warmup_iterations=1, warmup_evaluations=300, bins=128)),
    ],
)
def test_static_part_is_known_before_training(dim, options):
    grid, params, _ = train_vegas(lambda u: -u.sum(axis=-1), dim, options, seed=0)
    assert grid == vegas_grid(dim, options)
    start = grid.init(jax.random.key(0))
    assert [a.shape for a in start] == [a.shape for a in params]
    assert [a.dtype for a in start] == [a.dtype for a in params]
    u, log_q = SAMPLE(grid, params, jax.random.key(0), 5000)
    weights = np.exp(np.asarray(-u.sum(axis=-1) - log_q))
    exact = (1 - np.exp(-1)) ** dim
    assert weights.mean() == pytest.approx(exact, abs=5 * weights.std() / np.sqrt(5000))


def test_training_counts_the_warmup_of_its_options(trained):
    reports = []
    options = dataclasses.replace(OPTIONS, warmup_iterations=3, warmup_evaluations=1000)
    _, _, result = train_vegas(log_peak, 4, options, seed=3, report=reports.append)
    assert reports == list(result.history)
    assert [r.iteration for r in reports] == list(range(1, OPTIONS.iterations + 1))
    # the package takes at most what it is given
    assert 2000 < reports[0].evaluations - trained[2].history[0].evaluations < 3200


def test_iterations_that_disagree_are_no_estimate(trained):
    agreeing = trained[2]
    assert agreeing.probability > 1e-3
    assert agreeing.figures()["vegas_integral"] == agreeing.integral
    assert dataclasses.replace(agreeing, few=True).figures()["vegas_integral"] is None
    disagreeing = dataclasses.replace(agreeing, chi2_per_dof=36.0, probability=1e-30)
    figures = disagreeing.figures()
    assert figures["vegas_integral"] is None and figures["vegas_integral_error"] is None
    assert figures["vegas_chi2_per_dof"] == 36.0


def test_nonfinite_values_are_counted_and_taken_as_zero():
    def log_density(u):
        x = u[:, 0]
        strange = jnp.where(x < 0.1, jnp.nan, jnp.where(x < 0.2, jnp.inf, -jnp.inf))
        return jnp.where(x < 0.3, strange, jnp.log(4.0 * u[:, 0] * u[:, 1]))

    _, _, result = train_vegas(log_density, 2, OPTIONS, seed=0)
    assert 0 < result.nonfinite < 0.3 * result.evaluations
    assert result.integral == pytest.approx(0.91, rel=0.02)


def test_density_that_vanishes_everywhere():
    with pytest.raises(FabgenError, match="no point"):
        train_vegas(lambda u: jnp.full(u.shape[0], -jnp.inf), 2, OPTIONS, seed=0)
