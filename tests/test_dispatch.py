"""Evaluation in blocks of one channel is evaluation event by event."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.dispatch import dispatch

N, CHANNELS = 50, 4


def slope_and_curve(channel, x, pair):
    """Differs in every channel; a pytree comes in and goes out."""
    branches = [lambda x, k=k: (k + 1.0) * jnp.sin(x) ** k for k in range(CHANNELS)]
    return {"value": jax.lax.switch(channel, branches, x), "sum": pair[0] + channel * pair[1]}


SPREADS = {
    "mixed": np.random.default_rng(0).integers(0, CHANNELS, N),
    "one": np.full(N, 2),
    "two": np.where(np.arange(N) == 13, 3, 0),
    "sorted": np.sort(np.arange(N) % CHANNELS),
}


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize("block", [None, 1, 7, 64, 200])
def test_every_event_gets_the_value_of_its_channel(block, side_by_side):
    x = jnp.asarray(np.linspace(0.1, 1.4, 2 * N).reshape(N, 2))
    pair = (x, 2.0 * x)
    how = {"block": block, "side_by_side": side_by_side}
    run = jax.jit(lambda c: dispatch(slope_and_curve, c, CHANNELS, x, pair, **how))
    for channel in SPREADS.values():
        found = run(jnp.asarray(channel))
        k = channel[:, None]
        np.testing.assert_allclose(found["value"], (k + 1) * np.sin(x) ** k, rtol=1e-14)
        np.testing.assert_allclose(found["sum"], x + 2.0 * k * x, rtol=1e-14)


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize("block", [None, 7])
def test_events_may_be_the_last_axis(block, side_by_side):
    """Arrays of several shapes, and results of others."""
    x = np.linspace(0.1, 1.4, 6 * N).reshape(3, 2, N)

    def by_channel(channel, x, weight):
        return {"sum": x.sum(axis=0) * (channel + 1.0), "weight": weight**2, "row": x[:, None, 0]}

    how = {"block": block, "side_by_side": side_by_side, "events_last": True}
    run = jax.jit(lambda c: dispatch(by_channel, c, CHANNELS, x, x[0, 0], **how))
    for channel in SPREADS.values():
        found = run(jnp.asarray(channel))
        np.testing.assert_allclose(found["sum"], x.sum(axis=0) * (channel + 1.0), rtol=1e-14)
        np.testing.assert_allclose(found["weight"], x[0, 0] ** 2, rtol=1e-14)
        np.testing.assert_array_equal(found["row"], x[:, None, 0])


@pytest.mark.parametrize("side_by_side", [False, True])
def test_gradients_reach_arrays_and_stacked_parameters(side_by_side):
    channel = np.random.default_rng(1).integers(0, CHANNELS, N)
    x, scale = np.linspace(0.1, 1.0, N), np.arange(1.0, CHANNELS + 1)

    def total(x, scale):
        square = functools.partial(
            dispatch, lambda c, x: scale[c] * x**2, side_by_side=side_by_side
        )
        return jnp.sum(square(jnp.asarray(channel), CHANNELS, x))

    by_x, by_scale = jax.jit(jax.grad(total, argnums=(0, 1)))(x, scale)
    np.testing.assert_allclose(by_x, 2.0 * scale[channel] * x, rtol=1e-14)
    expected = np.bincount(channel, weights=x**2, minlength=CHANNELS)
    np.testing.assert_allclose(by_scale, expected, rtol=1e-13)


def test_only_points_that_were_asked_for_are_evaluated():
    channel = jnp.asarray([1, 1, 1, 0, 1])
    seen = []

    def record(c, x):
        jax.debug.callback(lambda c, x: seen.extend((int(c), float(v)) for v in x), c, x)
        return x

    run = jax.jit(lambda c, x: dispatch(record, c, 3, x, block=2))
    run(channel, jnp.arange(5.0)).block_until_ready()
    jax.effects_barrier()
    assert set(seen) == {(1, 0.0), (1, 1.0), (1, 2.0), (0, 3.0), (1, 4.0)}


def test_one_channel_is_the_function_itself():
    x = jnp.arange(5.0)
    assert dispatch(lambda channel, x: (channel, x), 0, 1, x) == (0, x)
