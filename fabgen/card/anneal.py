"""What [training.anneal] allows the method to be."""

from __future__ import annotations

from fabgen.card import toml
from fabgen.card.schema import Card
from fabgen.errors import InputError

#: The methods that may start with other parameters of f. The running means and grids of the others
#: would be those of another f.
ANNEAL_METHODS = ("fab", "fab-nobuffer", "rkld", "variance-inverse", "kl-inverse")


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
