"""Files of grids: read back as they were, and refused where they are damaged."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from fabgen.beams.pdf.reader import read_member
from fabgen.errors import InputError

from .conftest import HEAD, made_up, text_of

GRID = made_up((4, 3))


def write(folder, text, name="grid.dat"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_as_it_was_written(tmp_path, packed):
    """Subgrids one behind the other, comments and empty lines passed over."""
    text = text_of(GRID, HEAD + "AlphaS_MZ: 0.12\n").replace("---\n", "\n  # a comment\n---\n")
    path = write(tmp_path, gzip.compress(text.encode()) if packed else text)
    head, grid = read_member(path)
    assert head["AlphaS_MZ"] == 0.12
    assert (grid.sizes, grid.flavours) == (GRID.sizes, GRID.flavours)
    for name in ("x", "q", "values"):
        np.testing.assert_array_equal(getattr(grid, name), getattr(GRID, name))


def test_gluons_go_by_two_numbers(tmp_path):
    path = write(tmp_path, text_of(GRID).replace(" 21 ", " 0 "))
    assert read_member(path)[1].flavours == GRID.flavours


def test_knots_that_stand_twice_count_once(tmp_path):
    """As the first one does in CT14; of its values the last are taken."""
    lines = text_of(made_up((4,))).splitlines()
    start = lines.index("---") + 1
    first, *others = lines[start].split()
    lines[start] = " ".join([first, first, *others])
    repeated = ["9.0 " * 6] * 4
    grid = read_member(
        write(tmp_path, "\n".join([*lines[: start + 3], *repeated, *lines[start + 3 :]]))
    )[1]
    np.testing.assert_array_equal(grid.x, made_up((4,)).x)
    np.testing.assert_array_equal(grid.values, made_up((4,)).values)


def test_subgrids_meet_at_one_knot(tmp_path):
    """Also where the last digit of one of them is another."""
    lines = text_of(GRID).splitlines()
    second = lines.index("---", lines.index("---") + 1) + 2
    first, *others = lines[second].split()
    lines[second] = " ".join([repr(float(first) * (1.0 - 1e-12)), *others])
    q = read_member(write(tmp_path, "\n".join(lines)))[1].q
    assert q[3] == q[4] == float(lines[second].split()[0]) != GRID.q[3]


LINES = text_of(GRID).splitlines()
FIRST = LINES.index("---") + 1
SECOND = LINES.index("---", FIRST) + 1


def changed(number, line):
    """The file with another line; None: without it."""
    return "\n".join(LINES[:number] + ([] if line is None else [line]) + LINES[number + 1 :]) + "\n"


DAMAGED = {
    "cut off": ("\n".join(LINES[: FIRST + 10]), f"line {FIRST + 10}", "end in the middle"),
    "only a head": (HEAD, "line 2", "end in the middle"),
    "no subgrid": (HEAD + "---\n", "line 3", "before the first subgrid"),
    "another format": (text_of(GRID, "Format: else\n"), "line 1", "no file of parton densities"),
    "no YAML": (text_of(GRID, "Format: [\n"), "line 2", "not YAML"),
    "no keys": (text_of(GRID, "- Format\n"), None, "not YAML with keys"),
    "a line too few": (changed(FIRST + 5, None), f"line {SECOND - 2}", "35 lines of values"),
    "a value too few": (
        changed(FIRST + 5, "1 2 3 4 5"),
        f"line {FIRST + 6}",
        "wrong number of values\n.*\n.*\n  found:   5 values",
    ),
    "a word": (changed(FIRST + 5, "1 2 3 4 5 x6"), f"line {FIRST + 6}", "found:   x6"),
    "no number": (changed(FIRST + 5, "1 2 nan 4 5 6"), f"line {FIRST + 6}", "found:   nan"),
    "infinite": (changed(FIRST + 5, "1 2 3 4 5 1e999"), f"line {FIRST + 6}", "found:   1e999"),
    "knots that descend": (
        changed(FIRST + 1, "1.0 2.0 1.5 3.0"),
        f"line {FIRST + 2}",
        "in Q do not ascend\n.*\n.*\n  found:   knot 3 is 1.5",
    ),
    "a knot at zero": (
        changed(FIRST, LINES[FIRST].replace(LINES[FIRST].split()[0], "0.0", 1)),
        f"line {FIRST + 1}",
        "knot 1 is 0",
    ),
    "x above 1": (
        changed(FIRST, LINES[FIRST].rsplit(" ", 1)[0] + " 1.5"),
        f"line {FIRST + 1}",
        "above 1",
    ),
    "too few knots": (changed(FIRST, "0.1 0.2 0.3"), f"line {FIRST + 1}", "too few knots in x"),
    "flavours that are no ids": (
        changed(FIRST + 2, "-2 -1 1 2 g 22"),
        f"line {FIRST + 3}",
        "not one of PDG ids",
    ),
    "a flavour twice": (
        changed(FIRST + 2, "-2 -1 1 2 0 21"),
        f"line {FIRST + 3}",
        "twice",
    ),
    "subgrids apart": (
        changed(SECOND + 1, "8.0 9.0 10.0"),
        f"line {SECOND + 1}",
        "do not meet in Q",
    ),
    "other flavours above": (
        changed(SECOND + 2, "-2 -1 1 2 22 21"),
        f"line {SECOND + 1}",
        "different flavours",
    ),
    "no text": (text_of(GRID).encode() + b"\xff\n---\n", f"line {len(LINES) + 1}", "not ASCII"),
    "half of what was packed": (
        gzip.compress(text_of(GRID).encode())[:200],
        None,
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path, text, line, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_member(path)
    assert caught.value.file == str(path)
    assert caught.value.key == line


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "nothing.dat"):
        with pytest.raises(InputError, match="cannot be read"):
            read_member(path)
