"""Syntax trees and their canonical text, which is tested with the parser that reads it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.process.parser import parse_process
from fabgen.process.syntax import (
    Core,
    Decay,
    DecayTree,
    Order,
    ProcessLine,
    process_numbers,
)

NAMES = st.sampled_from(
    [
        "e+",
        "e-",
        "mu+",
        "vl~",
        "w+",
        "z",
        "a",
        "t",
        "t~",
        "j",
        "p",
        "l+",
        "x1+",
        "~n2",
        "pi0'",
        "s*",
    ]
)
ORDER_NAMES = ["QED", "QCD", "NP", "qed_2"]


def names(least: int, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(NAMES, min_size=least, max_size=most).map(tuple)


def sets(most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(NAMES, max_size=most, unique=True).map(tuple)


def orders() -> st.SearchStrategy[tuple[Order, ...]]:
    order = st.builds(
        Order, st.sampled_from(ORDER_NAMES), st.sampled_from(["<=", "=="]), st.integers(0, 99)
    )
    return st.lists(order, max_size=3, unique_by=lambda o: o.name).map(tuple)


def cores(incoming: int) -> st.SearchStrategy[Core]:
    return st.builds(
        Core,
        names(1, incoming),
        names(1, 4),
        st.lists(names(1, 2), max_size=3).map(tuple),
        sets(2),
        sets(2),
        sets(2),
        orders(),
    )


decays = st.recursive(
    st.builds(Decay, cores(1)),
    lambda inner: st.builds(Decay, cores(1), st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)
lines = st.builds(
    ProcessLine,
    cores(2),
    st.lists(decays, max_size=3).map(tuple),
    st.none() | st.integers(0, 200),
)


@given(lines)
@settings(max_examples=100, deadline=None)
def test_canonical_text_is_read_back(line):
    assert parse_process(str(line)) == line


@given(lines, st.sampled_from(["  ", "\n", " \t "]), st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_case_and_blanks_do_not_matter(line, blank, every):
    words = str(line).split(" ")
    for i, word in enumerate(words):
        if i % every == 0 and not any(order in word for order in ORDER_NAMES):
            words[i] = word.upper()
    assert parse_process(blank.join(words) + blank) == line


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("E+ e- >t t~", "e+ e- > t t~"),
        ("p p>z|a>l+ l-", "p p > z | a > l+ l-"),
        ("p p > w+ z | a h > l+ l-", "p p > w+ z | a h > l+ l-"),
        ("g g > t t~ QED=0 /a", "g g > t t~ / a QED<=0"),
        ("g g > t t~ $ z $$ h / a / b", "g g > t t~ / a b $$ h $ z"),
        ("u u~ > g g QCD==2 QED <= 0", "u u~ > g g QCD==2 QED<=0"),
        ("e+ e- > z h, (z > mu+ mu-)", "e+ e- > z h, z > mu+ mu-"),
        (
            "e+ e- > t t~,(t > w+ b QED=1,w+ > l+ vl / a),t~ > w- b~ @ 3",
            "e+ e- > t t~, (t > w+ b QED<=1, w+ > l+ vl / a), t~ > w- b~ @3",
        ),
        ("p p > t t~ @1, t > w+ b", "p p > t t~, t > w+ b @1"),
        ("t > w+ b, w+ > l+ vl", "t > w+ b, w+ > l+ vl"),
    ],
)
def test_canonical_text(text, canonical):
    assert str(parse_process(text)) == canonical
    assert str(parse_process(canonical)) == canonical


def tree(text: str) -> DecayTree:
    """The tree of a line without multiparticles whose decays stand in the order of the slots."""

    def build(core: Core, decays: tuple[Decay, ...]) -> DecayTree:
        left = list(decays)
        slots = []
        for name in core.final:
            found = next((d for d in left if d.parent == name), None)
            if found is not None:
                left.remove(found)
            slots.append(None if found is None else build(found.core, found.decays))
        return DecayTree(core, tuple(slots))

    line = parse_process(text)
    return build(line.core, line.decays)


def test_final_particles_of_a_tree_replace_the_decayed_ones_in_place():
    chain = tree("e+ e- > t t~ g, (t > w+ b, w+ > e+ ve), t~ > w- b~")
    assert chain.initial == ("e+", "e-")
    assert chain.final == ("e+", "ve", "b", "w-", "b~", "g")
    assert str(chain) == "e+ e- > t t~ g, (t > w+ b, w+ > e+ ve), t~ > w- b~"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("e+ e- > a z", "e+ e- > z a", True),
        ("e+ e- > a z", "e- e+ > a z", False),
        ("e+ e- > z z, z > e+ e-, z > u u~", "e+ e- > z z, z > u~ u, z > e- e+", True),
        ("e+ e- > z z, z > e+ e-, z > u u~", "e+ e- > z z, z > e+ e-, z > e+ e-", False),
        ("e+ e- > z h, z > e+ e-", "e+ e- > z h", False),
        ("g g > t t~ QED=0 QCD=2", "g g > t t~ QCD=2 QED=0", True),
        ("g g > t t~ QED=0", "g g > t t~ QED==0", False),
        ("g g > t t~ / a z", "g g > t t~ / z a", True),
        ("g g > t t~ / a", "g g > t t~ $ a", False),
        ("g g > z | a > e+ e-", "g g > a | z > e+ e-", True),
        ("g g > z a > e+ e-", "g g > z | a > e+ e-", False),
    ],
)
def test_keys_ignore_the_order_of_final_particles_and_nothing_else(one, other, equal):
    assert (tree(one).key() == tree(other).key()) is equal


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([None], (1,)),
        ([None, None, None], (1, 2, 3)),
        ([0, 1], (0, 1)),
        ([3], (3,)),
        ([5, 5, None], (5, 5, 3)),
        ([None, 7, None], (1, 7, 3)),
        ([2, None], (2, 3)),
        ([None, 1, 3], (2, 1, 3)),
        ([None, 1, None, 3], (2, 1, 4, 3)),
    ],
)
def test_numbers_of_processes(numbers, expected):
    """`@N`, else the position, unless that is the `@N` of another."""
    texts = ["e+ e- > z h" + ("" if n is None else f" @{n}") for n in numbers]
    assert process_numbers([parse_process(text) for text in texts]) == expected
