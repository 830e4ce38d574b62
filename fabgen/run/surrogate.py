"""The surrogate that a card asks for, of as many channels as its integrand has."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from typing import TYPE_CHECKING, Any

from fabgen.card import Card, dump_card
from fabgen.card.auto import is_automatic
from fabgen.card.channels import MADNIS_METHODS, WEIGHT_METHODS
from fabgen.card.messages import with_source
from fabgen.errors import InputError

if TYPE_CHECKING:
    from fabgen.integrand.base import Integrand


def surrogate_of(card: Card, integrand: Integrand) -> Any:
    """A Surrogate, or a MultiChannel where the integrand has several channels; untrained."""
    from fabgen.surrogate import build_channels
    from fabgen.surrogate.channel_weights import ChannelLayout

    return build_channels(
        integrand.dim,
        ChannelLayout(integrand.component_of_channel),
        integrand.density_of_channel,
        integrand.n_features,
        card.surrogate,
        card.channels,
        trained_weights=card.training.method in WEIGHT_METHODS,
        grids=pretrains(card, integrand.n_channels),
    )


def has_training(card: Card, integrand: Integrand) -> bool:
    """Whether there is anything to train: a flow, a grid, or the weights of several channels."""
    weights = card.channels.trained_weights and card.training.method in WEIGHT_METHODS
    return card.surrogate.kind != "uniform" or (weights and integrand.n_channels > 1)


def check_training(card: Card, integrand: Integrand) -> None:
    """Raises InputError where a training of the card would, once its channels are known.

    Automatic ones take what they need.
    """
    trains = card.surrogate.kind != "vegas" and has_training(card, integrand)
    if is_automatic(card) or not trains:
        return
    from fabgen.training.deform import path_of
    from fabgen.training.loop import check_batch

    training = card.training
    try:
        check_batch(training, integrand.n_channels)
        path_of(training.anneal, integrand, training.anneal_part, training.steps)
    except InputError as error:
        raise with_source(error, card) from None


def annealed(card: Card, integrand: Integrand) -> Card:
    """The card with the widths in training.anneal that `fab` starts wider by default.

    Of resonances that no map follows: f at their own widths is all peaks that few points find.
    """
    training = card.training
    widths = getattr(integrand, "unmapped_widths", ())
    if training.method != "fab" or training.anneal_widths == 1.0 or not widths:
        return card
    factor = f"x{training.anneal_widths:g}"
    anneal = dict.fromkeys(widths, factor) | dict(training.anneal)
    return dataclasses.replace(card, training=dataclasses.replace(training, anneal=anneal))


def pretrains(card: Card, n_channels: int) -> bool:
    """Whether the flows start from VEGAS grids."""
    methods = WEIGHT_METHODS if n_channels > 1 else MADNIS_METHODS
    wanted = card.training.method in methods and card.training.madnis.vegas_pretraining
    return wanted and card.surrogate.kind == "flow"


def describe_training(card: Card) -> dict[str, str]:
    """The mark of a checkpoint: a hash of all that the training depends on."""
    values = tomllib.loads(dump_card(card))  # without the comments, which are for readers
    free = ("evaluation", "generation", "limits")
    used = {key: values[key] for key in values if key not in free}
    text = json.dumps(used, sort_keys=True)
    return {"card": hashlib.sha256(text.encode()).hexdigest()}
