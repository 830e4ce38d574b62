"""Random rows of 2 to 6 particles in the most general program: round trip, shell, Jacobian."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.phasespace.forward import forward
from fabgen.phasespace.inverse import inverse
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.row import BUCKETS, Role, padded, row_of
from fabgen.phasespace.splits import Kind
from fabgen.phasespace.tree import Branch, Exchange, Leaf, Propagator, flat_tree
from fabgen.phasespace.tree_map import TreeMap

E = 1000.0
EVENTS = 256
_forward = jax.jit(forward, static_argnums=0)
_inverse = jax.jit(inverse, static_argnums=0)


@pytest.fixture(scope="session")
def random_row(random_tree):
    """random_row(n, seed) -> the map and the kinematics."""
    return functools.partial(_random_row, random_tree)


def _random_row(random_tree, n, seed):
    rng = np.random.default_rng(seed)
    tree, from_second = random_tree(n, rng)
    masses = rng.choice([0.0, 0.0, 4.7, 30.0], n)
    beams = [0.0, 0.0] if rng.random() < 0.7 else [0.5, 90.0]
    boost = float(rng.choice([0.0, 0.8]))
    point = kinematics(E, masses, [91.0, 60.0], [2.5, 1.0], [80.0, 5.0], beams, boost)
    return TreeMap(tree, n, from_second), point


def evaluated(n, function, x, row, point):
    return map(np.asarray, function(Kind(n, True, True), x, row, point))


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_round_trip(n, random_row, distance, in_cuts):
    @settings(max_examples=12 if n < 6 else 6)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        mapping, point = random_row(n, seed)
        u = np.random.default_rng(seed).uniform(0.02, 0.98, (mapping.dim, EVENTS))
        momenta, log_jacobian = evaluated(n, _forward, u, mapping.row, point)
        if np.all(np.isneginf(log_jacobian)):  # bounds that leave nothing
            return
        assert np.all(np.isfinite(momenta)) and np.all(np.isfinite(log_jacobian))
        total = momenta.sum(axis=0) - np.array([E, 0.0, 0.0, 0.0])[:, None]
        assert np.max(np.abs(total)) <= 1e-9 * E
        squares = momenta[:, 0] ** 2 - np.sum(momenta[:, 1:] ** 2, axis=1)
        assert np.max(np.abs(squares - np.square(point.masses)[:, None])) <= 1e-9 * E**2
        again, log_inverse = evaluated(n, _inverse, momenta, mapping.row, point)
        # Elsewhere a range that cuts leave nothing of is as wide as rounding, and u is lost.
        inside = in_cuts(mapping.tree, momenta, float(point.boosts[0]))
        assert np.all(np.isfinite(log_inverse[inside]))
        assert np.max(distance(again, u, n)[:, inside], initial=0.0) <= 1e-6
        assert np.max(np.abs(log_inverse - log_jacobian)[inside], initial=0.0) <= 1e-6

    check()


def test_jacobian_is_the_determinant(random_row, log_jacobian_by_derivatives):
    @settings(max_examples=6)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        mapping, point = random_row(3, seed)
        u = np.random.default_rng(seed).uniform(0.05, 0.95, (mapping.dim, 20))
        _, log_jacobian = evaluated(3, _forward, u, mapping.row, point)
        if np.all(np.isneginf(log_jacobian)):
            return
        expected = log_jacobian_by_derivatives(mapping.tree, mapping, u, point)
        np.testing.assert_allclose(log_jacobian, expected, atol=1e-5)

    check()


@pytest.mark.parametrize("ladder", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_the_general_program_is_the_special_one(ladder, cut):
    """A row gives the same numbers in every program that knows its roles."""
    leaves = [Leaf(0, 10.0 * cut), Leaf(1), Leaf(2)]
    exchange = Exchange() if ladder else None
    pair = Branch((leaves[1], leaves[2]), Propagator("power"))
    mapping = TreeMap(Branch((leaves[0], pair), exchange=exchange), 3)
    point = kinematics(E, [0.0, 4.7, 0.0], [91.0], [2.5], [80.0], [0.0] * 2)
    assert mapping.kind == Kind(3, ladder, cut)
    u = np.random.default_rng(4).random((5, EVENTS))
    general = evaluated(3, _forward, u, mapping.row, point)
    special = map(np.asarray, _forward(mapping.kind, u, mapping.row, point))
    for one, other in zip(general, special, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-9)


def test_every_event_may_have_a_row_of_its_own(random_row):
    """As on devices that take all events at once: all formulas are evaluated and one is selected.
    Those that are not have finite derivatives, too: without a width, with nu = 1."""
    kind, events = Kind(3, True, True), 64
    rows = [random_row(3, seed)[0].row for seed in (3, 5, 8, 13)]
    _, point = random_row(3, 3)
    number = np.arange(events) % len(rows)
    table = jax.tree.map(lambda *columns: np.stack(columns)[number], *rows)
    u = np.random.default_rng(6).uniform(0.05, 0.95, (5, events))

    def one(u, row):
        momenta, log_jacobian = forward(kind, u[:, None], row, point)
        return 1e-3 * momenta[..., 0], log_jacobian[0]

    def both(u):
        momenta, log_jacobian = jax.vmap(one, in_axes=(1, 0), out_axes=-1)(u, table)
        total = (momenta * is_open).sum() + jnp.where(is_open, log_jacobian, 0.0).sum()
        return total, log_jacobian

    alone = [evaluated(3, _forward, np.tile(u, 4), row, point) for row in rows]
    alone = [(momenta[..., :events], log[:events]) for momenta, log in alone]
    expected = np.stack([log for _, log in alone])[number, np.arange(events)]
    is_open = np.isfinite(expected)
    assert is_open.sum() > events / 4
    gradient, found = jax.jit(jax.grad(both, has_aux=True))(u)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.all(np.isfinite(gradient))


def test_columns():
    """A ladder of one step from which a pair with cuts flies, and an uncut pair in that."""
    inner = Branch((Leaf(2), Leaf(3)), Propagator("power"))
    flight = Branch((Leaf(1, 10.0, 2.5), inner), Propagator("breit-wigner-tail", 0))
    row = row_of(Branch((Leaf(0), flight), exchange=Exchange(1, 0.7)), from_second=True)
    assert row.children.tolist() == [[0, 5], [1, 6], [2, 3]]
    assert row.parent.tolist() == [0, 0, 1]
    assert row.order.tolist() == [1, 2] and row.rank.tolist() == [-1, 0, 1]
    assert row.payer.tolist() == [0, 0, 1] and not row.between.any()
    assert row.role.tolist() == [Role.SCATTERING, Role.FLIGHT, Role.RENEWED]
    assert row.below[0].tolist() == [1, -1, -1, -1, 0, -1, -1]
    assert row.frame[0].tolist() == [1, 0, 0, 0, 0, -1, 0]
    assert row.resonance.tolist() == [-1, 0, -1] and row.exchanged.tolist() == [1, -1, -1]
    assert row.pt.tolist() == [0, 10, 0, 0, 0, 0, 0]
    assert row.is_cut.tolist() == [False, True, False, False, True, True, False]
    assert row.from_second


def test_what_pays_for_a_mass_that_is_drawn_before_its_mothers():
    """Resonances come first: what they take is taken from the root, past what is drawn later."""
    pair = Branch((Leaf(0), Leaf(1)), Propagator("breit-wigner-tail", 0))
    row = row_of(flat_tree([Leaf(3), Branch((pair, Leaf(2)))]))
    assert row.children.tolist() == [[3, 5], [6, 2], [0, 1]]
    assert row.order.tolist() == [2, 1]
    assert row.payer.tolist() == [0, 0, 0]
    assert row.between.tolist() == [[False] * 3, [False] * 3, [False, True, False]]


def test_tables_have_few_sizes():
    column = np.arange(17)
    assert len(padded(column)) == BUCKETS[2] == 64
    assert padded(column)[16:].tolist() == [16] * 48
    assert len(padded(column[:1])) == 1
