"""What the events of a subprocess look like, and what they cannot look like."""

from __future__ import annotations

import pytest

from fabgen.errors import FabgenError
from fabgen.process.event_topology import EventTopology, Resonance, open_lines

# e+ e- > t t~, t > (w+ > e+ ve) b, t~ > w- b~: legs 2 3 4 and 5 6
PDG = (-11, 11, -11, 12, 5, -24, -5)
MASSES = (0.0, 0.0, 0.0, 0.0, 4.7, 80.4, 4.7)
TOP, W, ANTITOP = Resonance(6, (2, 3, 4)), Resonance(24, (2, 3)), Resonance(-6, (5, 6))
FLOW = ((0, 0),) * 4 + ((1, 0), (0, 0), (0, 1))


def test_mothers_come_before_daughters():
    topology = EventTopology(PDG, 2, MASSES, (W, ANTITOP, TOP), (FLOW,))
    assert topology.ordered_resonances == (TOP, W, ANTITOP)
    assert topology.n_external == 7
    assert topology.mother((2,)) == 1
    assert topology.mother((4,)) == 0
    assert topology.mother((6,)) == 2
    assert topology.mother((2, 3), before=1) == 0
    assert topology.mother((2, 6)) is None
    assert topology.mother((2, 3, 4), before=0) is None


def test_colour_of_resonances():
    topology = EventTopology(PDG, 2, MASSES, (TOP, W, ANTITOP), (FLOW,))
    assert topology.resonance_colour(TOP, FLOW) == (1, 0)
    assert topology.resonance_colour(W, FLOW) == (0, 0)
    assert topology.resonance_colour(ANTITOP, FLOW) == (0, 1)


def test_colour_of_a_resonance_with_a_gluon():
    """t > w+ b g: the line of the top goes on with the gluon or the quark."""
    flow = ((0, 0), (0, 0), (0, 0), (1, 0), (2, 1), (0, 2))
    pdg, masses = (-11, 11, 24, 5, 21, -6), (0.0, 0.0, 80.4, 4.7, 0.0, 173.0)
    top = Resonance(6, (2, 3, 4))
    assert EventTopology(pdg, 2, masses, (top,), (flow,)).resonance_colour(top, flow) == (2, 0)


def test_without_colours():
    topology = EventTopology((-11, 11, -13, 13), 2, (0.0,) * 4)
    assert topology.flows == (((0, 0),) * 4,)


@pytest.mark.parametrize(
    "flow",
    [
        ((1, 0), (0, 1), (0, 0)),  # too short
        ((1, 0), (0, 0), (0, 0), (0, 0)),  # a line without an end
        ((1, 0), (1, 0), (0, 0), (0, 0)),  # begins twice
        ((1, 0), (0, 2), (0, 0), (0, 0)),
        ((1, 0), (0, 1), (1, 0), (0, 0)),  # ends twice
    ],
)
def test_broken_lines(flow):
    with pytest.raises(FabgenError, match="colour"):
        EventTopology((2, -2, -11, 11), 2, (0.0,) * 4, flows=(flow,))


@pytest.mark.parametrize(
    ("initial", "final"),
    [(((1, 0), (0, 1)), ((0, 0), (0, 0))), (((1, 0), (0, 2)), ((1, 0), (0, 2)))],
)
def test_lines_of_quarks(initial, final):
    topology = EventTopology((2, -2, 1, -1), 2, (0.0,) * 4, flows=((*initial, *final),))
    assert len(topology.flows) == 1


def test_wrong_resonances():
    with pytest.raises(FabgenError, match="overlap"):
        EventTopology(PDG, 2, MASSES, (TOP, Resonance(24, (4, 5))), (FLOW,))
    with pytest.raises(FabgenError, match="not final"):
        EventTopology(PDG, 2, MASSES, (Resonance(24, (1, 2)),), (FLOW,))
    with pytest.raises(FabgenError, match="not final"):
        EventTopology(PDG, 2, MASSES, (Resonance(24, (6, 7)),), (FLOW,))
    for legs in ((2,), (2, 2), ()):
        with pytest.raises(FabgenError, match="two or more"):
            Resonance(24, legs)


def test_wrong_numbers():
    with pytest.raises(FabgenError, match="one mass for each leg"):
        EventTopology(PDG, 2, MASSES[:-1])
    with pytest.raises(FabgenError, match="incoming"):
        EventTopology(PDG, 3, MASSES)


def test_one_incoming_particle():
    """t > w+ b: the line of the top."""
    flow = ((1, 0), (0, 0), (1, 0))
    assert EventTopology((6, 24, 5), 1, (173.0, 80.4, 4.7), flows=(flow,)).flows == (flow,)


def test_with_the_resonances_of_an_event():
    sets = ((), (W,), (TOP, W))
    topology = EventTopology(PDG, 2, MASSES, (ANTITOP,), (FLOW,), resonance_sets=sets)
    found = [topology.with_resonances(number).ordered_resonances for number in range(3)]
    assert found == [(ANTITOP,), (W, ANTITOP), (TOP, W, ANTITOP)]
    assert topology.with_resonances(2).resonance_sets == ((),)
    wrong = EventTopology(PDG, 2, MASSES, (TOP,), resonance_sets=((), (Resonance(24, (4, 5)),)))
    with pytest.raises(FabgenError, match="overlap"):
        wrong.with_resonances(1)


def test_lines_that_leave_a_group_of_legs():
    flow = ((0, 0), (0, 0), (0, 0), (1, 0), (2, 1), (0, 2))
    assert open_lines((3, 4), flow) == ({2}, frozenset())
    assert open_lines((4,), flow) == ({2}, {1})
    assert open_lines((3, 4, 5), flow) == (frozenset(), frozenset())
