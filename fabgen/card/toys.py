"""Keys of the card of a toy: `process = "toy:NAME"`, an integrand in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fabgen.card.messages import did_you_mean
from fabgen.card.unused import refuse_given
from fabgen.errors import InputError

if TYPE_CHECKING:
    from fabgen.card.schema import Card

TOY_NAMES = ("camel-back", "cut-camel-back", "crossed-ring", "modes", "ridge")
#: Channel weights that a toy can start from.
TOY_PRIORS = ("flat", "densities")
_PREFIX = "toy:"


def is_toy(process: Sequence[str]) -> bool:
    """Whether the process of a card is a toy."""
    return any(entry.strip().lower().startswith(_PREFIX) for entry in process)


def toy_name(process: Sequence[str]) -> str:
    """The name of the toy. Raises InputError for an unknown one, or one among other processes."""
    allowed = ", ".join(f'"{_PREFIX}{name}"' for name in TOY_NAMES)
    if len(process) > 1:
        raise InputError(
            "a toy stands alone", key="process", found=", ".join(process), allowed=allowed
        )
    name = process[0].strip()[len(_PREFIX) :].strip().lower()
    if name not in TOY_NAMES:
        raise InputError(
            "unknown toy",
            key="process",
            found=f'"{process[0]}"',
            allowed=allowed,
            hint=did_you_mean(name, TOY_NAMES, _PREFIX),
        )
    return name


def with_default_prior(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a card; channels.prior = "densities" if it is a toy's and has no such key."""
    process, channels = table.get("process"), table.get("channels", {})
    entries = process if isinstance(process, list) else [process]
    toy = is_toy([entry for entry in entries if isinstance(entry, str)])
    if not toy or not isinstance(channels, Mapping):
        return dict(table)
    return {**table, "channels": {"prior": TOY_PRIORS[1], **channels}}


def check_toy(card: Card) -> None:
    """Refuses what has no meaning for a toy, and what has one for a toy only."""
    if not is_toy(card.process):
        if card.channels.maps:
            raise InputError(
                "the maps of the channels can be chosen for toys only",
                key="channels.maps",
                found=f'"{card.channels.maps}"',
                allowed="no such key: the channels follow from the diagrams",
            )
        return
    toy_name(card.process)
    if card.model != type(card).model:
        raise InputError(
            "a toy has no model", key="model", found=f'"{card.model}"', allowed="no such key"
        )
    if card.channels.prior not in TOY_PRIORS:
        raise InputError(
            "a toy has no diagrams that the channel weights could follow",
            key="channels.prior",
            found=f'"{card.channels.prior}"',
            allowed=" or ".join(f'"{prior}"' for prior in TOY_PRIORS),
        )
    if card.training.method == "fkld":
        raise InputError(
            "a toy has no events to learn from",
            key="training.method",
            found='"fkld"',
            allowed="a method that evaluates f",
        )
    # Keys of [phase_space] pass: the presets that a toy may borrow its training from have some.
    refuse_given(
        card,
        ("multiparticles", "cuts", "beams", "scales"),
        "the key has no meaning for a toy",
    )
