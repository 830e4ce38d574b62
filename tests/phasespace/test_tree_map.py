"""Maps along trees: inverse, Jacobian, volume, windows, derivatives, order of the invariants.

Maps are evaluated operation by operation and always for the same number of events (conftest.py):
an operation is compiled once for all cases, while a program of its own for each case takes far
longer to compile than to run. Only derivatives in the kinematics are compiled as a whole.
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
from jaxtyping import TypeCheckError

from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.tree import Branch, Leaf, Propagator, flat_tree
from fabgen.phasespace.tree_map import TreeMap

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


def test_what_is_not_a_number_is_not_outside():
    """It is counted as an error further up; -inf would be one more point beyond the cuts."""
    u = jnp.full((5, 3), 0.5).at[0, 1].set(jnp.nan)
    _, log_jacobian = TreeMap(chain(3), 3).forward(u, kinematics(E, [0.0] * 3))
    np.testing.assert_array_equal(np.isnan(log_jacobian), [False, True, False])


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
    point = kinematics(E, masses, *RESONANCES)
    return TreeMap(tree, len(masses)), jax.tree.map(np.asarray, point)


def uniform(dim, events, seed=0):
    return np.random.default_rng(seed).uniform(size=(dim, events))


def squares(momenta):
    """p^2 (..., events) in GeV^2, by NumPy."""
    energy, size = momenta[..., 0, :], np.linalg.norm(momenta[..., 1:, :], axis=-2)
    return (energy - size) * (energy + size)


@each_case
def test_round_trip(name, corners, evaluated, rounding_error, distance):
    """To 1e-9 + 1e-15 E^2/(M Gamma), for COLLINEAR plus ten times what rounding costs.

    At the worst points found the exact inverse (60 digits) of exact momenta rounded to float64 is
    off by 1e-11 (six, flat), by 4e-8 for three pairs that split off each other, and by 0.5 for the
    chain of six: in its corners masses fall below the rounding of the momenta, which then hold
    nothing of the last azimuth. Where rounding costs more than 1e-7 the bound, which is linear,
    says nothing, and nothing is asked: there five of ten thousand points of that chain exceed it,
    and elsewhere the worst is at a third of it.
    """
    mapping, point = case(name)
    used = {b.propagator.resonance for b in mapping.drawn} - {None}
    width = min((RESONANCES[0][i] * RESONANCES[1][i] for i in used), default=math.inf)
    tolerance = 1e-9 + 1e-15 * E**2 / width

    @settings(max_examples=4)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        u = corners(seed, (mapping.dim, 128))
        momenta, log_jacobian = evaluated(mapping.forward, u, point)
        again, log_inverse = evaluated(mapping.inverse, momenta, point)
        error = rounding_error(mapping, point, u) if name in COLLINEAR else np.zeros_like(u)
        known = np.max(error, axis=0) < 1e-7
        off = distance(again, u, mapping.n_final)
        assert np.all((off <= tolerance + 10 * error) | ~known)
        allowed = 1e-8 + 100 * np.max(error, axis=0)
        assert np.all((np.abs(log_inverse - log_jacobian) <= allowed) | ~known)
        square = np.asarray(point.masses)[:, None] ** 2
        assert np.all(np.abs(squares(momenta) - square) <= 1e-12 * E**2)
        total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
        assert np.all(np.abs(total) <= 1e-12 * E)

    check()


@each_case
def test_faces_are_finite(name, evaluated):
    mapping, point = case(name)
    rng = np.random.default_rng(0)
    u = rng.integers(0, 2, (mapping.dim, 64)).astype(float)
    u[:, 0], u[:, 1] = 0.0, 1.0
    momenta, log_jacobian = evaluated(mapping.forward, u, point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
    total = np.sum(momenta, axis=0) - np.array([E, 0, 0, 0])[:, None]
    assert np.all(np.abs(total) <= 1e-12 * E)


@pytest.mark.parametrize("name", ["three, photon", "tops"])
def test_jacobian_is_the_determinant(name, evaluated, log_jacobian_by_derivatives):
    mapping, point = case(name)
    u = uniform(mapping.dim, 20, seed=5)
    expected = log_jacobian_by_derivatives(mapping.tree, mapping, u, point)
    np.testing.assert_allclose(evaluated(mapping.forward, u, point)[1], expected, atol=1e-7)


@pytest.mark.parametrize("name", ["three, flat", "tops"])
def test_jacobian_of_one_map_after_the_inverse_of_another(name, derivatives, log_determinant):
    mapping, point = case(name)
    rambo = Rambo(mapping.n_final)

    def both(u):
        momenta, log_forward = mapping.forward(u, point)
        v, log_inverse = rambo.inverse(momenta, point)
        return jnp.concatenate([v, (log_forward - log_inverse)[None]])

    values, matrices = derivatives(both, uniform(mapping.dim, 10, seed=7))
    np.testing.assert_allclose(log_determinant(matrices[:-1]), values[-1], atol=1e-7)


@pytest.mark.parametrize("name", ["two", "three, flat", "four, flat", "four, balanced"])
def test_volume(name, evaluated, quadrature, massive_volume):
    """By quadrature over the invariants, which alone the density depends on."""
    mapping, point = case(name)
    u, weights = quadrature(mapping.dim, len(mapping.drawn))
    volume = weights @ np.exp(evaluated(mapping.forward, u, point)[1])
    assert volume == pytest.approx(massive_volume(E, CASES[name][1]), rel=1e-6)


def test_volume_within_windows(tops, top_kinematics, evaluated, quadrature):
    """Breit-Wigners over a window cover all of it: the same volume as the flat map cut to it."""
    u, weights = quadrature(8, 2)
    volumes = []
    for kind in ("breit-wigner", TAIL, "flat"):
        mapping = TreeMap(tops(kind, 15.0), 4)
        momenta, log_jacobian = evaluated(mapping.forward, u, top_kinematics)
        for first in (0, 2):
            mass = np.sqrt(squares(momenta[first] + momenta[first + 1]))
            assert np.all(np.abs(mass - 173.0) <= 15 * 1.4915 * (1 + 1e-12))
        volumes.append(weights @ np.exp(log_jacobian))
    assert volumes[0] == pytest.approx(volumes[2], rel=1e-6)
    # Where core and tail meet the Jacobian has a kink: the quadrature is good to some 10^-3.
    assert volumes[1] == pytest.approx(volumes[2], rel=5e-3)


def test_derivatives(tops, top_kinematics, evaluated):
    """In u and the kinematics, against differences; finite on the faces. Of one program."""
    mapping = TreeMap(tops(TAIL), 4)

    def scalar(u, point, some, density):
        momenta, log_jacobian = mapping.forward(u, point)
        return jnp.sum(some * momenta) + density * jnp.sum(log_jacobian)

    value_and_gradient = jax.jit(jax.value_and_grad(scalar, (0, 1)), compiler_options=QUICK)
    everything = np.ones((4, 4, 1))
    faces = np.random.default_rng(0).integers(0, 2, (8, 64)).astype(float)
    _, gradients = value_and_gradient(faces, top_kinematics, everything, 1.0)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradients))

    u = np.tile(uniform(8, 1, seed=2), 64)
    nothing = np.zeros_like(everything)
    by_u = value_and_gradient(u, top_kinematics, nothing, 1.0)[1][0][:, 0]
    for i in range(8):
        step = 1e-6 * np.eye(8)[:, i : i + 1]
        up, down = (
            value_and_gradient(u + s, top_kinematics, nothing, 1.0)[0] / 64 for s in (step, -step)
        )
        np.testing.assert_allclose(by_u[i], (up - down) / 2e-6, rtol=1e-6, atol=1e-7)

    some = np.zeros_like(everything)
    some[:2, :3] = 0.01
    u = uniform(8, 64, seed=1)
    point = jax.tree.map(np.asarray, top_kinematics)
    value, (_, gradient) = value_and_gradient(u, point, some, 1.0)
    momenta, log_jacobian = evaluated(mapping.forward, u, point)
    expected = np.sum(some * momenta) + np.sum(log_jacobian)
    assert value == pytest.approx(expected, rel=1e-12)
    rest = point._asdict()
    assert rest.pop("boosts") == (0.0, 0.0)  # no cut of this map looks at them
    for field, values in rest.items():
        for i in np.ndindex(values.shape):
            step = 1e-5 * (values[i] or 1.0)
            up, down = values.copy(), values.copy()
            up[i], down[i] = values[i] + step, values[i] - step
            difference = (
                value_and_gradient(u, point._replace(**{field: up}), some, 1.0)[0]
                - value_and_gradient(u, point._replace(**{field: down}), some, 1.0)[0]
            ) / (2 * step)
            result = getattr(gradient, field)[i]
            np.testing.assert_allclose(result, difference, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("mass", [50.0, 85.0, 940.0, 3000.0])
def test_resonance_out_of_reach(mass, tops, evaluated, quadrature, massive_volume):
    """Far below or above the open range the map still covers phase space, without NaN.

    The quadrature is good to some 10^-3, because of the kink where core and tail meet.
    """
    point = kinematics(E, WB, [mass], [0.02 * mass])
    u, weights = quadrature(8, 2)
    momenta, log_jacobian = evaluated(TreeMap(tops(TAIL), 4).forward, u, point)
    assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
    assert weights @ np.exp(log_jacobian) == pytest.approx(massive_volume(E, WB), rel=5e-3)


@pytest.mark.parametrize(
    ("sqrt_s", "window"),
    [(150.0, None), (170.0, None), (300.0, 15.0), (1000.0, 15.0)],
    ids=["far below", "below", "below the windows", "window without phase space"],
)
def test_closed(sqrt_s, window, tops, evaluated):
    resonance = 173.0 if sqrt_s < 1000 else 50.0
    point = kinematics(sqrt_s, WB, [resonance], [0.1])
    mapping = TreeMap(tops(TAIL, window), 4)
    momenta, log_jacobian = evaluated(mapping.forward, uniform(8, 64), point)
    assert np.all(np.isfinite(momenta))
    assert np.all(log_jacobian == -np.inf)


def test_minimum_from_cuts(evaluated):
    mapping = TreeMap(Branch((pair(0, 1, "power", minimum=50.0), Leaf(2))), 3)
    momenta, _ = evaluated(mapping.forward, uniform(5, 64), kinematics(E, [0.0] * 3))
    assert np.all(squares(momenta[0] + momenta[1]) >= 50.0**2 * (1 - 1e-12) ** 2)


def test_resonances_are_drawn_first():
    photon = pair(0, 1, "power")
    higgs = pair(2, 3, TAIL, resonance=2)
    mapping = TreeMap(flat_tree([photon, Leaf(4), higgs]), 5)
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
        TreeMap(pair(0, 2), 2)
    with pytest.raises(ValueError, match="once each"):
        TreeMap(pair(0, 0), 2)
    with pytest.raises(ValueError, match="needs a resonance"):
        Propagator("breit-wigner")
    # of a wrong type already, where types are checked
    with pytest.raises((ValueError, TypeCheckError), match="gaussian"):
        Propagator("gaussian")
