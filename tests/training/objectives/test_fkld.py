"""The forward divergence: its sample, its epochs, its choice of parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.card import FkldOptions
from fabgen.errors import InputError
from fabgen.surrogate import Flow
from fabgen.training import Checkpointer, split_sample, train
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.fkld import ForwardKl
from fabgen.training.sample import WeightedPoints

LOG_AB = ((0.8, 1.2), (0.3, 0.5))


def points_of(n, seed=0):
    """By the inverse of the distribution function of a Kumaraswamy target."""
    a, b = np.exp(LOG_AB).T
    z = np.random.default_rng(seed).uniform(1e-12, 1.0, (n, 2))
    return (1.0 - (1.0 - z) ** (1.0 / b)) ** (1.0 / a)


def options(toys, **changes):
    fkld = FkldOptions(**changes.pop("fkld", {}))
    return toys.fkld_options(fkld, **changes)


def test_split_keeps_every_point_once_and_the_share_for_validation():
    u = np.arange(200.0).reshape(100, 2) / 200.0
    weight = np.arange(1.0, 101.0)
    sample = split_sample(u, weight, 0.3, seed=4)
    assert sample.validation.u.shape == (30, 2)
    assert sample.training.u.shape == (70, 2)
    together = np.concatenate([sample.training.u, sample.validation.u])
    np.testing.assert_array_equal(np.sort(together, axis=0), u)
    for part in (sample.training, sample.validation):
        assert np.mean(part.weight) == pytest.approx(1.0)
        # weights stay with their points
        rows = np.round(np.asarray(part.u[:, 0]) * 100.0)
        np.testing.assert_allclose(part.weight / part.weight[0], (rows + 1) / (rows[0] + 1))
    assert not np.array_equal(together, u)
    again, other = split_sample(u, weight, 0.3, seed=4), split_sample(u, weight, 0.3, seed=5)
    np.testing.assert_array_equal(again.training.u, sample.training.u)
    assert not np.array_equal(other.training.u, sample.training.u)
    assert len(split_sample(u, weight, 0.0, seed=4).validation.weight) == 0
    assert len(split_sample(u[:2], weight[:2], 0.9, seed=4).training.weight) == 1


def test_every_epoch_takes_every_batch_once_in_a_new_order(toys):
    u = np.linspace(0.01, 0.99, 50)[:, None]
    sample = split_sample(u, np.ones(50), 0.2, seed=1)
    o = ForwardKl.resolve(options(toys, batch_size=8, fkld={"epochs": 2}), sample)
    assert o.steps == 2 * (40 // 8)
    objective = ForwardKl(toys.GaussianTarget(dim=1), toys.Kumaraswamy(1), o, sample)
    params = objective.surrogate.init(None)

    @jax.jit
    def advance(memory, key):
        memory, _ = objective.observe(params, memory, EvaluationStats.zero(), key)
        batch = objective.batch(memory, jax.random.key(99))
        return objective.absorb(memory, batch, None), batch.u[:, 0]

    memory, epochs = jax.jit(objective.init)(), [[], []]
    for step in range(o.steps):
        memory, u = advance(memory, jax.random.key(step))
        assert u.shape == (8,)
        epochs[step // 5].append(np.asarray(u))
    everything = np.sort(np.asarray(sample.training.u[:, 0]))
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), everything)
    assert not np.array_equal(epochs[0][0], epochs[1][0])


def test_loss_by_hand(toys):
    """-mean(weight log q) for q = a u^(a-1) at a = 2; points outside are left out."""
    sample = split_sample(np.full((4, 1), 0.5), np.ones(4), 0.0, seed=1)
    o = ForwardKl.resolve(options(toys, batch_size=4), sample)
    objective = ForwardKl(toys.GaussianTarget(dim=1), toys.Kumaraswamy(1), o, sample)
    params = {"log_ab": np.asarray([[np.log(2.0), 0.0]])}
    u, weight = [[0.5], [0.25], [1.5], [1.0]], [1.0, 3.0, 1.0, 2.0]
    batch = WeightedPoints(np.asarray(u), np.zeros(4, np.int32), np.asarray(weight))
    loss, _ = jax.jit(objective.loss)(params, batch, EvaluationStats.zero())
    expected = -(np.log(1.0) + 3.0 * np.log(0.5) + 2.0 * np.log(2.0)) / 4.0
    np.testing.assert_allclose(loss, expected, atol=1e-10)


def test_a_flow_learns_a_density_from_its_points(toys):
    """KL(p || q) < 0.01 by quadrature, where the flow begins at 0.30."""
    u = points_of(20_000)
    sample = split_sample(u, np.ones(len(u)), 0.1, seed=1)
    surrogate = Flow(2, layers=2, bins=6, hidden=(8,))
    o = options(toys, batch_size=256, learning_rate=2e-2, fkld={"epochs": 2})
    result = train(toys.KumaraswamyTarget(LOG_AB), surrogate, o, data=sample)
    x = (np.arange(100) + 0.5) / 100
    grid = jnp.asarray(np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2))

    @jax.jit
    def logarithms(params):
        return toys.KumaraswamyTarget(LOG_AB).log_density(grid), surrogate.log_prob(params, grid)

    log_p, log_q = map(np.asarray, logarithms(result.params))
    assert np.mean(np.exp(log_p) * log_p) > 0.29
    kl = np.mean(np.exp(log_p) * (log_p - log_q))
    assert -1e-3 < kl < 0.01
    assert result.steps == 2 * (18_000 // 256)
    assert result.figures["validation_loss"] < result.history[0].validation_loss
    assert result.counters["target_evaluations"] == 0


def test_weights_count(toys):
    """A flat sample weighted by f gives the density of f; none of it is kept for validation."""
    target = toys.KumaraswamyTarget(LOG_AB)
    u = np.random.default_rng(3).uniform(1e-6, 1.0, (18_000, 2))
    weight = np.exp(np.asarray(jax.jit(target.log_density)(u)))
    sample = split_sample(u, weight, 0.0, seed=1)
    o = options(toys, batch_size=256, learning_rate=0.05, fkld={"epochs": 2})
    result = train(target, toys.Kumaraswamy(2), o, data=sample)
    np.testing.assert_allclose(result.params["log_ab"], LOG_AB, atol=0.05)
    assert result.figures == {}
    assert {line.validation_loss for line in result.history} == {None}


def test_the_best_parameters_in_validation_stay(toys):
    """A rate so high that training goes astray: what is kept is the best end of an epoch."""
    u = points_of(2000)
    sample = split_sample(u, np.ones(len(u)), 0.2, seed=1)
    common = {"batch_size": 100, "schedule": "constant", "learning_rate": 1.0, "log_every": 16}
    o = options(toys, **common, skip_factor=float("inf"), fkld={"epochs": 6})
    surrogate = toys.Kumaraswamy(2)
    result = train(toys.KumaraswamyTarget(LOG_AB), surrogate, o, data=sample)
    losses = [line.validation_loss for line in result.history]
    best = -np.mean(jax.jit(surrogate.log_prob)(result.params, sample.validation.u))
    assert losses[-1] > result.figures["validation_loss"] == pytest.approx(best)


def test_the_cost_of_the_sample_is_counted_once(toys, tmp_path):
    """A killed run goes on bit for bit, and its counts do not grow by the sample again."""

    class Killed(Exception):
        pass

    u = points_of(1000)
    sample = split_sample(
        u, np.ones(len(u)), 0.1, seed=1, target_evaluations=5000, zero_values=40, nonfinite_values=2
    )
    target, surrogate = toys.KumaraswamyTarget(LOG_AB), toys.Kumaraswamy(2)
    o = options(toys, batch_size=64, checkpoint_every=10, log_every=5, fkld={"epochs": 4})
    whole = train(target, surrogate, o, data=sample)

    def kill(record):
        if record.step >= 35:
            raise Killed

    store = Checkpointer(tmp_path / "surrogate", {})
    with pytest.raises(Killed):
        train(target, surrogate, o, data=sample, checkpointer=store, on_log=kill)
    resumed = train(target, surrogate, o, data=sample, checkpointer=store)
    assert resumed.resumed_step == 30
    assert resumed.counters == whole.counters
    assert whole.counters["target_evaluations"] == 5000
    assert (whole.counters["zero_values"], whole.counters["nonfinite_values"]) == (40, 2)
    for a, b in zip(jax.tree.leaves(resumed.state), jax.tree.leaves(whole.state), strict=True):
        if not np.array_equal(a, whole.state.step):  # the meters count since the last line
            np.testing.assert_array_equal(a, b)
    finished = train(target, surrogate, o, data=sample, checkpointer=store)
    assert finished.history == ()
    assert finished.figures == whole.figures
    np.testing.assert_array_equal(finished.params["log_ab"], whole.params["log_ab"])


@pytest.mark.parametrize(
    ("data", "message"), [(None, "needs a sample"), (10, "at most the 9 events")]
)
def test_no_sample_and_a_sample_too_small_are_refused(toys, data, message):
    sample = None if data is None else split_sample(np.full((data, 2), 0.5), np.ones(data), 0.1, 1)
    with pytest.raises(InputError, match=message):
        train(toys.GaussianTarget(), toys.Kumaraswamy(2), options(toys, batch_size=16), data=sample)


def test_warm_up_in_epochs(toys):
    sample = split_sample(np.full((100, 2), 0.5), np.ones(100), 0.0, 1)
    o = options(
        toys, schedule="warmup-cosine", batch_size=20, fkld={"epochs": 10, "warmup_epochs": 2}
    )
    resolved = ForwardKl.resolve(o, sample)
    assert (resolved.steps, resolved.warmup_steps) == (50, 10)
