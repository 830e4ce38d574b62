"""RAMBO on diet against the reference points, closed forms and its own inverse.

The map is evaluated operation by operation, as in test_cascade.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.cascade import Leaf, flat_tree
from fabgen.phasespace.kinematics import mass_squared
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo, simplex_root

#: For programs that run once.
QUICK = {"xla_backend_optimization_level": 0}
MASSES = {"massless": [0.0] * 6, "massive": [80.419, 4.7, 80.419, 4.7, 0.0, 173.0]}


def uniform(n: int, events: int, seed: int = 0):
    return np.random.default_rng(seed).uniform(size=(3 * n - 4, events))


def test_reference(reference):
    u = jnp.array(reference["u"]).T
    momenta, log_jacobian = Rambo(4).forward(u, kinematics(1000.0, reference["masses_final"]))
    expected = np.array(reference["momenta"])[:, 2:].transpose(1, 2, 0)
    np.testing.assert_allclose(momenta, expected, atol=2e-12 * 1000)
    jacobian = np.exp(log_jacobian) * (2 * math.pi) ** 8
    np.testing.assert_allclose(jacobian, reference["jac"], rtol=1e-13)


@pytest.mark.parametrize("masses", MASSES)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_round_trip(n, masses, corners, rounding_error, distance):
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
        u = corners(seed, (mapping.dim, 64))
        momenta, log_jacobian = map(np.asarray, mapping.forward(u, point))
        again, log_inverse = map(np.asarray, mapping.inverse(momenta, point))
        error = rounding_error(mapping, point, u) if collinear else np.zeros_like(u)
        assert np.all(distance(again, u, n) <= 1e-9 + 10 * error)
        np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-8)
        square = np.asarray(point.masses)[:, None] ** 2
        assert np.all(np.abs(mass_squared(momenta) - square) <= 1e-12 * 1000**2)
        total = np.sum(momenta, axis=0) - np.array([1000.0, 0, 0, 0])[:, None]
        assert np.all(np.abs(total) <= 1e-12 * 1000)

    check()


@pytest.mark.parametrize("masses", MASSES)
@pytest.mark.parametrize("n", [2, 4, 6])
def test_faces_are_finite(n, masses):
    point = kinematics(1000.0, MASSES[masses][:n])
    rng = np.random.default_rng(0)
    u = (
        jnp.array(rng.integers(0, 2, (3 * n - 4, 64)).astype(float))
        .at[:, :2]
        .set(jnp.array([0.0, 1.0]))
    )
    momenta, log_jacobian = Rambo(n).forward(u, point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))

    def scalar(u):
        momenta, log_jacobian = Rambo(n).forward(u, point)
        return jnp.sum(momenta) + jnp.sum(log_jacobian)

    if n == 4:
        assert np.all(np.isfinite(jax.jit(jax.grad(scalar), compiler_options=QUICK)(u)))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_massless_volume(n, massless_volume):
    _, log_jacobian = Rambo(n).forward(uniform(n, 64), kinematics(500.0, MASSES["massless"][:n]))
    np.testing.assert_allclose(np.exp(log_jacobian), massless_volume(500.0, n), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_massive_volume(n, massive_volume):
    masses = MASSES["massive"][:n]
    _, log_jacobian = Rambo(n).forward(uniform(n, 100_000), kinematics(400.0, masses))
    sample = np.exp(log_jacobian)
    error = np.std(sample) / math.sqrt(len(sample))
    expected = massive_volume(400.0, masses)
    assert error < 2e-3 * expected
    assert abs(np.mean(sample) - expected) <= 4 * error + 1e-12 * expected


def test_volume_of_the_reference(reference, massive_volume):
    """The quadrature of the tests itself, against a number made elsewhere."""
    expected = reference["phase_space_volume_GeV4"] / (2 * math.pi) ** 8
    np.testing.assert_allclose(
        massive_volume(1000.0, reference["masses_final"]), expected, rtol=1e-7
    )


def test_jacobian_is_the_determinant(coordinates, log_measure):
    n, sqrt_s = 4, 600.0
    point = kinematics(sqrt_s, MASSES["massive"][:n])
    tree = flat_tree([Leaf(i) for i in range(n)])

    def square_map(u):
        return coordinates(tree, Rambo(n).forward(u[:, None], point)[0][..., 0])

    derivative = jax.jit(jax.jacfwd(square_map), compiler_options=QUICK)
    u = uniform(n, 20, seed=3)
    momenta, log_jacobian = Rambo(n).forward(u, point)
    for i in range(u.shape[1]):
        _, log_determinant = jnp.linalg.slogdet(derivative(u[:, i]))
        expected = log_determinant + log_measure(tree, momenta[..., i], sqrt_s)
        np.testing.assert_allclose(log_jacobian[i], expected, atol=1e-8)


def test_derivative_in_energy_and_masses():
    u = uniform(4, 5, seed=1)
    point = kinematics(400.0, MASSES["massive"][:4])

    def scalar(sqrt_s, masses):
        momenta, log_jacobian = Rambo(4).forward(u, point._replace(sqrt_s=sqrt_s, masses=masses))
        return jnp.sum(momenta[:2, :3]) / 100 + jnp.sum(log_jacobian)

    gradient = jax.jit(jax.grad(scalar, argnums=(0, 1)), compiler_options=QUICK)
    scalar = jax.jit(scalar, compiler_options=QUICK)
    by_energy, by_masses = gradient(point.sqrt_s, point.masses)
    step = 1e-3
    difference = scalar(point.sqrt_s + step, point.masses) - scalar(
        point.sqrt_s - step, point.masses
    )
    np.testing.assert_allclose(by_energy, difference / (2 * step), rtol=1e-6)
    for i in range(4):
        move = step * jnp.eye(4)[i]
        difference = scalar(point.sqrt_s, point.masses + move) - scalar(
            point.sqrt_s, point.masses - move
        )
        np.testing.assert_allclose(by_masses[i], difference / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("sqrt_s", [100.0, 170.238])
def test_closed_phase_space(sqrt_s):
    point = kinematics(sqrt_s, MASSES["massive"][:4])
    momenta, log_jacobian = Rambo(4).forward(uniform(4, 64), point)
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

    @pytest.mark.parametrize("k", [1, 2, 4])
    def test_derivatives(self, k):
        root = jax.vmap(jax.grad(lambda u: simplex_root(u, k)[0]))
        u = jnp.linspace(0.05, 0.95, 10)
        step = 1e-5
        difference = simplex_root(u + step, k)[0] - simplex_root(u - step, k)[0]
        np.testing.assert_allclose(root(u), difference / (2 * step), rtol=1e-7)
        second = jax.vmap(jax.grad(lambda u: root(u[None])[0]))
        difference = root(u + step) - root(u - step)
        np.testing.assert_allclose(second(u), difference / (2 * step), rtol=1e-6)
