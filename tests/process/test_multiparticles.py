"""Multiparticles of the model and of the card."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.process.multiparticles import multiparticles, unknown_name


@dataclass(frozen=True)
class Names:
    """The part of a model that matters here."""

    known_names: tuple[str, ...] = ("g", "u", "u~", "b", "b~", "e-", "e+", "mu+", "ta+", "H")

    @property
    def multiparticles(self):
        return {"j": ("g", "u", "u~"), "l+": ("e+", "mu+")}

    def resolve(self, name):
        return {known.lower(): known for known in self.known_names}.get(name.lower())


MODEL = Names()


def test_the_models_own_stand_without_a_card():
    assert multiparticles({}, MODEL) == {"j": ("g", "u", "u~"), "l+": ("e+", "mu+")}


@pytest.mark.parametrize(
    ("own", "name", "members"),
    [
        ({"lep": "e+ mu+ ta+"}, "lep", ("e+", "mu+", "ta+")),
        ({"lep": ["e+", "mu+"]}, "lep", ("e+", "mu+")),
        ({"lep": ("E+ MU+",)}, "lep", ("e+", "mu+")),
        ({"LEP": "e+"}, "lep", ("e+",)),
        ({"x": "h"}, "x", ("H",)),
        ({"x": "e+ e+ mu+ e+"}, "x", ("e+", "mu+")),
        ({"x": "ta+ l+"}, "x", ("ta+", "e+", "mu+")),
        ({"x": "L+ ta+"}, "x", ("e+", "mu+", "ta+")),
        ({"x": "y b", "y": "u u~"}, "x", ("u", "u~", "b")),
        ({"y": "u u~", "x": "y y b"}, "x", ("u", "u~", "b")),
        ({"l+": "e+ mu+ ta+"}, "l+", ("e+", "mu+", "ta+")),
        ({"j": "j b b~"}, "j", ("g", "u", "u~", "b", "b~")),
        ({"j": "j b b~", "x": "j"}, "x", ("g", "u", "u~", "b", "b~")),
        ({"j": "x b", "x": "u"}, "j", ("u", "b")),
    ],
)
def test_own_definitions(own, name, members):
    table = multiparticles(own, MODEL)
    assert table[name] == members
    assert set(table) == {"j", "l+", name.lower()} | {key.lower() for key in own}


@pytest.mark.parametrize(
    ("own", "problem", "key", "found"),
    [
        ({"u": "e+"}, "name of a particle", "multiparticles.u", "u"),
        ({"h": "e+"}, "name of a particle", "multiparticles.h", "h"),
        ({"x": ""}, "empty", "multiparticles.x", "''"),
        ({"x": "  "}, "empty", "multiparticles.x", "'  '"),
        ({"x": []}, "empty", "multiparticles.x", "[]"),
        ({"x": [""]}, "empty", "multiparticles.x", "['']"),
        ({"x": "e+ nu"}, "'nu' is not a particle", "multiparticles.x", "nu"),
        ({"x": "e+, mu+"}, "'e+,' is not a particle", "multiparticles.x", "e+,"),
        ({"x": "y", "y": "nu"}, "'nu' is not a particle", "multiparticles.y", "nu"),
        ({"x": "x e+"}, "contains itself", "multiparticles.x", "x -> x"),
        ({"x": "y", "y": "z9", "z9": "x"}, "contains itself", "multiparticles.x", "x -> y -> z9"),
        ({"j": "x", "x": "j u"}, "contains itself", "multiparticles.j", "j -> x -> j"),
        ({"x": "e+", "X": "mu+"}, "defined twice", "multiparticles.X", "X"),
        ({"a b": "e+"}, "cannot be the name", "multiparticles.a b", "'a b'"),
        ({"x>": "e+"}, "cannot be the name", "multiparticles.x>", "'x>'"),
        ({"x": 3}, "text or a list", "multiparticles.x", "3"),
        ({"x": ["e+", 3]}, "text or a list", "multiparticles.x", "['e+', 3]"),
    ],
)
def test_wrong_definitions_name_the_key(own, problem, key, found):
    with pytest.raises(InputError) as raised:
        multiparticles(own, MODEL)
    error = raised.value
    assert problem in error.problem
    assert error.key == key
    assert found in str(error.found)
    assert error.allowed


def test_unknown_names_get_a_suggestion():
    error = unknown_name("muu+", MODEL, ["l+"], found="'muu+' in 'e+ e- > muu+ mu-'")
    assert error.hint is not None and "mu+" in error.hint
    assert error.found == "'muu+' in 'e+ e- > muu+ mu-'"
    assert "g u u~" in error.allowed and "l+" in error.allowed
    assert unknown_name("quarkonium", MODEL, []).hint is None


MEANT = {
    **{"tbar": "t~", "t_bar": "t~", "antitop": "t~", "top": "t", "topbar": "t~", "top~": "t~"},
    **{"nu": "ve", "nubar": "ve~", "nu~": "ve~", "nu_e": "ve", "numu": "vm", "nu_tau~": "vt~"},
    **{"higgs": "h", "gamma": "a", "photon": "a", "gluon": "g", "Z0": "z", "Wplus": "w+"},
    **{"electron": "e-", "positron": "e+", "muon": "mu-", "antimuon": "mu+", "tau+": "ta+"},
    **{"tau-": "ta-", "bottom": "b", "ubar": "u~", "anti-up": "u~"},
    **{"11": "e-", "-11": "e+", "13": "mu-", "-13": "mu+", "6": "t", "-6": "t~", "22": "a"},
    **{"-24": "w-", "21": "g", "25": "h", "-16": "vt~"},
}


def test_other_names_of_particles():
    model = load_model("sm")
    for name, particle in MEANT.items():
        assert model.resolve(name) is None
        assert unknown_name(name, model, model.multiparticles).hint == f"did you mean {particle}?"
    for name, particle in model.particles.items():
        assert unknown_name(str(particle.pdg), model, ()).hint == f"did you mean {name}?"
    hint = unknown_name("w", model, ()).hint
    assert "w+" in hint and "w-" in hint
    assert unknown_name("tbar", MODEL, []).hint != "did you mean t~?"  # it has no top quarks


@pytest.mark.parametrize(("model", "extra"), [("sm", set()), ("sm-no_b_mass", {"b", "b~"})])
def test_standard_model(model, extra):
    table = multiparticles({}, load_model(model))
    partons = {"g", "u", "c", "d", "s", "u~", "c~", "d~", "s~"} | extra
    assert set(table["p"]) == set(table["j"]) == partons
    assert table["l+"] == ("e+", "mu+") and table["l-"] == ("e-", "mu-")
    assert table["vl"] == ("ve", "vm", "vt") and table["vl~"] == ("ve~", "vm~", "vt~")
