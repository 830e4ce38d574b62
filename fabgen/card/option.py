"""One key of a card: its unit, range, default and meaning, kept beside the field it describes.

The schema's dataclasses declare their fields with `option(...)`; the parser, the writer and the
error messages all read the `Option` found in the field's metadata, so that a new key is one line.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

_KEY = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """The values that one key may have.

    `doc` is one phrase, `unit` its unit ("" for none). Bounds apply to numbers, and to each entry
    of a list; `infinite` allows inf (nan never is). `choices` lists the strings allowed; those in
    `later`, and every value but the default where `later` is True, belong to a later version.
    `aliases` are pairs of a choice and the choice that it stands for.
    """

    doc: str
    unit: str = ""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    infinite: bool = False
    choices: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    later: tuple[str, ...] | bool = ()

    def contains(self, number: float) -> bool:
        """Whether a number lies within the bounds."""
        if isinstance(number, int):
            if number.bit_length() > 63:
                return False
        elif math.isnan(number) or (math.isinf(number) and not self.infinite):
            return False
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )

    def range(self) -> str:
        """The bounds in words, with a leading blank: " >= 1 and < 5"; "" where there are none."""
        bounds = (
            (">=", self.at_least),
            (">", self.above),
            ("<=", self.at_most),
            ("<", self.below),
        )
        text = " and ".join(f"{sign} {bound:.12g}" for sign, bound in bounds if bound is not None)
        return (f" {text}" if text else "") + (", or inf" if self.infinite else "")

    @property
    def choices_now(self) -> tuple[str, ...]:
        """The choices that do not belong to a later version."""
        later = self.later if isinstance(self.later, tuple) else ()
        return tuple(choice for choice in self.choices if choice not in later)

    def is_later(self, value: object, default: object) -> bool:
        """Whether this value of the key belongs to a later version."""
        if isinstance(self.later, bool):
            return self.later and value != default
        return value in self.later


def option(default: Any = dataclasses.MISSING, /, *, doc: str, **limits: Any) -> Any:
    """A dataclass field that carries an `Option` (the limits are its attributes)."""
    return dataclasses.field(default=default, metadata={_KEY: Option(doc=doc, **limits)})


def free_table(*, doc: str) -> Any:
    """A dataclass field for a table whose keys are free; empty by default."""
    return dataclasses.field(default_factory=dict, metadata={_KEY: Option(doc=doc)})


def option_of(field: dataclasses.Field[Any]) -> Option:
    """The `Option` of a field declared with `option`."""
    return field.metadata[_KEY]
