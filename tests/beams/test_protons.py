"""Beams of partons: their two variables, and what cuts and resonances do to them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.beams import Limits, ProtonBeams
from fabgen.beams.pdf import xf
from fabgen.beams.pdf.sets import load_member
from fabgen.phasespace.invariants import SHAPES, Shape

ENERGIES = 7000.0, 4000.0
BEAMS = ProtonBeams(ENERGIES)
MASSLESS = 0.0, 0.0


def resonance(mass, width):
    number = jnp.asarray(SHAPES.index("breit-wigner-tail"))
    return Shape(number, mass, width, 1.4, 2.0, jnp.array([0.01, 0.08]))


LIMITS = {
    "power": Limits(20.0),
    "resonance": Limits(20.0, shape=resonance(91.188, 2.44)),
    "narrow": Limits(20.0, shape=resonance(91.188, 1e-3)),
    "window": Limits(60.0, 120.0, shape=resonance(91.188, 2.44)),
    "rapidity": Limits(20.0, rapidity=2.5),
    "slow": Limits(20.0, rapidity=0.1),
}
collide = jax.jit(BEAMS.collide, static_argnums=1)
separate = jax.jit(BEAMS.separate)


def grid(n, dim=2):
    middle = (np.arange(n) + 0.5) / n
    return jnp.stack([axis.ravel() for axis in np.meshgrid(*[middle] * dim)])


@pytest.mark.parametrize("name", LIMITS)
def test_the_variables_come_back(name):
    u, limits = grid(40), LIMITS[name]
    collision, log_jacobian = collide(u, MASSLESS, limits)
    found, again = separate(collision, limits)
    inside = np.isfinite(log_jacobian)
    assert np.any(inside)
    np.testing.assert_allclose(found[:, inside], u[:, inside], atol=1e-8)
    np.testing.assert_allclose(again, log_jacobian, atol=1e-8)


@pytest.mark.parametrize("name", LIMITS)
def test_the_jacobian_is_that_of_the_shares(name):
    u, limits = grid(15), LIMITS[name]

    def logs(u):
        return jnp.log(BEAMS.collide(u[:, None], MASSLESS, limits)[0].x[:, 0])

    derivative = jax.jit(jax.vmap(jax.jacfwd(logs), in_axes=1))(u)
    collision, log_jacobian = collide(u, MASSLESS, limits)
    area = jnp.abs(jnp.linalg.det(derivative)) * jnp.prod(collision.x, axis=0)
    inside = np.isfinite(log_jacobian)
    np.testing.assert_allclose(area[inside], np.exp(log_jacobian[inside]), rtol=1e-7)


def test_all_shares_above_the_least_energy_are_reached():
    """The integrals of 1 and of (x1 x2)^-2, each where its points are."""
    tau = 20.0**2 / (4.0 * ENERGIES[0] * ENERGIES[1])
    _, log_jacobian = collide(grid(700), MASSLESS, LIMITS["resonance"])
    exact = 1.0 - tau + tau * np.log(tau)
    assert np.mean(np.exp(log_jacobian)) == pytest.approx(exact, rel=5e-3)
    collision, log_jacobian = collide(grid(700), MASSLESS, LIMITS["power"])
    exact = 1.0 - (1.0 + np.log(tau)) / tau
    values = np.exp(log_jacobian) / np.prod(collision.x, axis=0) ** 2
    assert np.mean(values) == pytest.approx(exact, rel=1e-4)


def test_limits_hold():
    u = jax.random.uniform(jax.random.key(0), (2, 2000))
    collision, log_jacobian = collide(u, MASSLESS, LIMITS["window"])
    assert np.all(np.abs(collision.sqrt_s - 90.0) <= 30.0 + 1e-9)
    assert np.all(np.isfinite(log_jacobian))
    collision, log_jacobian = collide(u, MASSLESS, LIMITS["rapidity"])
    inside = np.isfinite(log_jacobian)
    assert np.all(np.abs(collision.rapidity[inside]) <= 2.5 + 1e-12)
    assert np.all(collision.x[:, inside] <= 1.0 + 1e-12)
    nothing = Limits(3.0 * ENERGIES[0])
    assert np.all(np.isneginf(collide(u, MASSLESS, nothing)[1]))
    assert np.all(np.isneginf(separate(collision, nothing)[1]))


def test_momenta_are_those_of_the_shares():
    collision, _ = collide(grid(20), MASSLESS, LIMITS["power"])
    first, second = collision.lab
    np.testing.assert_allclose(first[0], collision.x[0] * ENERGIES[0], rtol=1e-14)
    np.testing.assert_allclose(second[0], collision.x[1] * ENERGIES[1], rtol=1e-14)
    total = collision.lab.sum(axis=0)
    plus, minus = total[0] + total[3], total[0] - total[3]
    np.testing.assert_allclose(np.sqrt(plus * minus), collision.sqrt_s, rtol=1e-9)
    again = BEAMS.of_total(total, MASSLESS)
    for one, other in zip(collision, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(1.0, 5000.0),
    st.floats(0.3, 8.0),
)
def test_on_the_closed_square_all_is_finite(first, second, least, rapidity):
    u = jnp.array([[first], [second]])
    collision, log_jacobian = collide(u, MASSLESS, Limits(least, rapidity=rapidity))
    assert all(np.all(np.isfinite(part)) for part in collision)
    assert not np.isnan(log_jacobian[0])
    found, again = separate(collision, Limits(least, rapidity=rapidity))
    if np.isfinite(log_jacobian[0]):
        assert np.all((found >= 0.0) & (found <= 1.0))
        np.testing.assert_allclose(again, log_jacobian, atol=1e-6)


def test_one_particle_fixes_the_energy():
    beams, limits = ProtonBeams(ENERGIES, single=True), Limits(91.188)
    u = jnp.linspace(0.01, 0.99, 9)[None]
    collision, log_jacobian = jax.jit(beams.collide, static_argnums=1)(u, MASSLESS, limits)
    square = 4.0 * ENERGIES[0] * ENERGIES[1]
    np.testing.assert_allclose(collision.sqrt_s, 91.188, rtol=1e-14)
    np.testing.assert_allclose(collision.x.prod(axis=0), 91.188**2 / square, rtol=1e-13)
    np.testing.assert_allclose(
        np.exp(log_jacobian), np.log(square / 91.188**2) / square, rtol=1e-13
    )
    found, again = jax.jit(beams.separate)(collision, limits)
    np.testing.assert_allclose(found, u, atol=1e-12)
    np.testing.assert_allclose(again, log_jacobian, atol=1e-12)


def test_densities_are_those_of_the_set():
    densities = load_member("NNPDF23_lo_as_0130_qed").densities
    beams = ProtonBeams(ENERGIES, densities.of((2, -2, 21)))
    collision, _ = collide(grid(4), MASSLESS, LIMITS["power"])
    q = jnp.linspace(10.0, 500.0, 16)
    found = jax.jit(beams.densities)(collision, q)
    assert set(beams.flavours) == {2, -2, 21}
    expected = jax.jit(lambda x: xf(densities, x, q, beams.flavours) / x[:, None])(collision.x)
    np.testing.assert_allclose(found, np.swapaxes(expected, 0, 1), rtol=1e-12)


def test_derivatives_are_finite():
    def value(u, limits):
        collision, log_jacobian = BEAMS.collide(u, MASSLESS, limits)
        return jnp.sum(log_jacobian) + jnp.sum(collision.lab) + jnp.sum(collision.rapidity)

    slope = jax.jit(jax.grad(value))
    for name in ("power", "window", "rapidity"):
        assert np.all(np.isfinite(slope(jnp.array([[0.3, 0.7], [0.2, 0.9]]), LIMITS[name])))
