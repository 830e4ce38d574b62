"""The files of a run: their names, and the paths of one run.

    DIR/card.toml        the card as resolved, every default written out
    DIR/surrogate/1/     checkpoint of the training
    DIR/sample/1/        what fkld learns from: points of the unit cube
    DIR/training.jsonl   one line per log step
    DIR/auto.json        what training.method = "auto" has measured and decided so far
    DIR/metrics.jsonl    the surrogate along the training, one line per step it was evaluated at
    DIR/events.lhe[.gz]  events; further ones: events-2.lhe[.gz], events-3.lhe[.gz], ...
    DIR/report.json      figures; of further events: report-2.json, report-3.json, ...
    DIR/plots/           pictures
    DIR/.new/            results on their way into their places, see `commit`
    DIR/.lock            held while a process works here

A run with several numbers of final particles has several parts: surrogate/2/, training-2.jsonl,
metrics-2.jsonl, auto-2.json and so on are those of the second one.

Every file is written beside its place and renamed into it, so that a reader or a killed process
finds the old file or the new one. No file or folder of a run may be a symbolic link.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fabgen import files
from fabgen.errors import FabgenError, InputError
from fabgen.files import write_atomic, writing
from fabgen.json_files import read_json, read_lines

CARD, LOCK = "card.toml", ".lock"
#: What a run needs of every line of its logs; the rest is for pictures.
_STEP = {"step": int}
_TRAINING = {**_STEP, "target_evaluations": int}
_METRICS = {**_STEP, "evaluations": int}
SURROGATE, SAMPLE, PLOTS, NEW = FOLDERS = ("surrogate", "sample", "plots", ".new")
#: Of the parts of a run: what they have decided, and their logs.
_AUTO = re.compile(r"auto(?:-(?:[2-9]|[1-9][0-9]+))?\.json")
_LOG = re.compile(r"(?:training|metrics)(?:-(?:[2-9]|[1-9][0-9]+))?\.jsonl")
#: Numbers of nine digits at most: random keys are made with them.
_EVENTS = re.compile(r"events(?:-([2-9]|[1-9][0-9]{1,8}))?\.lhe(?:\.gz)?")
_REPORT = re.compile(r"report(?:-([2-9]|[1-9][0-9]{1,8}))?\.json")


def events_name(number: int, file_format: str) -> str:
    """The name of the number-th event file (from 1) in a format ("lhe" or "lhe.gz")."""
    return f"{_numbered('events', number)}.{file_format}"


def report_name(number: int) -> str:
    """The name of the report of the number-th event file."""
    return f"{_numbered('report', number)}.json"


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def number_of(name: str) -> int | None:
    """The number of the events that a file holds or is the report of; None for other files."""
    found = _EVENTS.fullmatch(name) or _REPORT.fullmatch(name)
    return int(found[1] or 1) if found else None


def is_events(name: str) -> bool:
    """Whether an event file has this name."""
    return _EVENTS.fullmatch(name) is not None


def is_trained(name: str) -> bool:
    """Whether a file or folder with this name holds what a training has made or decided."""
    return name == SURROGATE or _AUTO.fullmatch(name) is not None


def is_ours(name: str) -> bool:
    """Whether a file or folder with this name belongs to a run."""
    known = name in (CARD, LOCK, *FOLDERS) or number_of(name) is not None
    return known or any(pattern.fullmatch(name) for pattern in (_AUTO, _LOG))


def names_in(path: Path) -> list[str]:
    """The names of what a directory holds, sorted; none where there is no directory."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def default_run(name: str) -> Path:
    """The run directory of a card without --run: called after the card, in runs/."""
    if not name.removesuffix(".toml").strip("."):
        raise InputError(
            "the card has no name that a run directory could be called after",
            found=name,
            allowed="a name such as muons.toml",
            hint="--run DIR says where the run is kept",
        )
    return Path("runs") / name


def refuse_odd(path: Path) -> None:
    """Raises InputError if something else stands where a run keeps a file or a folder.

    A symbolic link would be followed to what belongs to somebody else, a FIFO would be waited for.
    """
    for name in names_in(path):
        temporary = name.startswith(".") and name.endswith(".new") and name != NEW
        if is_ours(name) or temporary:
            _refuse_other(path / name, "folder" if name in FOLDERS else "file")
    for name in names_in(path / NEW):
        _refuse_other(path / NEW / name, "file")
    for name in FOLDERS:
        for entry in _below(path / name):
            if (found := files.kind(entry)) != "folder":
                _refuse_other(entry, "file", found)


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder."""
    for name in names_in(folder):
        yield folder / name
        if files.kind(folder / name) == "folder":
            yield from _below(folder / name)


def _refuse_other(path: Path, wanted: str, found: str | None = None) -> None:
    found = found or files.kind(path)
    if found not in (wanted, None):
        raise InputError(
            f"a run keeps a {wanted} here, and something else is in its place",
            file=path,
            found=found,
            allowed=f"a {wanted}",
            hint="move it away; the directory of the run itself may be a symbolic link",
        )


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one part of a run. Methods that write expect the lock (`directory.open_run`).

    part: from 1 on, of a run with several numbers of final particles. entered: what tells that the
    directory is still the one that was entered (`identity`): then every use of a path looks whether
    it is, and raises FabgenError if not.
    """

    path: Path
    entered: tuple[int, ...] | None = None
    part: int = 1

    def of_part(self, part: int) -> RunDirectory:
        """The paths of another part."""
        return replace(self, part=part)

    def at(self, name: str) -> Path:
        """The path of a file or folder of the run."""
        self.check()
        return self.path / name

    def _own(self, name: str) -> Path:
        """The folder of this part in one of the run's, which must not be a link."""
        folder = self.at(name)
        if (found := files.kind(folder)) not in ("folder", None):
            raise FabgenError(f"{folder} is {found}, and a run keeps a folder here: move it away")
        return folder / str(self.part)

    def check(self) -> None:
        """Raises FabgenError if the run has been moved, removed or replaced meanwhile."""
        if self.entered is not None and identity(self.path) != self.entered:
            raise FabgenError(
                f"{self.path} is no longer the directory that this run began in: it was moved, "
                "removed or replaced; nothing more is written. Where it is now, "
                "`fabgen generate DIR` goes on with it"
            )

    @property
    def card(self) -> Path:
        return self.at(CARD)

    @property
    def surrogate(self) -> Path:
        return self._own(SURROGATE)

    @property
    def sample(self) -> Path:
        return self._own(SAMPLE)

    @property
    def training_log(self) -> Path:
        return self.at(f"{_numbered('training', self.part)}.jsonl")

    @property
    def metrics_log(self) -> Path:
        return self.at(f"{_numbered('metrics', self.part)}.jsonl")

    @property
    def auto(self) -> Path:
        return self.at(f"{_numbered('auto', self.part)}.json")

    @property
    def plots(self) -> Path:
        return self.at(PLOTS)

    def report(self, number: int = 1) -> Path:
        return self.at(report_name(number))

    def event_files(self) -> list[Path]:
        """The event files that there are, in the order of their numbers."""
        names = [name for name in names_in(self.path) if is_events(name)]
        return [self.path / name for name in sorted(names, key=lambda n: number_of(n) or 0)]

    def events_of(self, number: int) -> Path | None:
        """The event file with a number; the first name where somebody has put two formats."""
        return next((f for f in self.event_files() if number_of(f.name) == number), None)

    @property
    def numbers(self) -> list[int]:
        """The numbers that are taken by events or by a report of events, in order.

        A report of no events, by `fabgen integrate`, takes none: new events may replace it.
        """
        names = names_in(self.path)
        taken = {
            number_of(name)
            for name in names
            if is_events(name) or (number_of(name) and not self._is_without_events(name))
        }
        return sorted(number for number in taken if number is not None)

    def _is_without_events(self, report: str) -> bool:
        try:
            return bool(read_json(self.path / report, dict[str, Any]).get("events") == 0)
        except InputError:
            return False

    def store_picture(self, name: str, content: bytes) -> Path:
        """Writes a picture; `name` is its file name. Returns where it is."""
        folder = self.plots
        with writing(folder):
            folder.mkdir(exist_ok=True)
            refuse_odd(self.path)
        write_atomic(folder / name, content)
        return folder / name

    def training_records(self) -> list[dict[str, Any]]:
        """The lines of training.jsonl; one that a kill has cut off is left out. Raises InputError
        for a damaged file, as `truncate_logs` and `evaluations_along` do."""
        return read_lines(self.training_log, _TRAINING)

    def truncate_logs(self, step: int | None) -> None:
        """Drops the lines of training.jsonl and metrics.jsonl after `step` (all of them for None):
        a resumed training writes them again."""
        for log in (self.training_log, self.metrics_log):
            if not log.exists():
                continue
            kept = b""
            if step is not None:
                steps = [record["step"] for record in read_lines(log, _STEP)]
                lines = log.read_bytes().splitlines(keepends=True)
                kept = b"".join(s for s, n in zip(lines, steps, strict=False) if n <= step)
            if len(kept) != log.stat().st_size:
                write_atomic(log, kept)

    def append_log(self, record: Mapping[str, Any]) -> None:
        """Adds one line to training.jsonl and flushes it to the disk."""
        _append(self.training_log, record)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Adds one line to metrics.jsonl and flushes it to the disk."""
        _append(self.metrics_log, record)

    @property
    def evaluations_along(self) -> int:
        """Calls of f that the lines of metrics.jsonl took."""
        return sum(r["evaluations"] for r in read_lines(self.metrics_log, _METRICS))


def identity(path: Path) -> tuple[int, ...]:
    """The identity of a run directory: numbers of itself and of its lock; () if it has lost them
    or its card."""
    try:
        folder, lock = path.stat(), (path / LOCK).lstat()
        (path / CARD).lstat()
    except OSError:
        return ()
    return folder.st_dev, folder.st_ino, lock.st_dev, lock.st_ino


def _append(log: Path, record: Mapping[str, Any]) -> None:
    files.append(log, (json.dumps(dict(record), allow_nan=False) + "\n").encode())
