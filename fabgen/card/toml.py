"""Values as TOML text (the standard library only reads TOML)."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def string(text: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's, but for DEL, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """A key, quoted where TOML asks for it (`"l+"`)."""
    return name if _BARE_KEY.fullmatch(name) else string(name)


def value(item: object) -> str:
    """One value on one line; floats keep every digit (`load` gives the same float back)."""
    match item:
        case bool():
            return "true" if item else "false"
        case int():
            return str(item) if item.bit_length() < 14_000 else hex(item)  # str has a limit
        case float():
            return repr(item)
        case str():
            return string(item)
        case list() | tuple():
            return "[" + ", ".join(value(entry) for entry in item) + "]"
        case Mapping():
            pairs = (f"{key(name)} = {value(entry)}" for name, entry in item.items())
            return "{" + ", ".join(pairs) + "}"
        case datetime.date() | datetime.time():
            return item.isoformat()
    raise TypeError(f"no TOML value: {item!r}")


def kind(item: object) -> str:
    """The TOML type of a value in words."""
    match item:
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a float"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a table"
    return "a date or time"
