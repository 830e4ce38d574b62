"""Defaults of the keys of FAB, and the methods that [training.anneal] allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fabgen.card import toml
from fabgen.card.schema import Card
from fabgen.errors import InputError

#: The methods that may start with other parameters of f. The running means and grids of the others
#: would be those of another f.
ANNEAL_METHODS = ("fab", "fab-nobuffer", "rkld", "variance-inverse", "kl-inverse")


#: Without a buffer the points of a pass are all there is: they are annealed.
_INTERMEDIATE_NOBUFFER = 2


def with_default_chains(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a card; training.fab.intermediate = 2 with fab-nobuffer and no such key."""
    training = table.get("training", {})
    if not isinstance(training, Mapping) or training.get("method") != "fab-nobuffer":
        return dict(table)
    fab = training.get("fab", {})
    if not isinstance(fab, Mapping):
        return dict(table)
    fab = {"intermediate": _INTERMEDIATE_NOBUFFER, **fab}
    return {**table, "training": {**training, "fab": fab}}


def check_anneal(card: Card) -> None:
    """Raises InputError for a method whose f cannot change while it trains."""
    training = card.training
    if training.anneal and training.method not in ANNEAL_METHODS:
        name, value = next(iter(training.anneal.items()))
        raise InputError(
            "f stays the same while this method trains",
            key=f"training.anneal.{name}",
            found=f'{toml.value(value)} with training.method = "{training.method}"',
            allowed="training.method = " + " or ".join(f'"{m}"' for m in ANNEAL_METHODS),
        )
