"""Scales of events against sums over legs, one by one."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.beams import EventScales, FixedScales
from fabgen.beams.scales import DYNAMICAL

random = np.random.default_rng(4)
MASSES = (0.0, 80.4, 173.0)


def momenta(n=5):
    """(2 + 3, 4, n): beams of 400 and 700 GeV, final legs that balance them in no way."""
    three = random.normal(0.0, 100.0, (3, 3, n))
    energy = np.sqrt(np.array(MASSES)[:, None] ** 2 + (three**2).sum(axis=1))
    beams = np.zeros((2, 4, n))
    beams[:, 0], beams[:, 3] = np.array([[400.0], [700.0]]), np.array([[400.0], [-700.0]])
    return np.concatenate([beams, np.concatenate([energy[:, None], three], axis=1)])


def by_hand(name, event):
    """One event (legs, 4): the same as sums of angles, masses and squares."""
    masses = [math.hypot(math.hypot(p[1], p[2]), m) for p, m in zip(event[2:], MASSES, strict=True)]
    angles = [math.acos(p[3] / np.linalg.norm(p[1:])) for p in event[2:]]
    s = (event[0] + event[1])[0] ** 2 - ((event[0] + event[1])[1:] ** 2).sum()
    return {
        "transverse_energy": sum(
            p[0] * math.sin(t) for p, t in zip(event[2:], angles, strict=True)
        ),
        "transverse_mass": sum(masses),
        "half_transverse_mass": 0.5 * sum(masses),
        "mean_transverse_mass": math.prod(masses) ** (1.0 / 3.0),
        "partonic_energy": math.sqrt(s),
        "half_partonic_energy": 0.5 * math.sqrt(s),
    }[name]


@pytest.mark.parametrize("name", DYNAMICAL)
def test_dynamic_scales(name):
    events = momenta()
    expected = [by_hand(name, event) for event in np.moveaxis(events, -1, 0)]
    found = EventScales(name, 50.0, factor=2.0)(events, 2)
    np.testing.assert_allclose(found[0], 2.0 * np.array(expected), rtol=1e-10)
    np.testing.assert_array_equal(found[1], 50.0)  # no factor multiplies it
    np.testing.assert_allclose(EventScales(50.0, name)(events, 2)[1], expected, rtol=1e-10)


def test_fixed_scales():
    np.testing.assert_array_equal(FixedScales(80.0, 90.0)(momenta(2), 2), [[80.0] * 2, [90.0] * 2])


@pytest.mark.parametrize("name", DYNAMICAL)
def test_derivatives_along_the_beam_and_at_rest(name):
    """Where pT or the whole momentum of a leg is 0, of massless and of heavy ones."""
    events = momenta()
    events[2:, 1:3, 0] = 0.0
    events[4, :, 1] = [173.0, 0.0, 0.0, 0.0]
    events[2, :, 2] = [20.0, 0.0, 0.0, 20.0]
    scale = DYNAMICAL[name]
    gradient = jax.grad(lambda p: jnp.sum(scale(p, 2)))(jnp.asarray(events))
    assert np.all(np.isfinite(scale(jnp.asarray(events), 2)))
    assert np.all(np.isfinite(gradient))


def test_a_decay_has_the_energy_of_what_decays():
    decay = momenta()[1:]
    decay[0] = np.array([173.0, 0.0, 0.0, 0.0])[:, None]
    np.testing.assert_allclose(
        DYNAMICAL["partonic_energy"](jnp.asarray(decay), 1), 173.0, rtol=1e-15
    )
