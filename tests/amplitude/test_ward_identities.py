"""Gauge invariance: an external photon or gluon polarized along its momentum decouples.

It ties all diagrams, colour factors, signs of couplings and quartic vertices to each other. Widths
are zero: fixed ones break it.
"""

from __future__ import annotations

import numpy as np
import pytest

# process, its massless vectors
PROCESSES = [
    ("g g > t t~ g", (0, 1, 4)),
    ("u u~ > g g g", (2, 3, 4)),
    ("g g > g g g", (0, 4)),
    ("g g > g g g g", (5,)),
    ("u u~ > u u~ g", (4,)),
    ("g g > b b~ h", (0, 1)),
    ("g u > t t~ u", (0,)),
    ("e+ e- > mu+ mu- a", (4,)),
    ("e+ e- > w+ w- a", (4,)),
    ("a a > w+ w-", (0, 1)),
    ("a a > w+ w- z", (0, 1)),
    ("u d~ > w+ a g", (3, 4)),
    ("e+ e- > w+ w- a a", (4, 5)),
    ("e+ e- > ve ve~ a", (4,)),
    ("e+ ve > w+ h a", (4,)),
    ("u g > d w+ a", (1, 4)),
    ("t > w+ b g", (3,)),
    ("t > w+ b a", (3,)),
]


def ratio(element, leg, parameters, sqrt_s=1000.0) -> float:
    """The largest amplitude with leg polarized along its momentum, relative to its terms."""
    momenta = element.points(sqrt_s, 2, parameters=parameters)
    n_states = 2
    along = np.broadcast_to(momenta[leg] + 0j, (n_states, *momenta[leg].shape))
    terms = element.closings(momenta, parameters, {leg: along})
    vectors = element.tables.colour
    total = np.einsum("cs,che->she", vectors, terms)
    size = np.einsum("cs,che->she", np.abs(vectors), np.abs(terms))
    # The terms of a current may cancel inside it: also compare with a real polarization.
    real = np.abs(element.colour_vectors(momenta, parameters)).max()
    scale = max(size.max(), real * np.abs(momenta[leg, 0]).max())
    assert scale > 0
    return np.abs(total).max() / scale


@pytest.mark.parametrize(("process", "legs"), PROCESSES, ids=[p for p, _ in PROCESSES])
def test_longitudinal_bosons_decouple(process, legs, amplitudes, no_widths):
    element = amplitudes(process)
    for leg in legs:
        assert element.model.particle(element.graph.external[leg]).pdg in (21, 22)
        assert ratio(element, leg, no_widths) < 1e-10


@pytest.mark.parametrize(
    ("process", "leg"),
    [("g g > t t~ g", 4), ("e+ e- > w+ w- a", 4), ("a a > w+ w-", 0), ("g g > g g g", 4)],
)
def test_every_diagram_is_needed(process, leg, amplitudes, no_widths):
    """Without any one of its diagrams the amplitude is not gauge invariant: the test can fail."""
    diagrams = amplitudes(process, merge=False).graph.closings
    for left_out in range(0, len(diagrams), max(1, len(diagrams) // 6)):
        element = amplitudes(process, merge=False, leave_out=left_out)
        assert len(element.graph.closings) == len(diagrams) - 1
        assert ratio(element, leg, no_widths) > 1e-6


def test_widths_break_the_identity(amplitudes):
    """As in other programs with fixed widths: zero widths above do reach the propagators."""
    assert ratio(amplitudes("e+ e- > w+ w- a"), 4, {}) > 1e-8
