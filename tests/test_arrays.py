"""Signatures are checked while tests run: see CHECKED in conftest.py."""

from __future__ import annotations

import jax.numpy as jnp
import jaxtyping
import pytest

from fabgen.phasespace.kinematics import relative_momentum
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.uniform import Uniform

pytestmark = pytest.mark.skipif(
    bool(jaxtyping.config.jaxtyping_disable), reason="switched off by JAXTYPING_DISABLE"
)


@pytest.mark.parametrize(
    "call",
    [
        lambda: relative_momentum(jnp.ones((3, 5)), jnp.ones((3, 4)), 0.0, 0.0),
        lambda: ChannelLayout((0, 0)).select(jnp.zeros((2, 5)), jnp.zeros(4, int)),
        lambda: ChannelLayout((0, 0)).select(jnp.zeros((2, 5)), jnp.zeros(5)),
        lambda: Uniform(3).log_prob((), jnp.zeros((3, 5))),
        lambda: Rambo(3).forward(jnp.zeros((5, 4)).T, kinematics(100.0, [0.0] * 3)),
    ],
    ids=["events", "channels", "whole numbers", "dimension", "transposed"],
)
def test_a_wrong_shape_is_refused(call):
    with pytest.raises(jaxtyping.TypeCheckError):
        call()


def test_one_number_for_all_events_is_allowed():
    u = jnp.zeros((3, 5))
    assert ChannelLayout((0, 0, 0)).select(u, 1).shape == (5,)
    assert relative_momentum(u, u, 1.0, jnp.ones(())).shape == (3, 5)
