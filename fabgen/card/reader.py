"""Reads the TOML text of a card, and the `--set key.path=value` overrides, into plain tables."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fabgen.card import madgraph, toml
from fabgen.errors import InputError
from fabgen.inputs import nests_deeper, read_input

Table = dict[str, Any]

_POSITION = re.compile(r"\(at line (\d+), column \d+\)")
#: Of a card; one that writes out every key has 5 kB.
MAX_BYTES = 1 << 20
#: Dots in one line: time and memory for a dotted key go with their square.
_MAX_DOTS = 100
#: Tables and lists in one another, of a card and of what --set says.
_MAX_DEPTH = 20
_EXAMPLE = 'TOML text with at least a process, such as: process = "e+ e- > mu+ mu-"'


def read_table(path: str | os.PathLike[str]) -> Table:
    """The tables of a TOML file. Raises InputError for a file that cannot be read or parsed."""
    path = Path(path)
    try:
        data = read_input(path, MAX_BYTES)
    except FileNotFoundError:
        # A process in the place of its card, as `fabgen show` takes it.
        hint = f"a card with this process is the line: process = {json.dumps(str(path))}"
        raise InputError(
            "the card does not exist",
            file=path,
            allowed="a TOML file",
            hint=hint if ">" in str(path) else None,
        ) from None
    except IsADirectoryError:
        raise InputError(
            "the card is a directory",
            file=path,
            allowed="a TOML file, or the directory of a run for generate and integrate",
        ) from None
    except OSError as error:
        raise InputError("the card cannot be read", file=path, found=error.strerror) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "the card is not text", file=path, found=f"byte {error.start}", allowed="UTF-8"
        ) from None
    return parse_table(text, file=path)


def parse_table(text: str, *, file: str | os.PathLike[str] | None = None) -> Table:
    """The tables of a TOML text. Raises InputError naming the line that is wrong."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if any(line.count(".") > _MAX_DOTS for line in lines):
        raise InputError(
            "the card has a line with too many dots", file=file, allowed=f"at most {_MAX_DOTS}"
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        madgraph.refuse_card(text, file)
        raise InputError(
            f"the card is not TOML: {error}", file=file, found=_line(text, str(error))
        ) from None
    except RecursionError:
        raise _too_deep(file) from None
    except ValueError:  # Python reads no integer of so many digits
        most = sys.get_int_max_str_digits()
        digits = re.compile(rf"[0-9_]{{{most + 1},}}")
        raise InputError(
            "the card has an integer of too many digits",
            file=file,
            found=next(filter(digits.search, text.splitlines()), None),
            allowed=f"at most {most} digits, and the range of the key",
        ) from None
    _refuse_deep(table, file)
    if not table:
        raise InputError("the card is empty", file=file, allowed=_EXAMPLE)
    return table


def _refuse_deep(value: object, file: str | os.PathLike[str] | None) -> None:
    """Raises InputError for tables and lists that nest deeper than any key of a card."""
    if nests_deeper(value, _MAX_DEPTH):
        raise _too_deep(file)


def _too_deep(file: str | os.PathLike[str] | None) -> InputError:
    return InputError(
        "tables or lists nest too deeply", file=file, allowed=f"at most {_MAX_DEPTH} levels"
    )


def _line(text: str, message: str) -> str | None:
    """The line of text that a TOML error talks about."""
    position = _POSITION.search(message)
    lines = text.splitlines()
    if position is None or int(position[1]) > len(lines):
        return None
    return lines[int(position[1]) - 1].strip() or None


def override(table: Table, settings: Iterable[str]) -> tuple[Table, frozenset[str]]:
    """The table with `key.path=value` settings put in, and the paths they set.

    A value is read as TOML and, where it is none, taken as a string, so that
    `surrogate.kind=vegas` needs no quotes. Raises InputError for a setting that is no such pair.
    """
    paths = set()
    for setting in settings:
        path, equals, value = setting.partition("=")
        keys = tuple(part.strip() for part in path.split("."))
        if not value.strip() or not all(keys):
            raise InputError(
                "a setting has no key or no value",
                file="--set",
                found=toml.string(setting),
                allowed="key.path=value, such as training.steps=100",
                hint=f"{path}='\"\"' is an empty text" if equals and all(keys) else None,
            )
        if _is_undecodable(setting):
            raise InputError("a setting is not text", file="--set", found=setting, allowed="UTF-8")
        parsed = parse_value(value.strip())
        if len(keys) > _MAX_DEPTH:
            raise InputError("a key has too many parts", file="--set", found=setting)
        _refuse_deep(parsed, "--set")
        table = _put(table, keys, parsed, keys)
        paths.add(".".join(keys))
    return table, frozenset(paths)


def _is_undecodable(text: str) -> bool:
    """Whether an argument holds bytes that are no UTF-8: no file could say it again."""
    return any(0xD800 <= ord(c) < 0xE000 for c in text)


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _put(table: Table, keys: tuple[str, ...], value: Any, path: tuple[str, ...]) -> Table:
    """A copy of the table with one value in it, made along the way where tables are missing."""
    first, *rest = keys
    if not rest:
        return {**table, first: value}
    inner = table.get(first, {})
    if not isinstance(inner, dict):
        raise InputError(
            f"{first} is {toml.kind(inner)} and holds no keys", file="--set", key=".".join(path)
        )
    return {**table, first: _put(inner, tuple(rest), value, path)}
