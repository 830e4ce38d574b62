"""Les Houches Event files, version 3.0 (hep-ph/0609017, arXiv:1405.1067), through pylhe.

Weighting strategy -4: the weights of the events (XWGTUP) have the unit of the cross section
(XSECUP) and their mean is the cross section. Decays: one incoming particle at rest (first beam: the
decaying particle with its mass as energy; second beam: 0), weights and XSECUP in GeV; for an
amplitude model the integral, without a unit. The file holds nothing but what it is given: the same
events give the same bytes.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
import pylhe
from numpy.typing import NDArray

from fabgen.errors import FabgenError, InputError
from fabgen.events.layout import LHE_FORMAT, EventLayout, event_layout
from fabgen.events.processes import ProcessLine, ProcessSums, Sums
from fabgen.events.record import EventBatch, EventTopology, MixedBatch
from fabgen.files import replacing

#: Level 9 would make files 11 % smaller and writing fifteen times slower: digits are random.
COMPRESSION_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS  # zlib writes the gzip header: no time stamp, no file name
_CHUNK = 4096  # events rendered at a time: those of one layout together, 8 MB in all
_END = "</LesHouchesEvents>"
_SEVERAL = (
    "XSECUP and XERRUP of each process (LPRUP): the cross section of all times its share of the "
    "weights of these events"
)


@dataclass(frozen=True)
class FileInfo:
    """The contents of the file above the events.

    beams, energies: PDG ids and energies in GeV of the two beams, see `decay_beams` for a decay.
    cross_section, error: of the evaluation, in `unit` ("pb", "GeV" for decays, "none").
    process: the process string. card: the resolved card. slha: the parameters in SLHA format.
    notes: sentences on what the cross section is, beyond its card. pdf_set: LHAPDF's number of the
    densities of both beams, 0 without.
    """

    beams: tuple[int, int]
    energies: tuple[float, float]
    cross_section: float
    error: float
    unit: str
    process: str
    card: str
    slha: str
    version: str
    notes: tuple[str, ...] = ()
    pdf_set: int = 0


@dataclass(frozen=True)
class Earlier:
    """A file that this module wrote with the same FileInfo, and the sums over its events."""

    path: Path
    sums: tuple[Sums, ...]


@dataclass(frozen=True)
class Written:
    """Figures of what was written; weights in the unit of the cross section.

    events and mean_weight are those of the new events, sums those of the whole file by process.
    """

    events: int
    mean_weight: float
    sums: tuple[Sums, ...]

    @property
    def max_weight(self) -> float:
        return max(process.largest for process in self.sums)


def decay_beams(pdg: int, mass: float) -> tuple[tuple[int, int], tuple[float, float]]:
    """Beams and energies (GeV) of the decay of one particle at rest."""
    return (pdg, 0), (mass, 0.0)


def write_lhe(
    path: str | os.PathLike[str],
    info: FileInfo,
    topologies: tuple[EventTopology, ...],
    batches: Iterable[EventBatch | MixedBatch],
    *,
    earlier: Earlier | None = None,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Write events to `path`, gzipped if its name ends in .gz; the file is complete or absent.

    Those of an `earlier` file of the same format stand before the new ones.

    Streams: memory holds one batch. The numbers of the processes are known at the end only, so the
    part above the events, of constant length, is written again then. With gzip that part and the
    last line are members of their own, without compression, so that events can be copied as they
    are. `progress` is called with the number of events written after each batch.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(
            "Cannot write events: no such directory",
            file=target,
            allowed="a path that can be written",
        )
    compress = target.suffix == ".gz"
    events, sum_weight = 0, 0.0
    layout = _layouts(topologies)
    sums = ProcessSums(topologies, earlier.sums if earlier else ())

    def head() -> bytes:
        return _head(info, sums.lines(info.cross_section, info.error), compress)

    with replacing(target) as handle:
        first = head()
        handle.write(first)
        if earlier is not None:
            _copy_events(earlier.path, first, compress, handle)
        sink = _Sink(handle, compress)
        for batch in batches:
            for text in _texts(batch, layout):
                sink.write(text)
            events += len(batch)
            for piece, _ in batch.pieces:
                sums.add(piece)
                sum_weight += float(np.sum(piece.weight))
            if progress is not None:
                progress(events)
        sink.close()
        handle.write(_last(compress))
        final = head()
        if len(final) != len(first):
            raise FabgenError(f"the sums of event weights cannot be written: {sums.sums}")
        handle.seek(0)
        handle.write(final)
    return Written(events, sum_weight / events if events else 0.0, sums.sums)


def _copy_events(earlier: Path, head: bytes, compress: bool, handle: BinaryIO) -> None:
    """Copies what stands between `head` and the last line of an earlier file."""
    last = _last(compress)
    with earlier.open("rb") as source:
        rest = earlier.stat().st_size - len(head) - len(last)
        if rest < 0 or source.read(len(head)) != head:
            raise InputError(
                "the event file does not begin as this run would write it",
                file=earlier,
                allowed="a file of the same version of fabgen, card and parameters",
            )
        while rest:
            data = source.read(min(rest, 1 << 20))
            if not data:
                raise FabgenError(f"{earlier} has become shorter while it was read")
            rest -= handle.write(data)
        if source.read() != last:
            raise FabgenError(f"{earlier} does not end as an event file does")


class _Sink:
    """The events of the file, one gzip member if compressed."""

    def __init__(self, handle: BinaryIO, compress: bool):
        self._handle = handle
        self._zip = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP) if compress else None

    def write(self, data: bytes) -> None:
        self._handle.write(self._zip.compress(data) if self._zip else data)

    def close(self) -> None:
        if self._zip:
            self._handle.write(self._zip.flush())


#: The layout of the events of a topology, a colour flow and a set of resonances, by their numbers.
_Layouts = Callable[[int, int, int], EventLayout]


def _layouts(topologies: tuple[EventTopology, ...]) -> _Layouts:
    @cache
    def layout(topology: int, flow: int, resonances: int) -> EventLayout:
        of_event = topologies[topology].with_resonances(resonances)
        return event_layout(of_event, of_event.flows[flow])

    return layout


def _texts(batch: EventBatch | MixedBatch, layout: _Layouts) -> Iterator[bytes]:
    """The text of a batch in order, chunk by chunk."""
    if isinstance(batch, EventBatch):
        for start in range(0, len(batch), _CHUNK):
            yield _render(batch.take(slice(start, start + _CHUNK)), layout)
        return
    events = [b""] * len(batch)
    for piece, places in batch.pieces:
        for position, text in zip(places, _rows(piece, layout), strict=True):
            events[position] = text
    yield b"".join(events)


def _render(batch: EventBatch, layout: _Layouts) -> bytes:
    """The text of a batch, its events in order."""
    kinds, _ = _kinds(batch)
    if len(kinds) == 1:
        return layout(*kinds[0]).render(batch).tobytes()
    return b"".join(_rows(batch, layout))


def _rows(batch: EventBatch, layout: _Layouts) -> list[bytes]:
    """The text of each event of a batch."""
    kinds, numbers = _kinds(batch)
    texts = [b""] * len(batch)
    for i, kind in enumerate(kinds):
        chosen = np.flatnonzero(numbers == i)
        rows = layout(*kind).render(batch.take(chosen))
        for position, row in zip(chosen, rows, strict=True):
            texts[position] = row.tobytes()
    return texts


def _kinds(batch: EventBatch) -> tuple[list[tuple[int, int, int]], NDArray[np.intp]]:
    """The kinds of events of a batch, of one layout each, and the number (n,) of each event's."""
    resonances = np.zeros_like(batch.flow) if batch.resonances is None else batch.resonances
    columns = batch.topology, batch.flow, resonances
    sizes = tuple(int(column.max(initial=0)) + 1 for column in columns)
    kinds, numbers = np.unique(np.ravel_multi_index(columns, sizes), return_inverse=True)
    rows = zip(*(column.tolist() for column in np.unravel_index(kinds, sizes)), strict=True)
    return [(t, f, r) for t, f, r in rows], numbers


def _head(info: FileInfo, processes: tuple[ProcessLine, ...], compress: bool) -> bytes:
    """Everything above the first event; its length does not depend on the numbers of processes."""
    text = pylhe.LesHouchesEvents(
        init=pylhe.LHEInit(
            initInfo=pylhe.LHEInitInfo(
                beamA=info.beams[0],
                beamB=info.beams[1],
                energyA=info.energies[0],
                energyB=info.energies[1],
                PDFgroupA=0,
                PDFgroupB=0,
                PDFsetA=info.pdf_set,
                PDFsetB=info.pdf_set,
                weightingStrategy=-4,
                numProcesses=len(processes),
            ),
            procInfo=[pylhe.LHEProcInfo(*process) for process in processes],
            generators=[pylhe.LHEGenerator("fabgen", info.version, f"fabgen {info.version}")],
        ),
        events=[],
        header=pylhe.LHEHeader(
            initrwgt=pylhe.LHEInitRWGT([]),
            extra_elements=[
                _element("fabgen", _notes(info, len(processes))),
                _element("fabgen_card", info.card),
                _element("slha", info.slha),
            ],
        ),
    ).tolhe(LHE_FORMAT)
    return _stored(text.removesuffix(_END), compress)


def _last(compress: bool) -> bytes:
    """The last line."""
    return _stored(_END + "\n", compress)


def _stored(text: str, compress: bool) -> bytes:
    """A text whose length does not depend on what stands in it, compressed or not."""
    data = text.encode("utf-8")
    if not compress:
        return data
    member = zlib.compressobj(0, zlib.DEFLATED, _GZIP)
    return member.compress(data) + member.flush()


def _notes(info: FileInfo, n_processes: int) -> str:
    meaning = {
        "pb": "in pb",
        "GeV": "in GeV: partial width of the first beam, at rest",
        "none": "without unit: integral of the squared amplitude of the model",
    }
    return "\n".join(
        [
            f"process: {info.process}",
            f"unit: {info.unit}",
            f"XSECUP, XERRUP, XMAXUP and XWGTUP {meaning[info.unit]}",
            "IDWTUP = -4: the mean of XWGTUP over the file is the cross section",
            *([_SEVERAL] if n_processes > 1 else []),
            "SPINUP: helicity in the rest frame of what collides; 9: not known (intermediate)",
            *(f"note: {note}" for note in info.notes),
        ]
    )


def _element(tag: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(tag)
    # XML 1.0 has no way to write control characters, escaped or not.
    clean = "".join(c if c in "\n\t" or ord(c) >= 0x20 else "?" for c in text)
    element.text = "\n" + clean.strip("\n") + "\n"
    return element
