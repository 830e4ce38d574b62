"""Subprocesses of different particles with the same |M|^2."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import fabgen
from fabgen.beams import fixed_beams, with_beams
from fabgen.model import load_model
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.process.subprocesses import find_subprocesses


def groups(process):
    """Names of external particles by the number of their |M|^2, without swapped beams."""
    found = {}
    for sub in find_subprocesses(load_model("sm"), [process])[0]:
        if sub.legs[0] == 0:
            found.setdefault(sub.diagrams, []).append(sub.external)
    return found


@pytest.mark.parametrize(("process", "n_distinct"), [("p p > j j", 12), ("p p > w+ j", 3)])
def test_what_is_taken_for_the_same_is_the_same(process, n_distinct):
    found = groups(process)
    assert len(found) == n_distinct
    u = jax.random.uniform(jax.random.key(1), (5, 3))
    for members in found.values():
        first, last = members[0], members[-1]
        if first == last:
            continue
        values = []
        for external in (first, last):
            element = fabgen.matrix_element(f"{' '.join(external[:2])} > {' '.join(external[2:])}")
            n = len(external) - 2
            final, _ = Rambo(n).forward(u[: 3 * n - 4], kinematics(600.0, element.masses[2:]))
            incoming = fixed_beams((300.0, 300.0), (0.0, 0.0)).incoming
            values.append(element(np.moveaxis(with_beams(incoming, final), -1, 0)))
        np.testing.assert_allclose(*values, rtol=1e-12, err_msg=f"{first} {last}")


def test_what_differs_is_told_apart():
    different = [
        ("u u~ > e+ e-", "d d~ > e+ e-"),  # charges
        ("u u > u u", "u d > u d"),  # identical ones
        ("g g > t t~", "g g > u u~"),  # masses
        ("u u~ > d d~ QED=2", "u u~ > c c~ QED=2"),  # a W
        ("g u > g u", "g u~ > g u~"),
        ("u u~ > t t~ $ g", "d d~ > t t~"),  # a veto
    ]
    for lines in different:
        assert len(find_subprocesses(load_model("sm"), lines)[1]) == 2, lines
