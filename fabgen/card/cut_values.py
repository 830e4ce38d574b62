"""Reads the `[cuts]` table of a card."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fabgen.card import toml
from fabgen.card.cuts import (
    CUT_KEYS,
    CUT_OPTIONS,
    PDG_CUT_KEYS,
    PDG_OF_CLASSES,
    CutKey,
    CutValue,
)
from fabgen.card.keys import check_keys
from fabgen.card.messages import wrong_type
from fabgen.card.option import Option
from fabgen.errors import InputError

#: A value as a number within limits; raises InputError.
ReadNumber = Callable[[object, str, Option], float]

_LIMITS = Option(doc="", at_least=0.0)


def read_cuts(table: Mapping[str, Any], number: ReadNumber) -> dict[str, CutValue]:
    """The cuts of a card: bounds as float, switches as bool, tables by PDG number as mappings of
    the number, as a string, to a bound. Raises InputError."""
    check_keys(table, "cuts", [*CUT_KEYS, *PDG_CUT_KEYS, *CUT_OPTIONS])
    cuts: dict[str, CutValue] = {}
    for name, value in table.items():
        key = f"cuts.{name}"
        if name in CUT_KEYS:
            cuts[name] = number(value, key, _LIMITS)
        elif name in PDG_CUT_KEYS:
            cuts[name] = MappingProxyType(_by_pdg(value, key, number))
        elif not isinstance(CUT_OPTIONS[name].default, bool):
            cuts[name] = number(value, key, CUT_OPTIONS[name].option)
        elif isinstance(value, bool):
            cuts[name] = value
        else:
            raise wrong_type(key, value, "true or false")
    _check_order(cuts, CUT_KEYS)
    for pdg in {pdg for name in PDG_CUT_KEYS for pdg in _table(cuts, name)}:
        tables = {name: _table(cuts, name) for name in PDG_CUT_KEYS}
        given = {name: table[pdg] for name, table in tables.items() if pdg in table}
        _check_order(given, PDG_CUT_KEYS, f".{pdg}")
    return cuts


def _table(cuts: Mapping[str, CutValue], name: str) -> Mapping[str, float]:
    found = cuts.get(name, {})
    return found if isinstance(found, Mapping) else {}


def _by_pdg(value: object, key: str, number: ReadNumber) -> dict[str, float]:
    """A table of bounds by PDG number."""
    allowed = 'a table of bounds by PDG number, such as {"6" = 100.0}'
    if not isinstance(value, Mapping):
        raise wrong_type(key, value, allowed)
    found = {}
    for pdg, bound in value.items():
        hint = None
        if re.fullmatch(r"-[0-9]+", pdg):
            hint = "the positive number stands for particle and antiparticle"
        if not re.fullmatch(r"[1-9][0-9]{0,8}", pdg):
            raise InputError(
                "no PDG number", key=f"{key}.{pdg}", found=pdg, allowed=allowed, hint=hint
            )
        if int(pdg) in PDG_OF_CLASSES:
            raise InputError(
                "cuts by PDG number are for particles without cuts of their class",
                key=f"{key}.{pdg}",
                found=f"{pdg} = {toml.value(bound)}",
                allowed="PDG numbers of others, such as 6, 23, 24 and 25",
                hint=f"the cuts on these are {PDG_OF_CLASSES[int(pdg)]}",
            )
        found[pdg] = number(bound, f"{key}.{pdg}", _LIMITS)
    return found


def _check_order(cuts: Mapping[str, CutValue], keys: Mapping[str, CutKey], end: str = "") -> None:
    """Raises InputError for a minimum that is not below its maximum, but for those that exclude
    what lies between them: these may not be equal."""
    for name, bound in cuts.items():
        cut = keys.get(name)
        if cut is None or cut.is_maximum or cut.partner is None:
            continue
        other = cuts.get(cut.partner)
        if not isinstance(bound, float) or not isinstance(other, float):
            continue
        if bound == other or (bound > other and not cut.may_exclude):
            raise InputError(
                "a minimum is not below its maximum",
                key=f"cuts.{name}{end}",
                found=f"{name}{end} = {bound!r}, {cut.partner}{end} = {other!r}",
                allowed=f"{name} < {cut.partner}"
                + (", or > to exclude what lies between" if cut.may_exclude else ""),
            )
