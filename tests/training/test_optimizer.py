"""Schedules and the gradient filter."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fabgen.errors import InputError
from fabgen.training.optimizer import Optimizer, schedule


def constant(**changes):
    values = {"skip_factor": 20.0, "clip_factor": 5.0, "norm_window": 5} | changes
    return Optimizer(lambda step: 0.1, **values)


def run(optimizer, norms):
    """Feeds gradients of the given norms; the trail of (params, report)."""
    params = {"x": jnp.zeros(4, jnp.float32)}
    state = optimizer.init(params)
    trail = []
    for norm in norms:
        gradient = {"x": jnp.full(4, norm / 2.0, jnp.float32)}
        params, state, report = optimizer.step(params, gradient, state, jnp.asarray(0))
        trail.append((params["x"], report))
    return trail, state


def test_without_outliers_it_is_optax_adam():
    trail, _ = run(constant(), [1.0, 1.1, 0.9, 1.0])
    adam = optax.adam(0.1)
    x = jnp.zeros(4, jnp.float32)
    state = adam.init(x)
    for norm, (found, report) in zip([1.0, 1.1, 0.9, 1.0], trail, strict=True):
        step, state = adam.update(jnp.full(4, norm / 2.0, jnp.float32), state)
        x = optax.apply_updates(x, step)
        np.testing.assert_allclose(found, x, rtol=1e-6)
        assert (report.skipped, report.clipped) == (0, 0)
        np.testing.assert_allclose(report.norm, norm, rtol=1e-6)


def test_large_gradients_are_clipped_and_huge_ones_skipped():
    trail, _ = run(constant(), [1.0, 1.0, 1.0, 10.0, 50.0])
    assert [int(r.clipped) for _, r in trail] == [0, 0, 0, 1, 0]
    assert [int(r.skipped) for _, r in trail] == [0, 0, 0, 0, 1]
    np.testing.assert_array_equal(trail[4][0], trail[3][0])
    # The clipped step acts on Adam like a gradient of five times the median.
    five, _ = run(constant(), [1.0, 1.0, 1.0, 5.0])
    np.testing.assert_allclose(trail[3][0], five[3][0], rtol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_gradients_that_are_not_finite_change_nothing_but_the_count(bad):
    trail, state = run(constant(), [1.0, bad, bad])
    np.testing.assert_array_equal(trail[2][0], trail[0][0])
    assert [int(r.nonfinite) for _, r in trail] == [0, 1, 1]
    assert [int(r.skipped) for _, r in trail] == [0, 1, 1]
    assert int(state.recorded) == 1
    assert int(state.adam.count) == 1


def test_a_first_gradient_that_is_not_finite_leaves_a_usable_filter():
    trail, _ = run(constant(), [float("nan"), 1.0, 1.0])
    assert [int(r.skipped) for _, r in trail] == [1, 0, 0]
    assert jnp.all(trail[2][0] != 0.0)


def test_norms_that_grow_for_good_are_accepted_once_the_median_follows():
    trail, _ = run(constant(), [1.0] * 5 + [100.0] * 5)
    assert [int(r.skipped) for _, r in trail[5:]] == [1, 1, 1, 0, 0]


def test_gradients_of_zero_do_not_block_later_ones():
    trail, _ = run(constant(), [0.0, 0.0, 1.0])
    assert [int(r.skipped) for _, r in trail] == [0, 0, 0]


def test_infinite_factors_switch_the_filter_off():
    optimizer = constant(skip_factor=float("inf"), clip_factor=float("inf"))
    trail, _ = run(optimizer, [1.0, 1e6])
    assert [int(r.skipped + r.clipped) for _, r in trail] == [0, 0]


def rates(toys, **changes):
    rate = schedule(toys.options(steps=100, learning_rate=1e-2, **changes))
    return [float(rate(jnp.asarray(step))) for step in (0, 5, 10, 55, 100)]


def test_constant_schedule(toys):
    np.testing.assert_allclose(rates(toys, schedule="constant"), 1e-2)


def test_cosine_schedule(toys):
    found = rates(toys, schedule="cosine", final_rate=1e-3)
    middle = 1e-3 + 9e-3 * 0.5 * (1.0 + np.cos(np.pi * 0.55))
    np.testing.assert_allclose([found[0], found[3], found[4]], [1e-2, middle, 1e-3], rtol=1e-6)


def test_warm_up_cosine_schedule(toys):
    found = rates(
        toys, schedule="warmup-cosine", warmup_steps=10, initial_rate=1e-4, final_rate=1e-3
    )
    np.testing.assert_allclose(found, [1e-4, 5.05e-3, 1e-2, 5.5e-3, 1e-3], rtol=1e-6)


def test_warm_up_cosine_without_warm_up_is_the_cosine(toys):
    found = rates(toys, schedule="warmup-cosine", warmup_steps=0, final_rate=1e-3)
    np.testing.assert_allclose(found, rates(toys, schedule="cosine", final_rate=1e-3), rtol=1e-6)


def test_a_warm_up_longer_than_the_training_is_refused(toys):
    with pytest.raises(InputError, match=r"training\.warmup_steps"):
        schedule(toys.options(steps=10, schedule="warmup-cosine", warmup_steps=10))


def test_every_round_has_its_own_schedule(toys):
    options = toys.options(steps=90, learning_rate=1e-2, schedule="cosine")
    rate = schedule(options, (30, 90))
    found = np.asarray([rate(step) for step in range(90)])
    own = [schedule(toys.options(steps=n, learning_rate=1e-2)) for n in (30, 60)]
    expected = [own[0](step) for step in range(30)] + [own[1](step) for step in range(60)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_all_updates_of_a_step_have_the_rate_of_the_step(toys):
    options = toys.options(steps=100, learning_rate=1e-2, schedule="cosine")
    rate, by_step = schedule(options, updates=4), schedule(options)
    for update in (0, 3, 4, 7, 203, 399):
        assert float(rate(update)) == float(by_step(update // 4))


def test_a_schedule_in_updates_ends_after_as_many(toys):
    """Warm-up and length are both in updates; after its end the rate stays where it is."""
    rate = schedule(
        toys.options(
            steps=100,
            learning_rate=1e-2,
            schedule="warmup-cosine",
            warmup_steps=10,
            initial_rate=1e-4,
            final_rate=1e-3,
            schedule_updates=100,
        ),
        updates=4,
    )
    found = [float(rate(jnp.asarray(update))) for update in (0, 5, 10, 55, 100, 399)]
    np.testing.assert_allclose(found, [1e-4, 5.05e-3, 1e-2, 5.5e-3, 1e-3, 1e-3], rtol=1e-6)
    with pytest.raises(InputError, match=r"training\.warmup_steps"):
        schedule(toys.options(schedule="warmup-cosine", warmup_steps=10, schedule_updates=10))
