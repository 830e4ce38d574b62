"""Initial states that are no pair of particles: protons, sums, and events of several beams."""

from __future__ import annotations

import pytest

from fabgen import run as pipeline
from fabgen.build import build_integrand
from fabgen.build.initial_states import refuse_several_beams
from fabgen.card import card_from_table
from fabgen.errors import InputError
from fabgen.run import RunOptions
from fabgen.show.process import describe

QUARKS = {"q": ["u", "d"], "q~": ["u~", "d~"]}


def card(*processes, **table):
    return card_from_table({"process": list(processes), **table})


@pytest.mark.parametrize(
    ("processes", "multiparticles", "name"),
    [
        (["p p > t t~"], {}, "p"),
        (["P P > t t~"], {}, "p"),
        (["j j > t t~"], {}, "j"),
        (["u p > u t t~ QED=0"], {}, "p"),
        (["g j > t t~ j"], {}, "j"),
        (["e+ e- > t t~", "p p > t t~"], {}, "p"),
        (["p p > t t~, t > w+ b @2"], {}, "p"),
        # defined in the card
        (["p p > t t~"], {"p": ["p", "b", "b~"]}, "p"),
        (["p p > t t~"], {"p": ["g", "u", "u~", "d", "d~"]}, "p"),
        (["q q > t t~"], {"q": "p"}, "q"),
        (["q q > t t~"], {"q": ["j", "b"]}, "q"),
        (["pp pp > t t~"], {"Q": ["J"], "pp": "b q"}, "pp"),
    ],
)
def test_protons(processes, multiparticles, name):
    with pytest.raises(InputError, match=f"{name} stands for all partons of a proton") as error:
        build_integrand(card(*processes, multiparticles=multiparticles))
    assert error.value.key == "beams.kind"
    assert "fixed, with the process" in error.value.found
    assert "[multiparticles]" in error.value.hint


def test_jets_and_protons_elsewhere():
    """What comes out may be a jet, and the process is still shown."""
    build_integrand(card("e+ e- > j j"))
    build_integrand(card("z > j j"))
    text = " ".join(describe(card("p p > t t~")).split())
    assert "subprocesses 9, 2 different matrix elements" in text
    assert "channel none: p stands for all partons of a proton" in text


@pytest.mark.parametrize(
    ("processes", "multiparticles", "sentence"),
    [
        (["u u~ > t t~", "u u~ > b b~"], {}, None),
        (["e+ e- > l+ l-"], {}, None),
        (["z > l+ l-"], {}, None),
        (
            ["q q~ > ta+ ta-"],
            QUARKS,
            "the sum of 2 subprocesses of 2 initial states (u u~, d d~), each with weight one: no "
            "densities, no average",
        ),
        (
            ["u u~ > ta+ ta-", "u~ u > ta+ ta-", "u u~ > t t~"],
            {},
            "the sum of 3 subprocesses of 2 initial states (u u~, u~ u), each",
        ),
        (["l+ l- > ta+ ta-"], {}, "the sum of 2 subprocesses of 2 initial states (e+ e-, mu+ mu-)"),
        (
            ["q q > t t~ QED=0"],
            {"q": "u d s c u~ d~ s~ c~"},
            "of 8 initial states (u u~, d d~, s s~, c c~, u~ u, d~ d, 2 more), each",
        ),
    ],
)
def test_reports_say_what_is_summed(processes, multiparticles, sentence):
    cuts = {"ptl": 10.0}
    integrand = build_integrand(card(*processes, multiparticles=multiparticles, cuts=cuts))
    if sentence is None:
        assert integrand.notes == ()
    else:
        (note,) = integrand.notes
        assert sentence in note


@pytest.mark.parametrize(
    ("processes", "multiparticles", "found"),
    [
        (["q q~ > ta+ ta-"], QUARKS, "2 -2, 1 -1"),
        (["u u~ > ta+ ta-", "u~ u > ta+ ta-"], {}, "2 -2, -2 2"),
        (["e+ e- > ta+ ta-", "mu+ mu- > ta+ ta-"], {}, "-11 11, -13 13"),
    ],
)
def test_event_files_have_one_pair_of_beams(processes, multiparticles, found, tmp_path):
    """Refused before anything is trained or written."""
    several = card(*processes, multiparticles=multiparticles, beams={"energy": [100.0, 100.0]})
    with pytest.raises(InputError, match="an event file names one pair of beams") as error:
        pipeline.generate(several, tmp_path / "run", RunOptions())
    assert error.value.key == "process"
    assert f"PDG ids {found}" in error.value.found
    assert not (tmp_path / "run").exists()
    # Cross sections add up.
    assert build_integrand(several).notes


def test_one_pair_of_beams_is_enough():
    for processes in (["e+ e- > l+ l-"], ["e+ e- > mu+ mu-", "e+ e- > t t~"], ["t > w+ b"]):
        one = card(*processes, cuts={"ptl": 10.0})
        integrand = build_integrand(one)
        refuse_several_beams(one, integrand.topologies, integrand.beam_particles)
