"""Maps of the Dalitz plot: inverse, Jacobian, limits, momenta.

They are evaluated operation by operation, always for the same number of events (conftest.py).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.dalitz import DalitzMap, decay_plane, turn
from fabgen.phasespace.invariants import BreitWignerTail
from fabgen.phasespace.kinematics import mass_squared
from fabgen.phasespace.mapping import kinematics

LAMBDA_C = (2.28646, (0.938272046, 0.13957018, 0.493677))
MASSLESS = (91.188, (0.0, 0.0, 0.0))

CASES = {
    "square": (DalitzMap((3, 1)), kinematics(*LAMBDA_C)),
    "square, other pair": (DalitzMap((1, 2)), kinematics(*LAMBDA_C)),
    "K(892)": (DalitzMap((2, 3), BreitWignerTail()), kinematics(*LAMBDA_C, [0.8955], [0.0473])),
    "D(1232)": (
        DalitzMap((2, 1), BreitWignerTail(50.0, 50.0)),
        kinematics(*LAMBDA_C, [1.232], [0.117]),
    ),
    "massless": (DalitzMap((2, 3)), kinematics(*MASSLESS)),
}
each_case = pytest.mark.parametrize(("mapping", "known"), CASES.values(), ids=CASES)


@each_case
def test_inverse(mapping, known, corners, evaluated):
    @settings(max_examples=10)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        u = corners(seed, (2, 160))
        sigma, log_jacobian = evaluated(mapping.forward, u, known)
        again, log_inverse = evaluated(mapping.inverse, sigma, known)
        np.testing.assert_allclose(again, u, atol=1e-8)
        np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-7)
        total = known.sqrt_s**2 + np.sum(np.square(known.masses))
        np.testing.assert_allclose(sigma.sum(axis=0), total, rtol=1e-13)

    check()


@each_case
def test_jacobian(mapping, known, evaluated, derivatives, log_determinant):
    """Against the derivatives of any two invariants."""
    u = np.random.default_rng(1).uniform(0.01, 0.99, (2, 20))
    _, matrices = derivatives(lambda u: mapping.forward(u, known)[0], u)
    _, log_jacobian = evaluated(mapping.forward, u, known)
    for pair in ([0, 1], [1, 2], [2, 0]):
        np.testing.assert_allclose(log_jacobian, log_determinant(matrices[pair]), atol=1e-9)


@each_case
def test_area(mapping, known, evaluated, massive_volume):
    """Three-body phase space is the area of the Dalitz plot/(128 pi^3 M^2) (PDG, Kinematics)."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    angle = (nodes + 1) * np.pi / 4  # the Jacobian's square roots at both ends become smooth
    u = np.stack([np.full(60, 0.5), np.sin(angle) ** 2])
    weights = weights * np.pi / 4 * np.sin(2 * angle)
    _, log_jacobian = evaluated(mapping.forward, u, known)
    area = np.sum(weights * np.exp(log_jacobian))  # does not depend on u[0]
    total = float(known.sqrt_s)
    volume = massive_volume(total, [float(mass) for mass in known.masses])
    assert area == pytest.approx(128 * np.pi**3 * total**2 * volume, rel=1e-4)


@each_case
def test_the_border(mapping, known, evaluated, piece):
    """Values and gradients are numbers, but for log 0 at the ends of the mass."""
    u = np.array([[0.0, 1.0, 0.0, 0.5, 1.0, 0.5], [0.3, 0.6, 0.0, 0.0, 1.0, 1.0]])
    sigma, log_jacobian = evaluated(mapping.forward, u, known)
    assert np.all(np.isfinite(sigma))
    np.testing.assert_array_equal(np.isnan(log_jacobian), False)
    assert np.all(np.isfinite(log_jacobian[:2]))

    def value(u):
        sigma, log_jacobian = mapping.forward(u, known)
        return jnp.sum(sigma) + jnp.sum(jnp.where(jnp.isfinite(log_jacobian), log_jacobian, 0.0))

    assert not np.any(np.isnan(jax.grad(value)(jnp.asarray(piece(u)))))


@pytest.mark.parametrize("known", [CASES["square"][1], CASES["massless"][1]])
def test_momenta(known, evaluated):
    mapping = DalitzMap((3, 1))
    rng = np.random.default_rng(2)
    u = np.concatenate([rng.uniform(0, 1, (2, 200)), rng.uniform(0, 1e-9, (2, 50))], axis=1)
    angles = rng.uniform(0, 1, (3, 250))
    sigma, _ = evaluated(mapping.forward, u, known)
    (momenta,) = evaluated(
        lambda x, known: (turn(decay_plane(x[:3], known), x[3:]),),
        np.concatenate([sigma, angles]),
        known,
    )
    scale = float(known.sqrt_s)
    total = momenta.sum(axis=0)
    np.testing.assert_allclose(total[0], scale, rtol=1e-13)
    np.testing.assert_allclose(total[1:], 0.0, atol=1e-14 * scale)
    for n in range(3):
        energy = momenta[n, 0]
        np.testing.assert_array_less(
            np.abs(mass_squared(jnp.asarray(momenta[n])) - known.masses[n] ** 2),
            1e-14 * energy**2 + 1e-300,
        )
        pair = momenta.sum(axis=0) - momenta[n]
        np.testing.assert_allclose(mass_squared(jnp.asarray(pair)), sigma[n], atol=1e-13 * scale**2)


def test_rotations_are_isotropic():
    n = 20000
    rng = np.random.default_rng(3)
    vectors = np.zeros((2, 4, n))
    vectors[0, 3] = vectors[1, 1] = 1.0
    first, second = np.array(turn(jnp.array(vectors), jnp.array(rng.uniform(0, 1, (3, n)))))[:, 1:]
    np.testing.assert_allclose((first * second).sum(axis=0), 0.0, atol=1e-14)
    for vector in (first, second, np.cross(first.T, second.T).T):
        np.testing.assert_allclose(vector.mean(axis=1), 0.0, atol=0.02)
        np.testing.assert_allclose(vector @ vector.T / n, np.eye(3) / 3, atol=0.01)
    # the second vector is isotropic around the first, wherever that points
    upwards = first[2] > 0
    np.testing.assert_allclose(second[:, upwards].mean(axis=1), 0.0, atol=0.03)
