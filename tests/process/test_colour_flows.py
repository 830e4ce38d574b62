"""Colour structures as the colour lines of an event record."""

from __future__ import annotations

import pytest

from fabgen.model import load_model
from fabgen.process import colour
from fabgen.process.colour_flows import colour_lines
from fabgen.process.event_topology import EventTopology
from fabgen.process.graph import build_graph
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")


def lines(structure, *names):
    """(colour, anticolour) by leg; the first two legs come in."""
    made = colour_lines(structure, len(names), 2)
    return dict(zip(range(len(names)), made, strict=True))


def test_annihilation_into_a_colourless_pair():
    """u u~ > e+ e-: the line of the quark ends in the antiquark."""
    assert colour_lines((("open", 1, 0),), 4, 2) == ((1, 0), (0, 1), (0, 0), (0, 0))


def test_scattering_past_each_other():
    """e- u > e- u: the outgoing quark carries the line of the incoming one."""
    assert colour_lines((("open", 3, 1),), 4, 2) == ((0, 0), (1, 0), (0, 0), (1, 0))


def test_pair_production():
    """e+ e- > u u~ g: the quark that goes out, the gluon, the antiquark."""
    assert colour_lines((("open", 2, 4, 3),), 5, 2) == ((0, 0), (0, 0), (1, 0), (0, 2), (2, 1))


def test_traces():
    """e+ e- > h g g (were it there): two lines between the gluons."""
    assert colour_lines((("trace", 3, 4),), 5, 2)[3:] == ((1, 2), (2, 1))
    assert colour_lines((("trace", 0, 1),), 3, 2) == ((2, 1), (1, 2), (0, 0))


def structures(process: str):
    (sub,), (diagrams,) = find_subprocesses(MODEL, [process])
    graph = build_graph(MODEL, diagrams.tree, diagrams.qed)
    allowed = set()
    for closing in graph.closings:
        allowed |= colour.leading_in_n(closing.colour)
    every = {s for closing in graph.closings for s in closing.colour}
    return sub, allowed, every


#: Number of flows, and of all colour structures.
FLOWS = {
    "e+ e- > mu+ mu-": (1, 1),
    "e+ e- > u u~": (1, 1),
    "e+ e- > u u~ g": (1, 1),
    "u u~ > d d~": (1, 2),
    "u u~ > d d~ QCD=0": (2, 2),
    "u u~ > u u~": (2, 2),
    "u u > u u": (2, 2),
    "u u~ > d d~ g": (2, 4),
    "g g > t t~": (2, 2),
    "g u > g u": (2, 2),
    "u u~ > g g g": (6, 6),
    "g g > g g": (6, 6),  # orders of four gluons around a trace
    "e+ e- > t t~, t > w+ b, t~ > w- b~": (1, 1),
    "g g > t t~, t > w+ b, t~ > w- b~": (2, 2),
    "t > w+ b g": (1, 1),
}


@pytest.mark.parametrize("process", FLOWS)
def test_flows_of_diagrams(process):
    """EventTopology checks that every line has one beginning and one end."""
    sub, allowed, every = structures(process)
    n_flows, n_structures = FLOWS[process]
    assert len(allowed) == n_flows
    assert len(every) == n_structures
    pdg = tuple(MODEL.particle(name).pdg for name in sub.external)
    n_initial = len(sub.tree.initial)
    flows = tuple(colour_lines(s, len(pdg), n_initial) for s in allowed)
    topology = EventTopology(pdg, n_initial, (0.0,) * len(pdg), flows=flows)
    assert len(set(topology.flows)) == n_flows
    for flow in topology.flows:
        for name, (own, anti) in zip(sub.external, flow, strict=True):
            kind = MODEL.particle(name).colour
            assert bool(own) == (kind in (3, 8)), name
            assert bool(anti) == (kind in (-3, 8)), name


def test_gluon_exchange_exchanges_colours():
    """u u~ > d d~ by a gluon: the colour of the u goes on with the d."""
    sub, allowed, _ = structures("u u~ > d d~")
    (structure,) = allowed
    assert colour_lines(structure, 4, 2) in (
        ((1, 0), (0, 2), (1, 0), (0, 2)),
        ((2, 0), (0, 1), (2, 0), (0, 1)),
    )
    assert sub.external == ("u", "u~", "d", "d~")
