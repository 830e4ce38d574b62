"""What is dropped vanishes for all momenta and parameters, and nothing that matters is dropped."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.amplitude import tabulate as tb
from fabgen.amplitude.evaluate import constants, evaluate_closings, evaluate_currents
from fabgen.amplitude.vanishing import find_nonvanishing

PROCESSES = {
    # process -> number of combinations of spin states that are kept
    "e+ e- > mu+ mu-": 4,
    "e+ e- > t t~": 8,
    "e+ ve > w+ a": 6,
    "u g > d w+": 6,
    "g g > g g g": 20,  # all but those with less than two gluons of either helicity
    "u u~ > g g": 4,
    "g g > t t~": 16,
    "e+ e- > w+ w-": 18,
    "t > b e+ ve": 4,
    "h > b b~": 4,
}


def sizes(element, tables, momenta, parameters) -> np.ndarray:
    """|M|^2 of each combination of spin states in `tables`, (helicities, events)."""
    values = constants(np, tables, element.derived(parameters))
    buffer = evaluate_currents(np, tables, momenta, values)
    vectors = np.einsum("cs,che->she", tables.colour, evaluate_closings(tables, buffer))
    metric = element.metric
    return np.einsum("she,st,the->he", vectors, metric, vectors.conj()).real


@pytest.mark.parametrize("process", PROCESSES)
def test_dropped_combinations_vanish(process, amplitudes, boosted):
    element = amplitudes(process)
    alive, kept = find_nonvanishing(element.model, element.graph, False)
    assert len(kept) == PROCESSES[process]
    tables = tb.compile_tables(element.model, element.graph, alive, kept, False)
    parameters = {"MT": 150.0, "MB": 2.0, "aEWM1": 130.0, "MZ": 92.0, "ymb": 7.0}
    for given in ({}, parameters):
        rest = element.points(400.0, 2, parameters=given)
        # Beams that are not back to back too: in their rest frame more vanishes by accident.
        for momenta in (rest, boosted(rest, (0.3, -0.2, 0.5))):
            few = sizes(element, tables, momenta, given)
            everything = element.by_helicity(momenta, given)
            positions = [
                np.flatnonzero((element.combinations == row).all(axis=1))[0] for row in kept
            ]
            np.testing.assert_allclose(few, everything[positions], rtol=1e-9, atol=1e-13)
            np.testing.assert_allclose(few.sum(axis=0), everything.sum(axis=0), rtol=1e-10)


@pytest.mark.parametrize("process", ["u u~ > g g g", "e+ e- > w+ w- z"])
def test_less_is_evaluated(process, amplitudes):
    element = amplitudes(process)
    alive, kept = find_nonvanishing(element.model, element.graph, False)
    few = sum(states.sum() for states in alive.values())
    everything = sum(s.sum() for s in tb.all_alive(element.model, element.graph).values())
    assert few < everything
    assert len(kept) < len(element.combinations)
