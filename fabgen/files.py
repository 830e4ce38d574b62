"""Files that are complete or as they were before, even if the process or the machine stops.

New content is written beside its place, flushed to the disk, and renamed into it. No symbolic link
is followed by the last part of a path: what it points to is not ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fabgen.errors import FabgenError


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes a file so that it is complete or as it was before. Raises FabgenError."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends.

    If the block raises, the old file stays and nothing beside it. An OSError becomes a FabgenError.
    """
    new = temporary(path)
    with writing(path):
        new.unlink(missing_ok=True)  # of a killed process; of a link, the link itself
        try:
            with os.fdopen(os.open(new, _NEW_FILE, 0o666), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)  # there only if something failed
        sync(path.parent)


#: What is made anew must not be there, not even as a link to somewhere else.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: O_NONBLOCK: a FIFO that nobody reads is an error at once. (Files do not know it.)
_MORE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def append(path: Path, content: bytes) -> None:
    """Adds to the end of a file and flushes it to the disk. Raises FabgenError."""
    with writing(path), os.fdopen(os.open(path, _MORE, 0o666), "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def temporary(path: Path) -> Path:
    """Where new content stands until it takes its place; a killed process may leave it there."""
    return path.with_name(f".{path.name}.new")


def sync(path: Path) -> None:
    """Makes sure that a file or folder has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kind(path: Path) -> str | None:
    """The kind of a path, links not followed: "file", "folder", other words; None for nothing.

    Raises OSError where the system does not tell.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return f"a symbolic link to {os.readlink(path)}"
    return _KINDS.get(stat.S_IFMT(mode), "a device or socket")


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFIFO: "a FIFO"}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's errors of writing (disk full, no permission) into a FabgenError."""
    try:
        yield
    except OSError as error:
        raise FabgenError(f"{path} cannot be written: {error.strerror or error}") from error
