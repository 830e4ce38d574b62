"""Keys that a card does not have: the message, with the key that is meant."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fabgen.card.cuts import CUT_KEYS, CUT_OPTIONS, PDG_CUT_KEYS
from fabgen.card.meant import meant
from fabgen.card.messages import did_you_mean
from fabgen.card.schema import Card
from fabgen.errors import InputError


def check_keys(table: Mapping[str, Any], path: str, known: Sequence[str]) -> None:
    """Raises InputError for the first key that is not known in the table at `path`."""
    for name, value in table.items():
        if name in known:
            continue
        prefix = f"{path}." if path else ""
        raise InputError(
            f"unknown key in [{path}]" if path else "unknown key",
            key=f"{prefix}{name}",
            found=name,
            allowed=", ".join(known),
            hint=_hint(name, value, known, prefix),
        )


def _hint(name: str, value: object, known: Sequence[str], prefix: str) -> str | None:
    """A hint at the key meant: one by another name, one of another table, or a similar one."""
    if hint := meant(name):
        return hint
    elsewhere = [key for key in all_keys() if key.rsplit(".", 1)[-1].lower() == name.lower()]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    if hint := did_you_mean(name, known, prefix):
        return hint
    inner = value if isinstance(value, Mapping) else {}
    hints = [f"{key}: {hint}" for key in inner if (hint := meant(key))]
    return "; ".join(hints) or None


def all_keys() -> Iterator[str]:
    """Every fixed key of the card, dotted."""

    def walk(cls: type, prefix: str) -> Iterator[str]:
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if dataclasses.is_dataclass(hints[field.name]):
                yield from walk(typing.cast(type, hints[field.name]), f"{prefix}{field.name}.")
            elif field.compare:
                yield prefix + field.name

    yield from walk(Card, "")
    yield from (f"cuts.{name}" for name in (*CUT_KEYS, *PDG_CUT_KEYS, *CUT_OPTIONS))
