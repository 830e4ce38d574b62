"""Events and header of an LHE file as arrays, through pylhe."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pylhe
from numpy.typing import NDArray

from fabgen.errors import InputError
from fabgen.events.record import Resonance


@dataclass(frozen=True)
class Structure:
    """What the particles of an event are: PDG ids of the external legs, the n_initial incoming ones
    first, and the intermediate particles (status 2) with two or more final legs below them."""

    pdg: tuple[int, ...]
    n_initial: int
    resonances: tuple[Resonance, ...] = ()


@dataclass(frozen=True)
class EventFile:
    """An LHE file of n events with the same number of external legs.

    beams, energies: PDG ids and energies (GeV) of the two beams. cross_section, error, max_weight:
    XSECUP, XERRUP, XMAXUP of the processes, summed (in quadrature, largest). header: text of the
    header's elements by tag. pdg (n, n_external), momenta (n, n_external, 4) as (E, px, py, pz) in
    GeV of the external legs, the n_initial incoming ones first; weight, scale, aqed, aqcd (n,).
    structures: the different structures of events, structure (n,) the number of each event's.
    """

    beams: tuple[int, int]
    energies: tuple[float, float]
    cross_section: float
    error: float
    max_weight: float
    header: dict[str, str]
    n_initial: int
    pdg: NDArray[np.int64]
    momenta: NDArray[np.float64]
    weight: NDArray[np.float64]
    scale: NDArray[np.float64]
    aqed: NDArray[np.float64]
    aqcd: NDArray[np.float64]
    structures: tuple[Structure, ...]
    structure: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.weight)


def read_lhe(path: str | os.PathLike[str]) -> EventFile:
    """Read a file, gzipped or not. A file that is missing, cut off or no LHE raises InputError."""
    try:
        with warnings.catch_warnings():
            # pylhe only warns where a file breaks off, and yields the events before.
            warnings.simplefilter("error", RuntimeWarning)
            content = pylhe.LHEFile.fromfile(path)
            known: dict[Structure, Structure] = {}
            events = [_Event.of(event, known) for event in content.events]
    except (OSError, EOFError, ValueError, IndexError, RuntimeWarning) as error:
        raise InputError(
            "Cannot read the event file", file=path, found=error, allowed="a complete LHE file"
        ) from error
    init = content.init
    extra = content.header.extra_elements if content.header else []
    shapes = {(e.structure.n_initial, len(e.structure.pdg)) for e in events}
    if len(shapes) > 1:
        raise InputError(
            "Events with different numbers of particles",
            file=path,
            found=", ".join(f"{a} > {b - a}" for a, b in sorted(shapes)),
            allowed="one number of incoming and of final particles",
        )
    n_initial, n_external = shapes.pop() if shapes else (0, 0)
    numbers: dict[Structure, int] = {}
    structure = [numbers.setdefault(e.structure, len(numbers)) for e in events]
    shape = (len(events), n_external)
    info = np.array([e.info for e in events], dtype=float).reshape(-1, 4)
    return EventFile(
        beams=(init.initInfo.beamA, init.initInfo.beamB),
        energies=(init.initInfo.energyA, init.initInfo.energyB),
        cross_section=sum(p.xSection for p in init.procInfo),
        error=float(np.sqrt(sum(p.error**2 for p in init.procInfo))),
        max_weight=max((p.unitWeight for p in init.procInfo), default=0.0),
        header={str(e.tag): (e.text or "").strip("\n") for e in extra},
        n_initial=n_initial,
        pdg=np.array([e.structure.pdg for e in events], dtype=np.int64).reshape(shape),
        momenta=np.array([e.momenta for e in events], dtype=float).reshape(*shape, 4),
        weight=info[:, 0],
        scale=info[:, 1],
        aqed=info[:, 2],
        aqcd=info[:, 3],
        structures=tuple(numbers),
        structure=np.array(structure, dtype=np.int64),
    )


@dataclass(frozen=True)
class _Event:
    """What stays of one event: its external legs, incoming ones first, and its numbers."""

    structure: Structure
    momenta: NDArray[np.float64]
    info: tuple[float, float, float, float]

    @classmethod
    def of(cls, event: pylhe.LHEEvent, known: dict[Structure, Structure]) -> _Event:
        """`known`: the structures so far, so that equal ones are kept once."""
        particles = event.particles
        initial = [i for i, p in enumerate(particles) if p.status == -1]
        legs = initial + [i for i, p in enumerate(particles) if p.status == 1]
        below: dict[int, list[int]] = {}
        for leg, entry in enumerate(legs):
            for ancestor in dict.fromkeys(_ancestors(particles, entry)):
                below.setdefault(ancestor, []).append(leg)
        resonances = (
            Resonance(int(particles[entry].id), tuple(final))
            for entry, final in sorted(below.items())
            if len(final) > 1
        )
        pdg = tuple(int(particles[i].id) for i in legs)
        structure = Structure(pdg, len(initial), tuple(resonances))
        head = event.eventinfo
        return cls(
            structure=known.setdefault(structure, structure),
            momenta=np.array([(p.e, p.px, p.py, p.pz) for p in (particles[i] for i in legs)]),
            info=(head.weight, head.scale, head.aqed, head.aqcd),
        )


def _ancestors(particles: Sequence[pylhe.LHEParticle], entry: int) -> Iterator[int]:
    """The intermediate particles above an entry, nearest first; the file counts them from 1."""
    for _ in particles:  # no chain is longer; a file may name a particle its own mother
        entry = int(particles[entry].mother1) - 1
        if not 0 <= entry < len(particles) or particles[entry].status != 2:
            return
        yield entry
