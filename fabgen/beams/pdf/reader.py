"""Files of LHAPDF 6 that hold one member of a set (NAME_0000.dat, or compressed as .dat.gz).

A head in YAML, a line `---`, then blocks that end with such a line, too: a line with the knots in
x, one with those in Q, one with PDG ids, and for every pair of knots, Q varying fastest, a line
with x f of each flavour. Each block is a subgrid; neighbours have one knot in Q in common.

A knot that stands twice in one block (those of CT14 have such) is there once, with its last values.
"""

from __future__ import annotations

import gzip
import io
import itertools
import zlib
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from fabgen.beams.pdf.densities import pdg_of
from fabgen.beams.pdf.grid import Grid
from fabgen.beams.pdf.info import parse_head
from fabgen.errors import InputError
from fabgen.inputs import open_input

#: Of a member's file, unpacked; those that there are have up to 10 MB.
_MAX_BYTES = 1 << 28
_END = "---"
_FORMAT = "lhagrid1"
#: What LHAPDF interpolates between, at least.
_FEWEST_X, _FEWEST_Q = 4, 2
#: Neighbours whose common knot differs by less than this meet there.
_SAME_KNOT = 1e-9


class _Line(NamedTuple):
    number: int
    text: str


class _Block(NamedTuple):
    """A subgrid as the file has it; lines: the first of it."""

    line: int
    x: np.ndarray
    q: np.ndarray
    flavours: tuple[int, ...]
    values: np.ndarray


def read_member(path: Path) -> tuple[dict[str, object], Grid]:
    """The head of a member's file and its grid. Raises InputError for anything wrong in it."""
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path):
        self.path = path

    def read(self) -> tuple[dict[str, object], Grid]:
        head, *blocks = self._sections(self._text())
        table = dict(parse_head("\n".join(line.text for line in head), self.path))
        if (found := str(table.get("Format", ""))).lower() != _FORMAT:
            self._refuse("this is no file of parton densities", 1, f"Format: {found}", _FORMAT)
        if not blocks:
            self._refuse("the file ends before the first subgrid", len(head) + 1)
        return table, self._joined([self._block(lines) for lines in blocks])

    # -- text ---------------------------------------------------------------------------------

    def _text(self) -> str:
        try:
            with open_input(self.path) as file:
                packed = file.read(2) == b"\x1f\x8b"
                file.seek(0)
                source = gzip.GzipFile(fileobj=file) if packed else file
                data = source.read(_MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:  # BadGzipFile is an OSError
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"the densities cannot be read: {reason}", file=self.path) from None
        if len(data) > _MAX_BYTES:
            allowed = f"at most {_MAX_BYTES:,} bytes"
            raise InputError("the densities are too long", file=self.path, allowed=allowed)
        try:
            return data.decode("ascii")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._refuse("the densities are no text", line, "a byte that is not ASCII", "ASCII")

    def _sections(self, text: str) -> list[list[_Line]]:
        """The lines between separators, without empty lines and comments."""
        sections: list[list[_Line]] = [[]]
        for number, line in enumerate(io.StringIO(text), start=1):
            stripped = line.strip()
            if stripped == _END:
                sections.append([])
            elif stripped and not stripped.startswith("#"):
                sections[-1].append(_Line(number, line if len(sections) == 1 else stripped))
        if sections[-1] or len(sections) == 1:
            last = sections[-1][-1].number if sections[-1] else 1
            self._refuse(
                "the densities end in the middle", last, "no such line", f"a last line {_END}"
            )
        return sections[:-1]

    # -- subgrids -----------------------------------------------------------------------------

    def _block(self, lines: list[_Line]) -> _Block:
        if len(lines) < 4:
            line = lines[-1].number if lines else None
            self._refuse("a subgrid is not complete", line, f"{len(lines)} lines", "four or more")
        x = self._knots(lines[0], "x", _FEWEST_X)
        q = self._knots(lines[1], "Q", _FEWEST_Q)
        if x[-1] > 1.0:
            self._refuse("a knot in x is above 1", lines[0].number, x[-1], "at most 1")
        flavours = self._flavours(lines[2])
        rows = lines[3:]
        expected = len(x) * len(q)
        if len(rows) != expected:
            self._refuse(
                "a subgrid has the wrong number of lines",
                rows[-1].number,
                f"{len(rows)} lines of values",
                f"{expected}: {len(x)} knots in x times {len(q)} in Q",
            )
        values = self._values(rows, len(flavours))
        in_x, in_q = _last_of_equals(x), _last_of_equals(q)
        values = values.reshape(len(x), len(q), -1)[in_x][:, in_q]
        return _Block(lines[0].number, x[in_x], q[in_q], flavours, values)

    def _knots(self, line: _Line, name: str, fewest: int) -> np.ndarray:
        knots = self._numbers([line])
        n_different = len(np.unique(knots))
        if n_different < fewest:
            self._refuse(
                f"there are too few knots in {name}", line.number, n_different, f">= {fewest}"
            )
        if knots[0] <= 0.0 or np.any(np.diff(knots) < 0.0):
            descending = np.flatnonzero(np.diff(knots) < 0.0)
            where = 0 if knots[0] <= 0.0 else int(descending[0]) + 1
            self._refuse(
                f"the knots in {name} do not ascend",
                line.number,
                f"knot {where + 1} is {knots[where]:.9g}",
                "ascending numbers above 0",
            )
        return knots

    def _flavours(self, line: _Line) -> tuple[int, ...]:
        try:
            flavours = tuple(pdg_of(int(word)) for word in line.text.split())
        except ValueError:
            self._refuse("a line is not one of PDG ids", line.number, line.text, "integers")
        if len(set(flavours)) < len(flavours):
            self._refuse("a flavour is there twice", line.number, line.text, "different PDG ids")
        return flavours

    def _values(self, rows: list[_Line], width: int) -> np.ndarray:
        values = self._numbers(rows)
        if len(values) != len(rows) * width or any(len(row.text.split()) != width for row in rows):
            row = next(row for row in rows if len(row.text.split()) != width)
            found = f"{len(row.text.split())} values"
            self._refuse("a line has the wrong number of values", row.number, found, f"{width}")
        return values

    def _numbers(self, lines: list[_Line]) -> np.ndarray:
        words = " ".join(line.text for line in lines).split()
        try:
            numbers = np.array(words, dtype=float)
        except ValueError:
            numbers = np.array([np.nan])
        if not np.all(np.isfinite(numbers)):
            for line in lines:
                for word in line.text.split():
                    if not _is_number(word):
                        self._refuse("a value is no number", line.number, word, "a finite number")
        return numbers

    def _joined(self, blocks: list[_Block]) -> Grid:
        first = blocks[0]
        for low, high in itertools.pairwise(blocks):
            if low.flavours != high.flavours:
                self._refuse("subgrids have different flavours", high.line)
            if not np.array_equal(low.x, high.x):
                self._refuse("subgrids have different knots in x", high.line)
            if abs(low.q[-1] / high.q[0] - 1.0) > _SAME_KNOT:
                found = f"{low.q[-1]:.9g} and {high.q[0]:.9g} GeV"
                self._refuse("subgrids do not meet in Q", high.line, found, "one knot for both")
            low.q[-1] = high.q[0]
        return Grid(
            x=first.x,
            q=np.concatenate([block.q for block in blocks]),
            sizes=tuple(len(block.q) for block in blocks),
            flavours=first.flavours,
            values=np.concatenate([block.values for block in blocks], axis=1),
        )

    def _refuse(
        self, problem: str, line: int | None, found: object = None, allowed: str | None = None
    ) -> NoReturn:
        key = f"line {line}" if line is not None else None
        raise InputError(problem, file=self.path, key=key, found=found, allowed=allowed)


def _last_of_equals(knots: np.ndarray) -> np.ndarray:
    """Which knots are not followed by their equal."""
    return np.append(np.diff(knots) > 0.0, True)


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
