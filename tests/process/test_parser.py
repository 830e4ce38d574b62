"""What each construct of process syntax means, and the message for each mistake."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.errors import InputError
from fabgen.process.parser import is_name, parse_process
from fabgen.process.syntax import Core, Decay, Order, ProcessLine


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("e+ e- > mu+ mu-", Core(("e+", "e-"), ("mu+", "mu-"))),
        ("T > W+ B", Core(("t",), ("w+", "b"))),
        ("b b~>h", Core(("b", "b~"), ("h",))),
        ("p p > z > l+ l-", Core(("p", "p"), ("l+", "l-"), required_s_channel=(("z",),))),
        (
            "p p > z | a | w+ w- > l+ l-",
            Core(("p", "p"), ("l+", "l-"), (("z",), ("a",), ("w+", "w-"))),
        ),
        ("u u~ > d d~ / z a", Core(("u", "u~"), ("d", "d~"), exclude=("z", "a"))),
        ("u u~ > d d~/z", Core(("u", "u~"), ("d", "d~"), exclude=("z",))),
        ("u u~ > d d~ $$ z", Core(("u", "u~"), ("d", "d~"), exclude_s_channel=("z",))),
        ("u u~ > d d~ $z", Core(("u", "u~"), ("d", "d~"), veto_on_shell=("z",))),
        (
            "u u~ > d d~ / h $$ a $ z QED=2",
            Core(
                ("u", "u~"),
                ("d", "d~"),
                exclude=("h",),
                exclude_s_channel=("a",),
                veto_on_shell=("z",),
                orders=(Order("QED", "<=", 2),),
            ),
        ),
        ("u u~ > g g QED<=2", Core(("u", "u~"), ("g", "g"), orders=(Order("QED", "<=", 2),))),
        (
            "u u~ > g g QED == 0 QCD= 2",
            Core(("u", "u~"), ("g", "g"), orders=(Order("QED", "==", 0), Order("QCD", "<=", 2))),
        ),
    ],
)
def test_one_link(text, core):
    assert parse_process(text) == ProcessLine(core)


def test_decays_keep_their_parentheses_and_their_own_restrictions():
    line = parse_process(
        "e+ e- > t t~ QED=2 / h, (t > w+ b / z, w+ > l+ vl QED=1), t~ > w- b~ $$ a @2"
    )
    leptonic = Core(("w+",), ("l+", "vl"), orders=(Order("QED", "<=", 1),))
    assert line.core.exclude == ("h",) and line.core.orders == (Order("QED", "<=", 2),)
    assert line.decays == (
        Decay(Core(("t",), ("w+", "b"), exclude=("z",)), (Decay(leptonic),)),
        Decay(Core(("t~",), ("w-", "b~"), exclude_s_channel=("a",))),
    )
    assert line.number == 2
    assert [decay.parent for decay in line.decays] == ["t", "t~"]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("e+ e- > mu+ mu- @1 QED<=2", "e+ e- > mu+ mu- QED<=2 @1"),
        ("e+ e- > mu+ mu- / h @ 1 QED=2 $$ z", "e+ e- > mu+ mu- / h $$ z QED=2 @1"),
        ("p p > t t~ @1 QCD=2, t > w+ b", "p p > t t~ QCD=2, t > w+ b @1"),
    ],
)
def test_restrictions_go_on_behind_the_number(text, same):
    assert parse_process(text) == parse_process(same)
    assert parse_process(text).number == 1


def test_orders_of_a_whole_chain():
    line = parse_process("e+ e- > t t~, t > w+ b @3 QED=4 qcd<=1")
    assert (line.number, line.core.orders) == (3, ())
    assert line.orders == (Order("QED", "<=", 4), Order("qcd", "<=", 1))


MISTAKES = [
    # text, part of the problem, part of what was found
    ("", "empty", "''"),
    ("  \n", "empty", "''"),
    ("e+ e-", "needs '>'", "the end"),
    ("e+ e-, t > w+ b", "needs '>'", "','"),
    ("> e+ e-", "Nothing comes in", "position 1"),
    ("e+ e- >", "Nothing comes out", "'>' at position 7"),
    ("e+ e- > / z", "Nothing comes out", "'>' at position 7"),
    ("e+ e- > QED=2", "Nothing comes out", "'>'"),
    ("e+ e- > z >", "Nothing comes out", "'>' at position 11"),
    ("e+ e- > > mu+ mu-", "missing for the s-channel", "position 9"),
    ("e+ e- > z | > mu+ mu-", "missing for the s-channel", "position 13"),
    ("e+ e- > z > a > mu+ mu-", "too many '>'", "position 15"),
    ("e+ e- a > mu+ mu-", "3 particles come in", "'e+' at position 1"),
    ("z | a > mu+ mu-", "alternatives", "'z' at position 1"),
    ("e+ e- > mu+ mu- | a a", "alternatives", "'e+'"),
    ("e+ e- > t t~,", "Nothing follows a comma", "',' at position 13"),
    ("e+ e- > t t~, (t > w+ b,)", "Nothing follows a comma", "position 24"),
    ("e+ e- > t t~,, t > w+ b", "not expected", "',' at position 14"),
    ("e+ e- > t t~, t t~ > w+ w-", "one incoming particle", "'t' at position 15"),
    ("e+ e- > t t~, t", "needs '>'", "the end"),
    ("e+ e- > t t~, (t > w+ b", "not closed", "'(' at position 15"),
    ("e+ e- > t t~, t > w+ b)", "no opening", "')' at position 23"),
    ("e+ e- > t t~)", "no opening", "')' at position 13"),
    ("(e+ e- > t t~)", "begins with a parenthesis", "'(' at position 1"),
    ("e+ e- > t (t~)", "not expected", "'('"),
    ("e+ e- > t t~, ((t > w+ b), w+ > e+ ve)", "not expected", "'(' at position 16"),
    ("e+ e- > t t~, (t > w+ b) w+ > e+ ve", "not expected", "'w+' at position 26"),
    ("a > " + "b, (b > " * 30, "too deeply", "'('"),
    ("e+ e- -> mu+ mu-", "character without meaning", "'-' at position 7"),
    ("e+ e- > mu+ mu- ; a", "character without meaning", "';'"),
    ("e+ e- > mu+ \x00", "character without meaning", "position 13"),
    ("e+ e- > µ+ µ-", "character without meaning", "'µ'"),
    ("e+ e- > mu+ mu- /", "No particle follows '/'", "'/' at position 17"),
    ("e+ e- > mu+ mu- $$", "No particle follows '$$'", "'$$'"),
    ("e+ e- > mu+ mu- $ QED=2", "No particle follows '$'", "'$'"),
    ("e+ e- > mu+ mu- QED>1", "bounded with '>'", "'QED>1'"),
    ("e+ e- > mu+ mu- QED>=1", "bounded with '>='", "'QED>=1'"),
    ("e+ e- > mu+ mu- QED<3", "bounded with '<'", "'QED<3'"),
    ("e+ e- > mu+ mu- QED!=1", "bounded with '!='", "'QED!=1'"),
    ("e+ e- > mu+ mu- QED=", "natural number", "'QED='"),
    ("e+ e- > mu+ mu- QED=-1", "natural number", "'QED=-1'"),
    ("e+ e- > mu+ mu- QED=1.5", "natural number", "'QED=1.5'"),
    ("e+ e- > mu+ mu- QED=two", "natural number", "'QED=two'"),
    ("e+ e- > mu+ mu- QED=2 qed=2", "given twice", "'qed=2'"),
    ("e+ e- > mu+ mu- QED^2==2", "squared amplitude", "'QED^2==2'"),
    ("e+ e- > mu+ mu- QCD ^ 2 <= 4", "squared amplitude", "'QCD ^ 2 <= 4'"),
    ("e+ e- > mu+ mu- WEIGHTED<=2", "WEIGHTED", "'WEIGHTED<=2'"),
    ("QED=2 e+ e- > mu+ mu-", "wrong place", "'QED=2'"),
    ("e+ e- > QED=2 mu+ mu-", "Nothing comes out", "'>'"),
    ("e+ e- > mu+ mu- [QCD]", "Loop", "'[QCD]'"),
    ("e+ e- > mu+ mu- [", "Loop", "'['"),
    ("e+{R} e- > mu+ mu-", "Polarized", "'e+{R}'"),
    ("e+ e- > mu+ mu- --diagram_filter", "options", "'--diagram_filter'"),
    ("e+ e- > mu+ mu- @", "incomplete", "'@'"),
    ("e+ e- > mu+ mu- @1 @2", "twice", "'@2'"),
    ("e+ e- > t t~ @1, t > w+ b @1", "twice", "'@1'"),
    ("e+ e- > t t~, t > w+ b @1 / z", "follows the process number", "'/'"),
    ("e+ e- > t t~, t > w+ b @1 QED==2", "bounded from above", "'QED==2'"),
    ("e+ e- > t t~ QED=2 @1 QED=2", "given twice", "'QED=2'"),
    ("e+ e- > t t~, (t > w+ b @1)", "wrong place", "'@1'"),
    ("e+ e- @1 > t t~", "wrong place", "'@1'"),
]


@pytest.mark.parametrize(("text", "problem", "found"), MISTAKES)
def test_mistakes_name_what_was_found_and_what_is_allowed(text, problem, found):
    with pytest.raises(InputError) as raised:
        parse_process(text)
    error = raised.value
    assert problem in error.problem
    assert found in str(error.found)
    assert " ".join(text.split()) in str(error.found)
    assert error.allowed


def test_something_else_than_text_is_an_input_error():
    with pytest.raises(InputError, match="text"):
        parse_process(3)  # type: ignore[arg-type]


@given(st.text(alphabet="ez+-~>,()|/$@=<[]{}^ QED21\n", max_size=40) | st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        line = parse_process(text)
    except InputError as error:
        assert error.found is not None and error.allowed
    else:
        assert parse_process(str(line)) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l+", True),
        ("vl~", True),
        ("my_jets", True),
        ("2j", True),
        ("", False),
        ("a b", False),
        ("a,b", False),
        ("+", False),
        ("--x", False),
        ("a>", False),
    ],
)
def test_names(text, expected):
    assert is_name(text) is expected
