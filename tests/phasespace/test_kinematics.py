"""Four-vector helpers against extended precision and each other."""

from __future__ import annotations

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.phasespace.kinematics import (
    boost_from_rest,
    delta_phi,
    invariant_mass,
    isotropic_angles,
    kallen,
    mass_squared,
    pair_products,
    relative_momentum,
    safe_sqrt,
    subset_mass_squared,
    transverse_momentum,
    unit_angles,
)


def particles(masses, vectors):
    """(n, 4, events) from masses and (n, 3, events)."""
    square = np.sum(np.square(vectors), axis=1) + np.square(masses)[:, None]
    return jnp.asarray(np.concatenate([np.sqrt(square)[:, None], vectors], axis=1))


@given(st.floats(0.0, 500.0), st.floats(0.0, 500.0), st.floats(1e-6, 100.0))
def test_kallen_near_threshold(first, second, above):
    mass = first + second + above
    exact_gap = Fraction(mass) - Fraction(first) - Fraction(second)
    exact = [Fraction(x) ** 2 for x in (mass, first, second)]
    a, b, c = exact
    expected = float(a * a + b * b + c * c - 2 * (a * b + b * c + c * a))
    rounding = 1e-14 + 5e-16 * mass / float(exact_gap)
    assert kallen(mass, first, second) == pytest.approx(expected, rel=rounding)


def test_below_threshold():
    assert kallen(10.0, 6.0, 6.0) < 0
    assert jax.grad(safe_sqrt)(0.0) == 0.0


def test_observables():
    vectors = np.random.default_rng(0).normal(size=(2, 3, 50)) * 30
    p, q = particles([4.7, 0.0], vectors)
    np.testing.assert_allclose(mass_squared(p), 4.7**2, rtol=1e-9)
    np.testing.assert_allclose(invariant_mass(p), 4.7, rtol=1e-9)
    np.testing.assert_allclose(transverse_momentum(p), np.hypot(p[1], p[2]), rtol=1e-14)
    phi = [np.arctan2(v[2], v[1]) for v in (p, q)]
    difference = np.abs(phi[0] - phi[1])
    difference = np.minimum(difference, 2 * math.pi - difference)
    np.testing.assert_allclose(delta_phi(p, q), difference, atol=1e-14)


@pytest.mark.parametrize("speed", [1e-3, 1.0, 1e4])
def test_boosts(speed):
    """Into the rest frame and back; the error stays at rounding of the lab momenta."""
    rng = np.random.default_rng(3)
    masses = [3.0, 0.0]
    rest = particles(masses, np.stack([v := rng.normal(size=(3, 100)), -v]))
    mass = jnp.sum(rest[:, 0], axis=0)
    direction = jnp.asarray(rng.normal(size=(3, 100)) * speed)
    frame = jnp.concatenate([jnp.sqrt(mass**2 + jnp.sum(direction**2, 0))[None], direction]) * 1.0
    squares = jnp.array(masses)[:, None] ** 2
    lab = boost_from_rest(rest, frame, mass, squares)
    np.testing.assert_allclose(jnp.sum(lab, axis=0), frame, atol=1e-14 * float(frame.max()))
    again = relative_momentum(lab[0, 1:], lab[1, 1:], *masses)
    np.testing.assert_allclose(again, rest[0, 1:], atol=3e-15 * (1 + float(frame.max())))


@pytest.mark.parametrize("angle", [3.0, 1e-2, 1e-5])
@pytest.mark.parametrize("masses", [(0.0, 0.0), (1e-3, 0.0), (4.7, 80.0)])
def test_pair_products(masses, angle):
    """Relative precision for collinear particles; exact products in rational arithmetic."""
    vectors = np.array([[0.3, -0.2, 400.0], [0.0, 0.0, 0.0]])
    turn = np.array(
        [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
    )
    vectors[1] = 0.7 * turn @ vectors[0]
    p = particles(masses, vectors[..., None])
    products = pair_products(p, jnp.array(masses))
    square = [sum(Fraction(float(x)) ** 2 for x in v) for v in vectors]
    dot = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(*vectors, strict=True))
    energy = [s + Fraction(m) ** 2 for s, m in zip(square, masses, strict=True)]
    # E1 E2 - p.q = (E1^2 E2^2 - (p.q)^2) / (E1 E2 + p.q), or the difference if p.q < 0
    root = math.sqrt(float(energy[0] * energy[1]))
    numerator = float(energy[0] * energy[1] - dot**2)
    expected = numerator / (root + float(dot)) if dot > 0 else root - float(dot)
    assert products[0][1][0] == pytest.approx(expected, rel=1e-15 / angle + 1e-14)
    total = subset_mass_squared(products, (0, 1))
    assert total[0] == pytest.approx(masses[0] ** 2 + masses[1] ** 2 + 2 * expected, rel=1e-9)


@given(st.floats(0.0, 1.0), st.floats(1e-6, 1 - 1e-6))
def test_angles(u_cos, u_azimuth):
    cos, sin, cos_phi, sin_phi = (a[0] for a in isotropic_angles(jnp.array([u_cos, u_azimuth])))
    assert cos**2 + sin**2 == pytest.approx(1.0, rel=1e-14)
    again = unit_angles(sin * cos_phi, sin * sin_phi, cos)
    assert again[0] == pytest.approx(u_cos, abs=1e-15)
    if 0.0 < u_cos < 1.0:
        assert again[1] == pytest.approx(u_azimuth, abs=1e-14)


def test_direction_of_nothing():
    zero = jnp.zeros(1)
    assert [float(a[0]) for a in unit_angles(zero, zero, zero)] == [1.0, 0.0]
