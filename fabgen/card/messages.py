"""Sources and names of keys in the errors of a card."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fabgen.card import toml
from fabgen.errors import InputError

if TYPE_CHECKING:
    from fabgen.card.schema import Card


def wrong_type(key: str, value: object, allowed: str, hint: str | None = None) -> InputError:
    """The error for a value of another TOML type than its key has."""
    found = f"{toml.value(value)} ({toml.kind(value)})"
    return InputError(
        "a value has the wrong type", key=key, found=found, allowed=allowed, hint=hint
    )


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str | None:
    """A hint with the known names closest to what was typed, each after the prefix; None if none
    is close."""
    close = difflib.get_close_matches(name.lower(), list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(prefix + each for each in close)}?" if close else None


def place_of(key: str | None, file: str | None, settings: Iterable[str]) -> str | None:
    """Where a key came from: "--set" if a setting is to blame, else the file.

    A setting is to blame for what lies below it, and for a table in the place of a value.
    """
    own = f"{key}."
    for setting in settings:
        if own.startswith(f"{setting}.") or f"{setting}.".startswith(own):
            return "--set"
    return file


def with_source(error: InputError, card: Card) -> InputError:
    """The error with the place that its key came from."""
    return error.with_place(file=place_of(error.key, card.file, card.settings))
