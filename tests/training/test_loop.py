"""Each method learns a known density; the loop counts, logs and cuts without leaving a trace."""

from __future__ import annotations

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.errors import FabgenError, InputError
from fabgen.training import Checkpointer, train
from fabgen.training.loop import make_trainer
from fabgen.training.optimizer import schedule
from fabgen.training.stops import log_spaced, next_stop

LOG_AB = ((0.8, 1.2), (0.3, 0.5))
NORM = 7.0
#: Methods that evaluate f while they train; fkld and the further losses have files of their own.
ONLINE = ["fab", "fab-nobuffer", "rkld", "variance", "kl"]


@functools.partial(jax.jit, static_argnums=(0, 1))
def divergence(target, surrogate, params):
    """KL(p || q) and eps of q on the unit square by the midpoint rule, p normalized."""
    x = (jnp.arange(400) + 0.5) / 400
    u = jnp.stack(jnp.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    log_p, log_q = target.log_density(u), surrogate.log_prob(params, u)
    p = jnp.exp(log_p)
    mass = jnp.mean(p)
    kl = jnp.mean(p / mass * (log_p - jnp.log(mass) - log_q))
    return kl, mass**2 / jnp.mean(p**2 / jnp.exp(log_q))


def run(toys, method="fab", changes=None, **hooks):
    """A training of 120 steps; all with one method are one program."""
    chains = {"intermediate": 2}
    options = toys.options(method=method, steps=120, batch_size=128, fab=chains, **(changes or {}))
    return train(toys.KumaraswamyTarget(LOG_AB, NORM), toys.Kumaraswamy(2), options, **hooks)


@pytest.fixture(scope="module")
def results(toys):
    """One short training per method."""
    return {method: run(toys, method) for method in ONLINE}


@pytest.mark.parametrize("method", ONLINE)
def test_method_learns_a_known_density(results, toys, method):
    target, surrogate = toys.KumaraswamyTarget(LOG_AB, NORM), toys.Kumaraswamy(2)
    before = divergence(target, surrogate, surrogate.init(None))
    kl, eps = divergence(target, surrogate, results[method].params)
    assert before[0] > 0.25
    assert before[1] < 0.7
    assert kl < 1e-3
    assert eps > 0.995
    np.testing.assert_allclose(results[method].params["log_ab"], LOG_AB, atol=0.05)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("fab", (120 + 2) * 128 * (1 + 2 * 3)),
        ("fab-nobuffer", 120 * 128 * (1 + 2 * 3)),
        ("rkld", 120 * 128),
    ],
)
def test_every_evaluation_is_counted(results, method, expected):
    counters = results[method].counters
    assert counters["target_evaluations"] == counters["gradient_evaluations"] == expected
    assert {counters[k] for k in counters if k.startswith(("nonfinite", "zero"))} == {0}


@pytest.mark.parametrize("method", ONLINE)
def test_log_lines_hold_plain_numbers(results, method):
    history = results[method].history
    assert [line.step for line in history] == list(range(10, 121, 10))
    last = json.loads(json.dumps(history[-1].as_dict()))
    assert {"step", "loss", "eps", "target_evaluations", "seconds"} <= set(last)
    assert last["eps"] > 0.98
    assert history[0].eps < history[-1].eps
    assert last["target_evaluations"] == results[method].counters["target_evaluations"]
    assert (last["acceptance"] is None) == (not method.startswith("fab"))


def test_step_size_reaches_the_target_acceptance(results):
    for method in ("fab", "fab-nobuffer"):
        assert abs(results[method].history[-1].acceptance - 0.65) < 0.08


def test_neither_cuts_nor_watchers_leave_a_trace(results, toys):
    """Other logs and no checkpoints; snapshots, progress and the clock come from the caller."""
    ticks = iter(range(1000))
    snapshots, progress = [], []

    def keep(snapshot):
        snapshots.append(
            (snapshot.step, snapshot.target_evaluations, np.array(snapshot.params["log_ab"]))
        )

    other = run(
        toys,
        changes={"log_every": 14, "checkpoint_every": 1000},
        on_snapshot=keep,
        snapshots=lambda steps: log_spaced(5, steps),
        on_progress=progress.append,
        clock=lambda: float(next(ticks)),
    )
    for name in ("params", "memory", "optimizer", "counters"):
        jax.tree.map(
            np.testing.assert_array_equal,
            getattr(other.state, name),
            getattr(results["fab"].state, name),
        )
    assert [line.step for line in other.history][-2:] == [112, 120]

    assert [step for step, _, _ in snapshots] == [1, 3, 11, 36, 120]
    assert [calls for _, calls, _ in snapshots] == [(step + 2) * 128 * 7 for step, *_ in snapshots]
    np.testing.assert_array_equal(snapshots[-1][2], other.params["log_ab"])
    assert not np.array_equal(snapshots[-2][2], snapshots[-1][2])

    assert [p.done for p in progress] == sorted({p.done for p in progress})
    assert (progress[0].step, progress[-1].done, progress[-1].total) == (0, 122, 122)
    assert progress[0].loss is None
    assert other.seconds > other.compile_seconds == 1.0


@pytest.mark.parametrize(
    ("n", "steps", "expected"),
    [(0, 10, ()), (1, 10, (10,)), (2, 10, (1, 10)), (3, 100, (1, 10, 100)), (9, 4, (1, 2, 3, 4))],
)
def test_log_spaced_steps(n, steps, expected):
    assert log_spaced(n, steps) == expected


@given(
    st.integers(0, 30),
    st.integers(1, 200),
    st.lists(st.integers(1, 300), min_size=1, max_size=3),
    st.lists(st.integers(1, 200), max_size=3),
)
def test_stops_are_all_multiples_the_extra_ones_and_the_end(warm_up, steps, intervals, extra):
    stops, step = [], -warm_up
    while step < steps:
        step = next_stop(step, steps, tuple(intervals), tuple(extra))
        stops.append(step)
    expected = {s for every in intervals for s in range(every, steps, every)} | {steps}
    expected |= {s for s in extra if s < steps}
    assert sorted({s for s in stops if s > 0}) == sorted(expected)
    assert stops == sorted(set(stops))
    assert warm_up == 0 or 0 in stops


def test_the_seed_decides(results, toys):
    """That the same seed does the same is what runs with other cuts have shown."""
    found = run(toys, "rkld", {"seed": 2}).params["log_ab"]
    assert not np.any(np.asarray(found) == results["rkld"].params["log_ab"])


@pytest.mark.parametrize("method", ONLINE)
def test_values_that_are_not_finite_are_counted_and_stay_outside(toys, method):
    class Faulty(toys.GaussianTarget):
        def log_density(self, u):
            value = super().log_density(u)
            return jnp.where(u[:, 1] > 0.9, jnp.nan, jnp.where(u[:, 1] < 0.1, -jnp.inf, value))

    result = train(
        Faulty(width=0.5), toys.Kumaraswamy(2), toys.options(method=method, batch_size=32)
    )
    assert result.counters["nonfinite_values"] > 0
    assert result.counters["zero_values"] > 0
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(result.params))
    assert result.history[-1].eps > 0.3


@pytest.mark.parametrize("method", ["fab-nobuffer", "rkld"])
def test_a_density_of_zero_ends_the_run_with_one_message(toys, method):
    target = toys.GaussianTarget(cut=2.0)
    with pytest.raises(FabgenError, match="nothing to learn: of") as caught:
        train(target, toys.Kumaraswamy(2), toys.options(method=method, batch_size=16))
    assert caught.value.exit_code == 1


def test_every_gradient_update_has_a_rate_of_its_own(toys):
    """Of three updates a step: the fifth one is the second of the second step."""
    options = toys.options(method="fab", fab={"updates": 3, "buffer_minimum": 1})
    target, surrogate = toys.KumaraswamyTarget(LOG_AB, NORM), toys.Kumaraswamy(2)
    trainer = make_trainer(target, surrogate, options)
    for update, moves in ((4, [False, False, True, False]), (6, [False, False, False, True])):
        only = dataclasses.replace(
            trainer.optimizer, schedule=lambda n, own=update: jnp.where(n == own, 0.1, 0.0)
        )
        step = jax.jit(dataclasses.replace(trainer, optimizer=only).step)
        state, found = trainer.init(1), []
        for _ in range(4):  # the filling of the buffer, and three steps
            before, state = state.params["log_ab"], step(state)
            found.append(bool(jnp.any(state.params["log_ab"] != before)))
        assert found == moves


@pytest.mark.parametrize("schedule_updates", [0, 30])
def test_the_log_tells_the_rate_of_the_last_update(toys, schedule_updates):
    options = toys.options(steps=20, log_every=5, schedule_updates=schedule_updates)
    target, surrogate = toys.KumaraswamyTarget(LOG_AB, NORM), toys.Kumaraswamy(2)
    history = train(target, surrogate, options).history
    steps = np.array([record.step for record in history])
    assert steps.tolist() == [5, 10, 15, 20]
    last = options.fab.updates * steps - 1 if schedule_updates else steps - 1
    rate = schedule(options)
    expected = [float(rate(int(number))) for number in last]
    np.testing.assert_allclose([r.learning_rate for r in history], expected, rtol=1e-6)


def test_unknown_method_is_refused(toys):
    with pytest.raises(InputError, match="fab-nobuffer"):
        train(toys.GaussianTarget(), toys.Kumaraswamy(2), toys.options(method="fbb"))


def test_a_round_can_be_the_last_one(toys, tmp_path):
    """The question is asked at the end of every round but the last, and again after a kill."""
    target, surrogate = toys.KumaraswamyTarget(LOG_AB), toys.Kumaraswamy(2)
    options = toys.options(method="rkld", steps=40, batch_size=16, checkpoint_every=1000)
    asked = []

    def train_until(answer, **more):
        def enough(snapshot):
            asked.append((snapshot.step, snapshot.seconds_per_step))
            return answer(snapshot)

        return train(target, surrogate, options, rounds=(8, 24, 40), enough=enough, **more)

    whole = train_until(lambda snapshot: False)
    assert [step for step, _ in asked] == [8, 24]
    assert whole.steps == 40
    assert [record.step for record in whole.history] == [8, 10, 20, 24, 30, 40]

    def interrupt(snapshot):
        if snapshot.step == 24:
            raise KeyboardInterrupt

    store = Checkpointer(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_until(interrupt, checkpointer=store)
    assert (store.resume_step, store.finished) == (24, False)
    asked.clear()
    short = train_until(lambda snapshot: True, checkpointer=store)
    assert asked == [(24, None)]
    assert (short.steps, short.resumed_step) == (24, 24)
    assert (store.resume_step, store.finished) == (24, True)
    # finished: nothing is asked, nothing is trained
    again = train_until(lambda snapshot: False, checkpointer=store)
    assert (again.steps, len(asked)) == (24, 1)
