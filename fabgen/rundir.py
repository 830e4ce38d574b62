"""The run directory: what a run leaves on disk, and the rules for using it again.

    DIR/card.toml        the card as resolved, every default written out
    DIR/surrogate/       checkpoint of the training
    DIR/sample/          what fkld learns from: points of the unit cube
    DIR/training.jsonl   one line per log step
    DIR/auto.json        what training.method = "auto" has measured and decided so far
    DIR/metrics.jsonl    the surrogate along the training, one line per step it was evaluated at
    DIR/events.lhe[.gz]  events
    DIR/report.json      figures
    DIR/plots/           pictures
    DIR/.lock            held while a process works here

A directory is a run's if its card.toml begins as fabgen writes it. Files of other origin are never
overwritten or removed. Every file is written beside its place and renamed into it, so that a reader
or a killed process finds the old file or the new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabgen.card import HEADER, Card, Difference, diff_cards, dump_card, load_card
from fabgen.errors import FabgenError, InputError
from fabgen.files import temporary, write_atomic, writing
from fabgen.inputs import open_input
from fabgen.json_files import read_lines

_EVENTS = ("events.lhe", "events.lhe.gz")
_FILES = ("card.toml", "training.jsonl", "metrics.jsonl", "auto.json", *_EVENTS, "report.json")
#: What a run makes with its card, to be used again. (A sample of another card is made anew.)
_MADE = ("surrogate", "auto.json", *_EVENTS, "report.json")
_FOLDERS = ("surrogate", "sample", "plots")
#: Tables of the card that may change between two uses of a run.
_FREE_TABLES = ("generation", "evaluation", "limits")


#: What a run needs of every line of its logs; the rest is for pictures.
_STEP = {"step": int}
_TRAINING = {**_STEP, "target_evaluations": int}
_METRICS = {**_STEP, "evaluations": int}


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run. Methods that write expect the lock (`open_run`)."""

    path: Path

    @property
    def card(self) -> Path:
        return self.path / "card.toml"

    @property
    def surrogate(self) -> Path:
        return self.path / "surrogate"

    @property
    def sample(self) -> Path:
        return self.path / "sample"

    @property
    def training_log(self) -> Path:
        return self.path / "training.jsonl"

    @property
    def metrics_log(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def auto(self) -> Path:
        return self.path / "auto.json"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    def events(self, file_format: str) -> Path:
        """The event file of a format ("lhe" or "lhe.gz")."""
        return self.path / f"events.{file_format}"

    @property
    def has_events(self) -> bool:
        """Whether there is an event file of any format."""
        return any((self.path / name).exists() for name in _EVENTS)

    def store_card(self, card: Card) -> None:
        """Writes the resolved card."""
        write_atomic(self.card, dump_card(card))

    def replace_results(self, card: Card, report: str, events: Path | None) -> None:
        """Puts a new report, and new events with it, in the place of the old ones.

        `events` is a finished file beside its place (`new_events`), or None to change the report
        alone. The old report goes first: a report never describes another card or other events
        than those there. Raises FabgenError where the system refuses.
        """
        with writing(self.path):
            self.report.unlink(missing_ok=True)
            self.store_card(card)
            if events is not None:
                for name in _EVENTS:
                    if name != f"events.{card.generation.format}":
                        (self.path / name).unlink(missing_ok=True)
                events.replace(self.events(card.generation.format))
        write_atomic(self.report, report)

    def store_picture(self, name: str, content: bytes) -> Path:
        """Writes a picture; `name` is its file name. Returns where it is."""
        with writing(self.plots):
            self.plots.mkdir(exist_ok=True)
        write_atomic(self.plots / name, content)
        return self.plots / name

    def training_records(self) -> list[dict[str, Any]]:
        """The lines of training.jsonl; one that a kill has cut off is left out. Raises InputError
        for a damaged file, as `truncate_logs` and `evaluations_along` do."""
        return read_lines(self.training_log, _TRAINING)

    def new_events(self, file_format: str) -> Path:
        """Where new events are written before they take their place."""
        return self.path / f".new-events.{file_format}"

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


def is_run(path: Path) -> bool:
    """Whether a directory is a run's. Raises InputError for a card.toml of another origin."""
    file = path / "card.toml"
    try:
        with open_input(file) as content:
            text = content.read(len(HEADER)).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InputError("the run cannot be read", file=file, found=error.strerror) from None
    if not text.startswith(HEADER):
        raise InputError(
            "the directory holds a card.toml that is not a run's",
            file=file,
            allowed="a new or empty directory, or one that fabgen made",
            hint="choose another one with --run",
        )
    return True


def stored_card(path: Path) -> Card | None:
    """The card that a run was made with; None where there is no run."""
    return load_card(path / "card.toml") if is_run(path) else None


def check_run(path: Path, card: Card, *, restart: bool = False) -> None:
    """Raises InputError if a run in `path` was made with another card, without touching anything.

    `restart` means that the run is to be overwritten: then any card will do, as for a run that
    ended before it had anything.
    """
    if not is_run(path):
        foreign = [name for name in (*_FILES, *_FOLDERS) if (path / name).exists()]
        if foreign:
            raise InputError(
                "the run directory holds files that are not a run's",
                file=path,
                found=", ".join(foreign),
                allowed="a new or empty directory, or one that fabgen made",
                hint="choose another one with --run",
            )
        return
    if restart or _is_bare(path):
        return
    if conflicts := conflicting_keys(load_card(path / "card.toml"), card):
        raise InputError(
            "the card differs from the one this run was made with",
            file=path,
            key=", ".join(difference.key for difference in conflicts),
            found=[f"{difference} (run -> card)" for difference in conflicts],
            allowed="other values in [generation] and [evaluation] only",
            hint="--restart trains anew, --run DIR uses another directory",
        )


def _is_bare(path: Path) -> bool:
    """Whether there is nothing yet that was made with the card of a run."""
    return not any((path / name).exists() for name in _MADE)


def conflicting_keys(old: Card, new: Card) -> list[Difference]:
    """The differences of two cards that a run cannot live with."""
    differences = diff_cards(old, new)
    return [d for d in differences if d.key.split(".", 1)[0] not in _FREE_TABLES]


@contextlib.contextmanager
def open_run(path: Path, card: Card, *, restart: bool = False) -> Iterator[RunDirectory]:
    """Makes or enters the run directory, alone; with `restart` its old results are removed first.

    Raises InputError if it cannot be written or belongs to another card, FabgenError if another
    process is at work in it.
    """
    check_run(path, card, restart=restart)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    with _lock(path):
        # Again, now that nobody else can change it.
        check_run(path, card, restart=restart)
        run = RunDirectory(path)
        _remove_unfinished(run)
        if restart:
            _clear(run)
        if restart or _is_bare(path):
            run.store_card(card)
        yield run


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds DIR/.lock; the system lets go of it when the process ends, however it ends."""
    file = path / ".lock"
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            process = f" (process {holder})" if holder else ""
            raise FabgenError(
                f"another fabgen is at work in {path}{process}: wait for it, or use --run DIR"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _clear(run: RunDirectory) -> None:
    """Removes the results of a run, and nothing else. Its card stays until it is overwritten, so
    that a directory cleared by half is still a run's."""
    with writing(run.path):
        for name in _FOLDERS:
            folder = run.path / name
            if folder.is_symlink():
                folder.unlink()
            elif folder.exists():
                shutil.rmtree(folder)
        for name in _FILES:
            if name != run.card.name:
                (run.path / name).unlink(missing_ok=True)


def _remove_unfinished(run: RunDirectory) -> None:
    """Removes what a killed process had not yet put in its place."""
    with writing(run.path):
        for name in _EVENTS:
            unfinished = run.new_events(name.removeprefix("events."))
            for file in (unfinished, temporary(unfinished)):
                file.unlink(missing_ok=True)
        for name in _FILES:
            temporary(run.path / name).unlink(missing_ok=True)
        for file in run.plots.glob(temporary(Path("*")).name):
            file.unlink(missing_ok=True)


def _append(log: Path, record: Mapping[str, Any]) -> None:
    line = json.dumps(dict(record), allow_nan=False) + "\n"
    with writing(log), log.open("ab") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        "the run directory cannot be written",
        file=path,
        key="--run",
        found=error.strerror,
        allowed="a directory that can be made and written",
    )
