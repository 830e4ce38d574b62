"""Results that the repository keeps, a line of JSON each: no table has to be made in one go.

A benchmark uses the line of a run again if its settings are still the same, and `--report` adds the
runs of its own folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabgen.card import Card, diff_cards
from fabgen.files import write_atomic
from fabgen.run import RunOptions
from fabgen.run.directory import conflicting_keys, stored_card

Record = dict[str, Any]


def digest(*cards: Card) -> str:
    """A hash of the keys of some cards that do not have their defaults.

    A new key leaves old results alone. A change of a default does, too, as any other change of the
    program: their versions and dates tell.
    """
    values = [[(d.key, repr(d.new)) for d in diff_cards(Card(process=()), card)] for card in cards]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def how_to_run(card: Card, directory: Path, out: Path) -> RunOptions:
    """A run of other settings is done again; one that was interrupted is resumed.

    out: the folder of the runs, for what they compile.
    """
    old = stored_card(directory)
    changed = old is not None and bool(conflicting_keys(old, card))
    return RunOptions(restart=changed, compilation_cache=out / "compiled")


def read_records(file: Path) -> dict[str, Record]:
    """Name of a run -> its record; empty without the file."""
    if not file.exists():
        return {}
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {line.pop("run"): line for line in lines}


def known_records(out: Path, kept: Path) -> dict[str, Record]:
    """Name of a run -> its record: the files of a folder, and what else the repository keeps."""
    own = {file.stem: read_record(file, out) for file in sorted(out.glob("*.json"))}
    return read_records(kept) | own


def read_record(file: Path, out: Path) -> Record:
    """The record of a run; paths in it are relative to the folder of the runs."""
    record = json.loads(file.read_text(encoding="utf-8"))
    return _relative(record, (f"{out.resolve()}/", f"{out}/"))


def _relative(value: Any, folders: Sequence[str]) -> Any:
    if isinstance(value, str):
        for folder in folders:
            value = value.replace(folder, "")
        return value
    if isinstance(value, dict):
        return {key: _relative(inner, folders) for key, inner in value.items()}
    return [_relative(inner, folders) for inner in value] if isinstance(value, list) else value


def write_records(file: Path, records: Mapping[str, Record]) -> None:
    """Writes all records, sorted by name."""
    lines = (json.dumps({"run": name, **records[name]}) for name in sorted(records))
    write_atomic(file, "".join(line + "\n" for line in lines))
