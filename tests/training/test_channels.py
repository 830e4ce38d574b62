"""rkld and FAB channel by channel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import FabOptions, TrainingOptions, card_from_table
from fabgen.surrogate import Flow, MultiChannel
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.training import train
from fabgen.training.target import (
    channels_in_turn,
    density_of,
    evaluate,
    value_and_gradient,
)


@pytest.fixture(scope="module")
def camel():
    """Two flat channels, each for one of the peaks."""
    channels = {"maps": "flat@left flat@right"}
    return build_integrand(card_from_table({"process": "toy:camel-back", "channels": channels}))


SURROGATE = MultiChannel(Flow(1, bins=8), ChannelLayout((0, 0)), (0, 1))


@pytest.mark.parametrize(
    ("method", "fab", "least"),
    [
        ("rkld", {}, 0.25),
        ("fab", {"intermediate": 1, "leapfrog_steps": 2}, 0.8),
        ("fab", {"intermediate": 0}, 0.9),
        ("fab", {"intermediate": 0, "fresh_loss": "rkld"}, 0.8),
    ],
)
def test_every_channel_learns_its_part(camel, method, fab, least):
    fab = FabOptions(buffer_batches=10, buffer_minimum=2, **fab)
    options = TrainingOptions(
        method=method, steps=80, batch_size=128, learning_rate=0.05, log_every=10, fab=fab
    )
    result = train(camel, SURROGATE, options)
    eps = [line.eps for line in result.history]
    # rkld: equal numbers of points in channels of 35 and 65 %: at best
    # 0.5 / (0.35^2 + 0.65^2) = 0.917.
    assert eps[0] < 0.5 * eps[-1]
    assert eps[-1] > least
    if method == "fab":
        # As S_i, but for a tenth: 35 and 65 % at the end.
        counts = np.bincount(result.state.memory.buffer.entries.channel, minlength=2)
        assert counts.sum() == 1280
        assert 420 < counts[0] < 520


def test_parts_are_those_of_each_channel(camel):
    params = jax.jit(SURROGATE.init)(jax.random.key(0))
    u = np.linspace(0.1, 0.9, 10)[:, None]
    channel = np.asarray(channels_in_turn(camel, 10))

    @jax.jit
    def together_and_alone(u):
        parts, faults = evaluate(camel, SURROGATE, params, u, jnp.asarray(channel))
        return parts, faults, [value_and_gradient(density_of(camel, i), u) for i in (0, 1)]

    parts, faults, alone = jax.tree.map(np.asarray, together_and_alone(u))
    for number, (value, slope) in enumerate(alone):
        mine = channel == number
        np.testing.assert_allclose(parts.log_p[mine], value[mine], rtol=1e-12)
        np.testing.assert_allclose(parts.grad_p[mine], slope[mine], rtol=1e-9)
    assert int(faults.zero_values) == 0
