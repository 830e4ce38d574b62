"""Rough densities: those of the rows where limits do not depend on what is drawn, else close."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.forward import forward
from fabgen.phasespace.inverse import inverse
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.rough import rough_densities
from fabgen.phasespace.rough_table import Trees, rough_table
from fabgen.phasespace.splits import Kind
from fabgen.phasespace.tree import Branch, Exchange, Leaf, Propagator
from fabgen.phasespace.tree_map import TreeMap

E, EVENTS = 1000.0, 512
RESONANCES, EXCHANGED = [(91.0, 2.5), (60.0, 1.0)], [80.0, 5.0]
_forward = jax.jit(forward, static_argnums=0)
_inverse = jax.jit(inverse, static_argnums=0)
_rough = jax.jit(rough_densities)
_flat = jax.jit(Rambo(4).forward)


def point(masses, beams=(0.0, 0.0), boost=0.0):
    of_resonances = zip(*RESONANCES, strict=True)
    return kinematics(E, masses, *of_resonances, EXCHANGED, beams, boost)


def table_of(maps, masses, first=0):
    return rough_table([Trees(maps, first, masses, RESONANCES, EXCHANGED)])


def both(maps, masses, momenta, given):
    """log g_i (channels, events), roughly and as they are, up to a constant."""
    kind = Kind(len(masses), True, True)
    roughly = np.asarray(_rough(table_of(maps, masses).component(0), momenta, given))[: len(maps)]
    exact = np.stack([-np.asarray(_inverse(kind, momenta, m.row, given)[1]) for m in maps])
    return roughly - np.median(roughly - exact), exact


@pytest.mark.parametrize("n", [2, 3])
def test_without_cuts_three_particles_are_exact(n, random_tree):
    """Whatever is drawn first, there is one invariant, and its limits are the loosest ones."""

    @settings(max_examples=12)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        rng = np.random.default_rng(seed)
        mapping = TreeMap(*((tree := random_tree(n, rng, cut=False))[0], n, tree[1]))
        masses = rng.choice([0.0, 4.7, 30.0], n)
        given = point(masses, [0.0, 0.0] if rng.random() < 0.5 else [0.5, 90.0])
        u = rng.uniform(0.02, 0.98, (mapping.dim, EVENTS))
        momenta, _ = _forward(Kind(n, True, True), u, mapping.row, given)
        roughly, exact = both([mapping], masses, momenta, given)
        # Squares are differences of momenta: a small t keeps few of its digits.
        np.testing.assert_allclose(roughly, exact, atol=1e-4)
        assert np.median(np.abs(roughly - exact)) < 1e-8

    check()


A, B, C, D = (Leaf(number) for number in range(4))
TREES = {
    "a chain": Branch((A, Branch((B, Branch((C, D), Propagator("power"))), Propagator("power")))),
    "pairs": Branch((
        Branch((A, B), Propagator("breit-wigner-tail", 0)),
        Branch((C, D), Propagator("power")),
    )),
    "a ladder": Branch(
        (A, Branch((B, Branch((C, D), exchange=Exchange())), exchange=Exchange(1))),
        exchange=Exchange(0),
    ),
}  # fmt: skip


def test_channels_of_one_table_compare():
    """Constants are the same for all of them: flat points of four particles. (A factor of 8 pi
    would be 3.2 here.)"""
    masses = [0.0, 4.7, 0.0, 0.0]
    given = point(masses)
    u = np.random.default_rng(3).random((8, EVENTS))
    momenta, _ = _flat(jnp.asarray(u), given)
    roughly, exact = both([TreeMap(tree, 4) for tree in TREES.values()], masses, momenta, given)
    apart = roughly - exact - np.mean(roughly - exact)
    assert np.std(apart) < 0.8 < 0.5 * np.std(exact)
    assert np.max(np.abs(apart.mean(axis=1))) < 1.0


@pytest.mark.parametrize("boost", [0.0, 0.6])
@pytest.mark.parametrize("from_second", [False, True])
def test_cuts_limit_the_range_of_scatterings(boost, from_second):
    """Of the beams: exactly, the boost to the lab included."""
    first, rest = Leaf(0, 20.0, 2.0), Branch((Leaf(1), Leaf(2)), Propagator("power", minimum=10.0))
    mapping = TreeMap(Branch((first, rest), exchange=Exchange()), 3, from_second)
    masses = [0.0, 4.7, 0.0]
    given = point(masses, boost=boost)
    u = np.random.default_rng(5).uniform(0.02, 0.98, (5, EVENTS))
    momenta, _ = _forward(Kind(3, True, True), u, mapping.row, given)
    roughly, exact = both([mapping], masses, momenta, given)
    np.testing.assert_allclose(roughly, exact, atol=1e-6)


def test_components_of_any_size_in_one_table():
    maps = [TreeMap(tree, 4) for tree in TREES.values()]
    masses = [0.0, 4.7, 0.0, 0.0]
    parts = [
        Trees(maps, 0, masses, RESONANCES, EXCHANGED),
        Trees(maps[1:2], 3, masses, RESONANCES, EXCHANGED),
    ]
    table = rough_table(parts)
    given = point(masses)
    momenta, _ = _flat(jnp.asarray(np.random.default_rng(3).random((8, EVENTS))), given)
    assert table.first.tolist() == [0, 3]
    for number, part in enumerate(parts):
        found = np.asarray(_rough(table.component(number), momenta, given))
        alone = np.asarray(_rough(rough_table([part]).component(0), momenta, given))
        np.testing.assert_allclose(found[: len(alone)], alone, rtol=1e-12)
        assert np.all(np.isneginf(found[len(alone) :]))


def test_factors_are_shared():
    """Three orders of one ladder's legs have twelve factors, of which they share some."""
    maps = [TreeMap(tree, 4) for tree in TREES.values()]
    table = table_of([*maps, *maps], [0.0] * 4)
    assert table.terms.shape[-1] == 6
    np.testing.assert_array_equal(table.terms[0, :, :3], table.terms[0, :, 3:])


def test_derivatives_are_numbers():
    masses = [0.0, 4.7, 0.0, 0.0]
    given = point(masses)
    momenta, _ = _flat(jnp.asarray(np.random.default_rng(3).random((8, EVENTS))), given)
    table = table_of([TreeMap(tree, 4) for tree in TREES.values()], masses).component(0)
    gradient = jax.grad(lambda p: rough_densities(table, p, given).sum())(momenta)
    assert np.all(np.isfinite(gradient)) and math.isfinite(float(np.abs(gradient).max()))
