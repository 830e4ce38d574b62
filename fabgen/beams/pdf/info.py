"""What a set says about itself: its .info file, and the head of a member's file that overrides it.

Both are YAML. Keys that fabgen has no use for are passed over.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fabgen.errors import InputError
from fabgen.inputs import read_input

#: Of an .info file; those that there are have up to 10 kB.
_MAX_BYTES = 1 << 20
#: Of the yaml package the loader written in C, where it was built.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True)
class SetInfo:
    """A set, as far as fabgen needs to know it; keys of LHAPDF in brackets.

    name: of its folder. file: where this stands. index: LHAPDF's id of the first member, -1 without
    one [SetIndex]. members: how many there are [NumMembers]. flavours: PDG ids [Flavors].
    n_flavours: of quarks that evolve, and scheme: "variable" or "fixed" [NumFlavors, FlavorScheme];
    0 and "" if not told. force_positive: 0, 1 or 2 [ForcePositive]. error_type: of the members
    [ErrorType].

    alpha_s_mz: at mz in GeV, None if not told [AlphaS_MZ, MZ]. alpha_s_q (GeV) and alpha_s_values:
    the table, () without one [AlphaS_Qs, AlphaS_Vals]. thresholds: of c and b in GeV
    [AlphaS_ThresholdCharm or MCharm, ...].
    """

    name: str
    file: str
    index: int = -1
    members: int = 1
    description: str = ""
    flavours: tuple[int, ...] = ()
    n_flavours: int = 0
    scheme: str = ""
    force_positive: int = 0
    error_type: str = ""
    alpha_s_mz: float | None = None
    mz: float = 91.1876
    alpha_s_q: tuple[float, ...] = ()
    alpha_s_values: tuple[float, ...] = ()
    thresholds: tuple[float, float] | None = None


def read_table(path: Path) -> Mapping[str, Any]:
    """The keys and values of an .info file. Raises InputError for a file that is not one."""
    return parse_head(_text(path), path)


def _text(path: Path) -> str:
    try:
        return read_input(path, _MAX_BYTES).decode()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"the set of densities cannot be read: {reason}", file=path) from None
    except UnicodeDecodeError:
        raise InputError("the set of densities is no text", file=path) from None


def parse_head(text: str, path: Path) -> Mapping[str, Any]:
    """The keys and values of a YAML text. Raises InputError."""
    try:
        table = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            "the head of the densities is not YAML",
            file=path,
            key=f"line {mark.line + 1}" if mark else None,
            found=getattr(error, "problem", None) or type(error).__name__,
            allowed="lines `key: value` as LHAPDF writes them",
        ) from None
    if table is None:
        return {}
    if not isinstance(table, dict):
        raise InputError(
            "the head of the densities is not YAML with keys",
            file=path,
            found=type(table).__name__,
            allowed="lines `key: value` as LHAPDF writes them",
        )
    return {str(key): value for key, value in table.items()}


def info_of(table: Mapping[str, Any], name: str, path: Path) -> SetInfo:
    """The set with these keys. Raises InputError for values that they cannot have."""
    keys = _Keys(table, path)
    q, values = keys.numbers("AlphaS_Qs"), keys.numbers("AlphaS_Vals")
    _check_alpha_s(q, values, path)
    thresholds = [
        keys.number(f"AlphaS_Threshold{quark}", keys.number(f"M{quark}", 0.0))
        for quark in ("Charm", "Bottom")
    ]
    return SetInfo(
        name=name,
        file=str(path),
        index=keys.whole("SetIndex", -1),
        members=keys.whole("NumMembers", 1),
        description=" ".join(str(table.get("SetDesc", "")).split()),
        flavours=tuple(keys.whole_of("Flavors", value) for value in keys.list("Flavors")),
        n_flavours=keys.whole("NumFlavors", 0),
        scheme=str(table.get("FlavorScheme", "")).lower(),
        force_positive=_force_positive(keys),
        error_type=str(table.get("ErrorType", "")),
        alpha_s_mz=keys.number("AlphaS_Reference", keys.number("AlphaS_MZ", 0.0)) or None,
        mz=keys.number("AlphaS_MassReference", keys.number("MZ", 91.1876)),
        alpha_s_q=q,
        alpha_s_values=values,
        thresholds=(thresholds[0], thresholds[1]) if 0.0 < thresholds[0] < thresholds[1] else None,
    )


def _force_positive(keys: _Keys) -> int:
    value = keys.whole("ForcePositive", 0)
    if value not in (0, 1, 2):
        raise keys.wrong("ForcePositive", value, "0, 1 or 2")
    return value


def _check_alpha_s(q: tuple[float, ...], values: tuple[float, ...], path: Path) -> None:
    """Raises InputError for a table of alpha_s that cannot be one."""
    problem = None
    if len(q) != len(values):
        problem = f"{len(q)} AlphaS_Qs and {len(values)} AlphaS_Vals"
    elif any(value <= 0.0 for value in (*q, *values)):
        problem = "values that are not above 0"
    elif any(low > high for low, high in itertools.pairwise(q)):
        problem = "AlphaS_Qs that do not ascend"
    elif q and len(set(q)) < 2:
        problem = "fewer than two values of Q"
    if problem:
        raise InputError(
            "the set's table of alpha_s is damaged",
            file=path,
            key="AlphaS_Qs, AlphaS_Vals",
            found=problem,
            allowed="two lists of one length, Q ascending, all numbers above 0",
        )


class _Keys:
    """Values of keys by their kinds: YAML takes 1e-9 for a text, and files have both."""

    def __init__(self, table: Mapping[str, Any], path: Path):
        self.table, self.path = table, path

    def wrong(self, key: str, found: object, allowed: str) -> InputError:
        return InputError(
            "a value in the head of the densities is wrong",
            file=self.path,
            key=key,
            found=found,
            allowed=allowed,
        )

    def number_of(self, key: str, value: object) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong(key, value, "a finite number")
        return number

    def whole_of(self, key: str, value: object) -> int:
        number = self.number_of(key, value)
        if number != int(number) or abs(number) > 1e9:
            raise self.wrong(key, value, "an integer")
        return int(number)

    def number(self, key: str, default: float) -> float:
        return self.number_of(key, self.table[key]) if key in self.table else default

    def whole(self, key: str, default: int) -> int:
        return self.whole_of(key, self.table[key]) if key in self.table else default

    def list(self, key: str) -> list[object]:
        value = self.table.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        return tuple(self.number_of(key, value) for value in self.list(key))
