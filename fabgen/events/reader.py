"""Events of an LHE file as arrays.

Only what is used needs to be right: of <init> the numbers of the beams and the cross sections, of
an event its weight, and of its particles their ids, status, mothers and momenta. Everything else
may be missing or of another form (docs/upstream.md says what pylhe asks for, which writes files).
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fabgen.errors import InputError
from fabgen.events.blocks import Lines, blocks
from fabgen.events.record import Resonance
from fabgen.inputs import open_input
from fabgen.plain_text import shortened

_ALLOWED = "a complete LHE file, gzipped or not (paths start at the working directory)"


@dataclass(frozen=True)
class Structure:
    """The particles of an event: PDG ids of the external legs, the n_initial incoming ones
    first, and the intermediate particles (status 2) with two or more final legs below them."""

    pdg: tuple[int, ...]
    n_initial: int
    resonances: tuple[Resonance, ...] = ()


@dataclass(frozen=True)
class EventFile:
    """The n events of an LHE file that have a weight, all with the same number of external legs.

    beams, energies: PDG ids and energies (GeV) of the two beams. cross_section, error, max_weight:
    XSECUP, XERRUP, XMAXUP of the processes, summed (in quadrature, largest); NaN where the file has
    no number. pdg (n, n_external), momenta (n, n_external, 4) as (E, px, py, pz) in GeV of the
    external legs, the n_initial incoming ones first; weight, scale, aqed, aqcd (n,). structures:
    the different structures of events, structure (n,) the number of each event's. number (n,): the
    place of the event in the file, from 1; zero_weight: events of weight zero, whose particles mean
    nothing.
    """

    beams: tuple[int, int]
    energies: tuple[float, float]
    cross_section: float
    error: float
    max_weight: float
    n_initial: int
    pdg: NDArray[np.int64]
    momenta: NDArray[np.float64]
    weight: NDArray[np.float64]
    scale: NDArray[np.float64]
    aqed: NDArray[np.float64]
    aqcd: NDArray[np.float64]
    structures: tuple[Structure, ...]
    structure: NDArray[np.int64]
    number: NDArray[np.int64]
    zero_weight: int

    def __len__(self) -> int:
        return len(self.weight)


def read_lhe(path: str | os.PathLike[str]) -> EventFile:
    """Read a file, gzipped or not. A file that is missing, damaged or no LHE raises InputError."""
    try:
        with open_input(path) as file, _unzipped(file) as stream:
            init, events = _read(stream)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        found = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(
            "the event file cannot be read", file=path, found=found, allowed=_ALLOWED
        ) from None
    shapes = {(s.n_initial, len(s.pdg)) for s in events.structures}
    if len(shapes) > 1:
        raise InputError(
            "Events with different numbers of particles",
            file=path,
            found=", ".join(f"{a} > {b - a}" for a, b in sorted(shapes)),
            allowed="one number of incoming and of final particles",
        )
    n_initial, n_external = shapes.pop() if shapes else (0, 0)
    structure = np.array(events.structure, dtype=np.int64)
    pdg = np.array([s.pdg for s in events.structures], dtype=np.int64)
    pdg = pdg.reshape(len(events.structures), n_external)
    info = np.array(events.info).reshape(-1, 4)
    return EventFile(
        beams=init.beams,
        energies=init.energies,
        cross_section=sum(p[0] for p in init.processes),
        error=math.hypot(*(p[1] for p in init.processes)),
        max_weight=max((p[2] for p in init.processes), default=0.0),
        n_initial=n_initial,
        pdg=pdg[structure],
        momenta=np.array(events.momenta).reshape(len(structure), n_external, 4),
        weight=info[:, 0],
        scale=info[:, 1],
        aqed=info[:, 2],
        aqcd=info[:, 3],
        structures=tuple(events.structures),
        structure=structure,
        number=np.array(events.number, dtype=np.int64),
        zero_weight=events.zero_weight,
    )


def _unzipped(file: BinaryIO) -> BinaryIO:
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file


class _Init(NamedTuple):
    """beams, energies in GeV; processes: XSECUP, XERRUP, XMAXUP of each."""

    beams: tuple[int, int]
    energies: tuple[float, float]
    processes: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, lines: Lines) -> _Init:
        if not lines or len(lines[0]) < 4:
            raise ValueError("<init> has no line with the two beams")
        a, b, energy_a, energy_b = lines[0][:4]
        return cls(
            beams=(_integer(a), _integer(b)),
            energies=(_real(energy_a), _real(energy_b)),
            processes=tuple(tuple(map(_real_or_nan, p[:3])) for p in lines[1:] if len(p) >= 3),
        )


def _read(stream: BinaryIO) -> tuple[_Init, _Events]:
    init, events = None, _Events()
    for name, lines in blocks(stream):
        if name == "init":
            if init is not None:
                raise ValueError("a second <init>")
            init = _Init.of(lines)
            continue
        if init is None:
            raise ValueError("no <init> before the events")
        try:
            events.add(lines)
        except ValueError as error:
            raise ValueError(f"event {events.read}: {error}") from None
    if init is None:
        raise ValueError("no <init>")
    return init, events


@dataclass
class _Events:
    """The events read so far, as flat numbers: files may hold millions of them."""

    read: int = 0
    zero_weight: int = 0
    structures: dict[Structure, int] = field(default_factory=dict)
    structure: array[int] = field(default_factory=lambda: array("q"))
    number: array[int] = field(default_factory=lambda: array("q"))
    momenta: array[float] = field(default_factory=lambda: array("d"))
    info: array[float] = field(default_factory=lambda: array("d"))
    #: The external entries and the structure of events with these ids, status and mothers.
    _known: dict[tuple[tuple[int, ...], ...], tuple[list[int], int]] = field(default_factory=dict)

    def add(self, lines: Lines) -> None:
        """Raises ValueError for an event without weight or particles that can be used."""
        self.read += 1
        if not lines or len(lines[0]) < 3:
            raise ValueError("no line with the number of particles and the weight")
        n, weight = _integer(lines[0][0]), _real(lines[0][2])
        particles = lines[1 : n + 1] if n >= 0 else []
        extra = lines[n + 1] if n >= 0 and len(lines) > n + 1 else []
        if len(particles) != n or _is_particle(extra):
            found = sum(map(_is_particle, lines[1:]))
            raise ValueError(f"{found} particles, and not NUP = {n}")
        entries = tuple(_entry(fields, n) for fields in particles)
        momenta = [_momentum(fields) for fields in particles]
        if weight == 0.0:
            self.zero_weight += 1
            return
        if entries not in self._known:
            legs, structure = _structure(entries)
            self._known[entries] = legs, self.structures.setdefault(structure, len(self.structures))
        legs, number = self._known[entries]
        for leg in legs:
            self.momenta.extend(momenta[leg])
        self.structure.append(number)
        self.number.append(self.read)
        couplings = [_real_or_nan(x) for x in lines[0][3:6]]
        self.info.extend([weight, *couplings, *[math.nan] * (3 - len(couplings))])


class _Entry(NamedTuple):
    """One particle of an event: what it is and where it comes from (mothers count from 1)."""

    pdg: int
    status: int
    mother: int


def _is_particle(fields: list[str]) -> bool:
    """Whether a line has the form of a particle: integers first, then momenta."""
    try:
        _entry(fields, _MAX_INTEGER)
        _momentum(fields)
    except ValueError:
        return False
    return True


def _entry(fields: list[str], n: int) -> _Entry:
    """The particle of a line; n: the number of particles, mothers among them."""
    if len(fields) < 10:
        raise ValueError(f"a particle of {len(fields)} numbers: {' '.join(fields)!r}")
    pdg, status, mother, last = (_integer(x) for x in fields[:4])
    if not (0 <= mother <= n and 0 <= last <= n):
        raise ValueError(f"mothers {mother} and {last} of {n} particles")
    return _Entry(pdg, status, mother)


def _momentum(fields: list[str]) -> list[float]:
    """(E, px, py, pz) of the particle of a line."""
    return [_real(x) for x in (fields[9], *fields[6:9])]


def _structure(entries: tuple[_Entry, ...]) -> tuple[list[int], Structure]:
    """The external entries, incoming ones first, and what they make."""
    initial = [i for i, entry in enumerate(entries) if entry.status == -1]
    legs = initial + [i for i, entry in enumerate(entries) if entry.status == 1]
    below: dict[int, list[int]] = {}
    for leg, place in enumerate(legs):
        for ancestor in dict.fromkeys(_ancestors(entries, place)):
            below.setdefault(ancestor, []).append(leg)
    resonances = (
        Resonance(entries[place].pdg, tuple(final))
        for place, final in sorted(below.items())
        if len(final) > 1
    )
    pdg = tuple(entries[i].pdg for i in legs)
    return legs, Structure(pdg, len(initial), tuple(resonances))


def _ancestors(entries: tuple[_Entry, ...], place: int) -> Iterator[int]:
    """The intermediate particles above an entry, nearest first; the file counts them from 1."""
    for _ in entries:  # no chain is longer; a file may name a particle its own mother
        place = entries[place].mother - 1
        if place < 0 or entries[place].status != 2:
            return
        yield place


# --- numbers --------------------------------------------------------------------------------------

_MAX_INTEGER = 2**31 - 1
#: What Fortran writes and Python does not read: 1.0D+01, and 1.0-100 with three digits behind.
_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[dDqQ]([+-]?\d+)|([+-]\d{3}))", re.ASCII)


def _real(text: str) -> float:
    """A number as C, Python or Fortran writes it; inf and nan are numbers. Raises ValueError."""
    try:
        if "_" not in text:
            return float(text)
    except ValueError:
        if match := _FORTRAN.fullmatch(text):
            return float(f"{match[1]}e{match[2] or match[3]}")
    raise ValueError(f"{_quoted(text)} is not a number")


def _real_or_nan(text: str) -> float:
    """NaN for what is no number, where none is needed."""
    try:
        return _real(text)
    except ValueError:
        return math.nan


def _integer(text: str) -> int:
    """An integer of 32 bits, also if it is written as 11.0. Raises ValueError."""
    number = _real(text)
    if not (abs(number) <= _MAX_INTEGER and number == int(number)):
        raise ValueError(f"{_quoted(text)} is not an integer of at most {_MAX_INTEGER}")
    return int(number)


def _quoted(text: str) -> str:
    return repr(shortened(text, 60))
