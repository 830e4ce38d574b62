"""Files that are complete or as they were before, even if the process or the machine stops.

New content is written beside its place, flushed to the disk, and renamed into it.
"""

from __future__ import annotations

import contextlib
import os
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
    with writing(path), new.open("wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)  # there only if something failed
        sync(path.parent)


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


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's errors of writing (disk full, no permission) into a FabgenError."""
    try:
        yield
    except OSError as error:
        raise FabgenError(f"{path} cannot be written: {error.strerror or error}") from error
