"""Cards and commands of MadGraph: recognised, and said what to write instead."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.card import load_card
from fabgen.card.madgraph import recognise
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError
from fabgen.process.parser import parse_process

PROC_CARD = r"""
# a comment with generate p p > z
set group_subprocesses Auto
import model sm-no_b_mass
define p = g u c d s u~ c~ d~ s~  # light
DEFINE q u d
generate e+ e- > a a
generate p p > t t~ \
    j QCD=99 @1
add process p p > t t~ @2 --no_warning=duplicate
output my_dir -f
launch
shower=OFF
set nevents 1d3
set run_card ebeam1 6500
set mt 172.5
set param_card mass 23 91.2
set ptj = 30
"""
RUN_CARD = """
#  MadGraph's run_card.dat
  tag_1     = run_tag ! name of the run
  10000 = nevents ! Number of unweighted events requested
  0   = iseed   ! rnd seed
     1        = lpp1    ! beam 1 type
     500.0     = EBEAM1  ! beam 1 total energy in GeV
     250     = ebeam2
  20.0  = ptj
 -1.0 = ptjmax
  0 = etajmin
 5.0 = etaj
 inf = bwcutoff
 False = cut_decays
 {} = pt_min_pdg
 {6: 100, 25:5d1,23:0} = pt_max_pdg ! of tops, h
 {24: 40} = E_min_pdg
 {'default': False} = mxx_only_part_antipart
 True = isoem
 0.7 = R0gamma
"""
PARAM_CARD = """
Block mass
    5 4.700000e+00 # MB
    6 1.730000e+02 # MT
  nan 1.0
Block SMINPUTS
    1 1.325070e+02 # aEWM1
    3 1.18D-01
DECAY   6 1.491500e+00 # WT
#  BR NDA ID1 ID2
   1.000000e+00   2    5  24 # 1.32
"""


def toml_of(text):
    found = recognise(text)
    return found, tomllib.loads("\n".join(found.toml_lines()))


def test_a_process_card_as_toml():
    found, table = toml_of(PROC_CARD)
    assert found.name == "a process card of MadGraph"
    assert table == {
        "process": ["p p > t t~      j QCD=99 @1", "p p > t t~ @2"],
        "model": "sm-no_b_mass",
        "multiparticles": {"p": "g u c d s u~ c~ d~ s~", "q": "u d"},
        "generation": {"events": 1000},
        "beams": {"kind": "proton", "energy": [6500.0, 6500.0]},
        "parameters": {"MT": 172.5, "MZ": 91.2},
        "cuts": {"ptj": 30.0},
    }
    assert "set group_subprocesses Auto" in found.left_out
    card_from_table(table)


def test_a_run_card_as_toml():
    found, table = toml_of(RUN_CARD)
    assert found.name == "a run card of MadGraph"
    assert table == {
        "generation": {"events": 10000},
        "beams": {"kind": "proton", "energy": [500.0, 250.0]},
        "cuts": {
            "ptj": 20.0,
            "etaj": 5.0,
            "cut_decays": False,
            "pt_max_pdg": {"6": 100.0, "25": 50.0},
            "E_min_pdg": {"24": 40.0},
            "r0gamma": 0.7,
        },
    }
    assert set(found.left_out) == {"run_tag", "bwcutoff"}


@pytest.mark.parametrize("value", ["True", "{'default': True}"])
def test_a_switch_as_toml(value):
    _, table = toml_of(f"generate p p > t t~\nset mxx_only_part_antipart {value}\n")
    assert table["cuts"] == {"mxx_only_part_antipart": True}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            "False = fixed_ren_scale\nF = fixed_fac_scale\n",
            {"r": "half", "f": "half", "factor": 2.0},
        ),
        ("True = fixed_ren_scale\nF = fixed_fac_scale\n", {"r": 80.0, "f": "half", "factor": 2.0}),
        ("True = fixed_ren_scale\nT = fixed_fac_scale\n", {"r": 80.0, "f": 90.0}),
    ],
)
def test_scales_of_a_run_card(flags, expected):
    """Numbers where they are fixed, whatever the choice of dynamic ones is."""
    lines = "80.0 = scale\n90.0 = dsqrt_q2fact1\n3 = dynamical_scale_choice\n2.0 = scalefact\n"
    found, table = toml_of(flags + lines)
    names = {"r": "renormalization", "f": "factorization"}
    long = {"half": "half_transverse_mass"}
    assert table["scales"] == {
        names.get(key, key): long.get(value, value) for key, value in expected.items()
    }
    assert found.left_out == []


def test_a_parameter_card_as_toml():
    found, table = toml_of(PARAM_CARD)
    assert "SLHA" in found.name
    values = {"MB": 4.7, "MT": 173.0, "aEWM1": 132.507, "aS": 0.118, "WT": 1.4915}
    assert table == {"parameters": values}


@pytest.mark.parametrize("name", ["card.toml", "proc_card_mg5.dat", "x.mg5", "card.txt", "card"])
@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (PROC_CARD, "process card", '"p p > t t~ @2"'),
        (RUN_CARD, "run card", "energy = [500.0, 250.0]"),
        (PARAM_CARD, "parameter card", "MT = 173.0"),
        ("<LesHouchesEvents version='3.0'>\n", "event file", "fkld"),
        ("generate e+ e- > mu+ mu-\n", "process card", 'process = "e+ e- > mu+ mu-"'),
    ],
)
def test_such_a_card_is_named(write_card, name, text, what, line):
    path = write_card(text, name)
    with pytest.raises(InputError) as error:
        load_card(path)
    assert what in error.value.problem
    assert error.value.file == str(path)
    assert line in error.value.allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("generate p p > t t~", 'process = "p p > t t~"'),
        ("  GENERATE p p > t t~ QED=0 @2", 'process = "p p > t t~ QED=0 @2"'),
        ("add process p p > t t~", 'process = ["...", "p p > t t~"]'),
        ("generate p p > z\nadd process p p > h", 'process = ["p p > z", "p p > h"]'),
        ("define p = u d", '[multiparticles]\np = "u d"'),
        ("import model sm", 'model = "sm"'),
        ("import model loop_sm", "the models are sm, sm-no_b_mass"),
        ("output X", "--run DIR"),
        ("launch", "fabgen generate CARD"),
        ("set nevents 1000", "events = 1000"),
        ("decay t > w+ b", "t > w+ b"),
        ("check p p > t t~", "fabgen --help"),
        ("display diagrams", "fabgen show CARD"),
    ],
)
def test_commands_typed_as_a_process(text, allowed):
    with pytest.raises(InputError) as error:
        parse_process(text)
    assert "is a command of MadGraph" in error.value.problem
    assert error.value.key == "process"
    assert error.value.found == " ".join(text.split())
    assert allowed in error.value.allowed


def test_a_definition_of_p_is_told_not_to_be_a_beam(write_card):
    for name, told in (("p", True), ("P", True), ("j", True), ("q", False), ("l+", False)):
        text = f"define {name} = g u\ngenerate {name} {name} > g g\n"
        with pytest.raises(InputError) as error:
            load_card(write_card(text))
        hint = error.value.hint or ""
        assert (f"beams named {name} mean protons" in hint and "name them q" in hint) is told
        with pytest.raises(InputError) as error:
            parse_process(text)
        assert ("name them q" in (error.value.hint or "")) is told


@pytest.mark.parametrize(
    "text",
    ['process = "e+ e- > mu+ mu-\n', "generate = 5 5\n", "[cuts\nptl = 10\n", "launch_x y\n"],
)
def test_other_mistakes_keep_their_message(write_card, text):
    with pytest.raises(InputError, match="not TOML"):
        load_card(write_card(text))


@given(st.text(alphabet="generatdfi mp=o>+-!#\n0158.LSCKblock\\", max_size=60))
def test_any_text_is_looked_at(text):
    found = recognise(text)
    if found is not None:
        tomllib.loads("\n".join(found.toml_lines()))
