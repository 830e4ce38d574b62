"""Sets of resonances that an event may have."""

from __future__ import annotations

import functools

import pytest

from fabgen.model import load_model
from fabgen.process.graph import build_graph
from fabgen.process.resonance_sets import (
    largest_sets,
    parts_of,
    s_channel_propagators,
    within,
)
from fabgen.process.resonances import Propagator, diagrams
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")

TOP, ANTITOP = Propagator("t", (2, 3)), Propagator("t~", (4, 5))
#: e+ e- > mu+ mu- mu+ mu-: two pairs, and two other pairs
A, B = Propagator("z", (2, 3)), Propagator("z", (4, 5))
C, D = Propagator("z", (2, 5)), Propagator("z", (3, 4))
ALL = Propagator("z", (2, 3, 4, 5))


@functools.cache
def entry(process: str):
    _, (found,) = find_subprocesses(MODEL, [process])
    return found


def unstable(process: str) -> list[Propagator]:
    propagators = s_channel_propagators(MODEL, entry(process).graph)
    return [p for p in propagators if p.particle in ("z", "w+", "w-", "h", "t", "t~")]


def test_propagators_of_a_graph():
    assert unstable("e+ e- > mu+ mu-") == [Propagator("z", (2, 3))]
    # Propagators from the beams to final particles are space-like.
    assert unstable("u d > u d QCD=0") == []
    assert set(unstable("e+ e- > w+ b w- b~")) >= {TOP, ANTITOP, Propagator("h", (3, 5))}
    assert unstable("mu- > vm e- ve~") == [Propagator("w-", (2, 3))]


def test_many_legs_come_first():
    lengths = [len(p.legs) for p in unstable("e+ e- > mu+ mu- mu+ mu-")]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    "process",
    [
        "e+ e- > w+ b w- b~",
        "u u~ > mu+ vm d u~ g",
        "e+ e- > mu+ mu- mu+ mu-",
        "e+ e- > t t~, t > w+ b",
        "h > e+ e- mu+ mu-",
    ],
)
def test_sets_are_those_of_the_diagrams(process):
    """Of diagrams drawn one by one."""
    found = entry(process)
    wanted = set(unstable(process))
    graph = build_graph(MODEL, found.tree, found.qed, merge=False)
    last = tuple(range(graph.n_initial, len(graph.external)))
    drawn = set()
    for diagram in diagrams(MODEL, graph, found.tree):
        lines = {Propagator(p.particle, p.legs) for p in diagram.propagators}
        total = {Propagator(diagram.total, last)} if diagram.total else set()
        drawn.add(frozenset((lines | total) & wanted))
    largest = {lines for lines in drawn if not any(lines < other for other in drawn)}
    assert largest != {frozenset()}
    assert largest_sets(MODEL, found.graph, unstable(process)) == largest


def test_subsets_without_a_particle_in_its_own_kind():
    assert parts_of([frozenset({TOP, ANTITOP})]) == tuple(
        map(frozenset, [(), (TOP,), (ANTITOP,), (TOP, ANTITOP)])
    )
    sets = set(parts_of([frozenset({A, B, ALL}), frozenset({C, D})]))
    pairs = [{A}, {B}, {A, B}, {C}, {D}, {C, D}, {ALL}, set()]
    assert sets == set(map(frozenset, pairs))


def test_nothing_at_all():
    assert parts_of([]) == (frozenset(),)
    assert largest_sets(MODEL, entry("e+ e- > mu+ mu-").graph, []) == {frozenset()}


def test_within():
    assert within(A, ALL)
    assert not within(ALL, A)
    assert not within(A, A)
    assert not within(A, Propagator("h", (2, 3, 4, 5)))
