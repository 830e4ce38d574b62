"""Blocks: inverse, density, derivatives, end points."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.phasespace.invariants import BreitWigner, BreitWignerTail, Flat, Limits, Power

TOP = (173.0, 1.4915)
HIGGS = (125.0, 6.382339e-3)


def between(low, high):
    """Limits of s from those of its root, GeV."""
    return Limits(low**2, high**2 - low**2)


WHOLE = between(85.119, 914.881)
WINDOW = between(150.6, 195.4)

CASES = {
    "flat": (Flat(), WHOLE, (0.0, 0.0)),
    "flat, 4 bodies": (Flat(bodies=4), WHOLE, (0.0, 0.0)),
    "power 1.4": (Power(1.4), WHOLE, (0.0, 0.0)),
    "power 1": (Power(1.0), WHOLE, (0.0, 0.0)),
    "power 0.5": (Power(0.5), WHOLE, (0.0, 0.0)),
    "power 2, massive": (Power(2.0), WHOLE, (80.0, 0.0)),
    "power 1.4, unbounded": (Power(1.4), Limits(0.0, 1e6), (0.0, 0.0)),
    "power 1, unbounded": (Power(1.0), Limits(0.0, 1e6), (0.0, 0.0)),
    "breit-wigner": (BreitWigner(), WHOLE, TOP),
    "breit-wigner, window": (BreitWigner(), WINDOW, TOP),
    "breit-wigner, mass below": (BreitWigner(), between(400.0, 900.0), TOP),
    "breit-wigner, mass above": (BreitWigner(), between(10.0, 100.0), TOP),
    "tail": (BreitWignerTail(), WHOLE, TOP),
    "tail, window": (BreitWignerTail(), WINDOW, TOP),
    "tail, narrow": (BreitWignerTail(), WHOLE, HIGGS),
    "tail, mass below": (BreitWignerTail(), between(400.0, 900.0), TOP),
    "tail, mass above": (BreitWignerTail(), between(10.0, 100.0), TOP),
    "tail, far from a short range": (BreitWignerTail(), between(400.0, 401.0), TOP),
}
each_case = pytest.mark.parametrize(("block", "limits", "resonance"), CASES.values(), ids=CASES)


@each_case
def test_inverse(block, limits, resonance):
    forward, inverse = jax.jit(block.forward), jax.jit(block.inverse)
    mass, width = resonance
    tolerance = 1e-9 + (1e-15 * 1000**2 / (mass * width) if width else 0.0)

    @given(st.floats(1e-6, 1 - 1e-6))
    def check(u):
        x, jacobian = forward(u, limits, *resonance)
        again, inverse_jacobian = inverse(x, limits, *resonance)
        assert 0.0 <= x <= limits.span
        assert abs(again - u) <= tolerance
        np.testing.assert_allclose(inverse_jacobian, jacobian, rtol=1e-7)

    check()


@each_case
def test_density(block, limits, resonance):
    """The Jacobian is ds/du; as u covers [0, 1], x covers the range: the density is normalized."""
    u = jnp.linspace(0.0, 1.0, 2001)
    x, jacobian = block.forward(u, limits, *resonance)
    np.testing.assert_allclose(x[0], 0.0, atol=1e-7 * limits.span)
    np.testing.assert_allclose(x[-1], limits.span, rtol=1e-7)
    assert np.all(np.diff(x) > 0)
    assert np.all(np.isfinite(jacobian)) and np.all(jacobian > 0)
    slope = jax.vmap(jax.grad(lambda u: block.forward(u, limits, *resonance)[0]))(u[1:-1])
    np.testing.assert_allclose(jacobian[1:-1], slope, rtol=1e-9)
    middle, _ = block.forward((u[:-1] + u[1:]) / 2, limits, *resonance)
    _, at_middle = block.inverse(middle, limits, *resonance)
    weights = np.diff(x) / at_middle
    np.testing.assert_allclose(np.sum(weights), 1.0, atol=5e-3)


@each_case
def test_derivatives(block, limits, resonance):
    """In the limits, the mass and the width at fixed u, against finite differences."""
    u = jnp.linspace(0.02, 0.98, 7)
    parameters = jnp.array([*limits.ends, *resonance])

    def scalar(parameters):
        low, high, mass, width = parameters
        x, jacobian = block.forward(u, Limits(low, high - low), mass, width)
        return jnp.sum(jnp.log(jacobian)) + jnp.sum(jnp.sqrt(low + x)) / 100

    gradient = jax.grad(scalar)(parameters)
    assert np.all(np.isfinite(gradient))
    for i in np.flatnonzero(np.asarray(parameters)):
        step = 1e-5 * parameters[i] * jnp.eye(4)[i]
        difference = (scalar(parameters + step) - scalar(parameters - step)) / (2 * step[i])
        # far from its mass a resonance hardly depends on its width: differences are noise there
        noise = 3e-6 / parameters[i]
        np.testing.assert_allclose(gradient[i], difference, rtol=2e-5, atol=noise)


@pytest.mark.parametrize("mass", [20.0, 85.2, 173.0, 914.0, 950.0, 2000.0])
def test_tail_is_never_thin(mass):
    """Everywhere at least a few percent of the Breit-Wigner, far out much more than it."""
    width = 0.01 * mass
    x = jnp.linspace(0.0, WHOLE.span, 1001)[1:-1]
    _, plain = BreitWigner().inverse(x, WHOLE, mass, width)
    _, tail = BreitWignerTail().inverse(x, WHOLE, mass, width)
    assert np.all(plain / tail > 0.75)  # ratio of densities
    if WHOLE.low < mass**2 < 0.5 * WHOLE.ends[1]:
        assert plain[-1] / tail[-1] > 5


def test_tail_density_is_smooth():
    """The derivative of the log density is continuous where core and tail meet."""
    x = jnp.linspace(0.0, 4 * 173.0**2 - WHOLE.low, 20001)
    log_jacobian = jax.vmap(
        jax.grad(lambda x: jnp.log(BreitWignerTail().inverse(x, WHOLE, *TOP)[1]))
    )(x) * (TOP[0] * TOP[1])
    assert np.max(np.abs(np.diff(log_jacobian))) < 0.05


def test_regulator_vanishes():
    """The power law is exact as soon as the invariant is bounded."""
    s = jnp.array([1.0, 10.0, 1e3])
    _, jacobian = Power(1.4).inverse(s - 1.0, Limits(1.0, 1e6))
    np.testing.assert_allclose(jacobian / jacobian[0], s**1.4, rtol=1e-12)
