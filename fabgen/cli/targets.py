"""From the argument CARD, RUN or PROCESS of a command to a card and a run directory.

Heavy packages are imported by the functions that need them.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fabgen.errors import InputError

if TYPE_CHECKING:
    from fabgen.card import Card

_DATA = "training.fkld.data"


def card_and_run(
    target: str,
    run: Path | None,
    settings: list[str] | None,
    seed: int | None,
    data: str | None = None,
) -> tuple[Card, Path]:
    """The card that an argument CARD or RUN means, and the run directory to work in."""
    if data is None:
        return _loaded(target, run, settings or [], seed)
    from fabgen.card.steps import wrong_data
    from fabgen.card.toml import string

    try:
        card, directory = _loaded(target, run, [*(settings or []), f"{_DATA}={string(data)}"], seed)
    except InputError as error:
        if error.key != _DATA:
            raise
        raise InputError(
            error.problem,
            key="--data",
            found=error.found,
            allowed=error.allowed,
            hint=error.hint,
        ) from None
    if card.training.method != "fkld":
        raise wrong_data(card, "--data")
    return card, directory


def _loaded(
    target: str, run: Path | None, settings: list[str], seed: int | None
) -> tuple[Card, Path]:
    from fabgen.card import card_of_process, load_card
    from fabgen.run.files import default_run

    path = Path(target)
    if os.path.isdir(target):
        if run is not None and run.resolve() != path.resolve():
            raise InputError(
                "two run directories are given",
                key="--run",
                found=f"{target} and {run}",
                allowed="one of them, or a card with --run",
            )
        file = card_of_run(path)
        if any(setting.partition("=")[0].strip() == "preset" for setting in settings):
            raise InputError(
                "the card of a run holds every key, so a preset would change nothing",
                file="--set",
                key="preset",
                allowed="a preset with the card that the run was made from",
            )
        return load_card(file, settings, seed), path
    if not is_file(target) and _is_process(target):
        from fabgen.process.run_names import run_name

        name = run_name(target)
        card = dataclasses.replace(card_of_process(target, settings, seed), name=name)
    else:
        card = load_card(path, settings, seed)
    return card, run if run is not None else default_run(card.name)


def is_file(target: str) -> bool:
    """Whether an argument means a card, there or not, and not a process."""
    return target.endswith(".toml") or os.path.exists(target)


def _is_process(target: str) -> bool:
    """Whether an argument that is no file reads as a process, and not as the name of a card."""
    text = target.strip()
    words = " " in text and os.sep not in text
    return ">" in text or words or text.lower().startswith("toy:")


def card_of_run(path: Path) -> Path:
    from fabgen.run.directory import is_run

    if not is_run(path):
        raise InputError(
            "the directory holds no run", file=path, allowed="a card, or the directory of a run"
        )
    return path / "card.toml"
