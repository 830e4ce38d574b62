"""What the errors of a card have in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from fabgen.card import toml
from fabgen.errors import InputError


def wrong_type(key: str, value: object, allowed: str) -> InputError:
    """The error for a value of another TOML type than its key has."""
    found = f"{toml.value(value)} ({toml.kind(value)})"
    return InputError("a value has the wrong type", key=key, found=found, allowed=allowed)


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str | None:
    """A hint with the known names closest to what was typed, each after the prefix; None if none
    is close."""
    close = difflib.get_close_matches(name.lower(), list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(prefix + each for each in close)}?" if close else None
