"""Keys of the card of an amplitude model: such a model is one decay, without diagrams."""

from __future__ import annotations

from fabgen.card.schema import AMPLITUDE_MODELS, Card
from fabgen.card.unused import refuse_given
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
    refuse_given(
        card,
        ("multiparticles", "cuts", "beams", "scales", "phase_space"),
        f"the key has no meaning for {card.model}, the amplitude model of one decay",
        used=("phase_space.mapping",),
    )
