"""Blocks: inverse, density, derivatives, end points.

They are evaluated operation by operation, always for the same number of points (conftest.py).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
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
    "flat, 4 bodies": (Flat(bodies=4.0), WHOLE, (0.0, 0.0)),
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
def test_inverse(block, limits, resonance, corners, piece):
    mass, width = resonance
    tolerance = 1e-9 + (1e-15 * 1000**2 / (mass * width) if width else 0.0)

    @settings(max_examples=10)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        u = piece(corners(seed, 500))
        x, jacobian = block.forward(jnp.asarray(u), limits, *resonance)
        again, inverse_jacobian = block.inverse(x, limits, *resonance)
        assert np.all((np.asarray(x) >= 0.0) & (np.asarray(x) <= limits.span))
        np.testing.assert_allclose(again, u, rtol=0, atol=tolerance)
        np.testing.assert_allclose(inverse_jacobian, jacobian, rtol=1e-7)

    check()


@each_case
def test_density(block, limits, resonance, piece):
    """The Jacobian is ds/du; as u covers [0, 1], x covers the range: the density is normalized."""
    u = np.linspace(0.0, 1.0, 2001)

    def forward(u):
        return block.forward(u, limits, *resonance)

    filled = jnp.asarray(piece(u))
    (x, jacobian), (slope, _) = jax.jvp(forward, (filled,), (jnp.ones_like(filled),))
    x, jacobian, slope = (np.asarray(a)[:2001] for a in (x, jacobian, slope))
    np.testing.assert_allclose(x[0], 0.0, atol=1e-7 * limits.span)
    np.testing.assert_allclose(x[-1], limits.span, rtol=1e-7)
    assert np.all(np.diff(x) > 0)
    assert np.all(np.isfinite(jacobian)) and np.all(jacobian > 0)
    np.testing.assert_allclose(jacobian[1:-1], slope[1:-1], rtol=1e-9)
    middle, _ = forward(jnp.asarray(piece((u[:-1] + u[1:]) / 2)))
    _, at_middle = block.inverse(middle, limits, *resonance)
    weights = np.diff(x) / np.asarray(at_middle)[:2000]
    np.testing.assert_allclose(np.sum(weights), 1.0, atol=5e-3)


@each_case
def test_derivatives(block, limits, resonance, piece):
    """In the limits, the mass and the width at fixed u, against finite differences.

    Parameters are given for each point: moved ones stand beside those that the gradient is of.
    """
    points = np.linspace(0.02, 0.98, 7)
    here = np.array([*limits.ends, *resonance])
    steps = 1e-5 * np.diag(here)
    parameters = np.stack([here, *(here + steps), *(here - steps)])
    u = jnp.asarray(piece(np.tile(points, 9)))

    def scalars(parameters):
        low, high, mass, width = parameters
        x, jacobian = block.forward(u, Limits(low, high - low), mass, width)
        values = jnp.log(jacobian) + jnp.sqrt(low + x) / 100
        return jnp.sum(values), values

    columns = jnp.asarray(piece(np.repeat(parameters, 7, axis=0).T))
    gradients, values = jax.grad(scalars, has_aux=True)(columns)
    gradient = np.sum(np.asarray(gradients)[:, :7], axis=1)
    assert np.all(np.isfinite(gradient))
    sums = np.asarray(values)[:63].reshape(9, 7).sum(axis=1)
    for i in np.flatnonzero(here):
        difference = (sums[1 + i] - sums[5 + i]) / (2 * steps[i, i])
        # far from its mass a resonance hardly depends on its width: differences are noise there
        noise = 3e-6 / here[i]
        np.testing.assert_allclose(gradient[i], difference, rtol=2e-5, atol=noise)


@pytest.mark.parametrize("mass", [20.0, 85.2, 173.0, 914.0, 950.0, 2000.0])
def test_tail_is_never_thin(mass, piece):
    """Everywhere at least a few percent of the Breit-Wigner, far out much more than it."""
    width = 0.01 * mass
    x = jnp.asarray(piece(np.linspace(0.0, WHOLE.span, 1001)[1:-1]))
    plain, tail = (
        np.asarray(block.inverse(x, WHOLE, mass, width)[1])
        for block in (BreitWigner(), BreitWignerTail())
    )
    assert np.all(plain / tail > 0.75)  # ratio of densities
    if WHOLE.low < mass**2 < 0.5 * WHOLE.ends[1]:
        assert plain[-1] / tail[-1] > 5


def test_tail_density_is_smooth():
    """The derivative of the log density is continuous where core and tail meet."""
    x = jnp.asarray(np.linspace(0.0, 4 * 173.0**2 - WHOLE.low, 20001))

    @jax.jit
    def slope(x):
        def log_jacobian(x):
            return jnp.log(BreitWignerTail().inverse(x, WHOLE, *TOP)[1])

        return jax.jvp(log_jacobian, (x,), (jnp.ones_like(x),))[1]

    assert np.max(np.abs(np.diff(slope(x) * (TOP[0] * TOP[1])))) < 0.05


def test_regulator_vanishes():
    """The power law is exact as soon as the invariant is bounded."""
    s = jnp.array([1.0, 10.0, 1e3])
    _, jacobian = Power(1.4).inverse(s - 1.0, Limits(1.0, 1e6))
    np.testing.assert_allclose(jacobian / jacobian[0], s**1.4, rtol=1e-12)
