"""The pieces of FAB's two losses by hand, and FAB with a flow on a density with two peaks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.card import FabOptions, TrainingOptions
from fabgen.surrogate import Flow
from fabgen.training import train
from fabgen.training.buffer import Draw
from fabgen.training.counters import Tally
from fabgen.training.fab import Fab, FabBatch
from fabgen.training.fab_nobuffer import FabNoBuffer, PassMemory
from fabgen.training.rkld import ReverseKl


class PowerSurrogate:
    """q = a u^(a-1) on [0, 1], parameter a."""

    dim = 1

    def init(self, key):
        del key
        return jnp.asarray(1.0)

    def log_prob(self, a, u):
        return jnp.log(a) + (a - 1.0) * jnp.log(u[:, 0])

    def sample_and_log_prob(self, a, key, n):
        u = jax.random.uniform(key, (n, 1), minval=1e-9) ** (1.0 / a)
        return u, self.log_prob(a, u)


class PowerTarget:
    """f = u^2, zero below `cut`."""

    dim = 1
    cut = 0.0

    def log_density(self, u):
        return jnp.where(u[:, 0] > self.cut, 2.0 * jnp.log(u[:, 0]), -jnp.inf)


def gradient(objective):
    """Loss and gradient as a function of parameters and batch."""

    def loss(params, batch):
        return objective.loss(params, batch, Tally.zero())

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def test_loss_of_the_buffer_clips_the_correction_and_leaves_empty_places_out(toys):
    objective = Fab(PowerTarget(), PowerSurrogate(), toys.options(fab={"weight_clip": 2.0}))
    u = np.asarray([[0.5], [0.8], [0.3]])
    log_q_old = np.asarray([np.log(1.5), np.log(4.0), 0.0])  # corrections 1.5 and 4 -> 2
    batch = FabBatch(Draw(np.arange(3), u, np.asarray([0.0, 0.0, -np.inf]), log_q_old))
    (loss, (log_q, _)), slope = gradient(objective)(1.0, batch)
    np.testing.assert_allclose(loss, 0.0, atol=1e-12)  # log q = 0 for a = 1
    np.testing.assert_allclose(log_q, 0.0, atol=1e-12)
    # d log q / da at a = 1 is 1 + log u; the correction itself carries no gradient.
    np.testing.assert_allclose(
        slope, -(1.5 * (1 + np.log(0.5)) + 2.0 * (1 + np.log(0.8))) / 2.0, rtol=1e-12
    )


def test_loss_without_buffer_normalizes_its_weights(toys):
    objective = FabNoBuffer(PowerTarget(), PowerSurrogate(), toys.options())
    u = np.asarray([[0.5], [0.8], [0.3]])
    log_w = np.asarray([700.0, 700.0 + np.log(3.0), -np.inf])  # no overflow: 1/4, 3/4, 0
    slope_of = gradient(objective)
    _, slope = slope_of(1.0, PassMemory(np.zeros(2), u, log_w))
    np.testing.assert_allclose(
        slope, -(0.25 * (1 + np.log(0.5)) + 0.75 * (1 + np.log(0.8))), rtol=1e-12
    )
    nothing = PassMemory(np.zeros(2), u, np.full(3, -np.inf))
    (loss, _), slope = slope_of(1.0, nothing)
    assert (loss, slope) == (0.0, 0.0)


def test_reverse_kl_has_the_gradient_of_the_closed_form(toys):
    """KL(q || u^2) up to a constant: log a - (a-1)/a + 2/a; its slope is 1/a - 3/a^2."""
    objective = ReverseKl(PowerTarget(), PowerSurrogate(), toys.options(batch_size=100_000))
    (loss, _), slope = gradient(objective)(2.0, jax.random.key(0))
    assert abs(loss - (np.log(2.0) + 0.5)) < 0.01
    assert abs(slope - (0.5 - 0.75)) < 0.01


def test_reverse_kl_leaves_points_without_density_out_and_counts_them(toys):
    target = PowerTarget()
    target.cut = 0.5
    objective = ReverseKl(target, PowerSurrogate(), toys.options(batch_size=1000))
    (loss, (_, tally)), slope = gradient(objective)(1.0, jax.random.key(0))
    assert np.isfinite(loss)
    assert np.isfinite(slope)
    assert 440 < tally.counters.zero_values < 560
    assert tally.counters.target_evaluations == 1000


def test_a_flow_finds_both_peaks_of_a_correlated_density():
    """Two diagonal peaks; flat sampling has eps = 0.1."""

    class Peaks:
        dim = 2

        def log_density(self, u):
            centres = jnp.asarray([[0.25, 0.3], [0.7, 0.75]])
            distance = jnp.sum((u[:, None] - centres) ** 2, axis=-1) / (2.0 * 0.08**2)
            return jax.nn.logsumexp(-distance, axis=-1)

    options = TrainingOptions(
        method="fab",
        steps=80,
        batch_size=128,
        learning_rate=1e-2,
        fab=FabOptions(buffer_batches=20, buffer_minimum=4),
    )
    result = train(Peaks(), Flow(2, layers=2, bins=10, hidden=(32,)), options)
    assert result.history[0].eps < 0.7
    assert result.history[-1].eps > 0.9
    assert result.history[-1].acceptance == pytest.approx(0.65, abs=0.1)
