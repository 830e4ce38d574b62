"""Topologies: resonances, mothers and colour lines."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.errors import FabgenError
from fabgen.events.record import EventBatch, EventTopology, Resonance


def test_mothers_of_nested_resonances(tops) -> None:
    order = [r.pdg for r in tops.ordered_resonances]
    assert order == [6, 24, -6]
    assert tops.mother((2,)) == 1 and tops.mother((4,)) == 0 and tops.mother((5,)) == 2
    assert tops.mother((2, 3), before=1) == 0
    assert tops.mother((2, 3, 4), before=0) is None


def test_resonance_colour(tops) -> None:
    top, boson, antitop = tops.ordered_resonances
    flow = tops.flows[0]
    assert tops.resonance_colour(top, flow) == (1, 0)
    assert tops.resonance_colour(boson, flow) == (0, 0)
    assert tops.resonance_colour(antitop, flow) == (0, 1)


def test_colour_inside_a_resonance_cancels() -> None:
    """h > g g: singlet; t > b u d~ with its own line for the light quarks: triplet."""
    higgs = EventTopology(
        (-11, 11, 21, 21, 22),
        2,
        (0.0,) * 5,
        (Resonance(25, (2, 3)),),
        (((0, 0), (0, 0), (1, 2), (2, 1), (0, 0)),),
    )
    assert higgs.resonance_colour(higgs.resonances[0], higgs.flows[0]) == (0, 0)
    top = EventTopology(
        (6, 5, 2, -1), 1, (173.0, 4.7, 0.0, 0.0), flows=(((1, 0), (1, 0), (2, 0), (0, 2)),)
    )
    assert top.resonance_colour(Resonance(6, (1, 2, 3)), top.flows[0]) == (1, 0)


def test_colourless_by_default() -> None:
    assert EventTopology((-11, 11, 22, 22), 2, (0.0,) * 4).flows == (((0, 0),) * 4,)


@pytest.mark.parametrize(
    "flow",
    [
        ((1, 0), (0, 0), (0, 0), (0, 0)),  # a line that ends nowhere
        ((1, 0), (1, 0), (1, 0), (1, 0)),  # twice the same line
        ((1, 0), (0, 1), (2, 0), (2, 0)),  # two ends, no beginning
        ((0, 1), (0, 0), (1, 0), (0, 0)),  # enters as anticolour, leaves as colour
        ((1, 0), (1, 0)),  # too short
    ],
)
def test_broken_colour_lines_are_refused(flow) -> None:
    with pytest.raises(FabgenError, match="colour"):
        EventTopology((2, -2, 2, -2), 2, (0.0,) * 4, flows=(flow,))


def test_wrong_topologies_are_refused() -> None:
    with pytest.raises(FabgenError, match="one mass for each leg"):
        EventTopology((-11, 11, 22, 22), 2, (0.0,) * 3)
    with pytest.raises(FabgenError, match="two or more"):
        Resonance(24, (2,))
    with pytest.raises(FabgenError, match="not final"):
        EventTopology((-11, 11, 22, 22), 2, (0.0,) * 4, (Resonance(23, (1, 2)),))
    crossed = (Resonance(23, (2, 3)), Resonance(23, (3, 4)))
    with pytest.raises(FabgenError, match="overlap"):
        EventTopology((-11, 11, 22, 22, 22), 2, (0.0,) * 5, crossed)


def test_batch_takes_events(top_batch) -> None:
    batch = top_batch(10)
    assert len(batch) == 10
    some = batch.take(np.array([3, 1]))
    assert len(some) == 2 and some.weight[1] == batch.weight[1]
    assert len(batch.take(slice(8, 20))) == 2


def test_batch_checks_its_lengths() -> None:
    one = np.zeros(1)
    with pytest.raises(FabgenError, match="2 entries of momenta for 1 weights"):
        EventBatch(np.zeros((2, 4, 4)), one, one, one, one, one, one)
