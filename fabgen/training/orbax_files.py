"""Arrays to and from the disk by Orbax, with the errors of the system told as such.

Orbax takes paths for patterns and addresses: `[`, `*`, `?`, `\\` and others in the name of a run
would lead it astray. It is given the open folder under a name without any, /proc/self/fd/N.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fabgen.errors import FabgenError


def orbax_save(path: Path, leaves: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays into a folder. Raises OSError where the system refuses."""
    import orbax.checkpoint as ocp

    # Orbax stores no arrays of size zero; the shape in the manifest brings them back.
    stored = {name: leaf for name, leaf in leaves.items() if leaf.size}
    if not stored:
        return path.mkdir()
    with (
        _errors_of_the_system(),
        ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer,
    ):
        checkpointer.save(path, args=ocp.args.PyTreeSave(stored), force=True)


@contextlib.contextmanager
def _errors_of_the_system() -> Iterator[None]:
    """Makes an OSError of what TensorStore says of a full disk, without the tracebacks that Orbax
    logs of it. Further arrays may fail later, after the event loop that asked for them has closed:
    what Python then reports stays unsaid, too."""
    log, report = logging.getLogger("absl"), sys.unraisablehook
    before, log.disabled = log.disabled, True

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            report(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    except Exception as error:
        if found := re.search(r"os_error_code='(\d+)'", str(error)):
            number = int(found[1])
            raise OSError(number, os.strerror(number)) from error
        raise
    else:
        sys.unraisablehook = report
    finally:
        log.disabled = before


def orbax_restore(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """The named arrays in a folder that `orbax_save` wrote. Raises FabgenError."""
    import orbax.checkpoint as ocp

    if not names:
        return {}
    arguments = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names}
    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
            how = ocp.args.PyTreeRestore(restore_args=arguments)
            return checkpointer.restore(path, args=how)
    except (ValueError, KeyError, FileNotFoundError) as error:
        # The hashes agree, so this is a file of another Orbax and no damage.
        raise FabgenError(f"Orbax cannot read the checkpoint: {error}") from error


@contextlib.contextmanager
def open_folder(directory: Path) -> Iterator[Path]:
    """A folder under a name that Orbax takes as it is. A symbolic link raises OSError.

    A system without /proc has no such name: then one with other characters than letters, digits and
    `/._-+=,@ ` raises FabgenError.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        path = _OPEN_FOLDERS / str(descriptor)
        if not path.is_dir():
            path = directory.absolute()  # Orbax refuses relative paths
            if not _PLAIN.fullmatch(str(path)):
                raise FabgenError(
                    f"checkpoints cannot be kept in {directory} on this system: choose a run "
                    "directory whose path has letters, digits and /._-+=,@ only"
                )
        yield path
    finally:
        os.close(descriptor)


_OPEN_FOLDERS = Path("/proc/self/fd")
_PLAIN = re.compile(r"[\w/.\-+=,@ ]+", re.ASCII)
