"""Maps within cuts on pT and rapidity: nothing within cuts is lost, little else is drawn."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.azimuth import Arc
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.tree import Branch, Exchange, Leaf, Propagator
from fabgen.phasespace.tree_map import TreeMap

E = 500.0
B, W = 4.7, 80.419
LIGHT = Exchange(nu=0.8)


def joined(first, second, minimum=0.0, exchange=None):
    return Branch((first, second), Propagator(minimum=minimum), exchange)


def tight(leg):
    return Leaf(leg, 25.0, 2.0)


def wide(leg):
    return Leaf(leg, 10.0, 3.5)


#: Rapidity in the lab of the rest frame of the beams in the cases of these names.
BOOSTS = {"two": 0.7, "three, flight": -0.4, "four, ladder": 0.5, "four, two flights": 0.3}
#: Map, masses, and which part of its points is within cuts at least.
CASES = {
    "two": (TreeMap(joined(tight(0), wide(1)), 2), [0.0, B], 1.0),
    "three, flight": (
        TreeMap(joined(tight(0), joined(wide(1), tight(2), 20.0)), 3),
        [0.0, B, 0.0],
        0.98,
    ),
    "three, pT of one alone": (
        TreeMap(joined(Leaf(0), joined(Leaf(1, 40.0), Leaf(2))), 3),
        [W, 0.0, 0.0],
        0.95,
    ),
    "three, rapidity of one alone": (
        TreeMap(joined(Leaf(0), joined(Leaf(1), Leaf(2, 0.0, 1.5))), 3),
        [W, 0.0, 0.0],
        0.9,
    ),
    "three, scattering": (
        TreeMap(joined(tight(0), joined(wide(1), wide(2), 20.0, LIGHT), exchange=LIGHT), 3),
        [0.0, 0.0, 0.0],
        0.95,
    ),
    "four, two flights": (
        TreeMap(joined(joined(tight(0), wide(1), 20.0), joined(wide(2), wide(3), 20.0)), 4),
        [0.0, 0.0, B, B],
        0.95,
    ),
    "four, uncut pair in a flight": (
        TreeMap(joined(wide(0), joined(joined(Leaf(1), Leaf(2)), wide(3))), 4),
        [0.0, 0.0, B, 0.0],
        0.9,
    ),
    "four, ladder": (
        TreeMap(
            joined(
                wide(3),
                joined(wide(1), joined(wide(0), wide(2), 20.0, LIGHT), 30.0, LIGHT),
                exchange=LIGHT,
            ),
            4,
            from_second=True,
        ),
        [0.0, B, 0.0, 0.0],
        0.85,
    ),
    "four, flight from a ladder": (
        TreeMap(
            joined(
                wide(0),
                joined(joined(wide(1), wide(2), 20.0), wide(3), 30.0, LIGHT),
                exchange=LIGHT,
            ),
            4,
        ),
        [0.0, 0.0, 0.0, 0.0],
        0.85,
    ),
}


def numbers(name):
    return jax.tree.map(np.asarray, kinematics(E, CASES[name][1], boost=BOOSTS.get(name, 0.0)))


@pytest.fixture
def inside(in_cuts):
    """inside(name, momenta) -> (events,) bool; the bounds on masses of the tree, too."""

    def inside(name, momenta):
        mapping = CASES[name][0]
        result = in_cuts(mapping.tree, momenta, BOOSTS.get(name, 0.0))
        for branch in mapping.drawn:
            energy, x, y, z = sum(momenta[leg] for leg in branch.legs)
            result &= energy**2 - x**2 - y**2 - z**2 >= branch.propagator.minimum**2
        return result

    return inside


@pytest.mark.parametrize("name", CASES)
def test_round_trip(name, evaluated, inside):
    """Momenta, on shell and balanced, within cuts for most of the cube; and back."""
    mapping, masses, share = CASES[name]
    u = np.random.default_rng(1).uniform(size=(mapping.dim, 2048))
    momenta, log_jacobian = evaluated(mapping.forward, u, numbers(name))
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
    total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
    assert np.all(np.abs(total) <= 1e-11 * E)
    squares = momenta[:, 0] ** 2 - np.sum(momenta[:, 1:] ** 2, axis=1)
    assert np.all(np.abs(squares - np.square(masses)[:, None]) <= 1e-11 * E**2)
    kept = inside(name, momenta)
    assert np.mean(kept) >= share
    again, log_inverse = evaluated(mapping.inverse, momenta, numbers(name))
    apart = np.abs(again - u)[:, kept]
    assert np.max(np.minimum(apart, 1 - apart)) <= 1e-7
    np.testing.assert_allclose(log_inverse[kept], log_jacobian[kept], atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_volume_within_cuts(name, evaluated, samples, integral, inside):
    """That of RAMBO, all of whose points within cuts the map reaches."""
    mapping = CASES[name][0]
    momenta, flat = evaluated(
        Rambo(mapping.n_final).forward, samples(mapping.dim, seed=1), numbers(name)
    )
    kept = inside(name, momenta)
    reached = evaluated(mapping.inverse, momenta, numbers(name))[1] < np.inf
    assert np.all(reached[kept])
    expected, uncertain = integral(np.exp(flat) * kept)
    momenta, log_jacobian = evaluated(mapping.forward, samples(mapping.dim), numbers(name))
    value, error = integral(np.exp(log_jacobian) * inside(name, momenta))
    assert max(error, uncertain) < 0.02 * expected
    assert abs(value - expected) <= 4 * math.hypot(error, uncertain)


@pytest.mark.parametrize("name", ["three, flight", "four, uncut pair in a flight", "four, ladder"])
def test_jacobian_is_the_determinant(name, evaluated, log_jacobian_by_derivatives):
    mapping = CASES[name][0]
    u = np.random.default_rng(5).uniform(size=(mapping.dim, 20))
    expected = log_jacobian_by_derivatives(mapping.tree, mapping, u, numbers(name))
    result = evaluated(mapping.forward, u, numbers(name))[1]
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["four, ladder", "four, uncut pair in a flight"])
def test_gradients_are_finite(name):
    """On the faces of the cube, forward and back."""
    mapping, point = CASES[name][0], numbers(name)

    def scalar(u):
        momenta, log_jacobian = mapping.forward(u, point)
        log_density = -mapping.inverse(momenta, point)[1]
        log_density = jnp.where(jnp.isfinite(log_density), log_density, 0.0)
        return jnp.sum(momenta) + jnp.sum(log_jacobian) + jnp.sum(log_density)

    u = np.random.default_rng(2).integers(0, 2, (mapping.dim, 2048)).astype(float)
    assert np.all(np.isfinite(jax.grad(scalar)(u)))


@settings(max_examples=50)
@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(0.0, 1.0))
def test_arc(first, second, u):
    """Cosines in their range, or the whole circle where that is empty; the inverse."""
    low, high = np.array([min(first, second)]), np.array([max(first, second)])
    arc = Arc.between(jnp.asarray(low), jnp.asarray(high))
    azimuth = arc.forward(jnp.array([u]))
    assert np.all(arc.contains(jnp.cos(azimuth), jnp.sin(azimuth)))
    if arc.fraction[0] < 1.0:
        assert low[0] - 1e-12 <= np.cos(azimuth[0]) <= high[0] + 1e-12
    assert (
        np.abs(np.exp(2j * np.pi * (arc.inverse(azimuth)[0] - u)) - 1.0) <= 1e-7 / arc.fraction[0]
    )
