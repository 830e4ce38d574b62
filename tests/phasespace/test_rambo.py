"""RAMBO on diet against the reference points, closed forms and its own inverse.

The map is evaluated operation by operation, always for the same number of events (conftest.py).
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.kinematics import mass_squared
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo, simplex_root
from fabgen.phasespace.tree import Leaf, flat_tree

#: For programs that run once.
QUICK = {"xla_backend_optimization_level": 0}
MASSES = {"massless": [0.0] * 6, "massive": [80.419, 4.7, 80.419, 4.7, 0.0, 173.0]}


def uniform(n: int, events: int, seed: int = 0):
    return np.random.default_rng(seed).uniform(size=(3 * n - 4, events))


def test_reference(reference, evaluated):
    u, point = np.array(reference["u"]).T, kinematics(1000.0, reference["masses_final"])
    momenta, log_jacobian = evaluated(Rambo(4).forward, u, point)
    expected = np.array(reference["momenta"])[:, 2:].transpose(1, 2, 0)
    np.testing.assert_allclose(momenta, expected, atol=2e-12 * 1000)
    jacobian = np.exp(log_jacobian) * (2 * math.pi) ** 8
    np.testing.assert_allclose(jacobian, reference["jac"], rtol=1e-13)


@pytest.mark.parametrize("masses", MASSES)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_round_trip(n, masses, corners, evaluated, rounding_error, distance):
    """To 1e-9, but for five and more massless particles plus ten times what rounding costs.

    In the corners their last two are collinear to 1e-5 and less: the exact inverse (60 digits) of
    exact momenta rounded to float64 is off by up to 1.6e-9 (five) and 4e-9 (six) at the worst
    points found, and the statistical bound there is 2e-9 and 1e-8.
    """
    mapping, point = Rambo(n), kinematics(1000.0, MASSES[masses][:n])
    collinear = masses == "massless" and n > 4

    @settings(max_examples=4)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        u = corners(seed, (mapping.dim, 256))
        momenta, log_jacobian = evaluated(mapping.forward, u, point)
        again, log_inverse = evaluated(mapping.inverse, momenta, point)
        error = rounding_error(mapping, point, u) if collinear else np.zeros_like(u)
        assert np.all(distance(again, u, n) <= 1e-9 + 10 * error)
        np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-8)
        square = np.asarray(point.masses)[:, None] ** 2
        assert np.all(np.abs(mass_squared(jnp.asarray(momenta)) - square) <= 1e-12 * 1000**2)
        total = np.sum(momenta, axis=0) - np.array([1000.0, 0, 0, 0])[:, None]
        assert np.all(np.abs(total) <= 1e-12 * 1000)

    check()


@pytest.mark.parametrize("masses", MASSES)
@pytest.mark.parametrize("n", [2, 4, 6])
def test_faces_are_finite(n, masses, evaluated):
    u = np.random.default_rng(0).integers(0, 2, (3 * n - 4, 64)).astype(float)
    u[:, 0], u[:, 1] = 0.0, 1.0
    point = kinematics(1000.0, MASSES[masses][:n])
    momenta, log_jacobian = evaluated(Rambo(n).forward, u, point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_massless_volume(n, evaluated, massless_volume):
    point = kinematics(500.0, MASSES["massless"][:n])
    _, log_jacobian = evaluated(Rambo(n).forward, uniform(n, 64), point)
    np.testing.assert_allclose(np.exp(log_jacobian), massless_volume(500.0, n), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_massive_volume(n, evaluated, samples, integral, massive_volume):
    masses = MASSES["massive"][:n]
    u = samples(3 * n - 4)
    value, error = integral(np.exp(evaluated(Rambo(n).forward, u, kinematics(400.0, masses))[1]))
    expected = massive_volume(400.0, masses)
    assert error < 5e-4 * expected
    assert abs(value - expected) <= 4 * error + 1e-12 * expected


def test_volume_of_the_reference(reference, massive_volume):
    """The quadrature of the tests itself, against a number made elsewhere."""
    expected = reference["phase_space_volume_GeV4"] / (2 * math.pi) ** 8
    np.testing.assert_allclose(
        massive_volume(1000.0, reference["masses_final"]), expected, rtol=1e-7
    )


def test_jacobian_is_the_determinant(evaluated, log_jacobian_by_derivatives):
    mapping, point = Rambo(4), kinematics(600.0, MASSES["massive"][:4])
    tree = flat_tree([Leaf(i) for i in range(4)])
    u = uniform(4, 20, seed=3)
    expected = log_jacobian_by_derivatives(tree, mapping, u, point)
    np.testing.assert_allclose(evaluated(mapping.forward, u, point)[1], expected, atol=1e-8)


def test_derivatives(evaluated):
    """In energy and masses, against differences; in u, finite on the faces. Of one program."""

    def scalar(u, point, some):
        momenta, log_jacobian = Rambo(4).forward(u, point)
        return jnp.sum(some * momenta) + jnp.sum(log_jacobian)

    value_and_gradient = jax.jit(jax.value_and_grad(scalar, (0, 1)), compiler_options=QUICK)
    faces = np.random.default_rng(0).integers(0, 2, (8, 64)).astype(float)
    faces[:, 0], faces[:, 1] = 0.0, 1.0
    for masses in MASSES.values():
        point = kinematics(1000.0, masses[:4])
        by_u, _ = value_and_gradient(faces, point, np.ones((4, 4, 1)))[1]
        assert np.all(np.isfinite(by_u))

    some = np.zeros((4, 4, 1))
    some[:2, :3] = 0.01
    u = uniform(4, 64, seed=1)
    point = jax.tree.map(np.asarray, kinematics(400.0, MASSES["massive"][:4]))
    value, (_, gradient) = value_and_gradient(u, point, some)
    momenta, log_jacobian = evaluated(Rambo(4).forward, u, point)
    expected = np.sum(some * momenta) + np.sum(log_jacobian)
    assert value == pytest.approx(expected, rel=1e-12)
    for field in ("sqrt_s", "masses"):
        values = getattr(point, field)
        for i in np.ndindex(values.shape):
            step = np.zeros_like(values)
            step[i] = 1e-3
            difference = (
                value_and_gradient(u, point._replace(**{field: values + step}), some)[0]
                - value_and_gradient(u, point._replace(**{field: values - step}), some)[0]
            )
            result = getattr(gradient, field)[i]
            np.testing.assert_allclose(result, difference / 2e-3, rtol=1e-6)


@pytest.mark.parametrize("sqrt_s", [100.0, 170.238])
def test_closed_phase_space(sqrt_s, evaluated):
    point = kinematics(sqrt_s, MASSES["massive"][:4])
    momenta, log_jacobian = evaluated(Rambo(4).forward, uniform(4, 64), point)
    assert np.all(np.isfinite(momenta))
    assert np.all(log_jacobian == -np.inf)


def test_one_particle_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Rambo(1)


class TestSimplexRoot:
    """The root of (k + 1) r^k - k r^(k+1) = u."""

    U = np.concatenate([
        np.logspace(-24, -0.31, 200), np.linspace(0.3, 0.7, 41), 1 - np.logspace(-0.31, -15.9, 200)
    ])  # fmt: skip

    @pytest.mark.parametrize("k", [1, 2, 3, 4, 8, 30])
    def test_machine_precision(self, k):
        ratio, rest = map(np.asarray, simplex_root(jnp.array(self.U), k))
        lower = self.U < 0.5
        np.testing.assert_allclose(
            (ratio**k * (k + 1 - k * ratio))[lower], self.U[lower], rtol=1e-15 * (k + 3)
        )
        # 1 - u as the probability of two or more out of k + 1: positive terms only
        tail = sum(math.comb(k + 1, j) * rest**j * ratio ** (k + 1 - j) for j in range(2, k + 2))
        np.testing.assert_allclose(tail[~lower], (1 - self.U)[~lower], rtol=1e-15 * (k + 3))
        np.testing.assert_allclose(ratio + rest, 1.0, rtol=3e-16)

    def test_derivatives(self):
        def with_derivatives(u, k):
            """The root, its first and its second derivative."""

            def root(u):
                return simplex_root(u, k)[0]

            def slope(u):
                return jax.jvp(root, (u,), (jnp.ones_like(u),))[1]

            return root(u), *jax.jvp(slope, (u,), (jnp.ones_like(u),))

        values = jax.jit(lambda u: [with_derivatives(u, k) for k in (1, 2, 4)])
        u, step = np.linspace(0.05, 0.95, 10), 1e-5
        for here, up, down in zip(*map(values, (u, u + step, u - step)), strict=True):
            difference = [(a - b) / (2 * step) for a, b in zip(up, down, strict=True)]
            np.testing.assert_allclose(here[1], difference[0], rtol=1e-7)
            np.testing.assert_allclose(here[2], difference[1], rtol=1e-6)
