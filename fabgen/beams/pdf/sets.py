"""Where sets of parton densities are, and reading them.

A set is a folder NAME with NAME.info and a file for each of its members, as LHAPDF 6 has them.
fabgen ships the central member of its default set.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from fabgen.beams.pdf.densities import Densities
from fabgen.beams.pdf.grid import Grid
from fabgen.beams.pdf.info import SetInfo, info_of, read_table
from fabgen.beams.pdf.reader import read_member
from fabgen.card.messages import did_you_mean
from fabgen.errors import InputError

#: The set that fabgen ships, and takes where a card names none.
DEFAULT_SET = "NNPDF23_lo_as_0130_qed"
#: The key of a card that names a set.
KEY = "beams.pdf"


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """One member of a set: what it says about itself, its grid, and that as arrays."""

    info: SetInfo
    number: int
    grid: Grid
    densities: Densities


@dataclasses.dataclass(frozen=True)
class InstalledSet:
    """A set and the folder that holds its files; problem: why it cannot be read, or ""."""

    name: str
    folder: Path
    info: SetInfo | None = None
    problem: str = ""


def load_member(name: str, number: int = 0) -> Member:
    """A member of the set of this name, or of this folder. Raises InputError.

    What was read before in this process is not read again, unless its file has changed.
    """
    folder = find_set(name, number)
    own = _name_of(folder)
    load_info(folder)  # raises what is wrong with it before anything is read
    files = member_files(folder, own)
    if number not in files:
        raise InputError(
            "the set of densities has no such member",
            file=folder,
            key=KEY,
            found=f"member {number}",
            allowed=_ranges(sorted(files)) or f"a set with the file {own}_{number:04d}.dat",
        )
    versions = _version(files[number]), _version(folder / f"{own}.info")
    return _load(own, files[number], number, versions)


def _version(file: Path) -> tuple[int, int]:
    """What changes with the content of a file."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=4)
def _load(name: str, file: Path, number: int, versions: object) -> Member:
    """A member from its file; versions: of this and of the .info file beside it."""
    del versions
    head, grid = read_member(file)
    info = info_of({**read_table(file.parent / f"{name}.info"), **head}, name, file)
    densities = Densities.of_grid(grid, force_positive=info.force_positive)
    return Member(info, number, grid, densities)


def load_info(folder: Path) -> SetInfo:
    """What the set in a folder says about itself. Raises InputError."""
    name = _name_of(folder)
    file = folder / f"{name}.info"
    return info_of(read_table(file), name, file)


def find_set(name: str, member: int = 0) -> Path:
    """The folder of a set by its name, or by the path of this folder. Raises InputError.

    Of several folders with this name the first that holds the member, or the first of all.
    """
    if os.sep in name or name.startswith("~"):
        folder = Path(name).expanduser()
        if _info_files(folder):
            return folder
        raise InputError(
            "there is no set of densities in this folder",
            key=KEY,
            found=name,
            allowed="a folder with a file NAME.info and files NAME_0000.dat, ...",
        )
    named = [where / name for where in search_folders() if name]
    there = [folder for folder in named if (folder / f"{name}.info").is_file()]
    for folder in there:
        if member in member_files(folder, name):
            return folder
    if there:
        return there[0]
    known = sorted({found.name for found in installed_sets()})
    raise InputError(
        "this set of densities is not installed",
        key=KEY,
        found=name,
        allowed="\n".join(
            [
                f"one of: {', '.join(known)}",
                f"or a set in one of: {', '.join(map(str, search_folders()))}",
            ]
        ),
        hint="; ".join(
            filter(None, [did_you_mean(name, known), f"`fabgen pdf install {name}` fetches it"])
        ),
    )


def installed_sets() -> Iterator[InstalledSet]:
    """All sets in the folders that are searched, the first of each name."""
    seen = set()
    for where in search_folders():
        for folder in sorted(_entries(where)):
            name = folder.name
            if name in seen or not (folder / f"{name}.info").is_file():
                continue
            seen.add(name)
            try:
                yield InstalledSet(name, folder, load_info(folder))
            except InputError as error:
                yield InstalledSet(name, folder, problem=str(error).splitlines()[0])


def search_folders() -> tuple[Path, ...]:
    """Where sets are looked for, in this order.

    What fabgen ships comes first: with its name alone, a card means the same on every machine.
    """
    listed = [
        Path(part).expanduser()
        for name in ("LHAPDF_DATA_PATH", "LHAPATH")
        for part in os.environ.get(name, "").split(os.pathsep)
        if part
    ]
    prefixes = [os.environ.get("CONDA_PREFIX", ""), sys.prefix, "/usr", "/usr/local"]
    usual = [Path(prefix) / "share" / "LHAPDF" for prefix in prefixes if prefix]
    usual.append(Path("~/.local/share/LHAPDF"))
    folders = [shipped_folder(), *listed, *usual, own_folder()]
    return tuple(dict.fromkeys(map(_expanded, folders)))


def shipped_folder() -> Path:
    """The folder of sets that comes with fabgen."""
    return Path(str(resources.files("fabgen") / "data" / "pdf"))


def own_folder() -> Path:
    """Where `fabgen pdf install` puts sets."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return _expanded(Path(base) / "fabgen" / "pdf")


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # a user without a home, as in containers
        return path


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _info_files(folder: Path) -> list[Path]:
    return sorted(path for path in _entries(folder) if path.suffix == ".info")


def _name_of(folder: Path) -> str:
    """The name of the set in a folder: that of the folder, or of its only .info file."""
    names = [path.stem for path in _info_files(folder)]
    return names[0] if len(names) == 1 else folder.resolve().name


def member_files(folder: Path, name: str) -> dict[int, Path]:
    """The files of the members of a set that are there, by their numbers."""
    pattern = re.compile(rf"{re.escape(name)}_(\d{{4}})\.dat(\.gz)?")
    found: dict[int, Path] = {}
    for path in sorted(_entries(folder)):
        if match := pattern.fullmatch(path.name):
            found.setdefault(int(match[1]), path)
    return found


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers in words: "0 to 100", "0, 3 to 5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        elif not runs or number != runs[-1][-1]:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
