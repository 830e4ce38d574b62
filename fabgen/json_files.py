"""JSON that a run reads back: of the shape that it was written in, or the message of a damaged run.

Types are those of dataclasses and annotations: `as_type(value, hint)` makes a value of JSON into
what the hint says.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fabgen.errors import InputError
from fabgen.inputs import nests_deeper, read_input

#: Bytes of a file: a million lines of a log.
MAX_BYTES = 1 << 28
#: Digits of an integer; counts have fewer.
_MAX_DIGITS = 18
_MAX_DEPTH = 50


def read_json(file: Path, hint: Any) -> Any:
    """The content of a file as the type `hint`. Raises InputError for a damaged one."""
    try:
        return as_type(parse(_content(file)), hint)
    except ValueError as error:
        raise damaged(file, str(error)) from None


def read_lines(file: Path, keys: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a log, each an object with at least these keys of these types; other values are
    numbers or null. A last line that a kill has cut off is left out; [] without a file.

    Raises InputError for a damaged file.
    """
    if not file.exists():
        return []
    records = []
    hint = dict[str, int | float | None]
    for number, line in enumerate(_content(file).splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        try:
            record = as_type(parse(line), hint)
            check_keys(record, keys)
        except ValueError as error:
            raise damaged(file, f"line {number}: {error}") from None
        records.append(record)
    return records


def damaged(file: Path, found: str) -> InputError:
    return InputError(
        "the run is damaged: a file of it cannot be read",
        file=file,
        found=found,
        allowed="the file as fabgen wrote it",
        hint="--restart trains anew, --run DIR elsewhere",
    )


def parse(text: bytes) -> Any:
    """The value of a JSON text of finite numbers. Raises ValueError for anything else."""
    try:
        value = json.loads(text, parse_constant=_number, parse_float=_number, parse_int=_integer)
    except RecursionError:
        raise ValueError("values nest too deeply") from None
    if nests_deeper(value, _MAX_DEPTH):
        raise ValueError("values nest too deeply")
    return value


def as_type(value: Any, hint: Any) -> Any:
    """The value if it is of a type, dataclasses and tuples made of objects and lists. Raises
    ValueError."""
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return _as_dataclass(value, typing.cast(type, hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict and isinstance(value, dict):
        return {name: _named(name, item, arguments[1]) for name, item in value.items()}
    if origin in (list, tuple) and isinstance(value, list):
        return origin(as_type(item, arguments[0]) for item in value)
    if origin in (types.UnionType, typing.Union):
        for option in arguments:
            try:
                return as_type(value, option)
            except ValueError:
                continue
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif origin is None and isinstance(value, hint) and isinstance(value, bool) == (hint is bool):
        return value
    raise ValueError(f"{_kind(value)} in the place of {getattr(hint, '__name__', hint)}")


def check_keys(value: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
    """Raises ValueError unless a mapping has all these keys, with values of these types."""
    for name, hint in keys.items():
        if name not in value:
            raise ValueError(f"{name} is missing")
        _named(name, value[name], hint)


def _named(name: str, value: Any, hint: Any) -> Any:
    """`as_type`, with the key in the message."""
    try:
        return as_type(value, hint)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _as_dataclass(value: Any, cls: type) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{_kind(value)} in the place of an object")
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    if unknown := set(value) - {field.name for field in fields}:
        raise ValueError(f"{min(unknown)} is not known")
    needed = [
        field.name
        for field in fields
        if field.default is field.default_factory is dataclasses.MISSING
    ]
    check_keys(value, dict.fromkeys(needed, Any))
    return cls(**{name: _named(name, item, hints[name]) for name, item in value.items()})


def _content(file: Path) -> bytes:
    try:
        return read_input(file, MAX_BYTES)
    except OSError as error:
        raise damaged(file, error.strerror or str(error)) from None


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is not a finite number")
    return number


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def dump_report(report: Mapping[str, Any]) -> str:
    """The report as strict JSON (RFC 8259: no NaN, no infinity), floats as they round-trip."""
    return json.dumps(finite(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def finite(value: Any) -> Any:
    """Plain Python values, null for numbers that JSON does not know."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if hasattr(value, "item"):  # numpy and JAX scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
