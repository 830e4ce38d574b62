"""Beams of fixed energy and decays at rest."""

from __future__ import annotations

from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.beams import (
    AtRest,
    FixedBeams,
    FixedScales,
    Limits,
    decay_at_rest,
    energy_and_rapidity,
    exchanged,
    fixed_beams,
    in_lab,
)
from fabgen.units import PB_GEV2

energies = st.floats(200.0, 7000.0)
masses = st.sampled_from([0.0, 0.000511, 4.7, 91.188, 173.0])


def of_one_event(collision):
    """The one value that holds for all events."""
    assert {array.shape[-1] for array in collision} == {1}
    return jax.tree.map(lambda array: array[..., 0], collision)


def square(p):
    return p[0] ** 2 - (p[1:] ** 2).sum()


@given(e1=energies, e2=energies, m1=masses, m2=masses)
def test_kinematics(e1, e2, m1, m2):
    """Against the same in the lab frame: on shell, invariant energy, boost and flux."""
    made = of_one_event(fixed_beams((e1, e2), (m1, m2)))
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
    cosh, sinh = np.cosh(float(made.rapidity)), np.sinh(float(made.rapidity))
    boosted = [[cosh * p[0] + sinh * p[3], 0, 0, cosh * p[3] + sinh * p[0]] for p in incoming]
    np.testing.assert_allclose(made.lab, lab, rtol=1e-14)
    np.testing.assert_allclose(boosted, lab, atol=1e-11 * (e1 + e2))
    product = lab[0, 0] * lab[1, 0] - lab[0, 3] * lab[1, 3]
    flux = 4 * np.sqrt(product**2 - (m1 * m2) ** 2)
    assert float(made.flux_factor) == pytest.approx(PB_GEV2 / flux, rel=1e-10)


@pytest.mark.parametrize(
    ("energies", "masses"),
    [
        ((1e9, 5.11e-4), (0.0, 0.0)),
        ((5.11e-4, 1e9), (0.0, 0.0)),
        ((1e12, 1e-6), (0.0, 0.0)),
        ((1e17, 1e-17), (0.0, 0.0)),
        ((1e9, 1.777 * (1 + 1e-9)), (0.0, 1.777)),
        ((173.0 * (1 + 2e-15), 1e12), (173.0, 173.0)),
        ((91.188 * (1 + 2e-15), 1.777 * (1 + 2e-15)), (91.188, 1.777)),
        ((1e-3, 4.7 * (1 + 1e-12)), (0.0, 4.7)),
    ],
)
def test_extreme_beams(energies, masses):
    """Against 60 digits: energies hardly above the mass, or many powers of ten apart."""
    made = of_one_event(fixed_beams(energies, masses))
    with localcontext(prec=60):
        e1, e2, m1, m2 = map(Decimal, (*energies, *masses))
        k1, k2 = (e1**2 - m1**2).sqrt(), (e2**2 - m2**2).sqrt()
        s = (e1 + e2) ** 2 - (k1 - k2) ** 2
        flux = 4 * ((e1 * e2 + k1 * k2) ** 2 - (m1 * m2) ** 2).sqrt()
        rapidity = ((e1 + e2 + k1 - k2) / (e1 + e2 - k1 + k2)).ln() / 2
        expected = [float(x) for x in (s.sqrt(), flux / 4 / s.sqrt(), rapidity, k1, k2)]
        factor = PB_GEV2 / float(flux)
    found = made.sqrt_s, made.incoming[0, 3], made.rapidity, made.lab[0, 3], -made.lab[1, 3]
    np.testing.assert_allclose(found, expected, rtol=2e-15, atol=2e-16)
    assert float(made.flux_factor) == pytest.approx(factor, rel=2e-15)
    assert tuple(made.lab[:, 0]) == energies
    np.testing.assert_array_equal(made.incoming[:, 3].sum(), 0.0)


def test_symmetric_beams_are_at_rest():
    made = of_one_event(fixed_beams((500.0, 500.0), (0.0, 0.0)))
    assert float(made.rapidity) == 0.0
    assert float(made.sqrt_s) == 1000.0
    assert float(made.flux_factor) == pytest.approx(PB_GEV2 / 2e6)  # 1 / (2 s)
    np.testing.assert_array_equal(made.incoming, [[500, 0, 0, 500], [500, 0, 0, -500]])


def test_decay():
    made = of_one_event(decay_at_rest(173.0))
    np.testing.assert_array_equal(made.incoming, [[173.0, 0, 0, 0]])
    assert float(made.flux_factor) == pytest.approx(1 / 346.0)
    assert (float(made.sqrt_s), float(made.rapidity)) == (173.0, 0.0)
    np.testing.assert_array_equal(made.lab, made.incoming)


def test_masses_may_be_traced():
    def energy(mass):
        return of_one_event(fixed_beams((500.0, 400.0), (mass, 0.0))).sqrt_s

    step = 1e-3
    expected = (energy(100.0 + step) - energy(100.0 - step)) / (2 * step)
    assert jax.grad(energy)(100.0) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("energies", [(500.0, 500.0), (1e12, 1e-6), (200.0, 1e9)])
def test_numbers_are_those_of_the_collision(energies):
    masses = (0.0, 0.0) if energies[1] < 1.0 else (173.0, 0.0)
    collision = of_one_event(fixed_beams(energies, masses))
    found = energy_and_rapidity(energies, masses)
    np.testing.assert_allclose(found, (collision.sqrt_s, collision.rapidity), rtol=1e-14)


@pytest.mark.parametrize("energies", [(500.0, 500.0), (1e3, 200.0), (7e3, 174.0)])
def test_an_exchanged_collision_is_that_of_exchanged_beams(energies):
    masses = (0.0, 173.0)
    there = exchanged(fixed_beams(energies, masses))
    expected = fixed_beams(energies[::-1], masses[::-1])
    for found, other in zip(there, expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-13, atol=1e-12)
    for found, other in zip(exchanged(there), fixed_beams(energies, masses), strict=True):
        np.testing.assert_array_equal(found, other)


def test_beams_say_what_collides():
    """With one value for all events, which `of_events` repeats, and no variables of their own."""
    beams, masses = FixedBeams((700.0, 300.0)), (0.0, 91.188)
    assert (beams.dim, beams.n_initial, AtRest().dim, AtRest().n_initial) == (0, 2, 0, 1)
    collision, log_jacobian = beams.collide(np.zeros((0, 5)), masses, Limits())
    assert log_jacobian == 0.0
    for found, other in zip(collision, fixed_beams((700.0, 300.0), masses), strict=True):
        np.testing.assert_array_equal(found, other)
    total = np.asarray(collision.lab).sum(axis=0) * np.ones(5)
    for found, other in zip(beams.of_total(total, masses), collision, strict=True):
        np.testing.assert_array_equal(found, other)
    repeated = collision.of_events(5)
    for found, other in zip(repeated, collision, strict=True):
        assert found.shape == (*other.shape[:-1], 5)
        np.testing.assert_array_equal(found, other * np.ones(5))
    assert beams.separate(repeated, Limits())[0].shape == (0, 5)
    assert beams.densities(repeated, np.ones(5)).shape == (0, 2, 5)
    decay = AtRest().of_total(total, (173.0,))
    np.testing.assert_array_equal(decay.lab, decay_at_rest(173.0).lab)


@pytest.mark.parametrize("events", [1, 4])
def test_the_way_to_the_lab(events):
    """Incoming and outgoing momenta add up, and particles stay on their mass shells."""
    collision, n = fixed_beams((700.0, 300.0), (0.0, 0.0)).of_events(events), 4
    random, masses = np.random.default_rng(1), np.array([173.0, 91.188])
    half = collision.sqrt_s[0] / 2 + (masses**2 @ [1, -1]) / (2 * collision.sqrt_s[0])
    direction = random.normal(size=(3, n))
    momentum = np.sqrt(half**2 - masses[0] ** 2) * direction / np.linalg.norm(direction, axis=0)
    first = np.concatenate([np.full((1, n), half), momentum])
    second = np.concatenate([np.full((1, n), collision.sqrt_s[0] - half), -momentum])
    lab = np.asarray(in_lab(collision, jnp.stack([first, second]), jnp.asarray(masses)))
    assert lab.shape == (4, 4, n)
    np.testing.assert_array_equal(lab[:2, 0].T, [[700.0, 300.0]] * n)
    np.testing.assert_allclose(lab[2:].sum(axis=0), lab[:2].sum(axis=0), atol=1e-10)
    square = lab[2:, 0] ** 2 - np.sum(lab[2:, 1:] ** 2, axis=1)
    np.testing.assert_allclose(square, np.tile(masses[:, None] ** 2, n), rtol=1e-9)
    cosh, sinh = np.cosh(collision.rapidity), np.sinh(collision.rapidity)
    np.testing.assert_allclose(lab[2, 3], cosh * first[3] + sinh * first[0], rtol=1e-9)


def test_fixed_scales_are_those_of_all_events():
    scales = FixedScales(91.188, 173.0)(np.zeros((4, 4, 3)), 2)
    np.testing.assert_array_equal(scales, [[91.188] * 3, [173.0] * 3])
