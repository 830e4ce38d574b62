"""Opening what a user names as input: regular files only, and no more of them than fits.

A device has no end and a pipe without a writer no beginning; both would hang a run without a word.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from typing import Any

from fabgen.errors import InputError

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_input(path: str | os.PathLike[str]) -> BufferedReader:
    """A regular file for reading. Raises InputError for anything else that is there, OSError for a
    file that is missing, closed to the user, or a directory."""
    try:
        # Opening a pipe waits for its writer, but for this flag; regular files do not know it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:  # a NUL character
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    found = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
    raise InputError("the input is not a file", file=path, found=found, allowed="a file")


def read_input(path: str | os.PathLike[str], limit: int) -> bytes:
    """The content of a file of at most `limit` bytes. Raises InputError for a longer one, and what
    `open_input` raises."""
    with open_input(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(
            "the file is too long",
            file=path,
            found=f"more than {limit:,} bytes",
            allowed=f"at most {limit:,} bytes",
        )
    return data


def nests_deeper(value: object, most: int) -> bool:
    """Whether tables and lists stand in one another at more levels than that."""
    layer: list[Any] = [value]
    for _ in range(most + 1):
        layer = [x for x in layer if isinstance(x, dict | list)]
        if not layer:
            return False
        inner = [x.values() if isinstance(x, dict) else x for x in layer]
        layer = [x for items in inner for x in items]
    return True
