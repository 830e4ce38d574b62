"""Defaults of [channels] and of the filter of gradients, and keys that contradict each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fabgen.card import toml
from fabgen.card.auto import is_auto
from fabgen.card.schema import AMPLITUDE_MODELS, Card
from fabgen.card.toys import is_toy
from fabgen.errors import InputError

#: The methods that learn from values of f, channel by channel, and train channel weights.
MADNIS_METHODS = ("variance", "kl", "rkld-forward")
#: The methods that train the weights of several channels, from VEGAS grids on, and may drop some.
WEIGHT_METHODS = (*MADNIS_METHODS, "fab")


def with_default_filter(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a card; training.skip_factor = inf with variance, kl, auto and no such key.

    A channel weight that is too large where its channel rarely goes shows in few, large gradients.
    The filter would take them for spoiled ones, and the weight would never come back (a cut camel
    back with trained weights: 1.74 % instead of 1.01 % error). Clipping does no harm.
    """
    training = table.get("training", {})
    if not isinstance(training, Mapping):
        return dict(table)
    if not is_auto(table) and training.get("method") not in MADNIS_METHODS:
        return dict(table)
    return {**table, "training": {"skip_factor": float("inf"), **training}}


def with_channels(card: Card) -> Card:
    """The card of a run, with channels.use = "auto" decided.

    All where diagrams have maps. The points of one channel may miss most of a process, without a
    sign of it in the error: a flow trained by rkld on the most resonant one of e+ e- > mu+ mu- b b~
    saw 44 % of the cross section.
    """
    if card.channels.use != "auto" or not _has_channels(card):
        return card
    return dataclasses.replace(card, channels=dataclasses.replace(card.channels, use="all"))


def _has_channels(card: Card) -> bool:
    """Whether its diagrams have maps of their own."""
    diagrams = not is_toy(card.process) and card.model not in AMPLITUDE_MODELS
    return diagrams and card.phase_space.mapping == "channels"


def check_channels(card: Card) -> None:
    """Raises InputError for keys that contradict each other."""
    channels, madnis = card.channels, card.training.madnis
    if channels.use == "all":
        _check_diagrams(card, "channels.use", '"all"', '"auto" or "one"')
    if channels.drop:
        _check_diagrams(card, "channels.drop", toml.value(channels.drop), "[]")
        if channels.prior == "diagrams":
            raise InputError(
                'channels.prior = "diagrams" needs a channel for every diagram',
                key="channels.drop",
                found=toml.value(channels.drop),
                allowed="[], or another prior",
            )
    if channels.drop_below > 0.0 and card.training.method not in WEIGHT_METHODS:
        raise InputError(
            "channels are dropped by the methods that follow their shares while they train",
            key="channels.drop_below",
            found=f'{channels.drop_below:g} with training.method = "{card.training.method}"',
            allowed="0, or training.method = " + " or ".join(f'"{m}"' for m in WEIGHT_METHODS),
        )
    if madnis.buffer_gain != round(madnis.buffer_gain):
        raise InputError(
            "every batch of fresh points is used a whole number of times",
            key="training.madnis.buffer_gain",
            found=f"{madnis.buffer_gain:g}",
            allowed="1, 2, 3, ...",
        )


def _check_diagrams(card: Card, key: str, found: str, allowed: str) -> None:
    """Channels of diagrams need diagrams, and a map that follows them."""
    if is_toy(card.process) or card.model in AMPLITUDE_MODELS:
        raise InputError(
            "there are no diagrams that channels could follow",
            key=key,
            found=found,
            allowed=allowed,
            hint="channels.maps chooses the channels of a toy" if is_toy(card.process) else None,
        )
    if card.phase_space.mapping != "channels":
        raise InputError(
            "channels of diagrams need a map that follows them",
            key=key,
            found=f'{found} with phase_space.mapping = "{card.phase_space.mapping}"',
            allowed='phase_space.mapping = "channels"',
        )
