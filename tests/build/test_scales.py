"""Scales of processes: what "ckkw" means, and where it means nothing."""

from __future__ import annotations

import dataclasses

import pytest

from fabgen.beams import EventScales, FixedScales
from fabgen.build import build_integrand
from fabgen.build.scales import scales_of
from fabgen.card import card_from_table
from fabgen.card.schema import Scales
from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")
CKKW = Scales(renormalization="ckkw", factorization="ckkw")


def scales(options, *lines):
    subprocesses, _ = find_subprocesses(MODEL, lines, {})
    return scales_of(options, MODEL, [sub.tree for sub in subprocesses])


def test_numbers_and_names():
    assert scales(Scales(), "g g > t t~") == FixedScales(91.188, 91.188)
    options = Scales(renormalization="transverse_mass", factorization=50.0, factor=0.5)
    assert scales(options, "g g > t t~") == EventScales("transverse_mass", 50.0, 0.5)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("u u~ > e+ e-", "d d~ > mu+ mu-"), "partonic_energy"),
        (("g g > t t~", "u u~ > t t~"), "mean_transverse_mass"),
        (("u u~ > g g", "g g > g g", "u u > u u"), "mean_transverse_mass"),
        (("e+ e- > mu+ mu-", "e- e+ > t t~", "e+ e- > z h"), "partonic_energy"),
        (("e+ e- > w+ w-",), "half_partonic_energy"),
    ],
)
def test_closed_forms_of_the_clustering(lines, name):
    assert scales(CKKW, *lines) == EventScales(name, name)


@pytest.mark.parametrize(
    "line",
    [
        *("e+ e- > e+ e-", "e+ e- > ve ve~", "e+ e- > z z", "e+ e- > a a", "mu+ mu- > w+ w-"),
        *("u u~ > w+ w-", "u d > u d", "u d~ > w+ g", "u u~ > ve ve~", "g u > t t~ u"),
        *("e+ e- > t t~, t > w+ b", "t > w+ b", "e+ e- > z, z > mu+ mu-", "e+ e- > mu+ mu- a"),
    ],
)
def test_processes_without_a_closed_form(line):
    with pytest.raises(InputError, match="closed form") as caught:
        scales(dataclasses.replace(CKKW, renormalization=80.0), line)
    error = caught.value
    assert error.key == "scales.factorization"
    assert "half_transverse_mass" in error.allowed and "ckkw" not in error.allowed


def test_processes_with_different_closed_forms():
    with pytest.raises(InputError, match="several kinds") as caught:
        scales(CKKW, "u u~ > e+ e-", "u u~ > t t~")
    assert caught.value.key == "scales.renormalization"


def test_the_scales_of_a_card():
    """With fixed beams, too."""
    table = {"process": "e+ e- > t t~", "scales": {"factorization": "ckkw", "factor": 2}}
    integrand = build_integrand(card_from_table(table))
    assert integrand.scales == EventScales(91.188, "partonic_energy", 2.0)
