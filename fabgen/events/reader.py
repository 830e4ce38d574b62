"""Events and header of an LHE file as arrays, through pylhe."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import numpy as np
import pylhe
from numpy.typing import NDArray

from fabgen.errors import InputError


@dataclass(frozen=True)
class EventFile:
    """An LHE file of n events with the same number of external legs.

    beams, energies: PDG ids and energies (GeV) of the two beams. cross_section, error, max_weight:
    XSECUP, XERRUP, XMAXUP of the processes, summed (in quadrature, largest). header: text of the
    header's elements by tag. pdg (n, n_external), momenta (n, n_external, 4) as (E, px, py, pz) in
    GeV of the external legs, the n_initial incoming ones first; weight, scale, aqed, aqcd (n,).
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

    def __len__(self) -> int:
        return len(self.weight)


def read_lhe(path: str | os.PathLike[str]) -> EventFile:
    """Read a file, gzipped or not. A file that is missing, cut off or no LHE raises InputError."""
    try:
        with warnings.catch_warnings():
            # pylhe only warns where a file breaks off, and yields the events before.
            warnings.simplefilter("error", RuntimeWarning)
            content = pylhe.LHEFile.fromfile(path)
            events = [_Event.of(event) for event in content.events]
    except (OSError, EOFError, ValueError, IndexError, RuntimeWarning) as error:
        raise InputError(
            "Cannot read the event file", file=path, found=error, allowed="a complete LHE file"
        ) from error
    init = content.init
    extra = content.header.extra_elements if content.header else []
    shapes = {(e.n_initial, e.pdg.size) for e in events}
    if len(shapes) > 1:
        raise InputError("Events with different numbers of particles", file=path)
    n_initial, n_external = shapes.pop() if shapes else (0, 0)
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
        pdg=np.array([e.pdg for e in events], dtype=np.int64).reshape(shape),
        momenta=np.array([e.momenta for e in events], dtype=float).reshape(*shape, 4),
        weight=info[:, 0],
        scale=info[:, 1],
        aqed=info[:, 2],
        aqcd=info[:, 3],
    )


@dataclass(frozen=True)
class _Event:
    """What stays of one event: its external legs, incoming ones first, and its numbers."""

    n_initial: int
    pdg: NDArray[np.int64]
    momenta: NDArray[np.float64]
    info: tuple[float, float, float, float]

    @classmethod
    def of(cls, event: pylhe.LHEEvent) -> _Event:
        initial = [p for p in event.particles if p.status == -1]
        legs = initial + [p for p in event.particles if p.status == 1]
        head = event.eventinfo
        return cls(
            n_initial=len(initial),
            pdg=np.array([p.id for p in legs]),
            momenta=np.array([(p.e, p.px, p.py, p.pz) for p in legs]),
            info=(head.weight, head.scale, head.aqed, head.aqcd),
        )
