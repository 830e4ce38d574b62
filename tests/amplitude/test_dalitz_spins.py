"""Wigner's d functions, Clebsch-Gordan coefficients, half angles."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.amplitude.dalitz.spins import (
    HalfAngle,
    clebsch_gordan,
    couplings,
    half_angle,
    orbital_momenta,
    projections,
    small_d,
)

ANGLE = 0.7
C, S = math.cos(ANGLE), math.sin(ANGLE)


def half(angle: float) -> HalfAngle:
    return HalfAngle(jnp.array([math.cos(angle / 2)]), jnp.array([math.sin(angle / 2)]))


def d(spin: int, angle: float) -> np.ndarray:
    return np.array(small_d(spin, half(angle)))[..., 0]


@pytest.mark.parametrize(
    ("spin", "first", "second", "value"),
    [  # PDG Review, Clebsch-Gordan coefficients, spherical harmonics and d functions
        (0, 0, 0, 1.0),
        (1, 1, 1, math.cos(ANGLE / 2)),
        (1, 1, -1, -math.sin(ANGLE / 2)),
        (2, 2, 2, (1 + C) / 2),
        (2, 2, 0, -S / math.sqrt(2)),
        (2, 2, -2, (1 - C) / 2),
        (2, 0, 0, C),
        (3, 3, 1, -math.sqrt(3) * (1 + C) / 2 * math.sin(ANGLE / 2)),
        (3, 3, -1, math.sqrt(3) * (1 - C) / 2 * math.cos(ANGLE / 2)),
        (3, 1, 1, (3 * C - 1) / 2 * math.cos(ANGLE / 2)),
        (3, 1, -1, -(3 * C + 1) / 2 * math.sin(ANGLE / 2)),
        (4, 4, 2, -(1 + C) / 2 * S),
        (4, 2, 0, -math.sqrt(1.5) * S * C),
        (4, 0, 0, 1.5 * C**2 - 0.5),
    ],
)
def test_small_d(spin, first, second, value):
    entry = d(spin, ANGLE)[(spin + first) // 2, (spin + second) // 2]
    assert entry == pytest.approx(value, abs=1e-14)


@pytest.mark.parametrize("spin", range(8))
def test_rotations_add_up(spin):
    np.testing.assert_allclose(d(spin, 0.3) @ d(spin, 0.9), d(spin, 1.2), atol=1e-12)
    np.testing.assert_allclose(d(spin, ANGLE) @ d(spin, ANGLE).T, np.eye(spin + 1), atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_clebsch_gordan_coefficients_are_orthogonal(first, second):
    pairs = [(a, b) for a in projections(first) for b in projections(second)]
    totals = [(t, m) for t in couplings(first, second) for m in projections(t)]
    matrix = np.array(
        [[clebsch_gordan(first, a, second, b, t, m) for t, m in totals] for a, b in pairs]
    )
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(pairs)), atol=1e-13)


def test_clebsch_gordan_values():
    """PDG Review: 1 x 1/2 and 1 x 1."""
    assert clebsch_gordan(2, 2, 1, -1, 3, 1) == pytest.approx(math.sqrt(1 / 3))
    assert clebsch_gordan(2, 2, 1, -1, 1, 1) == pytest.approx(math.sqrt(2 / 3))
    assert clebsch_gordan(2, 0, 2, 0, 0, 0) == pytest.approx(-math.sqrt(1 / 3))
    assert clebsch_gordan(2, 0, 2, 0, 2, 0) == 0.0


def test_orbital_momenta():
    assert list(orbital_momenta(1, 3, 0)) == [1, 2]
    assert list(orbital_momenta(1, 2, 1)) == [0, 1, 2]
    assert list(orbital_momenta(0, 2, 0)) == [1]


@given(st.floats(0.0, math.pi), st.floats(1e-3, 1e3))
def test_half_angle(angle, size):
    """Relative precision even of the smallest sine, which an arc cosine would lose."""
    found = half_angle(jnp.array(size * math.cos(angle)), jnp.array(size * math.sin(angle)))
    assert float(found.cos) == pytest.approx(math.cos(angle / 2), rel=1e-12, abs=1e-16)
    assert float(found.sin) == pytest.approx(math.sin(angle / 2), rel=1e-12)


def test_half_angle_of_nothing():
    def total(along, across):
        return sum(half_angle(along, across))

    zero = jnp.zeros(())
    assert float(total(zero, zero)) == 1.0
    assert np.all(np.isfinite(jax.grad(total, (0, 1))(zero, zero)))
