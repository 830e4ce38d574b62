"""How long a training is: training.steps, or with fkld training.fkld.epochs.

fkld passes over a sample whose size is known only once it is there, so its number of steps is
epochs x (events for training / batch_size, rounded down) and training.steps is 0: without that key
a card of fkld gets 0, and every other value is refused. The other methods need 1 or more; with auto
they are the most that a training is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fabgen.card.auto import AUTO, MOST_STEPS, is_auto
from fabgen.card.schema import Card, TrainingOptions
from fabgen.errors import InputError


def with_default_steps(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a card; if it has no training.steps, 0 with fkld and MOST_STEPS with auto."""
    training = table.get("training", {})
    if not isinstance(training, Mapping):
        return dict(table)
    if is_auto(table):
        return {**table, "training": {"steps": MOST_STEPS, **training}}
    if training.get("method") == "fkld":
        return {**table, "training": {"steps": 0, **training}}
    return dict(table)


def check_steps(training: TrainingOptions) -> None:
    """Raises InputError where the length of the training and of its warm-up do not fit."""
    if training.method == "fkld":
        _check_epochs(training)
        return
    if training.steps < 1:
        raise InputError(
            "a value is out of range",
            key="training.steps",
            found=training.steps,
            allowed='an integer >= 1 and <= 1000000000 (0 only with training.method = "fkld")',
        )
    length, key = training.steps, "training.steps"
    if training.schedule_updates:
        length, key = training.schedule_updates, "training.schedule_updates"
    _check_warm_up(training, length, key)


def check_data(card: Card) -> None:
    """Raises InputError for an event file that its card seems to want to learn from, and would not.

    With another method by name it is one of the tables that only their method reads.
    """
    method, kind, file = card.training.method, card.surrogate.kind, card.training.fkld.data
    if file and (method == AUTO or (method == "fkld" and kind != "flow")):
        raise wrong_data(card, "training.fkld.data")


def wrong_data(card: Card, key: str) -> InputError:
    """The error for an event file, given by `key`, that this card does not learn from."""
    method, kind, file = card.training.method, card.surrogate.kind, card.training.fkld.data
    settings = [("training.method", method, "fkld"), ("surrogate.kind", kind, "flow")]
    return InputError(
        "only a flow learns from an event file, by the forward divergence",
        key=key,
        found=f'"{file}" with training.method = "{method}" and surrogate.kind = "{kind}"',
        allowed='training.method = "fkld" with surrogate.kind = "flow"',
        hint=" ".join(f"--set {name}={right}" for name, now, right in settings if now != right),
    )


def _check_warm_up(training: TrainingOptions, length: int, key: str) -> None:
    if training.schedule == "warmup-cosine" and training.warmup_steps >= length:
        raise InputError(
            "the warm-up takes all of the schedule",
            key="training.warmup_steps",
            found=training.warmup_steps,
            allowed=f"less than {key} = {length}",
        )


def _check_epochs(training: TrainingOptions) -> None:
    fkld = training.fkld
    if training.steps:
        raise InputError(
            "with fkld the epochs, not the steps, set the length of the training",
            key="training.steps",
            found=training.steps,
            allowed="0, or no such key: the steps are epochs x batches of the sample",
            hint=f"training.fkld.epochs (now {fkld.epochs}) sets the length",
        )
    left = fkld.events - round(fkld.validation * fkld.events)
    if not fkld.data and left < training.batch_size:
        raise InputError(
            "the sample does not fill one batch",
            key="training.fkld.events",
            found=f"{fkld.events}, of which {left} are left for training",
            allowed=f"enough for training.batch_size = {training.batch_size}",
        )
    if fkld.warmup_epochs and training.warmup_steps:
        raise InputError(
            "the warm-up is given twice",
            key="training.fkld.warmup_epochs",
            found=f"{fkld.warmup_epochs}, and training.warmup_steps = {training.warmup_steps}",
            allowed="one of them, the other 0",
        )
    if training.schedule == "warmup-cosine" and fkld.warmup_epochs >= fkld.epochs:
        raise InputError(
            "the warm-up takes all of the training",
            key="training.fkld.warmup_epochs",
            found=fkld.warmup_epochs,
            allowed=f"less than training.fkld.epochs = {fkld.epochs}",
        )
    if training.schedule_updates:
        _check_warm_up(training, training.schedule_updates, "training.schedule_updates")
