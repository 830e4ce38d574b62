"""Ladders of scatterings: inverse, Jacobian, volume, distribution and limits of t, derivatives.

Maps are evaluated operation by operation, always for the same number of events (conftest.py).
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.tree import Branch, Exchange, Leaf, Propagator
from fabgen.phasespace.tree_map import TreeMap

#: For programs that run once.
QUICK = {"xla_backend_optimization_level": 0}
UNFUSED = {**QUICK, "xla_disable_hlo_passes": "fusion"}
E = 1000.0
W, Z, T = 80.419, 91.188, 173.0


def ladder(blobs, exchanges, minimum=0.0):
    """Blobs from the first beam on, joined by scatterings."""
    nodes = [Leaf(blob) if isinstance(blob, int) else blob for blob in blobs]
    tree = nodes[-1]
    for number in reversed(range(len(exchanges))):
        rest = Propagator(minimum=minimum if number else 0.0)
        tree = Branch((nodes[number], tree), rest, exchanges[number])
    return tree


def pair(first, second, kind="breit-wigner-tail", **options):
    options.setdefault("resonance", 0)
    return Branch((Leaf(first), Leaf(second)), Propagator(kind, **options))


LIGHT, HEAVY = Exchange(), Exchange(0)
FLATTER = Exchange(nu=0.6)
#: The first and the last particle of a ladder.
FIRST, RECOIL = Leaf(1, 30.0, 2.5), Leaf(2, 20.0, 3.0)
SOFT = Exchange(0, nu=0.3)
#: GeV^2: what the bounds of the recoil leave of -t.
LEAST = 1000.0 * 20.0 * math.exp(-3.0)

#: Map, masses of the final particles, of the beams.
CASES = {
    "two": (TreeMap(ladder([0, 1], [HEAVY]), 2), [W, Z], ()),
    "two, massive beams": (TreeMap(ladder([1, 0], [SOFT]), 2), [W, T], (T, 4.7)),
    # With masses of the beams azimuths are not limited (test_cut_angles.py).
    "three, cut": (
        TreeMap(ladder([FIRST, 0, RECOIL], [FLATTER, FLATTER], 20.0), 3),
        [0.0] * 3,
        (1e-4, 1e-4),
    ),
    "three, from the second beam": (
        TreeMap(ladder([1, 2, 0], [SOFT, SOFT]), 3, from_second=True),
        [W, T, Z],
        (100.0, 50.0),
    ),
    "four, resonance": (
        TreeMap(ladder([Leaf(0, 40.0), pair(1, 2), 3], [LIGHT, HEAVY]), 4),
        [0.0, 0.0, 0.0, 4.7],
        (),
    ),
    "six, pairs": (
        TreeMap(ladder([pair(0, 3), pair(1, 4), pair(2, 5)], [SOFT, LIGHT]), 6),
        [0.0, 0.0, 0.0, 4.7, 0.0, 4.7],
        (),
    ),
}


def numbers(name, sqrt_s=E):
    _, masses, beams = CASES[name]
    point = kinematics(sqrt_s, masses, [Z], [2.441], [W], beams)
    return jax.tree.map(np.asarray, point)


@pytest.fixture
def forward(evaluated):
    """forward(name, u, kinematics=None) -> momenta, log_jacobian."""

    def forward(name, u, point=None):
        return evaluated(CASES[name][0].forward, u, point or numbers(name))

    return forward


@pytest.fixture
def inverse(evaluated):
    """inverse(name, momenta, kinematics=None) -> u, log_jacobian."""

    def inverse(name, momenta, point=None):
        return evaluated(CASES[name][0].inverse, momenta, point or numbers(name))

    return inverse


def uniform(name, events, seed=0):
    return np.random.default_rng(seed).uniform(size=(CASES[name][0].dim, events))


def mass_squared(p):
    """By NumPy, GeV^2."""
    size = np.linalg.norm(p[..., 1:, :], axis=-2)
    return (p[..., 0, :] - size) * (p[..., 0, :] + size)


def transverse_momentum(p):
    return np.hypot(p[1], p[2])


def rapidity(p):
    return np.arctanh(p[3] / p[0])


def beams(name):
    """Momenta of the beams in their rest frame, (2, 4): energies from 2 E E_1 = s + m1^2 - m2^2."""
    first, second = CASES[name][2] or (0.0, 0.0)
    energies = [(E * E + sign * (first**2 - second**2)) / (2 * E) for sign in (1, -1)]
    k = math.sqrt(energies[0] ** 2 - first**2)
    return np.array([[energies[0], 0, 0, k], [energies[1], 0, 0, -k]])


def transfers(name, momenta):
    """t of all scatterings, (k, events), from the momenta alone."""
    mapping = CASES[name][0]
    q = beams(name)[int(mapping.from_second)][:, None]
    result = []
    for branch, _ in mapping.ladder:
        q = q - sum(momenta[leg] for leg in branch.children[0].legs)
        result.append(mass_squared(q))
    return np.stack(result)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("six")])
def test_round_trip(name, corners, forward, inverse, distance):
    mapping, point = CASES[name][0], numbers(name)
    resonant = any(b.propagator.resonance is not None for b in mapping.drawn)
    tolerance = 1e-9 + (1e-15 * E**2 / (Z * 2.441) if resonant else 0.0)

    @settings(max_examples=4)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        u = corners(seed, (mapping.dim, 80))
        momenta, log_jacobian = forward(name, u)
        again, log_inverse = inverse(name, momenta)
        assert np.max(distance(again, u, mapping.n_final)) <= tolerance
        np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-8)
        square = np.asarray(point.masses)[:, None] ** 2
        assert np.all(np.abs(mass_squared(momenta) - square) <= 1e-12 * E**2)
        total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
        assert np.all(np.abs(total) <= 1e-12 * E)

    check()


def test_round_trip_of_six(forward, inverse, distance):
    """Not in the corners: three massless pairs leave each other a part in 10^18 of the energy."""
    u = uniform("six, pairs", 64)
    momenta, log_jacobian = forward("six, pairs", u)
    again, log_inverse = inverse("six, pairs", momenta)
    assert np.max(distance(again, u, 6)) <= 1e-9
    np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-8)
    total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
    assert np.all(np.abs(total) <= 1e-12 * E)


@pytest.mark.parametrize("name", ["two", "two, massive beams"])
def test_two_body_volume(name, forward, massive_volume):
    """By quadrature over the variable of t: exact."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    u = np.stack([(nodes + 1) / 2, np.full(60, 0.3)])
    jacobian = np.exp(forward(name, u)[1])
    expected = massive_volume(E, CASES[name][1])
    np.testing.assert_allclose(np.sum(jacobian * weights) / 2, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["three, from the second beam", "three, cut"])
def test_volume(name, evaluated, forward, inverse, samples, integral):
    """That of RAMBO within the bounds that the map knows of; elsewhere its density is zero."""
    momenta, flat = evaluated(Rambo(3).forward, samples(5, seed=1), numbers(name))
    tree = CASES[name][0].tree
    inside = inverse(name, momenta)[1] < np.inf
    second, third = (momenta[leg] for leg in tree.children[1].legs)
    least = mass_squared(second + third) >= tree.children[1].propagator.minimum ** 2
    in_cuts, t = least.copy(), transfers(name, momenta)[1]
    for leaf in tree.leaves:
        p = momenta[leaf.leg]
        in_cuts &= transverse_momentum(p) >= leaf.minimum_pt
        in_cuts &= np.abs(rapidity(p)) <= leaf.maximum_rapidity
    assert np.all(inside[in_cuts])
    assert np.all(least[inside])
    if name == "three, cut":
        assert np.all(t[inside] <= -LEAST * (1.0 - 1e-9))
        assert np.mean(inside) < 0.98
    means, errors = zip(
        integral(np.exp(flat) * inside),
        integral(np.exp(forward(name, samples(5))[1])),
        strict=True,
    )
    assert max(errors) < 0.003 * means[0]
    assert abs(means[0] - means[1]) <= 4 * math.hypot(*errors)


@pytest.mark.parametrize("name", ["three, from the second beam"])
def test_jacobian_is_the_determinant(name, forward, log_jacobian_by_derivatives):
    mapping = CASES[name][0]
    u = uniform(name, 20, seed=5)
    expected = log_jacobian_by_derivatives(mapping.tree, mapping, u, numbers(name))
    np.testing.assert_allclose(forward(name, u)[1], expected, atol=1e-7)


@pytest.mark.parametrize("name", ["three, from the second beam", "four, resonance"])
def test_axes(name, forward):
    """No azimuth changes any t: each polar angle is measured against what is exchanged."""
    mapping = CASES[name][0]
    u = uniform(name, 64, seed=3)
    azimuths = slice(len(mapping.drawn) + 1, None, 2)
    turned = u.copy()
    turned[azimuths] = uniform(name, 64, seed=4)[azimuths]
    before, after = (transfers(name, forward(name, v)[0]) for v in (u, turned))
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-12 * E**2)


def test_distribution_of_t(forward):
    """Massless particles: least < -t_2 < M^2 - t_1, with the power law between."""
    name = "three, cut"
    u = uniform(name, 50, seed=6)
    momenta, _ = forward(name, u)
    t1, t2 = transfers(name, momenta)
    most = mass_squared(momenta[0] + momenta[2]) - t1
    power = 1 - 0.6
    grown = 1 + u[3] * ((most / LEAST) ** power - 1)
    is_open = most > LEAST
    assert np.sum(is_open) > 40
    np.testing.assert_allclose(-t2[is_open], (LEAST * grown ** (1 / power))[is_open], rtol=1e-8)
    soft = momenta[2][:, transverse_momentum(momenta[2]) > 20.0]
    assert np.all((rapidity(soft) < -3.0) | (E * (soft[0] + soft[3]) > LEAST))


def test_beams_heavier_than_what_they_make(evaluated, distance):
    """t may lie wholly above the square of the exchanged mass: the map is finite and invertible."""
    mapping = TreeMap(ladder([0, 1, 2], [LIGHT, LIGHT]), 3)
    point = kinematics(E, [0.0, 20.0, 30.0], incoming_masses=[0.5, 90.0])
    point = jax.tree.map(np.asarray, point)
    u = np.random.default_rng(7).uniform(size=(5, 2048))
    u[0] *= 0.005  # what the heavy beam makes is lighter than it
    momenta, log_jacobian = evaluated(mapping.forward, u, point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
    assert np.all(mass_squared(momenta[1] + momenta[2]) < 90.0**2)
    again, log_inverse = evaluated(mapping.inverse, momenta, point)
    assert np.max(distance(again, u, 3)) <= 1e-9
    np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-8)


def test_faces_are_finite(forward):
    for name, case in CASES.items():
        u = np.random.default_rng(0).integers(0, 2, (case[0].dim, 64)).astype(float)
        u[:, 0], u[:, 1] = 0.0, 1.0
        momenta, log_jacobian = forward(name, u)
        assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian)), name


def test_derivatives(forward):
    """In u and the kinematics; finite on the faces, also without any mass."""
    name = "three, from the second beam"
    mapping = CASES[name][0]

    def scalar(u, point):
        momenta, log_jacobian = mapping.forward(u, point)
        return jnp.sum(momenta[:2, :3]) / 100 + jnp.sum(log_jacobian)

    value_and_gradient = jax.jit(jax.value_and_grad(scalar, (0, 1)), compiler_options=UNFUSED)
    u, point = uniform(name, 3, seed=1), numbers(name)

    def value(u, point):
        momenta, log_jacobian = forward(name, u, point)
        return np.sum(momenta[:2, :3]) / 100 + np.sum(log_jacobian)

    compiled, (by_u, by_point) = value_and_gradient(u, point)
    assert compiled == pytest.approx(value(u, point), rel=1e-12)
    step = 1e-6 * np.random.default_rng(2).normal(size=u.shape)
    difference = value(u + step, point) - value(u - step, point)
    np.testing.assert_allclose(2 * np.sum(by_u * step), difference, rtol=1e-5)
    for field in ("sqrt_s", "masses", "exchanged_masses", "incoming_masses"):
        values = getattr(point, field)
        step = 1e-5 * values
        moved = [point._replace(**{field: values + sign * step}) for sign in (1, -1)]
        difference = value(u, moved[0]) - value(u, moved[1])
        result = 2 * np.sum(getattr(by_point, field) * step)
        np.testing.assert_allclose(result, difference, rtol=1e-5, atol=1e-9)
    massless = kinematics(E, [0.0] * 3, [Z], [2.441], [0.0], [0.0, 0.0])
    for seed in range(12):
        u = np.random.default_rng(seed).integers(0, 2, (5, 3)).astype(float)
        for numbers_ in (point, massless):
            _, gradients = value_and_gradient(u, numbers_)
            assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradients))


def test_closed(forward, inverse):
    """Below threshold, and where the cut on pT leaves no energy."""
    for name, sqrt_s in {"two": 150.0, "three, cut": 60.0, "four, resonance": 80.0}.items():
        point = numbers(name, sqrt_s)
        momenta, log_jacobian = forward(name, uniform(name, 9), point)
        assert np.all(np.isfinite(momenta))
        assert np.all(log_jacobian == -np.inf)
        assert np.all(inverse(name, momenta, point)[1] == np.inf)


def test_wrong_trees():
    with pytest.raises(ValueError, match="second child of a scattering"):
        TreeMap(Branch((Leaf(0), Branch((Leaf(1), Leaf(2)), exchange=LIGHT))), 3)
    with pytest.raises(ValueError, match="second child of a scattering"):
        TreeMap(Branch((Branch((Leaf(1), Leaf(2)), exchange=LIGHT), Leaf(0)), exchange=LIGHT), 3)
