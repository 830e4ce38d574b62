"""dump_card and diff_cards: what is written reads back as the same card."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
import types
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.card import (
    CUT_KEYS,
    Card,
    card_from_table,
    diff_cards,
    dump_card,
    load_card,
)
from fabgen.card.fab import ANNEAL_METHODS
from fabgen.card.option import Option, option_of
from fabgen.errors import InputError

_NAMES = st.text(min_size=1, max_size=12).filter(lambda text: text == text.strip() and text)
_WORDS = st.text(
    st.characters(exclude_categories=("Z", "C")) | st.sampled_from("\x7f"), min_size=1, max_size=8
)


def numbers(limits: Option) -> st.SearchStrategy[float]:
    low = max(x for x in (limits.at_least, limits.above, -1e300) if x is not None)
    high = min(x for x in (limits.at_most, limits.below, 1e300) if x is not None)
    finite = st.floats(low, high, exclude_min=low == limits.above, exclude_max=high == limits.below)
    return finite | st.just(math.inf) if limits.infinite else finite


def integers(limits: Option) -> st.SearchStrategy[int]:
    high = 2**63 - 1 if limits.at_most is None else int(limits.at_most)
    return st.integers(int(limits.at_least), high)


def value(hint, limits: Option) -> st.SearchStrategy:
    """Any value that the schema allows and this version supports."""
    if hint is bool:
        return st.booleans()
    if hint is str and not limits.choices:
        return st.just("") | _NAMES
    if hint is str:
        later = limits.later if isinstance(limits.later, tuple) else ()
        aliases = [alias for alias, _ in limits.aliases]
        return st.sampled_from([c for c in limits.choices if c not in (*later, *aliases)])
    if hint is int:
        return integers(limits)
    if hint is float:
        return numbers(limits)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Mapping:
        factors = st.floats(1e-3, 1e3).map(lambda factor: f"x{factor!r}")
        return st.dictionaries(_NAMES, st.floats(-1e300, 1e300) | factors, max_size=3)
    if typing.get_origin(hint) is types.UnionType:
        number = value(next(a for a in arguments if a in (int, float)), limits)
        return number | st.sampled_from(limits.choices_now) if str in arguments else number
    entry = value(arguments[0], limits)
    if arguments[-1] is Ellipsis:
        return st.lists(entry, min_size=1, max_size=4).map(tuple)
    return st.tuples(*[entry] * len(arguments))


@functools.cache
def options(cls: type) -> st.SearchStrategy:
    hints = typing.get_type_hints(cls)
    fields = {}
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            fields[field.name] = options(hint)
        elif option_of(field).later is not True:
            fields[field.name] = value(hint, option_of(field))
    return st.builds(cls, **fields)


_BY_NUMBER = st.dictionaries(st.sampled_from(["6", "23", "1000022"]), st.floats(0, 1e300))


@st.composite
def any_card(draw) -> Card:
    hints = typing.get_type_hints(Card)
    tables = {
        name: draw(options(hint)) for name, hint in hints.items() if dataclasses.is_dataclass(hint)
    }
    training = tables["training"]
    steps = 0 if training.method == "fkld" else max(training.steps, 1)
    gain = float(round(training.madnis.buffer_gain))
    madnis = dataclasses.replace(training.madnis, buffer_gain=gain)
    training = dataclasses.replace(training, steps=steps, madnis=madnis)
    if training.method not in ANNEAL_METHODS:
        training = dataclasses.replace(training, anneal={})
    # What only automatic runs can have, and what they cannot.
    if training.method == "auto":
        training = dataclasses.replace(training, schedule="cosine", schedule_updates=0)
    elif tables["surrogate"].kind == "auto":
        tables["surrogate"] = dataclasses.replace(tables["surrogate"], kind="flow")
    if training.method == "auto" or tables["surrogate"].kind != "flow":
        fkld = dataclasses.replace(training.fkld, data="")
        training = dataclasses.replace(training, fkld=fkld)
    tables["training"] = training
    # Processes have one channel so far: what only several can have is tested with toys.
    tables["channels"] = dataclasses.replace(
        tables["channels"], prior="diagrams", maps="", drop=(), drop_below=0.0
    )
    minima = [name for name, key in CUT_KEYS.items() if not key.is_maximum]
    return Card(
        process=tuple(draw(st.lists(_NAMES, min_size=1, max_size=3))),
        model=draw(st.sampled_from(["sm", "sm-no_b_mass"])),
        multiparticles=draw(
            st.dictionaries(_NAMES, st.lists(_WORDS, min_size=1).map(tuple), max_size=3)
        ),
        parameters=draw(st.dictionaries(_NAMES, st.floats(-1e300, 1e300), max_size=3)),
        cuts=draw(st.dictionaries(st.sampled_from(minima), st.floats(0, 1e300), max_size=5))
        | draw(st.dictionaries(st.just("pt_min_pdg"), _BY_NUMBER)),
        **tables,
    )


@given(any_card())
def test_a_dumped_card_reads_back_the_same(card):
    text = dump_card(card)
    try:
        again = card_from_table(tomllib.loads(text))
    except InputError as error:
        # Keys that bound each other are drawn one by one.
        assert error.key in (
            "training.fab.buffer_minimum",
            "training.warmup_steps",
            "training.fkld.warmup_epochs",
            "training.fkld.events",
            "phase_space.mapping",
            "channels.use",
            "scales.factor",
        )
        return
    assert again == card
    assert diff_cards(card, again) == []
    assert dump_card(again) == text


def test_round_trip_through_a_file(cards, tmp_path):
    for path in cards.glob("*.toml"):
        cuts = [] if path.stem.startswith(("lc2pkpi", "toy")) else ["cuts.ptl=1e-7"]
        card = load_card(path, ["parameters.MT=171.3", *cuts])
        copy = tmp_path / path.name
        copy.write_text(dump_card(card), encoding="utf-8")
        assert load_card(copy) == card


def test_every_default_is_written(write_card):
    table = tomllib.loads(dump_card(load_card(write_card('process = "e+ e- > z h"\n'))))
    assert table["surrogate"]["vegas"]["bins"] == 64
    assert table["training"]["fab"]["weight_clip"] == 10.0
    assert table["generation"]["seed"] == 1
    assert "preset" not in table


def test_differences_name_the_keys_with_both_values(write_card):
    path = write_card('process = "e+ e- > z h"\n[cuts]\nptj = 5.0\n')
    old = load_card(path, ["parameters.MT=170"])
    new = load_card(path, ["training.steps=5", "surrogate.vegas.bins=8", "cuts.etaj=2.5"])
    differences = diff_cards(old, new)
    assert {d.key for d in differences} == {
        "parameters.MT",
        "cuts.etaj",
        "training.steps",
        "surrogate.vegas.bins",
    }
    assert "training.steps: 10000 -> 5" in [str(d) for d in differences]
    assert "parameters.MT: 170.0 -> absent" in [str(d) for d in differences]


@pytest.mark.parametrize("text", ['a"b\\c\n\t\x7f\u00e9\U0001f600', "", "'''", "#"])
def test_strings_survive(text):
    from fabgen.card import toml

    assert tomllib.loads(f"{toml.key(text)} = {toml.value(text)}") == {text: text}
