"""Keys that no card has, and the ones that are meant."""

from __future__ import annotations

import pytest

from fabgen.card import load_card
from fabgen.card.keys import all_keys
from fabgen.card.meant import SM_PARAMETERS, meant, parameter_name
from fabgen.errors import InputError
from fabgen.model import load_model

PROCESS = 'process = "e+ e- > mu+ mu-"\n'
MEANT = {
    "nevents": "generation.events",
    "nEvents": "generation.events",
    "n_events": "generation.events",
    "events": "generation.events",
    "iseed": "generation.seed",
    "seed": "training.seed",
    "ebeam1": "beams.energy = [500.0, 500.0]",
    "ebeam2": "beams.energy",
    "energy": "beams.energy",
    "sqrts": "beams.energy",
    "ecm": "beams.energy",
    "lpp1": 'beams.kind = "proton"',
    "pdlabel": "beams.pdf",
    "lhaid": "beams.pdf",
    "ptj": "cuts.ptj",
    "ptj1": "cuts.ptj1min",
    "ptl_min": "cuts.ptl",
    "etaj_max": "cuts.etaj",
    "etalmax": "cuts.etal",
    "mmllmin": "cuts.mmll",
    "mll": "cuts.mmll",
    "pt": "cuts.ptj, ptb, ptl or pta",
    "bwcutoff": "phase_space.bw_cutoff",
    "scale": "scales.renormalization",
    "fixed_ren_scale": "scales.renormalization",
    "scalefact": "scales.factor?",
    "dynamical_scale_choice": '"half_transverse_mass" for 3',
    "use_syst": "systematic variations",
    "xqcut": "matching and merging",
    "ickkw": "matching and merging",
    "maxjetflavor": "sm-no_b_mass",
    "mass": "parameters.MT",
    "mt": "parameters.MT",
    "mtop": "parameters.MT",
    "top_mass": "parameters.MT",
    "wt": "parameters.WT",
    "width_z": "parameters.WZ",
    "alphas": "parameters.aS",
    "alpha_ew": "parameters.aEWM1 (the inverse of alpha)",
    "mw": "follows from parameters.aEWM1",
}


@pytest.mark.parametrize(("name", "hint"), MEANT.items())
def test_names_of_other_programs_and_slips(write_card, name, hint):
    path = write_card(PROCESS)
    for table in ("", "training.", "beams."):
        if f"{table}{name}" in all_keys():
            continue
        with pytest.raises(InputError) as error:
            load_card(path, [f"{table}{name}=1"])
        assert error.value.key == f"{table}{name}"
        assert hint in error.value.hint


def test_names_in_a_table_that_does_not_exist(write_card):
    with pytest.raises(InputError) as error:
        load_card(write_card(f"{PROCESS}[run_card]\nnevents = 100\nebeam1 = 5.0\n"))
    assert "nevents: did you mean generation.events?" in error.value.hint
    assert "ebeam1: did you mean beams.energy" in error.value.hint


def test_the_hint_is_a_key_of_a_card():
    """Keys that exist are never taken for something else, but for those of several tables."""
    assert set(SM_PARAMETERS) == set(load_model("sm").external)
    for key in all_keys():
        hint, name = meant(key.rsplit(".", 1)[-1]), key.rsplit(".", 1)[-1]
        assert hint is None or name in hint or name == "alpha"


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("mtop", "MT"), ("MTAU", "MTA"), ("m_b", "MB"), ("alphaS", "aS"), ("ML(1520)", None)],
)
def test_parameters_by_particle(name, parameter):
    assert parameter_name(name, SM_PARAMETERS) == parameter
    if parameter:
        with pytest.raises(InputError) as error:
            load_model("sm").parameters({name: 1.0})
        assert error.value.hint == f"did you mean {parameter}?"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[beams]\nenergy = 1000\n", "energy of each beam, as in beams.energy = [1000, 1000]"),
        ("beams = 500\n", "its keys are kind, energy, pdf, member"),
    ],
)
def test_numbers_where_more_is_asked_for(write_card, text, hint):
    with pytest.raises(InputError) as error:
        load_card(write_card(PROCESS + text))
    assert error.value.hint == hint


@pytest.mark.parametrize(
    ("value", "hint"),
    [("ht/2", None), ("HT", None), ("transverse_mas", "did you mean transverse_mass")],
)
def test_scales_that_there_are_not(write_card, value, hint):
    with pytest.raises(InputError) as error:
        load_card(write_card(PROCESS), [f'scales.renormalization="{value}"'])
    assert error.value.allowed == (
        "a number > 0, or one of: transverse_energy, transverse_mass, half_transverse_mass, "
        "partonic_energy, ckkw"
    )
    assert (error.value.hint or "").startswith(hint or "")
    assert (error.value.hint is None) == (hint is None)


def test_beams_that_are_not_there_yet(write_card):
    assert load_card(write_card(PROCESS), ["beams.kind=proton"]).beams.kind == "proton"
    with pytest.raises(InputError) as error:
        load_card(write_card(PROCESS), ["beams.kind=pp"])
    assert error.value.allowed == "one of: fixed, lepton, proton"


def test_whole_numbers_may_be_written_as_floats(write_card):
    path = write_card(f"{PROCESS}[generation]\nevents = 1e4\n")
    card = load_card(path, ["evaluation.samples=10_000.0", "training.seed=3.0"])
    assert (card.generation.events, card.evaluation.samples, card.training.seed) == (
        10**4,
        10**4,
        3,
    )
    assert isinstance(card.generation.events, int)
    for value in ("1.5", "1e400", "nan", "1e16", "0.0", "-1e4"):
        with pytest.raises(InputError, match="an integer >= 1"):
            load_card(path, [f"generation.events={value}"])
