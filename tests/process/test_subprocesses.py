"""Subprocesses with diagrams, equal matrix elements found once, and lines without diagrams."""

from __future__ import annotations

import pytest

from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.process.subprocesses import conserves_charges, find_subprocesses

MODEL = load_model("sm")


def found(*lines: str, **own):
    """[(particles, number of the matrix element, legs)] and how many matrix elements there are."""
    subprocesses, distinct = find_subprocesses(MODEL, lines, own)
    return [(" ".join(s.external), s.diagrams, s.legs) for s in subprocesses], len(distinct)


def test_one():
    assert found("e+ e- > mu+ mu-") == ([("e+ e- mu+ mu-", 0, (0, 1, 2, 3))], 1)


def test_chain():
    subprocesses, distinct = find_subprocesses(MODEL, ["e+ e- > t t~, t > w+ b, t~ > w- b~"])
    assert subprocesses[0].external == ("e+", "e-", "w+", "b", "w-", "b~")
    assert subprocesses[0].tree == distinct[0].tree
    assert dict(distinct[0].qed) == {(): 2, (0,): 1, (1,): 1}
    assert distinct[0].identical_factor == 1


def test_families_and_beams_are_exchanged():
    subprocesses, n_distinct = found("p p > e+ e-")
    assert n_distinct == 2  # up and down
    assert len(subprocesses) == 8
    numbers = {particles: (number, legs) for particles, number, legs in subprocesses}
    straight, swapped = (0, 1, 2, 3), (1, 0, 2, 3)
    assert numbers["u u~ e+ e-"] == (0, straight)
    assert numbers["c c~ e+ e-"] == (0, straight)
    assert numbers["u~ u e+ e-"] == (0, swapped)
    assert numbers["c~ c e+ e-"] == (0, swapped)
    assert numbers["d d~ e+ e-"] == (1, straight)
    assert numbers["s~ s e+ e-"] == (1, swapped)


@pytest.mark.parametrize(
    ("model", "quarks"),
    [
        (MODEL, "u d c s"),
        (load_model("sm-no_b_mass"), "u d c s b"),
        (MODEL.at({"MB": 0.0}), "u d c s b"),
    ],
)
def test_drell_yan_of_four_and_five_flavours(model, quarks):
    """Every quark with its antiquark, in both orders of the beams, and nothing else."""
    subprocesses, _ = find_subprocesses(model, ["p p > e+ e-"])
    pairs = [(q, f"{q}~") for q in quarks.split()]
    expected = {(*pair[::step], "e+", "e-") for pair in pairs for step in (1, -1)}
    assert {sub.external for sub in subprocesses} == expected
    assert len(subprocesses) == len(expected)


def test_jets_of_five_flavours():
    subprocesses, _ = find_subprocesses(load_model("sm-no_b_mass"), ["p p > z j"])
    of_b = {sub.external for sub in subprocesses if {"b", "b~"} & set(sub.external)}
    assert of_b == {
        *(("g", q, "z", q) for q in ("b", "b~")),
        *((q, "g", "z", q) for q in ("b", "b~")),
        *(("b", "b~", "z", "g"), ("b~", "b", "z", "g")),
    }


@pytest.mark.parametrize(
    ("lines", "n_subprocesses", "n_distinct"),
    [
        (("p p > t t~",), 9, 2),  # gluons do not tell u from d
        (("p p > w+ j",), 12, 3),
        (("u u~ > g g", "c c~ > g g"), 2, 1),
        (("u u~ > e+ e-", "u u~ > mu+ mu-"), 2, 1),
        (("u u~ > e+ e-", "u u~ > ta+ ta-"), 2, 2),  # another mass
        (("g g > t t~", "g g > b b~"), 2, 2),
        (("u u~ > c c~", "c c~ > u u~"), 2, 1),
        (("u u~ > s s~", "c c~ > d d~", "u u~ > d d~"), 3, 1),
        (("u u~ > s s~ QED=2", "c c~ > d d~ QED=2", "u u~ > d d~ QED=2"), 3, 2),  # a W for one
        (("u c > u c", "u u > u u"), 2, 2),
        (("e+ e- > w+ w-", "mu+ mu- > w+ w-"), 2, 1),
        (("e+ e- > e+ e-", "e+ e- > mu+ mu-"), 2, 2),
        (("e+ e- > z z, z > l+ l-",), 3, 2),  # twice the same leptons, or not
        (("e+ e- > w+ w-, w+ > l+ vl",), 2, 1),
        (("e+ e- > l+ l- a",), 2, 2),  # a family of the beams, and another
        (("u u~ > e+ e- $ z", "c c~ > e+ e-"), 2, 2),
        (("u u~ > e+ e- / z", "c c~ > e+ e- / z"), 2, 1),
        (("u u~ > e+ e- / z", "c c~ > e+ e- / a"), 2, 2),
        (("u u~ > d d~", "u u~ > s s~ QED=2"), 2, 2),
    ],
)
def test_equal_matrix_elements(lines, n_subprocesses, n_distinct):
    subprocesses, distinct = found(*lines)
    assert (len(subprocesses), distinct) == (n_subprocesses, n_distinct)
    assert {number for _, number, _ in subprocesses} == set(range(n_distinct))


def test_own_multiparticles():
    subprocesses, _ = found("e+ e- > Quark quarK~", quark="u d", **{"quark~": ["u~", "d~"]})
    assert [particles for particles, _, _ in subprocesses] == ["e+ e- u u~", "e+ e- d d~"]


def test_lowest_order_of_the_whole_line():
    """With multiparticles the minimum is taken over all their members, as in MadGraph."""
    alone, _ = found("u u~ > e+ e-")
    together, _ = found("u u~ > x y", x="d e+", y="d~ e-")
    assert len(alone) == 1
    assert [particles for particles, _, _ in together] == ["u u~ d d~"]  # a gluon, QED = 0
    free, _ = found("u u~ > x y QED=2", x="d e+", y="d~ e-")
    assert [particles for particles, _, _ in free] == ["u u~ d d~", "u u~ e+ e-"]
    separate, _ = found("u u~ > d d~", "u u~ > e+ e-")  # every line for itself
    assert len(separate) == 2


def test_lowest_order_of_every_link():
    subprocesses, distinct = find_subprocesses(MODEL, ["p p > w+ j, w+ > l+ vl"])
    assert {entry.qed[()] for entry in distinct} == {1}
    assert {entry.qed[0,] for entry in distinct} == {1}
    assert len(subprocesses) == 24


def test_orders_of_a_link_leave_no_minimum():
    _, distinct = find_subprocesses(MODEL, ["u u~ > t t~ QED=2, t > w+ b"])
    assert dict(distinct[0].qed) == {(0,): 1}


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "hint"),
    [
        ("e+ e- > mu+ mu+", "electric charge and lepton number"),
        ("e+ e- > u u", "electric charge and colour"),
        ("u u~ > w+ a", "does not conserve electric charge"),
        ("e+ e- > a g", "does not conserve colour"),
        ("ve ve > z z", "does not conserve lepton number"),
        ("u u > z z", "electric charge and colour"),
        ("e+ e- > mu+ e-", "lepton family"),
        ("u d > c s", "flavour"),
        ("t > w+ s", "flavour"),
        ("u d > u~ w+", "does not conserve baryon number"),
        ("e+ e- > mu+ mu- QED=1", "raise or drop the orders (there are diagrams of QCD=0 QED=2)"),
        ("u u~ > t t~ QED=0 QCD=0", "diagrams of QCD=0 QED=2 or QCD=2 QED=0"),
        ("e+ e- > mu+ mu- / a z QED=2", "'/ a z' removes all diagrams"),
        ("e+ e- > mu+ mu- $$ a z", "'$$ a z' removes all diagrams"),
        ("e+ e- > w+ > mu+ mu-", "'> w+ >' removes all diagrams"),
        ("e+ e- > mu+ mu- / a z QED=1", "'/ a z' removes all diagrams, and no diagrams have QED<"),
        ("e+ e- > mu+ mu- / a $$ z", "'/ a' and '$$ z' together remove all diagrams"),
        ("e+ e- > t t~, t > w+ s", "t > w+ s: quark flavour"),
        ("e+ e- > t t~, t > w+ b, t~ > w- b~ @1 QED=3", "whole chain have QED<=3"),
    ],
)
def test_no_diagrams(process, hint):
    with pytest.raises(InputError, match="the process has no diagrams") as error:
        find_subprocesses(MODEL, [process])
    assert error.value.key == "process"
    assert error.value.found == process
    assert hint in error.value.hint


@pytest.mark.parametrize(
    "process",
    [
        *("g g > h", "h > a a", "h > g g", "g g > h h", "g g > z", "h > z a", "a a > a a"),
        *("g g > h QED=5", "e+ e- > z h, h > g g", "l+ l- > j g"),
    ],
)
def test_no_tree_at_any_order(process):
    with pytest.raises(InputError, match="the process has no diagrams") as error:
        find_subprocesses(MODEL, [process])
    assert "first at one loop" in error.value.hint
    assert "no effective vertex in this model (sm)" in error.value.hint
    assert not any(word in error.value.hint for word in ("raise or drop", "flavour", "massless"))


@pytest.mark.parametrize(
    ("model", "process", "particle"),
    [
        ("sm", "h > mu+ mu-", "mu-"),
        ("sm", "e+ e- > z h, h > c c~", "c"),
        ("sm", "mu+ mu- > h > b b~", "mu-"),
        ("sm-no_b_mass", "h > b b~", "b"),
    ],
)
def test_massless_fermions_do_not_couple_to_the_higgs(model, process, particle):
    with pytest.raises(InputError) as error:
        find_subprocesses(load_model(model), [process])
    assert f"{particle} is massless in this model and does not couple to h" in error.value.hint


@pytest.mark.parametrize(
    ("bound", "orders"),
    [
        ("QED<=2", ["QED<=0", "QED<=1", "QED<=1"]),
        ("QED=3", ["QED<=0", "QED<=1", "QED<=1"]),
        ("qed=4", ["QED<=2", "QED<=1", "QED<=1"]),
        ("QED=4 QCD=0", ["QED<=2 QCD<=0", "QED<=1 QCD<=0", "QED<=1 QCD<=0"]),
    ],
)
def test_orders_of_a_whole_chain_are_shared_out(bound, orders):
    chain = f"u u~ > t t~, t > w+ b, t~ > w- b~ @1 {bound}"
    [subprocess], _ = find_subprocesses(MODEL, [chain])
    tree = subprocess.tree
    links = [tree.core, *(decay.core for decay in tree.decays)]
    assert [" ".join(map(str, core.orders)) for core in links] == orders


def test_orders_of_a_chain_that_several_links_could_use():
    with pytest.raises(InputError, match="in several ways") as error:
        find_subprocesses(MODEL, ["u u~ > z u u~, z > u u~ d d~ @1 QED=4"])
    assert error.value.key == "process"
    with pytest.raises(InputError, match="no coupling order"):
        find_subprocesses(MODEL, ["e+ e- > t t~, t > w+ b @1 NP=2"])


def test_one_line_of_several_without_diagrams():
    with pytest.raises(InputError, match="no diagrams") as error:
        find_subprocesses(MODEL, ["e+ e- > mu+ mu-", "e+ e- > mu+ e-"])
    assert error.value.found == "e+ e- > mu+ e-"


@pytest.mark.parametrize(
    "lines",
    [
        ("e+ e- > mu+ mu-", "e+ e- > l+ l-"),
        ("e+ e- > mu+ mu-", "e+ e- > mu- mu+"),
        ("e+ e- > mu+ mu-", "e+ e- > mu+ mu-"),
    ],
)
def test_counted_twice(lines):
    with pytest.raises(InputError, match="counted twice") as error:
        find_subprocesses(MODEL, lines)
    for line in lines:
        assert line in str(error.value.found)


def test_wrong_syntax_names_the_key():
    for line in ("e+ e- mu+ mu-", "e+ e- > x+ mu-", "e+ e- > mu+ mu- QED^2=4"):
        with pytest.raises(InputError) as error:
            find_subprocesses(MODEL, [line])
        assert error.value.key == "process"


@pytest.mark.parametrize(
    ("initial", "final", "possible"),
    [
        ("e+ e-", "mu+ mu-", True),
        ("u d~", "w+", True),
        ("u u", "u~ g", False),
        ("e- ve~", "w-", True),
        ("ve", "e- w+", True),
        ("g g", "g", True),
        ("g g", "z", True),
        ("g z", "z", False),  # a single gluon
        ("t", "b w+", True),
    ],
)
def test_conserved_charges(initial, final, possible):
    assert conserves_charges(MODEL, initial.split(), final.split()) == possible
