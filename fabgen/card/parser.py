"""Turns the tables of a TOML file into a `Card`: one generic walk over the schema's dataclasses.

Every message names the file (or `--set`), the key, what was found and what is allowed.
"""

from __future__ import annotations

import dataclasses
import math
import os
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fabgen.card import reader, toml
from fabgen.card.amplitude_models import check_amplitude_model
from fabgen.card.auto import check_auto, with_default_kind
from fabgen.card.channels import check_channels, with_default_filter
from fabgen.card.cut_values import read_cuts
from fabgen.card.cuts import CutValue
from fabgen.card.fab import check_anneal, with_default_chains
from fabgen.card.keys import check_keys
from fabgen.card.messages import did_you_mean, place_of, wrong_type
from fabgen.card.option import Option, option_of
from fabgen.card.presets import apply_preset
from fabgen.card.scales import check_scales
from fabgen.card.schema import AMPLITUDE_MODELS, MAX_SEED, MODELS, Card
from fabgen.card.steps import check_data, check_steps, with_default_steps
from fabgen.card.toys import check_toy, is_toy, toy_name, with_default_prior
from fabgen.errors import InputError, not_available

_COMPARED = tuple(field for field in dataclasses.fields(Card) if field.compare)
_PROCESS = 'a process in MadGraph\'s syntax, such as "e+ e- > mu+ mu-", or a list of them'


def load_card(
    path: str | os.PathLike[str], overrides: Iterable[str] = (), seed: int | None = None
) -> Card:
    """Reads, checks and resolves a process card.

    `overrides` are `key.path=value` settings that go before the card's own; `seed` sets both
    training.seed and generation.seed. Raises InputError for anything wrong in either.
    """
    path = Path(path)
    settings = [*overrides, *_seed_settings(seed)]
    card = _resolve(reader.read_table(path), settings, os.fspath(path))
    return dataclasses.replace(card, name=path.stem, file=os.fspath(path))


def card_of_process(process: str, overrides: Iterable[str] = (), seed: int | None = None) -> Card:
    """The card that holds nothing but a process; options as those of `load_card`."""
    return _resolve({"process": process}, [*overrides, *_seed_settings(seed)], None)


def _resolve(table: reader.Table, settings: Iterable[str], file: str | None) -> Card:
    table, overridden = reader.override(table, settings)
    try:
        card = card_from_table(table)
    except InputError as error:
        raise error.with_place(file=place_of(error.key, file, overridden)) from None
    return dataclasses.replace(card, settings=tuple(overridden))


def _seed_settings(seed: int | None) -> list[str]:
    if seed is None:
        return []
    if not 0 <= seed <= MAX_SEED:
        allowed = f"an integer from 0 to {MAX_SEED}"
        raise InputError("the seed is out of range", key="--seed", found=seed, allowed=allowed)
    return [f"training.seed={seed}", f"generation.seed={seed}"]


def card_from_table(table: Mapping[str, Any]) -> Card:
    """The card that a parsed TOML document means. Raises InputError."""
    table = with_default_kind(with_default_steps(apply_preset(table)))
    table = with_default_chains(with_default_filter(with_default_prior(table)))
    check_keys(table, "", ["preset", *(field.name for field in _COMPARED)])
    if "process" not in table:
        raise InputError("the card names no process", key="process", allowed=_PROCESS)
    values: dict[str, Any] = {
        "process": _process(table.pop("process")),
        "model": _model(table.pop("model", MODELS[0])),
    }
    for key, parse in (
        ("multiparticles", _multiparticles),
        ("parameters", _parameters),
        ("cuts", _cuts),
    ):
        values[key] = MappingProxyType(parse(_table(table.pop(key, {}), key)))
    hints = typing.get_type_hints(Card)
    for key, inner in table.items():
        values[key] = _options(hints[key], inner, key)
    card = Card(**values)
    _check_together(card)
    generation = dataclasses.replace(card.generation, seed=card.generation_seed)
    return dataclasses.replace(card, generation=generation)


# --- tables whose keys are free, or not dataclass fields ------------------------------------------


def _process(value: object) -> tuple[str, ...]:
    entries: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, str) for entry in entries):
        raise wrong_type("process", value, _PROCESS)
    if not entries or not all(entry.strip() for entry in entries):
        raise InputError(
            "the process is empty", key="process", found=toml.value(value), allowed=_PROCESS
        )
    process = tuple(entry.strip() for entry in entries)
    if is_toy(process):
        toy_name(process)  # refuses unknown ones
    return process


def _model(value: object) -> str:
    models = (*MODELS, *AMPLITUDE_MODELS)
    allowed = f"one of: {', '.join(models)}"
    if not isinstance(value, str):
        raise wrong_type("model", value, allowed)
    if value in models:
        return value
    if os.sep in value or os.path.isdir(value):
        raise not_available("UFO folders", key="model", found=toml.value(value))
    raise InputError(
        "unknown model",
        key="model",
        found=toml.value(value),
        allowed=allowed,
        hint=did_you_mean(value, models),
    )


def _multiparticles(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    allowed = 'names of particles: "u d s" or ["u", "d", "s"]'
    result = {}
    for name, value in table.items():
        entries = value.split() if isinstance(value, str) else value
        if (
            not isinstance(entries, list)
            or not entries
            or not all(isinstance(entry, str) and entry.strip() for entry in entries)
            or not name.strip()
        ):
            raise wrong_type(f"multiparticles.{name}", value, allowed)
        result[name.strip()] = tuple(entry.strip() for entry in entries)
    return result


def _parameters(table: Mapping[str, Any]) -> dict[str, float]:
    limits = Option(doc="")
    return {name: _number(value, f"parameters.{name}", limits) for name, value in table.items()}


def _cuts(table: Mapping[str, Any]) -> dict[str, CutValue]:
    return read_cuts(table, _number)


def _check_together(card: Card) -> None:
    """Raises InputError for keys that contradict each other."""
    check_toy(card)
    check_amplitude_model(card)
    check_channels(card)
    check_auto(card)
    check_anneal(card)
    fab = card.training.fab
    if fab.buffer_minimum > fab.buffer_batches:
        raise InputError(
            "the buffer never fills",
            key="training.fab.buffer_minimum",
            found=fab.buffer_minimum,
            allowed=f"at most training.fab.buffer_batches = {fab.buffer_batches}",
        )
    check_steps(card.training)
    check_data(card)
    check_scales(card.scales)


# --- tables that are dataclasses ------------------------------------------------------------------


def _options(cls: type, value: object, path: str) -> Any:
    """An options dataclass from its table; nested dataclasses are nested tables."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    table = _table(value, path, list(fields))
    check_keys(table, path, list(fields))
    hints = typing.get_type_hints(cls)
    values = {}
    for name, item in table.items():
        key, hint = f"{path}.{name}", hints[name]
        if dataclasses.is_dataclass(hint):
            values[name] = _options(typing.cast(type, hint), item, key)
            continue
        limits = option_of(fields[name])
        result = _value(item, hint, key, limits)
        if limits.is_later(result, fields[name].default):
            what = f"{key} = {toml.value(item)}" if limits.choices else key
            allowed = _choices(limits) if hint is str else _numbers(limits)
            raise not_available(what, key=key, found=toml.value(item), allowed=allowed or None)
        values[name] = result
    return cls(**values)


def _value(value: object, hint: Any, key: str, limits: Option) -> Any:
    """One value checked against its type and limits."""
    if hint is bool:
        if not isinstance(value, bool):
            raise wrong_type(key, value, "true or false")
        return value
    if hint is str:
        return _choice(value, key, limits)
    if hint is int:
        return _integer(value, key, limits)
    if hint is float:
        return _number(value, key, limits)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Mapping:
        table = _table(value, key)
        return {name: _value_or_factor(item, f"{key}.{name}") for name, item in table.items()}
    if origin is tuple:
        return _list(value, arguments, key, limits)
    if origin is types.UnionType:
        # A number or a string (scales); a number or None (an absent key: TOML has no such value).
        if str in arguments and isinstance(value, str):
            return _choice(
                value, key, limits, f"a number{limits.range()}{_choices(limits, ', or ')}"
            )
        number = next(argument for argument in arguments if argument in (int, float))
        return _value(value, number, key, limits)
    raise TypeError(f"the schema has a type without a parser: {key}: {hint}")


def _number(value: object, key: str, limits: Option) -> float:
    allowed = _numbers(limits)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(key, value, allowed)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not limits.contains(number):
        if not math.isfinite(number) and not limits.infinite:
            allowed = allowed.replace("a number", "a finite number")
        raise _out_of_range(key, value, allowed, limits)
    return number


def _value_or_factor(value: object, key: str) -> float | str:
    """A number, or "x30": a factor."""
    allowed = 'a finite number, or "x30" for a factor'
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(key, value, allowed)
        return _number(value, key, Option(doc=""))
    try:
        factor = float(value[1:]) if value.startswith("x") else math.nan
    except ValueError:
        factor = math.nan
    if not 0.0 < factor < math.inf:
        raise InputError(
            "a value is not one of those allowed", key=key, found=toml.value(value), allowed=allowed
        )
    return value


def _integer(value: object, key: str, limits: Option) -> int:
    allowed = f"an integer{limits.range()}"
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)  # 1e4 is a float in TOML
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(key, value, allowed)
    if not limits.contains(value):
        if value.bit_length() > 63:
            allowed += " and of at most 63 bits" if limits.range() else " of at most 63 bits"
        raise _out_of_range(key, value, allowed, limits)
    return value


def _choice(value: object, key: str, limits: Option, allowed: str = "") -> str:
    allowed = allowed or _choices(limits) or "a string"
    if not isinstance(value, str):
        raise wrong_type(key, value, allowed)
    if limits.choices and value not in limits.choices:
        raise InputError(
            "a value is not one of those allowed",
            key=key,
            found=toml.value(value),
            allowed=allowed,
            hint=did_you_mean(value, limits.choices_now),
        )
    return dict(limits.aliases).get(value, value)


def _list(value: object, arguments: tuple[Any, ...], key: str, limits: Option) -> tuple[Any, ...]:
    """A list of a fixed length, or of any length from one on (`tuple[int, ...]`), or of names."""
    entry = arguments[0]
    if entry is str:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong_type(key, value, "a list of names")
        return tuple(value)
    length = None if arguments[-1] is Ellipsis else len(arguments)
    noun = "integers" if entry is int else "numbers"
    count = "one or more" if length is None else str(length)
    allowed = f"a list of {count} {noun}{limits.range()}"
    if not isinstance(value, list) or not value or length not in (None, len(value)):
        hint = None
        if length is not None and isinstance(value, int | float):
            hint = f"{limits.doc}, as in {key} = {toml.value([value] * length)}"
        raise wrong_type(key, value, allowed, hint)
    try:
        return tuple(_value(item, entry, key, limits) for item in value)
    except InputError as error:
        raise InputError(error.problem, key=key, found=toml.value(value), allowed=allowed) from None


# --- messages -------------------------------------------------------------------------------------


def _table(value: object, path: str, keys: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        hint = f"its keys are {', '.join(keys)}" if keys else None
        raise wrong_type(path, value, f"a table: [{path}]", hint)
    return value


def _out_of_range(key: str, value: object, allowed: str, limits: Option) -> InputError:
    unit = f" [{limits.unit}]" if limits.unit else ""
    return InputError(
        "a value is out of range", key=key, found=toml.value(value), allowed=allowed + unit
    )


def _numbers(limits: Option) -> str:
    return f"a number{limits.range()}{_choices(limits, ', or ')}"


def _choices(limits: Option, prefix: str = "") -> str:
    return f"{prefix}one of: {', '.join(limits.choices_now)}" if limits.choices_now else ""
