"""What the card of an amplitude model may say: such a model is one decay, without diagrams."""

from __future__ import annotations

import dataclasses

from fabgen.card import toml
from fabgen.card.schema import AMPLITUDE_MODELS, Beams, Card, PhaseSpace, Scales
from fabgen.errors import InputError


def check_amplitude_model(card: Card) -> None:
    """Refuses mapping = "dalitz" for other models, and keys without a meaning for these."""
    if card.model not in AMPLITUDE_MODELS:
        if card.phase_space.mapping == "dalitz":
            raise InputError(
                f"the mapping is for amplitude models, not for {card.model}",
                key="phase_space.mapping",
                found='"dalitz"',
                allowed=f'"channels" or "rambo"; or model = "{AMPLITUDE_MODELS[0]}"',
            )
        return
    if card.phase_space.mapping == "rambo":
        raise InputError(
            f"an amplitude model has two dimensions, {card.model} has no map of all momenta",
            key="phase_space.mapping",
            found='"rambo"',
            allowed='"dalitz" or "channels"',
        )
    for key, value in _given(card):
        raise InputError(
            f"the key has no meaning for {card.model}, the amplitude model of one decay",
            key=key,
            found=toml.value(value),
            allowed="no such key",
        )


def _given(card: Card) -> list[tuple[str, object]]:
    """Keys that do not apply and are there. A resolved card holds every default."""
    tables = {"multiparticles": card.multiparticles, "cuts": card.cuts}
    given: list[tuple[str, object]] = []
    given += [(f"{table}.{k}", v) for table, values in tables.items() for k, v in values.items()]
    for table, options, default in (
        ("beams", card.beams, Beams()),
        ("scales", card.scales, Scales()),
        ("phase_space", card.phase_space, PhaseSpace(mapping=card.phase_space.mapping)),
    ):
        for field in dataclasses.fields(options):
            value = getattr(options, field.name)
            if value != getattr(default, field.name):
                given.append((f"{table}.{field.name}", value))
    return given
