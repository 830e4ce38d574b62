"""The conditions that a report states."""

from __future__ import annotations

import json

import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.run.conditions import conditions


def conditions_of(**table):
    card = card_from_table(table)
    return conditions(card, build_integrand(card))


def test_two_beams():
    told = conditions_of(
        process="e+ e- > mu+ mu-", beams={"energy": [100.0, 25.0]}, cuts={"ptl": 5.0}
    )
    assert told["cuts"] == {"ptl": 5.0}
    assert told["bw_cutoff"] is None
    assert told["beams"]["particles"] == [[-11], [11]]
    assert told["beams"]["energies"] == [100.0, 25.0]
    assert told["beams"]["sqrt_s"] == pytest.approx(100.0, rel=1e-15)


def test_tables_of_cuts_are_json():
    cuts = {"pt_min_pdg": {"6": 20.0}, "isoem": False}
    told = conditions_of(process="e+ e- > t t~", cuts=cuts)
    assert json.loads(json.dumps(told["cuts"])) == cuts


def test_heavy_beams():
    """s = (E1 + E2)^2 - (k1 - k2)^2, of m = 13 and E = 85, 169/12 GeV: k = 84, 65/12 GeV."""
    parameters = {"MT": 13.0, "ymt": 13.0, "MB": 4.0}
    told = conditions_of(
        process="t t~ > e+ e-", beams={"energy": [85.0, 85.0]}, parameters=parameters
    )
    assert told["beams"]["sqrt_s"] == pytest.approx(170.0, rel=1e-15)
    told = conditions_of(
        process="t t~ > e+ e-",
        beams={"energy": [85.0, 169.0 / 12.0]},
        parameters=parameters,
    )
    s = (85.0 + 169.0 / 12.0) ** 2 - (84.0 - 65.0 / 12.0) ** 2
    assert told["beams"]["sqrt_s"] == pytest.approx(s**0.5, rel=1e-14)


def test_several_initial_states():
    told = conditions_of(process="q q~ > ta+ ta-", multiparticles={"q": "u d", "q~": "u~ d~"})
    assert told["beams"]["particles"] == [[2, 1], [-2, -1]]


def test_decays_chains_and_toys():
    told = conditions_of(process="t > w+ b")
    assert told["beams"] == {"particles": [[6]], "energies": [173.0], "sqrt_s": 173.0}
    told = conditions_of(process="e+ e- > t t~, t > w+ b", phase_space={"bw_cutoff": 20.0})
    assert told["bw_cutoff"] == 20.0
    assert conditions_of(process="toy:camel-back")["beams"] is None
