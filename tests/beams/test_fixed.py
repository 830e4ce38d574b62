"""Beams of fixed energy and decays at rest."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.beams import decay_at_rest, fixed_beams
from fabgen.units import PB_GEV2

energies = st.floats(200.0, 7000.0)
masses = st.sampled_from([0.0, 0.000511, 4.7, 91.188, 173.0])


def square(p):
    return p[0] ** 2 - (p[1:] ** 2).sum()


@given(e1=energies, e2=energies, m1=masses, m2=masses)
def test_kinematics(e1, e2, m1, m2):
    """Against the same in the lab frame: on shell, invariant energy, boost and flux."""
    made = fixed_beams((e1, e2), (m1, m2))
    lab = np.array(
        [[e1, 0.0, 0.0, np.sqrt(e1**2 - m1**2)], [e2, 0.0, 0.0, -np.sqrt(e2**2 - m2**2)]]
    )
    s = square(lab.sum(axis=0))
    scale = 1e-12 * (e1 + e2) ** 2
    assert float(made.sqrt_s) == pytest.approx(np.sqrt(s), rel=1e-12)
    incoming = np.array(made.incoming)
    np.testing.assert_allclose(incoming.sum(axis=0)[1:], 0.0, atol=1e-12 * (e1 + e2))
    np.testing.assert_allclose([square(p) for p in incoming], [m1**2, m2**2], atol=scale)
    assert incoming[0, 3] > 0 > incoming[1, 3]
    beta, gamma = float(made.beta), 1 / np.sqrt(1 - float(made.beta) ** 2)
    boosted = [[gamma * (p[0] + beta * p[3]), 0, 0, gamma * (p[3] + beta * p[0])] for p in incoming]
    np.testing.assert_allclose(boosted, lab, atol=1e-11 * (e1 + e2))
    product = lab[0, 0] * lab[1, 0] - lab[0, 3] * lab[1, 3]
    flux = 4 * np.sqrt(product**2 - (m1 * m2) ** 2)
    assert float(made.factor) == pytest.approx(PB_GEV2 / flux, rel=1e-10)


def test_symmetric_beams_are_at_rest():
    made = fixed_beams((500.0, 500.0), (0.0, 0.0))
    assert float(made.beta) == 0.0
    assert float(made.sqrt_s) == 1000.0
    assert float(made.factor) == pytest.approx(PB_GEV2 / 2e6)  # 1 / (2 s)
    np.testing.assert_array_equal(made.incoming, [[500, 0, 0, 500], [500, 0, 0, -500]])


def test_decay():
    made = decay_at_rest(173.0)
    np.testing.assert_array_equal(made.incoming, [[173.0, 0, 0, 0]])
    assert float(made.factor) == pytest.approx(1 / 346.0)
    assert (float(made.sqrt_s), float(made.beta)) == (173.0, 0.0)


def test_masses_may_be_traced():
    def energy(mass):
        return fixed_beams((500.0, 400.0), (mass, 0.0)).sqrt_s

    step = 1e-3
    expected = (energy(100.0 + step) - energy(100.0 - step)) / (2 * step)
    assert jax.grad(energy)(100.0) == pytest.approx(float(expected), rel=1e-6)
