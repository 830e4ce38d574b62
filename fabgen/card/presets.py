"""Presets: tables of card keys that `preset = "..."` puts below those of the card itself.

What those of the FAB paper hold, and where each value comes from, is in `fab_presets`. Where a
value depends on the method of the training, so does the preset. `preset = "madgraph"` has the cuts
of MadGraph's run card for protons as it comes; decays have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fabgen.card import toml
from fabgen.card.fab_presets import BY_METHOD, PRESETS, Table, over
from fabgen.card.messages import did_you_mean, wrong_type
from fabgen.errors import InputError

#: Those of MadGraph's cuts that are on if its run card is left as it is.
_MADGRAPH: Table = {
    "cuts": {
        **{"ptj": 20.0, "ptl": 10.0, "pta": 10.0},
        **{"etaj": 5.0, "etal": 2.5, "etaa": 2.5},
        **dict.fromkeys(("drjj", "drll", "draa", "draj", "drjl", "dral"), 0.4),
    }
}
_KNOWN = (*PRESETS, "madgraph")


def apply_preset(table: Table) -> dict[str, Any]:
    """The card's table on top of the preset that it names. Raises InputError for an unknown one."""
    rest = {key: value for key, value in table.items() if key != "preset"}
    if "preset" not in table:
        return rest
    name = table["preset"]
    known = ", ".join(toml.string(known) for known in _KNOWN)
    if not isinstance(name, str):
        raise wrong_type("preset", name, f"one of: {known}")
    if name not in _KNOWN:
        raise InputError(
            "unknown preset",
            key="preset",
            found=toml.value(name),
            allowed=f"one of: {known}",
            hint=did_you_mean(name, _KNOWN),
        )
    return over(_values(name, rest), rest)


def _values(name: str, card: Table) -> Table:
    """What a preset says to a card."""
    if name == "madgraph":
        return _MADGRAPH if _has_two_beams(card.get("process")) else {}
    training = card.get("training")
    method = training.get("method") if isinstance(training, Mapping) else None
    own = BY_METHOD[name].get(method, {}) if isinstance(method, str) else {}
    return over(PRESETS[name], own)


def _has_two_beams(process: object) -> bool:
    """Whether the processes of a card have two particles before the first arrow."""
    lines = process if isinstance(process, list) else [process]
    beams = [line.partition(">")[0].split() for line in lines if isinstance(line, str)]
    return bool(beams) and all(len(names) == 2 for names in beams)
