"""Effects of `training.method = "auto"` on other keys, and keys that contradict it.

It is the default. With `surrogate.kind = "auto"`, the default beside it, the run chooses among the
untrained map, VEGAS grids, a small flow and one of the size that the card says; with "flow" the
flow is the card's and only the length of its training is chosen; "vegas" and "uniform" leave
nothing to choose. Flows are trained as with `variance`, in rounds (`round_ends`), each with its own
annealing of the learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fabgen.card.schema import Card
from fabgen.errors import InputError

AUTO = "auto"
#: training.steps without that key: the most that a training is given.
MOST_STEPS = 10_000
#: Steps of the first round; every other one is twice as long as the one before.
FIRST_ROUND = 256


def is_auto(table: Mapping[str, Any]) -> bool:
    """Whether the table of a card, without its preset, leaves the method to the run."""
    training = table.get("training", {})
    return isinstance(training, Mapping) and training.get("method", AUTO) == AUTO


def is_automatic(card: Card) -> bool:
    """Whether a run of the card has anything to choose."""
    return card.training.method == AUTO and card.surrogate.kind in (AUTO, "flow")


def with_default_kind(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a card; surrogate.kind = "flow" if it names a method and has no such key."""
    surrogate = table.get("surrogate", {})
    if is_auto(table) or not isinstance(surrogate, Mapping):
        return dict(table)
    return {**table, "surrogate": {"kind": "flow", **surrogate}}


def round_ends(steps: int) -> tuple[int, ...]:
    """The steps at which rounds end: 256, 768, 1792, ..., the last one at `steps`."""
    ends, length = [min(FIRST_ROUND, steps)], FIRST_ROUND
    while ends[-1] < steps:
        length *= 2
        ends.append(min(ends[-1] + length, steps))
    return tuple(ends)


def check_auto(card: Card) -> None:
    """Raises InputError for keys that contradict each other."""
    training = card.training
    if training.method != AUTO:
        if card.surrogate.kind == AUTO:
            raise InputError(
                "only a run that chooses its method chooses its surrogate",
                key="surrogate.kind",
                found=f'"auto" with training.method = "{training.method}"',
                allowed='"flow", "vegas" or "uniform"; or training.method = "auto"',
            )
        return
    if training.schedule == "warmup-cosine":
        raise InputError(
            "every round of an automatic training has the same schedule, without a warm-up",
            key="training.schedule",
            found='"warmup-cosine" with training.method = "auto"',
            allowed='"cosine" or "constant"',
        )
    if training.schedule_updates:
        raise InputError(
            "every round of an automatic training has a schedule of its own length",
            key="training.schedule_updates",
            found=training.schedule_updates,
            allowed="0, or no such key",
        )
