"""Presets: tables of card keys that `preset = "..."` puts below those of the card itself.

What they hold, and where each value comes from, is in `fab_presets`. Where a value depends on the
method of the training, so does the preset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fabgen.card import toml
from fabgen.card.fab_presets import BY_METHOD, PRESETS, Table, over
from fabgen.card.messages import did_you_mean, wrong_type
from fabgen.errors import InputError


def apply_preset(table: Table) -> dict[str, Any]:
    """The card's table on top of the preset that it names. Raises InputError for an unknown one."""
    rest = {key: value for key, value in table.items() if key != "preset"}
    if "preset" not in table:
        return rest
    name = table["preset"]
    known = ", ".join(toml.string(known) for known in PRESETS)
    if not isinstance(name, str):
        raise wrong_type("preset", name, f"one of: {known}")
    if name not in PRESETS:
        raise InputError(
            "unknown preset",
            key="preset",
            found=toml.value(name),
            allowed=f"one of: {known}",
            hint=did_you_mean(name, PRESETS),
        )
    training = rest.get("training")
    method = training.get("method") if isinstance(training, Mapping) else None
    own = BY_METHOD[name].get(method, {}) if isinstance(method, str) else {}
    return over(over(PRESETS[name], own), rest)
