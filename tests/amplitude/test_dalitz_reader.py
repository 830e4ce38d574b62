"""Data files of amplitude models: what they mean and how mistakes in them are answered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fabgen
from fabgen.amplitude.dalitz import load_amplitude_model, read_amplitude_model
from fabgen.amplitude.dalitz.reader import parse_amplitude_model
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.errors import InputError


@pytest.fixture(scope="module")
def folder(pytestconfig) -> Path:
    return pytestconfig.rootpath / "tests" / "data" / "amplitude_models"


@pytest.fixture
def text(folder) -> str:
    return (folder / "three_scalars.toml").read_text(encoding="utf-8")


def test_the_card_knows_every_shipped_model():
    files = (Path(fabgen.__file__).parent / "data" / "amplitude_models").glob("*.toml")
    assert sorted(path.stem for path in files) == sorted(AMPLITUDE_MODELS)


def test_lhcb():
    model = load_amplitude_model("lc2pkpi")
    momenta = {r.name: (r.orbital_production, r.orbital_decay) for r in model.resonances}
    assert momenta == {
        "K(700)": (0, 0),
        "K(892)": (0, 1),
        "K(1430)": (0, 0),
        "L(1405)": (0, 0),
        "L(1520)": (1, 2),
        "L(1600)": (0, 1),
        "L(1670)": (0, 0),
        "L(1690)": (1, 2),
        "L(2000)": (0, 0),
        "D(1232)": (1, 1),
        "D(1600)": (1, 1),
        "D(1700)": (1, 2),
    }
    assert model.external["ArL(2000)2"] == -4.336255
    assert model.external["G2L(1405)"] == 0.0505
    assert [particle.name for particle in model.particles] == ["Lambda_c+", "p", "pi+", "K-"]


def test_parity_gives_the_other_decay_couplings(folder):
    y = read_amplitude_model(folder / "spin_one.toml").resonances[2]
    # P P_i P_j (-1)^(J - j_i - j_j) = -1 for 2+ into 0- 1-
    assert {(a, b): h for a, b, h in y.decay} == {(0, 2): 1.0 + 0.5j, (0, -2): -1.0 - 0.5j}
    assert y.orbital_decay == 2


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="lc2pkpi"):
        load_amplitude_model("no-such-model")
    model = load_amplitude_model("lc2pkpi")
    assert model.parameters({"Mp": 0.94})["Mp"] == 0.94
    with pytest.raises(InputError, match=re.escape("ML(1520)")):
        model.parameters({"ML(1521)": 1.5})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("process =", "prozess =", "prozess"),
        ('order = ["a", "b", "c"]', 'order = ["a", "b"]', "order"),
        ('order = ["a", "b", "c"]', 'order = ["a", "b", "b"]', "order"),
        ('reference = "a"', 'reference = "D"', "reference"),
        ('reference = "a"', "reference = 1", "a string"),
        ('square_dalitz = ["a", "b"]', 'square_dalitz = ["a", "a"]', "square_dalitz"),
        ("decay = 1.5", "decay = -1.5", "radii.decay"),
        ("decay = 1.5", "decay = nan", "radii.decay"),
        ("decay = 1.5", 'decay = "x"', "a number"),
        ("pdg = 421, ", "", "particles.D.pdg"),
        ('spin = "0", parity = -1, mass = 1.8', 'spin = "0.5", parity = -1, mass = 1.8', "1/2"),
        ('spin = "0", parity = -1, mass = 1.8', "spin = 0, parity = -1, mass = 1.8", "a string"),
        ("parity = -1, mass = 1.8", "parity = 2, mass = 1.8", "1 or -1"),
        ('line_shape = "BreitWignerMinL"', 'line_shape = "Breit"', "Flatte1405"),
        ("mass = 0.9\n", "", "resonances.V.mass"),
        ("width = 0.05", "width = 0.05\ngamma = 1.0", "gamma"),
        ('products = ["a", "b"]', 'products = ["a", "D"]', "resonances.V.products"),
        ('products = ["a", "b"]', 'products = ["a"]', "resonances.V.products"),
        ("parity = -1\nline", "parity = 1\nline", "spins and parities forbid"),
        ('helicities = ["0", "0"]', 'helicities = ["1", "0"]', "helicities"),
        ('helicities = ["0", "0"]', 'orbital = [2, "1"]', "L and S do not fit"),
        ("value = [3.0, 4.0]", "value = 3.0", "couplings[0].value"),
        ("value = [3.0, 4.0]", "value = [3.0, inf]", "couplings[0].value"),
        ("[radii]", "[radii", "not a TOML file"),
    ],
)
def test_mistakes(text, old, new, message):
    assert old in text
    with pytest.raises(InputError, match=re.escape(message)):
        parse_amplitude_model(text.replace(old, new), "test")


def test_a_file_that_is_missing_or_wrong_is_named(tmp_path, text):
    with pytest.raises(InputError, match=re.escape("missing.toml")):
        read_amplitude_model(tmp_path / "missing.toml")
    long = tmp_path / "long.toml"
    long.write_text("#" * (1 << 20) + "\n")
    with pytest.raises(InputError, match="the file is too long"):
        read_amplitude_model(long)
    path = tmp_path / "wrong.toml"
    path.write_text(text + text[text.index("[[resonances]]") :], encoding="utf-8")
    with pytest.raises(InputError, match=re.escape("wrong.toml")):
        read_amplitude_model(path)
