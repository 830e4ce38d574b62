"""The rules for entering a run directory and for using it again (its files: `files`).

A directory is a run's if its card.toml begins as fabgen writes it. Files of other origin are never
overwritten or removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from fabgen import interrupts
from fabgen.card import HEADER, Card, Difference, diff_cards, dump_card, load_card
from fabgen.errors import FabgenError, InputError
from fabgen.files import kind, temporary, write_atomic, writing
from fabgen.inputs import open_input
from fabgen.run.commit import finish
from fabgen.run.files import (
    CARD,
    FOLDERS,
    LOCK,
    SURROGATE,
    RunDirectory,
    identity,
    is_ours,
    is_trained,
    names_in,
    number_of,
    refuse_odd,
)

#: Tables of the card that may change between two uses of a run.
FREE_TABLES = ("generation", "evaluation", "limits")
_HEADER = HEADER.encode()


def is_run(path: Path) -> bool:
    """Whether a directory is a run's. Raises InputError for a card.toml of another origin."""
    file = path / CARD
    try:
        if (found := kind(file)) is None:
            return False
        begins = b""
        if found == "file":
            with open_input(file) as card:
                begins = card.read(len(_HEADER) + 1).replace(b"\r\n", b"\n")
    except OSError as error:
        raise InputError("the run cannot be read", file=file, found=error.strerror) from None
    if not begins.startswith(_HEADER):
        raise InputError(
            "the directory holds a card.toml that is not a run's",
            file=file,
            found=None if found == "file" else found,
            allowed="a new or empty directory, or one that fabgen made",
            hint="choose another one with --run",
        )
    return True


def stored_card(path: Path) -> Card | None:
    """The card that a run was made with; None where there is no run."""
    return load_card(path / CARD) if is_run(path) else None


def check_run(path: Path, card: Card, *, restart: bool = False) -> None:
    """Raises InputError if a run in `path` was made with another card, without touching anything.

    `restart` means that the run is to be overwritten: then any card will do, as for a run that
    ended before it had anything.
    """
    if not is_run(path):
        foreign = [name for name in names_in(path) if is_ours(name) and name != LOCK]
        if foreign:
            raise InputError(
                "the run directory holds files that are not a run's",
                file=path,
                found=", ".join(foreign),
                allowed="a new or empty directory, or one that fabgen made",
                hint="choose another one with --run",
            )
        return
    refuse_odd(path)
    if restart or _is_bare(path):
        return
    if (path / SURROGATE / "manifest.json").exists():
        raise InputError(
            "the surrogate of this run was trained by an earlier version of fabgen",
            file=path,
            allowed="a run of this version",
            hint="--run DIR uses another directory; --restart removes the results, events too, and "
            "trains anew",
        )
    if conflicts := conflicting_keys(load_card(path / CARD), card):
        raise InputError(
            "the card differs from the one this run was made with",
            file=path,
            key=", ".join(difference.key for difference in conflicts),
            found=[f"{difference} (run -> card)" for difference in conflicts],
            allowed="other values in [generation] and [evaluation] only",
            hint="--run DIR uses another directory; --restart removes the results, events too, "
            "and trains anew",
        )


def _is_bare(path: Path) -> bool:
    """Whether there is nothing yet that was made with the card of a run and can be used again.
    (A sample of another card is made anew.)"""
    return not any(is_trained(name) or number_of(name) is not None for name in names_in(path))


def conflicting_keys(old: Card, new: Card) -> list[Difference]:
    """The differences of two cards that a run cannot live with."""
    differences = diff_cards(old, new)
    return [d for d in differences if d.key.split(".", 1)[0] not in FREE_TABLES]


@contextlib.contextmanager
def open_run(path: Path, card: Card, *, restart: bool = False) -> Iterator[RunDirectory]:
    """Makes or enters the run directory, alone; with `restart` its old results are removed first.

    Whatever ends the block, no file that is not finished stays. Raises InputError if the directory
    cannot be written or belongs to another card, FabgenError if another process is at work in it,
    or if it was moved, removed or replaced and the block failed.
    """
    check_run(path, card, restart=restart)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    with _lock(path):
        run = RunDirectory(path)
        if is_run(path):
            refuse_odd(path)
            finish(run)
            _remove_unfinished(run)
        # Again, now that nobody else can change it.
        check_run(path, card, restart=restart)
        if restart:
            _clear(run)
        if restart or _is_bare(path):
            write_atomic(run.card, dump_card(card))
        run = dataclasses.replace(run, entered=identity(path))
        try:
            yield run
        except Exception:
            run.check()  # whatever fails in a run that is gone fails for that
            raise
        finally:
            with interrupts.held():
                if identity(path) == run.entered:
                    finish(run)
                    _remove_unfinished(run)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds DIR/.lock; the system lets go of it when the process ends, however it ends."""
    file = path / LOCK
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if (found := kind(file)) not in ("file", None):
            raise _not_a_lock(file, found) from None
        raise _unwritable(path, error) from None
    try:
        status = os.fstat(descriptor)
        content = os.pread(descriptor, 32, 0) if stat.S_ISREG(status.st_mode) else b"?"
        # A file with another name too, or another content, is somebody else's.
        if status.st_nlink != 1 or not re.fullmatch(rb"\d*\n?", content):
            raise _not_a_lock(file, kind(file))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = content.decode().strip()
            process = f" (process {holder})" if holder else ""
            raise FabgenError(
                f"another fabgen is at work in {path}{process}: wait for it, or use --run DIR"
            ) from None
        with writing(file):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _clear(run: RunDirectory) -> None:
    """Removes the results of a run, and nothing else. Its card stays until it is overwritten, so
    that a directory cleared by half is still a run's."""
    with writing(run.path):
        for name in names_in(run.path):
            if name in FOLDERS:
                shutil.rmtree(run.path / name)
            elif is_ours(name) and name not in (CARD, LOCK):
                (run.path / name).unlink(missing_ok=True)


def _remove_unfinished(run: RunDirectory) -> None:
    """Removes what had not yet taken its place."""
    suffixed = temporary(Path("*")).name
    with writing(run.path):
        for folder in (run.path, *(run.path / name for name in FOLDERS)):
            files = folder.glob(suffixed) if folder == run.path else folder.rglob(suffixed)
            for file in files:
                if folder != run.path or is_ours(file.name[1 : -len(".new")]):
                    file.unlink(missing_ok=True)


def _not_a_lock(file: Path, found: str | None) -> InputError:
    return InputError(
        "a run keeps its lock here, and something else is in its place",
        file=file,
        found="a file that fabgen did not write" if found in ("file", None) else found,
        allowed="a file with the number of a process, or none",
        hint="move it away; the directory of the run itself may be a symbolic link",
    )


def _unwritable(path: Path, error: OSError) -> InputError:
    # A link to nowhere, or a file, in the place of the directory or of one above it.
    exists = isinstance(error, FileExistsError) and kind(Path(error.filename))
    return InputError(
        "the run directory cannot be written",
        file=path,
        key="--run",
        found=f"{error.filename} is a {exists.removeprefix('a ')}" if exists else error.strerror,
        allowed="a directory that can be made and written",
    )
