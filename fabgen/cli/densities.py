"""Sets of parton densities as lines on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fabgen.beams.pdf.sets import DEFAULT_SET, InstalledSet, member_files


def lines_of_sets(sets: Iterable[InstalledSet]) -> Iterator[str]:
    """A head, and for each set its name, LHAPDF's id, members that are there, and its folder."""
    rows = [("set", "id", "members", "folder"), *map(_row, sets)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*(cell.ljust(n) for cell, n in zip(row, widths, strict=False)), row[3]])


def _row(found: InstalledSet) -> tuple[str, str, str, str]:
    there = len(member_files(found.folder, found.name))
    name = f"{found.name} (default)" if found.name == DEFAULT_SET else found.name
    if found.info is None:
        return name, "?", str(there), f"{found.folder}: {found.problem}"
    index, members = found.info.index, found.info.members
    counts = str(there) if there == members else f"{there} of {members}"
    return name, str(index) if index >= 0 else "-", counts, str(found.folder)
