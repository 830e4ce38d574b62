"""Cascades: inverse, Jacobian, volume, windows, derivatives, order of the invariants.

Most maps are evaluated operation by operation: an operation is compiled once for all cases, while
a program of its own for each case takes far longer to compile than to run.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.cascade import Branch, Cascade, Leaf, Propagator, flat_tree
from fabgen.phasespace.kinematics import invariant_mass, mass_squared
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo

#: For programs that run once.
QUICK = {"xla_backend_optimization_level": 0}
E = 1000.0
TAIL = "breit-wigner-tail"


def pair(first, second, kind="flat", **options):
    return Branch((Leaf(first), Leaf(second)), Propagator(kind, **options))


def top(b, decay, window=None):
    """A top as resonance 0 with a W (resonance 1) that decays to two leptons."""
    w = Branch(decay, Propagator(TAIL, resonance=1))
    return Branch((w, Leaf(b)), Propagator(TAIL, resonance=0, window=window))


def chain(n, minimum=0.0):
    """Splittings nested in each other: n - 2 power laws, sqrt(s) > minimum x (legs - 1)."""
    node = Leaf(n - 1)
    for i in reversed(range(1, n - 1)):
        node = Branch((Leaf(i), node), Propagator("power", minimum=minimum * (n - 1 - i)))
    return Branch((Leaf(0), node))


WB = [80.419, 4.7, 80.419, 4.7]
RESONANCES = ([173.0, 80.419, 125.0], [1.4915, 2.0476, 6.382339e-3])
WINDOW = {"resonance": 0, "window": 15.0}

#: Tree, masses of the final particles.
CASES = {
    "two": (pair(0, 1), [80.419, 91.188]),
    "three, flat": (flat_tree([0, 1, 2]), [80.419, 80.419, 91.188]),
    "three, photon": (Branch((pair(0, 1, "power", minimum=10.0), Leaf(2))), [0.0, 0.0, 0.0]),
    "three, higgs": (Branch((pair(0, 1, TAIL, resonance=2), Leaf(2))), [4.7, 4.7, 91.188]),
    "tops, window": (
        Branch((pair(0, 1, "breit-wigner", **WINDOW), pair(2, 3, TAIL, **WINDOW))),
        WB,
    ),
    "tops": (Branch((pair(0, 1, TAIL, resonance=0), pair(2, 3, TAIL, resonance=0))), WB),
    "tops, plain": (
        Branch((pair(0, 1, "breit-wigner", resonance=0), pair(2, 3, "breit-wigner", resonance=0))),
        WB,
    ),
    "four, flat": (flat_tree([2, 0, 3, 1]), [100.0, 10.0, 0.0, 4.7]),
    "four, power": (
        Branch((Leaf(0), Branch((pair(1, 2, "power", minimum=8.0), Leaf(3)), Propagator("power")))),
        [0.0, 0.0, 0.0, 173.0],
    ),
    "four, balanced": (Branch((pair(0, 2), pair(1, 3))), [0.0, 10.0, 91.188, 91.188]),
    "six, nested": (
        Branch((top(2, (Leaf(0), Leaf(1)), 15.0), top(5, (Leaf(3), Leaf(4)), 15.0))),
        [0.0, 0.0, 4.7, 0.0, 0.0, 4.7],
    ),
    "five, flat": (flat_tree(range(5)), [0.0] * 5),
    "six, flat": (flat_tree(range(6)), [0.0] * 6),
    "five, flat, massive": (flat_tree([4, 2, 0, 1, 3]), [173.0, 4.7, 80.419, 91.188, 4.7]),
    "six, flat, massive": (flat_tree(range(6)), [80.419, 4.7, 80.419, 4.7, 91.188, 173.0]),
    "five, chain": (chain(5), [0.0] * 5),
    "six, chain": (chain(6), [0.0] * 6),
    "five, chain, minima": (chain(5, 8.0), [0.0] * 5),
    "six, chain, minima": (chain(6, 8.0), [0.0] * 6),
    "six, pairs": (
        flat_tree([pair(0, 1, "power"), pair(2, 3, "power"), pair(4, 5, "power")]),
        [0.0] * 6,
    ),
}
#: Particles that may get collinear to 1e-5 and less: their momenta do not hold more.
COLLINEAR = {
    *("five, flat", "six, flat", "five, flat, massive", "six, flat, massive"),
    *("five, chain", "six, chain", "six, pairs"),
}
each_case = pytest.mark.parametrize("name", CASES)


@functools.cache
def case(name):
    """The map and its kinematics."""
    tree, masses = CASES[name]
    return Cascade(tree, len(masses)), kinematics(E, masses, *RESONANCES)


def uniform(dim, events, seed=0):
    return np.random.default_rng(seed).uniform(size=(dim, events))


@each_case
def test_round_trip(name, corners, rounding_error, distance):
    """To 1e-9 + 1e-15 E^2/(M Gamma), for COLLINEAR plus ten times what rounding costs.

    At the worst points found the exact inverse (60 digits) of exact momenta rounded to float64 is
    off by 1e-11 (six, flat), by 4e-8 for three pairs that split off each other, and by 0.5 for the
    chain of six: in its corners masses fall below the rounding of the momenta, which then hold
    nothing of the last azimuth. Where rounding costs more than 1e-5 the bound, which is linear,
    says nothing, and nothing is asked.
    """
    mapping, point = case(name)
    used = {b.propagator.resonance for b in mapping.drawn} - {None}
    width = min((RESONANCES[0][i] * RESONANCES[1][i] for i in used), default=math.inf)
    tolerance = 1e-9 + 1e-15 * E**2 / width

    @settings(max_examples=4)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        u = corners(seed, (mapping.dim, 32))
        momenta, log_jacobian = map(np.asarray, mapping.forward(u, point))
        again, log_inverse = map(np.asarray, mapping.inverse(momenta, point))
        error = rounding_error(mapping, point, u) if name in COLLINEAR else np.zeros_like(u)
        known = np.max(error, axis=0) < 1e-5
        off = distance(again, u, mapping.n_final)
        assert np.all((off <= tolerance + 10 * error) | ~known)
        allowed = 1e-8 + 100 * np.max(error, axis=0)
        assert np.all((np.abs(log_inverse - log_jacobian) <= allowed) | ~known)
        square = np.asarray(point.masses)[:, None] ** 2
        assert np.all(np.abs(mass_squared(momenta) - square) <= 1e-12 * E**2)
        total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
        assert np.all(np.abs(total) <= 1e-12 * E)

    check()


@each_case
def test_faces_are_finite(name):
    mapping, point = case(name)
    rng = np.random.default_rng(0)
    u = rng.integers(0, 2, (mapping.dim, 64)).astype(float)
    u[:, 0], u[:, 1] = 0.0, 1.0
    momenta, log_jacobian = mapping.forward(u, point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
    total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
    assert np.all(np.abs(total) <= 1e-12 * E)


@pytest.mark.parametrize("name", ["tops"])
def test_gradients_on_the_faces_are_finite(name):
    mapping, point = case(name)
    u = np.random.default_rng(0).integers(0, 2, (mapping.dim, 64)).astype(float)

    def scalar(u, point):
        momenta, log_jacobian = mapping.forward(u, point)
        return jnp.sum(momenta) + jnp.sum(log_jacobian)

    gradient = jax.jit(jax.grad(scalar, argnums=(0, 1)), compiler_options=QUICK)
    gradients = gradient(u, point)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradients))


@pytest.mark.parametrize("name", ["three, photon", "tops"])
def test_jacobian_is_the_determinant(name, coordinates, log_measure):
    mapping, point = case(name)

    def square_map(u):
        return coordinates(mapping.tree, mapping.forward(u[:, None], point)[0][..., 0])

    derivative = jax.jit(jax.jacfwd(square_map), compiler_options=QUICK)
    u = uniform(mapping.dim, 20, seed=5)
    momenta, log_jacobian = mapping.forward(u, point)
    for i in range(u.shape[1]):
        _, log_determinant = jnp.linalg.slogdet(derivative(u[:, i]))
        expected = log_determinant + log_measure(mapping.tree, momenta[..., i], E)
        np.testing.assert_allclose(log_jacobian[i], expected, atol=1e-7)


@pytest.mark.parametrize("name", ["three, flat", "tops"])
def test_jacobian_of_one_map_after_the_inverse_of_another(name):
    mapping, point = case(name)
    rambo = Rambo(mapping.n_final)

    def both(u):
        momenta, log_forward = mapping.forward(u[:, None], point)
        v, log_inverse = rambo.inverse(momenta, point)
        return v[:, 0], (log_forward - log_inverse)[0]

    derivative = jax.jit(jax.jacfwd(both, has_aux=True), compiler_options=QUICK)
    for u in uniform(mapping.dim, 10, seed=7).T:
        matrix, expected = derivative(u)
        np.testing.assert_allclose(jnp.linalg.slogdet(matrix)[1], expected, atol=1e-7)


@pytest.mark.parametrize("name", ["two", "three, flat", "four, flat", "four, balanced"])
def test_volume(name, massive_volume):
    mapping, point = case(name)
    sample = np.exp(mapping.forward(uniform(mapping.dim, 400_000), point)[1])
    error = np.std(sample) / math.sqrt(len(sample))
    expected = massive_volume(E, CASES[name][1])
    assert error < 2e-3 * expected
    assert abs(np.mean(sample) - expected) <= 4 * error + 1e-12 * expected


def test_volume_within_windows(tops, top_kinematics):
    """Breit-Wigners over a window cover all of it: the same volume as the flat map cut to it."""
    means, errors = [], []
    for kind in ("breit-wigner", TAIL, "flat"):
        mapping = Cascade(tops(kind, 15.0), 4)
        momenta, log_jacobian = mapping.forward(uniform(8, 400_000), top_kinematics)
        for first in (0, 2):
            mass = invariant_mass(momenta[first] + momenta[first + 1])
            assert np.all(np.abs(mass - 173.0) <= 15 * 1.4915 * (1 + 1e-12))
        sample = np.exp(log_jacobian)
        means.append(np.mean(sample))
        errors.append(np.std(sample) / math.sqrt(len(sample)))
    assert errors[2] < 2e-3 * means[2]
    for mean, error in zip(means[:2], errors[:2], strict=True):
        assert abs(mean - means[2]) <= 4 * math.hypot(error, errors[2])


def test_derivatives_in_kinematics(tops, top_kinematics):
    mapping = Cascade(tops(TAIL), 4)
    u = uniform(8, 5, seed=1)

    def scalar(point):
        momenta, log_jacobian = mapping.forward(u, point)
        return jnp.sum(momenta[:2, :3]) / 100 + jnp.sum(log_jacobian)

    scalar, gradient = (jax.jit(f, compiler_options=QUICK) for f in (scalar, jax.grad(scalar)))
    gradient = gradient(top_kinematics)
    for field, values in top_kinematics._asdict().items():
        flat = jnp.ravel(values)
        for i in range(flat.size):
            step = 1e-5 * flat[i]

            def moved(sign, field=field, values=values, flat=flat, i=i, step=step):
                changed = flat.at[i].add(sign * step).reshape(jnp.shape(values))
                return scalar(top_kinematics._replace(**{field: changed}))

            difference = (moved(1) - moved(-1)) / (2 * step)
            result = jnp.ravel(getattr(gradient, field))[i]
            np.testing.assert_allclose(result, difference, rtol=1e-5, atol=1e-9)


def test_derivative_in_u(tops, top_kinematics):
    mapping = Cascade(tops(TAIL), 4)
    u = uniform(8, 1, seed=2)

    def scalar(u):
        return jnp.sum(mapping.forward(u, top_kinematics)[1])

    scalar, gradient = (jax.jit(f, compiler_options=QUICK) for f in (scalar, jax.grad(scalar)))
    result = gradient(u)
    for i in range(8):
        step = 1e-6 * jnp.eye(8)[:, i : i + 1]
        difference = (scalar(u + step) - scalar(u - step)) / 2e-6
        np.testing.assert_allclose(result[i, 0], difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mass", [50.0, 85.0, 940.0, 3000.0])
def test_resonance_out_of_reach(mass, tops, massive_volume):
    """Far below or above the open range the map still covers phase space, without NaN."""
    point = kinematics(E, WB, [mass], [0.02 * mass])
    momenta, log_jacobian = Cascade(tops(TAIL), 4).forward(uniform(8, 400_000), point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
    sample = np.exp(log_jacobian)
    error = np.std(sample) / math.sqrt(len(sample))
    assert abs(np.mean(sample) - massive_volume(E, WB)) <= 5 * error


@pytest.mark.parametrize(
    ("sqrt_s", "window"),
    [(150.0, None), (170.0, None), (300.0, 15.0), (1000.0, 15.0)],
    ids=["far below", "below", "below the windows", "window without phase space"],
)
def test_closed(sqrt_s, window, tops):
    resonance = 173.0 if sqrt_s < 1000 else 50.0
    point = kinematics(sqrt_s, WB, [resonance], [0.1])
    momenta, log_jacobian = Cascade(tops(TAIL, window), 4).forward(uniform(8, 64), point)
    assert np.all(np.isfinite(momenta))
    assert np.all(log_jacobian == -np.inf)


def test_minimum_from_cuts():
    mapping = Cascade(Branch((pair(0, 1, "power", minimum=50.0), Leaf(2))), 3)
    momenta, _ = mapping.forward(uniform(5, 64), kinematics(E, [0.0] * 3))
    assert np.all(invariant_mass(momenta[0] + momenta[1]) >= 50.0 * (1 - 1e-12))


def test_resonances_are_drawn_first():
    photon = pair(0, 1, "power")
    higgs = pair(2, 3, TAIL, resonance=2)
    mapping = Cascade(flat_tree([photon, Leaf(4), higgs]), 5)
    kinds = [branch.propagator.kind for branch in mapping.drawn]
    assert kinds == [TAIL, "power", "flat"]
    assert mapping.dim == 11


def test_flat_tree():
    tree = flat_tree([0, pair(1, 2, TAIL, resonance=0), 3])
    assert tree.legs == (0, 1, 2, 3)
    assert [branch.bodies for branch in tree.branches()] == [3, 2, 2]
    assert hash(tree) == hash(flat_tree([Leaf(0), pair(1, 2, TAIL, resonance=0), Leaf(3)]))
    with pytest.raises(ValueError, match="two nodes"):
        flat_tree([0])


def test_wrong_trees():
    with pytest.raises(ValueError, match="once each"):
        Cascade(pair(0, 2), 2)
    with pytest.raises(ValueError, match="once each"):
        Cascade(pair(0, 0), 2)
    with pytest.raises(ValueError, match="needs a resonance"):
        Propagator("breit-wigner")
    with pytest.raises(ValueError, match="unknown kind"):
        Propagator("gaussian")
