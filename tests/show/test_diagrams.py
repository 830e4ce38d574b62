"""Diagrams as text."""

from __future__ import annotations

from fabgen.process.resonances import Diagram, Propagator
from fabgen.show.diagrams import draw


def drawn(external, *diagrams, n_initial=2) -> str:
    return "\n".join(draw(diagrams, external.split(), n_initial))


def test_decays_of_decays():
    w, t = Propagator("w+", (2, 3)), Propagator("t", (2, 3, 4))
    assert (
        drawn("e+ e- e+ ve b t~", Diagram((w, t), (), "a"), Diagram((w, t), (), "z"))
        == """\
e+ e- ── a/z ─┬─ t ─┬─ w+ ─┬─ e+
              │     │      └─ ve
              │     └─ b
              └─ t~"""
    )


def test_ladder():
    """At a vertex of four particles two are emitted."""
    exchanged = (Propagator("g", (4,)), Propagator("g", (2, 3, 4)))
    assert (
        drawn("u d~ g g u g d~", Diagram((Propagator("g", (5, 6)),), exchanged))
        == """\
u  ─┬─ u
    │ g
    ├─ g
    ├─ g
    │ g
d~ ─┴─ g ─┬─ g
          └─ d~"""
    )


def test_one_particle_and_contact():
    assert drawn("h w+ w-", Diagram((), ()), n_initial=1) == "h ─┬─ w+\n   └─ w-"
    assert drawn("w+ w- h h", Diagram((), ())) == "w+ w- ─┬─ h\n       └─ h"


def test_many_particles_of_one_propagator():
    several = [Diagram((), (), name) for name in "gudsc"]
    assert drawn("g g g g", *several).startswith("g g ── g/u/d/... ─┬─ g")
