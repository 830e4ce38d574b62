"""Keys that a card gives although its process has no use for them: they are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping

from fabgen.card import toml
from fabgen.card.schema import Card
from fabgen.errors import InputError


def refuse_given(
    card: Card, tables: Collection[str], problem: str, *, used: Collection[str] = ()
) -> None:
    """Raises InputError for the first key of these tables that has another value than its default.

    The default itself passes, as a resolved card holds it. used: dotted keys that may be given.
    """
    for table in tables:
        for key, value in _given(getattr(card, table), table):
            if key not in used:
                raise InputError(problem, key=key, found=toml.value(value), allowed="no such key")


def _given(options: object, table: str) -> Iterator[tuple[str, object]]:
    """The dotted keys of a table that are not at their defaults, and their values."""
    if isinstance(options, Mapping):
        yield from ((f"{table}.{name}", value) for name, value in options.items())
        return
    for field in dataclasses.fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if value != field.default:
            yield f"{table}.{field.name}", value
