"""Completeness, normalization and transversality of external wave functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.amplitude import wavefunctions

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
PAULI = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=complex
)
# gamma^mu in the chiral representation: upper right sigma^mu, lower left sigmabar^mu.
GAMMA = np.zeros((4, 4, 4), dtype=complex)
GAMMA[:, :2, 2:] = PAULI
GAMMA[:, 2:, :2] = PAULI * np.array([1, -1, -1, -1])[:, None, None]

component = st.floats(-200.0, 200.0)
vectors = st.tuples(component, component, component)
masses = st.sampled_from([None, 0.5, 80.4, 173.0])
#: The poles of the sphere, and a particle at rest.
SPECIAL = [(0, 0, 50), (0, 0, -50), (0, 50, 0), (1e-9, 0, -50), (0, 1e-9, 50)]


def momentum(vector, mass) -> np.ndarray:
    """(4, 1) on shell; a massless particle at rest is moved."""
    vector = np.array(vector, dtype=float)
    if mass is None and np.linalg.norm(vector) < 1e-3:
        vector = np.array([0.0, 0.0, -30.0])
    return np.array([np.sqrt((mass or 0.0) ** 2 + vector @ vector), *vector])[:, None]


def slash(p) -> np.ndarray:
    return np.einsum("m,mij->ij", METRIC @ p[:, 0], GAMMA)


def check_spinors(vector, mass) -> None:
    p = momentum(vector, mass)
    size = max(p[0, 0], 1.0)
    for particle, sign in ((True, 1), (False, -1)):
        ket = wavefunctions.spinor(np, p, mass, particle, bra=False)[..., 0]
        bra = wavefunctions.spinor(np, p, mass, particle, bra=True)[..., 0]
        # ubar = u^dagger gamma^0
        np.testing.assert_allclose(bra, ket.conj() @ GAMMA[0], atol=1e-14 * size)
        summed = np.einsum("si,sj->ij", ket, bra)
        expected = slash(p) + sign * (mass or 0.0) * np.eye(4)
        np.testing.assert_allclose(summed, expected, atol=1e-12 * size)
        overlap = np.einsum("si,ti->st", bra, ket)
        np.testing.assert_allclose(overlap, sign * 2 * (mass or 0.0) * np.eye(2), atol=1e-12 * size)


def check_vectors(vector, mass) -> None:
    p = momentum(vector, mass)
    gamma = p[0, 0] / mass if mass else 1.0
    outgoing = wavefunctions.vector(np, p, mass, outgoing=True)[..., 0]
    states = wavefunctions.vector(np, p, mass, outgoing=False)[..., 0]
    assert len(states) == (3 if mass else 2)
    np.testing.assert_allclose(outgoing, states.conj(), atol=1e-15 * gamma)
    products = states @ METRIC @ states.conj().T
    np.testing.assert_allclose(products, -np.eye(len(states)), atol=1e-13 * gamma**2)
    np.testing.assert_allclose(states @ METRIC @ p[:, 0], 0, atol=1e-12 * p[0, 0] * gamma)
    if mass:
        summed = np.einsum("si,sj->ij", states, states.conj())
        expected = -METRIC + np.outer(p[:, 0], p[:, 0]) / mass**2
        np.testing.assert_allclose(summed, expected, atol=1e-13 * gamma**2)
    else:
        np.testing.assert_allclose(states[:, 0], 0, atol=1e-15)  # no time component
        check_helicity(p, states)


def check_helicity(p, states) -> None:
    """(n x e) = -i lambda e: definite circular polarization."""
    n = p[1:, 0] / p[0, 0]
    for state, helicity in zip(states, (1, -1), strict=True):
        turned = np.cross(n, state[1:])
        np.testing.assert_allclose(turned, -1j * helicity * state[1:], atol=1e-13)


@given(vector=vectors, mass=masses)
def test_spinors(vector, mass):
    check_spinors(vector, mass)


@given(vector=vectors, mass=masses)
def test_vectors(vector, mass):
    check_vectors(vector, mass)


@pytest.mark.parametrize("mass", [None, 4.7])
@pytest.mark.parametrize("vector", SPECIAL)
def test_special_directions(vector, mass):
    check_spinors(vector, mass)
    check_vectors(vector, mass)


def test_at_rest():
    check_spinors((0, 0, 0), 173.0)
    check_vectors((0, 0, 0), 80.4)


def check_definite_helicity(vector, mass) -> None:
    """Massive states with helicity=True: the same sums, and eigenstates of the spin along p."""
    p = momentum(vector, mass)
    size = np.linalg.norm(p[1:])
    at_rest = size < 1e-12 * p[0, 0]
    n = np.array([0.0, 0.0, 1.0]) if at_rest else p[1:, 0] / size
    spin = np.kron(np.eye(2), np.einsum("k,kij->ij", n, PAULI[1:]))
    for particle in (True, False):
        kets = wavefunctions.spinor(np, p, mass, particle, False, helicity=True)[..., 0]
        canonical = wavefunctions.spinor(np, p, mass, particle, False)[..., 0]
        np.testing.assert_allclose(
            kets.T @ kets.conj(), canonical.T @ canonical.conj(), atol=1e-12 * p[0, 0]
        )
        signs = wavefunctions.helicities(2, False, particle)
        for ket, sign in zip(kets, signs, strict=True):
            eigenvalue = sign if particle else -sign
            np.testing.assert_allclose(spin @ ket, eigenvalue * ket, atol=1e-12 * p[0, 0])
    gamma = p[0, 0] / mass
    states = wavefunctions.vector(np, p, mass, False, helicity=True)[..., 0]
    canonical = wavefunctions.vector(np, p, mass, False)[..., 0]
    np.testing.assert_allclose(
        states.T @ states.conj(), canonical.T @ canonical.conj(), atol=1e-12 * gamma**2
    )
    for state, sign in zip(states, wavefunctions.helicities(3, False, True), strict=True):
        np.testing.assert_allclose(
            np.cross(n, state[1:]), -1j * sign * state[1:], atol=1e-12 * gamma
        )


@given(vector=vectors, mass=st.sampled_from([0.5, 80.4, 173.0]))
def test_definite_helicity(vector, mass):
    check_definite_helicity(vector, mass)


@pytest.mark.parametrize("vector", [*SPECIAL, (0, 0, 0)])
def test_definite_helicity_in_special_directions(vector):
    check_definite_helicity(vector, 4.7)


@given(vector=vectors)
def test_massless_spinors_have_one_chirality(vector):
    for particle in (True, False):
        left, right = wavefunctions.spinor(np, momentum(vector, None), None, particle, bra=False)
        assert not left[2:].any() and left[:2].any()
        assert not right[:2].any() and right[2:].any()


def test_scalars():
    one = wavefunctions.scalar(np, momentum((1, 2, 3), 125.0))
    assert one.shape == (1, 4, 1)
    np.testing.assert_array_equal(one[0, :, 0], [1, 0, 0, 0])


@pytest.mark.parametrize(
    ("spin", "massless", "n_states"),
    [(1, False, 1), (2, True, 2), (2, False, 2), (3, True, 2), (3, False, 3)],
)
def test_numbers_of_states(spin, massless, n_states):
    p, mass = momentum((3, 4, 5), None if massless else 10.0), None if massless else 10.0
    states = {
        1: lambda: wavefunctions.scalar(np, p),
        2: lambda: wavefunctions.spinor(np, p, mass, True, False),
        3: lambda: wavefunctions.vector(np, p, mass, True),
    }[spin]()
    assert states.shape == (n_states, 4, 1)
