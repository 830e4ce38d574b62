"""Propagators of diagrams: for phase-space maps, event records and vetoes."""

from __future__ import annotations

import pytest

from fabgen.model import load_model
from fabgen.process.graph import build_graph
from fabgen.process.resonances import (
    Diagram,
    Propagator,
    decayed_particles,
    diagrams,
    on_shell_vetoes,
    with_beams_swapped,
)
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")


def drawn(process: str) -> tuple[Diagram, ...]:
    _, (entry,) = find_subprocesses(MODEL, [process])
    graph = build_graph(MODEL, entry.tree, entry.qed, merge=False)
    return diagrams(MODEL, graph, entry.tree)


def vetoes(process: str) -> set[Propagator]:
    _, (entry,) = find_subprocesses(MODEL, [process])
    return set(on_shell_vetoes(MODEL, entry.graph, entry.tree))


def test_s_channel():
    assert set(drawn("e+ e- > mu+ mu-")) == {Diagram((), (), "a"), Diagram((), (), "z")}


def test_particle_as_it_decays():
    """What decays into w+ b is a top, into w- b~ an antitop."""
    (first,) = {d.propagators for d in drawn("e+ e- > t t~, t > w+ b, t~ > w- b~")}
    assert first == (Propagator("t", (2, 3), True), Propagator("t~", (4, 5), True))


def test_decayed_particles_are_marked():
    found = {p for d in drawn("e+ e- > z e+ e-, z > mu+ mu-") for p in d.propagators}
    assert Propagator("z", (2, 3), True) in found
    assert Propagator("z", (4, 5), False) in found
    assert Propagator("a", (4, 5), False) in found


def test_exchanged_particles():
    """Seen as emitted by the first beam, with the final legs on its side."""
    found = drawn("e+ e- > w+ w-")
    assert Diagram((), (Propagator("ve~", (2,)),), None) in found
    assert len(found) == 3
    found = drawn("u g > d w+")
    assert {d.spacelike for d in found} == {(), (Propagator("d", (3,)),)}
    two = [d for d in drawn("e+ e- > w+ w- z") if len(d.spacelike) == 2]
    assert all(len(d.propagators) == 0 and d.total is None for d in two)
    assert {tuple(len(p.legs) for p in d.spacelike) for d in two} == {(1, 2)}


def test_beams_swapped():
    """The chain is the same, told from its other end."""
    mirrored = {with_beams_swapped(MODEL, d, 5) for d in drawn("e+ e- > w+ w- z")}
    assert mirrored == set(drawn("e- e+ > w+ w- z"))


def test_of_a_decay():
    found = drawn("t > b e+ ve")
    assert found == (Diagram((Propagator("w+", (2, 3)),), (), None),)


def test_contact():
    """The quartic vertex has no propagator at all."""
    assert Diagram((), (), None) in drawn("w+ w- > h h")


def test_four_gluon_vertex_once():
    assert drawn("g g > g g").count(Diagram((), (), None)) == 1
    assert len(drawn("g g > g g")) == 4


def test_number_of_topologies():
    assert len(drawn("e+ e- > w+ w- z")) == 16
    assert len(drawn("g g > t t~ g")) == 16


def test_mothers_before_daughters():
    (sub,), _ = find_subprocesses(
        MODEL, ["e+ e- > t t~, (t > w+ b, w+ > e+ ve), (t~ > w- b~, w- > mu- vm~)"]
    )
    assert decayed_particles(sub.tree) == (
        Propagator("t", (2, 3, 4), True),
        Propagator("w+", (2, 3), True),
        Propagator("t~", (5, 6, 7), True),
        Propagator("w-", (5, 6), True),
    )
    (sub,), _ = find_subprocesses(MODEL, ["t > w+ b, w+ > e+ ve"])
    assert decayed_particles(sub.tree) == (Propagator("w+", (1, 2), True),)


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ("e+ e- > mu+ mu- a", set()),
        ("e+ e- > mu+ mu- a $ z", {("z", (2, 3)), ("z", (2, 3, 4))}),
        ("e+ e- > e+ e- $ z", {("z", (2, 3))}),  # not the exchanged one
        ("e+ e- > mu+ mu- $ h", set()),
        ("e+ e- > w+ b w- b~ $ t", {("t", (2, 3))}),
        ("e+ e- > w+ b w- b~ $ t t~", {("t", (2, 3)), ("t~", (4, 5))}),
        # Restrictions of the core do not reach into its decays ...
        ("e+ e- > z h $ z, z > mu+ mu-", {("z", (2, 3, 4))}),
        # ... nor those of a decay beyond it.
        ("e+ e- > z h, h > w+ e- ve~ $ w-", {("w-", (4, 5))}),
        # What decays is an external particle of its decay.
        ("e+ e- > t t~, t > w+ b $ t, t~ > w- b~", set()),
    ],
)
def test_vetoes(process, expected):
    assert vetoes(process) == {Propagator(name, legs) for name, legs in expected}
