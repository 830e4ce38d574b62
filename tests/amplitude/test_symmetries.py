"""|M|^2 depends neither on the frame nor on the order of identical particles nor on merging."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.model import load_model
from fabgen.process.subprocesses import find_subprocesses

#: Together they have every kind of vertex and of external particle.
INVARIANT = [
    "g g > t t~ g",
    "e+ e- > w+ w- z",
    "u d~ > w+ a g",
    "z z > h h",
    "w+ w- > w+ w- h",
    "t > b e+ ve",
    "ta+ ta- > h a",
]
components = st.floats(-0.5, 0.5)


@pytest.mark.parametrize("process", INVARIANT)
@settings(max_examples=6)
@given(beta=st.tuples(components, components, components))
def test_lorentz_invariance(process, beta, amplitudes, boosted, no_widths):
    """Without widths: another frame is another gauge of photons and gluons."""
    if np.linalg.norm(beta) < 1e-3:
        beta = (0.0, 0.0, 0.9)  # along an axis
    element = amplitudes(process)
    momenta = element.points(700.0, 3)
    np.testing.assert_allclose(
        element.squared(boosted(momenta, beta), no_widths),
        element.squared(momenta, no_widths),
        rtol=1e-8,
    )


@pytest.mark.parametrize("process", INVARIANT)
@settings(max_examples=4)
@given(seed=st.integers(0, 1000))
def test_rotation_invariance(process, seed, amplitudes):
    element = amplitudes(process)
    momenta = element.points(700.0, 3)
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    matrix *= np.linalg.det(matrix)  # a proper rotation
    rotated = momenta.copy()
    rotated[:, 1:] = np.einsum("ij,lje->lie", matrix, momenta[:, 1:])
    np.testing.assert_allclose(element.squared(rotated), element.squared(momenta), rtol=1e-9)


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0, -1), (0, 1, 0)])
@pytest.mark.parametrize("process", ["g g > t t~", "e+ e- > w+ w-", "a a > w+ w-", "u u~ > g g"])
def test_no_direction_is_special(process, axis, amplitudes):
    """Beams, or final particles, exactly along an axis: the poles of the wave functions."""
    element = amplitudes(process)
    momenta = element.points(500.0, 1)
    value = element.squared(momenta)
    for leg in (0, 2):
        axes = _frame(momenta[leg, 1:, 0], np.array(axis, dtype=float))
        turned = momenta.copy()
        turned[:, 1:] = np.einsum("ij,lje->lie", axes, momenta[:, 1:])
        other = leg + 1  # back to back
        for number, sign in ((leg, 1), (other, -1)):
            size = np.linalg.norm(turned[number, 1:, 0])
            turned[number, 1:, 0] = sign * size * np.array(axis)
        np.testing.assert_allclose(element.squared(turned), value, rtol=1e-9)


def _frame(vector: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A rotation that takes the direction of `vector` to `target`: two reflections."""
    start = vector / np.linalg.norm(vector)
    helper = np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8])

    def reflection(a, b):
        n = a - b
        return np.eye(3) - 2 * np.outer(n, n) / (n @ n)

    return reflection(helper, target) @ reflection(start, helper)


@pytest.mark.parametrize(
    ("process", "groups"),
    [
        ("g g > g g g", ((0, 1), (2, 3, 4))),
        ("u u~ > g g g", ((2, 3, 4),)),
        ("u d~ > w+ w+ w-", ((2, 3),)),
        ("u u > u u g", ((0, 1), (2, 3))),
        ("e+ e- > mu+ mu- mu+ mu-", ((2, 4), (3, 5))),
        ("e+ e- > e+ e- a a", ((4, 5),)),
        ("z z > h h h", ((0, 1), (2, 3, 4))),
        ("e+ e- > z z, z > mu+ mu-", ()),
    ],
)
def test_identical_particles_may_be_exchanged(process, groups, amplitudes):
    element = amplitudes(process)
    momenta = element.points(700.0, 2)
    value = element.squared(momenta)
    for group in groups:
        for first, second in itertools.pairwise(group):
            exchanged = momenta.copy()
            exchanged[[first, second]] = momenta[[second, first]]
            np.testing.assert_allclose(element.squared(exchanged), value, rtol=1e-9)
    if not groups:  # whole decays are exchanged
        np.testing.assert_allclose(element.squared(momenta[[0, 1, 4, 5, 2, 3]]), value, rtol=1e-9)


@pytest.mark.parametrize(
    ("process", "conjugate"),
    [
        ("u d~ > w+ a g", "u~ d > w- a g"),
        ("e+ e- > t t~ h", "e- e+ > t~ t h"),
        ("g u > t t~ u", "g u~ > t~ t u~"),
        ("t > w+ b g", "t~ > w- b~ g"),
        ("e+ ve > w+ h", "e- ve~ > w- h"),
        ("w+ w- > z h", "w- w+ > z h"),
    ],
)
def test_cp(process, conjugate, amplitudes):
    """With a real CKM matrix: antiparticles with reversed three-momenta are the same."""
    element, other = amplitudes(process), amplitudes(conjugate)
    momenta = element.points(600.0, 3)
    mirrored = momenta.copy()
    mirrored[:, 1:] *= -1
    np.testing.assert_allclose(other.squared(mirrored), element.squared(momenta), rtol=1e-9)


@pytest.mark.parametrize(
    "process",
    [
        "g g > g g g",
        "u u~ > g g g",
        "u u~ > u u~ g",
        "e+ e- > w+ w- z",
        "g g > t t~ g g",
        "e+ e- > t t~, t > w+ b, t~ > w- b~",
    ],
)
def test_merged_sub_diagrams_give_the_same(process, amplitudes):
    merged, single = amplitudes(process), amplitudes(process, merge=False)
    assert len(merged.graph.closings) <= len(single.graph.closings)
    assert merged.graph.n_diagrams == single.graph.n_diagrams
    momenta = merged.points(800.0, 2)
    np.testing.assert_allclose(merged.squared(momenta), single.squared(momenta), rtol=1e-9)
    assert np.all(merged.squared(momenta) > 0)


def test_merging_saves_currents(amplitudes):
    """Where colour allows it, sub-diagrams become one current."""
    merged = amplitudes("u u~ > g g g").graph
    single = amplitudes("u u~ > g g g", merge=False).graph
    assert len(merged.currents) < len(single.currents)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("u u~ > e+ e- g", "u~ u > e+ e- g"),  # the beams in the other order
        ("u u~ > e+ e- g", "c c~ > mu+ mu- g"),  # other families
        ("u d~ > w+ g", "s~ c > w+ g"),
        ("u c > u c g", "c u > c u g"),
        ("e+ e- > e+ ve w-", "mu+ mu- > mu+ vm w-"),
    ],
)
def test_equal_matrix_elements(first, second, amplitudes):
    """Those that are found once have the same value at the legs that `Subprocess` says."""
    (one, other), (_,) = find_subprocesses(load_model("sm"), [first, second])
    assert one.diagrams == other.diagrams
    element, equal = amplitudes(first), amplitudes(second)
    momenta = equal.points(500.0, 3)
    np.testing.assert_allclose(
        element.squared(momenta[list(other.legs)]), equal.squared(momenta), rtol=1e-10
    )
