"""Writes a card back as TOML with every default spelled out, and compares two cards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from fabgen.card import toml
from fabgen.card.cuts import CUT_KEYS, CUT_OPTIONS, PDG_CUT_KEYS
from fabgen.card.option import option_of
from fabgen.card.schema import Card

#: First line of every card that fabgen writes: it tells a run's card from a card of the user.
HEADER = "# Process card as fabgen resolved it: every default is written out.\n"


def dump_card(card: Card) -> str:
    """The card as TOML text; `load_card` of it gives an equal card."""
    process = card.process[0] if len(card.process) == 1 else card.process
    blocks = [
        HEADER,
        f"process = {toml.value(process)}\nmodel = {toml.value(card.model)}\n",
        *_free_table("multiparticles", card.multiparticles),
        *_free_table("parameters", card.parameters),
    ]
    for field in dataclasses.fields(Card):
        value = getattr(card, field.name)
        if dataclasses.is_dataclass(value):
            blocks += _options_table(field.name, value)
        elif field.name == "cuts":
            blocks += _free_table("cuts", value)
    return "\n".join(blocks)


def _free_table(path: str, table: Mapping[str, object]) -> Iterator[str]:
    if table:
        lines = []
        for name, value in table.items():
            comment = _cut_comment(name) if path == "cuts" else ""
            lines.append(f"{toml.key(name)} = {toml.value(value)}{comment}\n")
        yield f"[{path}]\n" + "".join(lines)


def _options_table(path: str, options: object) -> Iterator[str]:
    lines = [f"[{path}]\n"]
    inner: list[str] = []
    for field in dataclasses.fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            inner += _options_table(f"{path}.{field.name}", value)
        elif isinstance(value, Mapping):
            inner += _free_table(f"{path}.{field.name}", value)
        elif value is not None:
            about = option_of(field)
            comment = _comment(about.doc, about.unit)
            lines.append(f"{field.name} = {toml.value(value)}{comment}\n")
    yield "".join(lines)
    yield from inner


def _cut_comment(name: str) -> str:
    if name in CUT_OPTIONS:
        return _comment(CUT_OPTIONS[name].option.doc, "")
    cut = (CUT_KEYS | PDG_CUT_KEYS)[name]
    return _comment(cut.doc, cut.unit)


def _comment(doc: str, unit: str) -> str:
    return f"  # {doc}{f' [{unit}]' if unit else ''}"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One key of two cards with both values; None where a card does not have it."""

    key: str
    old: object
    new: object

    def __str__(self) -> str:
        old, new = ("absent" if v is None else toml.value(v) for v in (self.old, self.new))
        return f"{self.key}: {old} -> {new}"


def diff_cards(old: Card, new: Card) -> list[Difference]:
    """The keys, dotted, in which two cards differ."""
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = [*before, *(key for key in after if key not in before)]
    return [
        Difference(key, before.get(key), after.get(key))
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _flat(item: object, path: str = "") -> Iterator[tuple[str, object]]:
    if dataclasses.is_dataclass(item):
        pairs = [(f.name, getattr(item, f.name)) for f in dataclasses.fields(item) if f.compare]
    elif isinstance(item, Mapping):
        pairs = list(item.items())
    else:
        yield path, item
        return
    for name, value in pairs:
        yield from _flat(value, f"{path}.{name}" if path else name)
