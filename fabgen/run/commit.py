"""Results take their places together: event file, report and card of a run.

They are written into DIR/.new/ under their final names. The one instant in which they become the
results is the appearance of .new/commit.json, which names what takes its place and what goes. Then
the files are moved; a process that is killed meanwhile leaves that to the next one that enters the
run, a process that is killed before leaves the old results.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabgen import interrupts
from fabgen.card import Card, dump_card
from fabgen.errors import InputError
from fabgen.files import sync, write_atomic, writing
from fabgen.inputs import read_input
from fabgen.run.files import CARD, NEW, RunDirectory, number_of, report_name

_RECORD = "commit.json"
#: Of that record, a few names.
_MAX_BYTES = 1 << 20


def staged(run: RunDirectory, name: str) -> Path:
    """Where a new result is written before it takes its place; nothing is there yet."""
    folder = run.at(NEW)
    with writing(folder):
        folder.mkdir(exist_ok=True)
        (folder / name).unlink(missing_ok=True)
    return folder / name


def store(
    run: RunDirectory,
    report: Mapping[str, Any],
    card: Card | None,
    events: Sequence[str] = (),
    old: Sequence[str] = (),
) -> None:
    """Puts a report in its place, with it the card, if there is one, and staged event files.

    `old` files of the run go, but for those that were replaced. All or nothing: raises FabgenError
    where the system refuses.
    """
    from fabgen.json_files import dump_report

    name = report_name(report.get("number", 1))
    with interrupts.held():
        write_atomic(staged(run, name), dump_report(report))
        names = [*events, name]
        if card is not None:
            write_atomic(staged(run, CARD), dump_card(card))
            names.append(CARD)
        remove = [name for name in old if name not in names]
        record = run.at(NEW) / _RECORD
        write_atomic(record, json.dumps({"install": names, "remove": remove}) + "\n")
        finish(run)
        interrupts.mark_stored()


def finish(run: RunDirectory) -> None:
    """Ends what a killed process had begun to commit; drops what it had not.

    Raises InputError for a record that is not one of a commit, FabgenError where the system refuses
    to move a file.
    """
    folder = run.at(NEW)
    if not folder.exists():
        return
    with writing(run.path):
        if (folder / _RECORD).exists():
            names, remove = _read(folder / _RECORD)
            for name in names:
                if (folder / name).exists():
                    (folder / name).replace(run.path / name)
            for name in remove:
                (run.path / name).unlink(missing_ok=True)
            sync(run.path)
        # The record goes last of all: without it the rest would be dropped.
        for file in folder.iterdir():
            if file.name != _RECORD:
                file.unlink()
        shutil.rmtree(folder)


def _read(record: Path) -> tuple[list[str], list[str]]:
    """The names of the files that take their places, and of those that go."""
    try:
        values = json.loads(read_input(record, _MAX_BYTES))
        lists = values["install"], values["remove"]
        for name in (*lists[0], *lists[1]):
            if name != CARD and number_of(name) is None:
                raise ValueError(name)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError):
        raise InputError(
            "the results that were on their way cannot be read",
            file=record,
            hint=f"remove {record.parent} to keep the results that the run had before",
        ) from None
    return lists
