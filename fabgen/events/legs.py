"""Events of a file -> momenta in the order of the legs of a process.

Convention: the incoming particles stand in the order of the process, final particles are matched
to the legs by their PDG ids. Where several final particles are equal, those below one intermediate
particle of the file (status 2) go to the legs of the decay of that particle; where the file does
not tell, or the process has no decays, they keep the order of the file. A file that sorts equal
particles (by pT, say) is therefore not distributed as f.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabgen.errors import InputError
from fabgen.events.reader import EventFile, Structure
from fabgen.process.event_topology import EventTopology

#: How far the momenta of a file may be from the beams, the balance and the mass shells of the
#: process, in units of the energy (squared): files with seven digits pass.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class LegMomenta:
    """momenta (n, n_external, 4) in GeV, legs as in the process; subprocess (n,) of each event, and
    its number in the file."""

    momenta: NDArray[np.float64]
    subprocess: NDArray[np.int64]
    number: NDArray[np.int64]


def leg_momenta(
    events: EventFile,
    topologies: Sequence[EventTopology],
    beams: NDArray[np.float64] | tuple[float, ...],
    path: str | os.PathLike[str],
) -> LegMomenta:
    """The events of a file as events of a process with these subprocesses.

    beams: momenta (n_subprocesses, n_initial, 4) of what comes in, in the lab; or both energies in
    GeV where that is a part of the beams. Raises InputError for a file with other particles, other
    beams, or momenta that are not balanced and on shell.
    """
    orders = [_assignment(s, topologies) for s in events.structures]
    for number, order in enumerate(orders):
        if order is None:
            first = int(np.argmax(events.structure == number))
            structure = events.structures[number]
            raise InputError(
                "the particles of an event are not those of the process",
                file=path,
                key=f"event {events.number[first]}",
                found=_ids(structure.pdg, structure.n_initial),
                allowed=" or ".join(dict.fromkeys(_ids(t.pdg, t.n_initial) for t in topologies))
                + " (PDG ids; final particles in any order)",
            )
    subprocess = np.array([order[0] for order in orders if order], dtype=np.int64)
    places = np.array([order[1] for order in orders if order], dtype=np.int64)
    index = places.reshape(len(orders), -1)[events.structure]
    momenta = np.take_along_axis(events.momenta, index[:, :, None], axis=1)
    result = LegMomenta(momenta, subprocess[events.structure], events.number)
    if isinstance(beams, tuple):
        _check_partons(result, np.array(beams), path)
    else:
        _check_beams(result, beams, path)
    _check_momenta(result, topologies, path)
    return result


def event_weights(events: EventFile, path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """The weights (n,) of the events. Raises InputError for negative ones and those not finite."""
    wrong = ~np.isfinite(events.weight) | (events.weight < 0.0)
    if np.any(wrong):
        first = int(np.argmax(wrong))
        raise InputError(
            f"{int(np.sum(wrong))} of {len(events)} events have no weight to learn from",
            file=path,
            key=f"event {events.number[first]}",
            found=f"XWGTUP = {events.weight[first]:g}",
            allowed="finite weights, zero or positive",
        )
    return events.weight


def _assignment(
    structure: Structure, topologies: Sequence[EventTopology]
) -> tuple[int, tuple[int, ...]] | None:
    """The subprocess of a structure and the place in the file of each of its legs.

    Of all assignments of equal ids the one that finds most decays of the process in the file, of
    these the first in the order of the file. None where no subprocess has these particles.
    """
    best: tuple[int, tuple[int, ...]] | None = None
    most = -1
    for number, topology in enumerate(topologies):
        for places in _permutations(structure, topology):
            found = _decays_found(structure, topology, places)
            if found > most:
                best, most = (number, places), found
            if found == len(topology.resonances):
                break
    return best


def _permutations(structure: Structure, topology: EventTopology) -> Iterator[tuple[int, ...]]:
    """Places of the legs with equal PDG ids; that in the order of the file first."""
    n = topology.n_initial
    same_beams = structure.n_initial == n and structure.pdg[:n] == topology.pdg[:n]
    if not same_beams or sorted(structure.pdg[n:]) != sorted(topology.pdg[n:]):
        return
    legs: dict[int, list[int]] = {}
    entries: dict[int, list[int]] = {}
    for place in range(n, len(topology.pdg)):
        legs.setdefault(topology.pdg[place], []).append(place)
        entries.setdefault(structure.pdg[place], []).append(place)
    for choice in itertools.product(*(itertools.permutations(entries[pdg]) for pdg in legs)):
        placed = dict(zip(itertools.chain(*legs.values()), itertools.chain(*choice), strict=True))
        yield (*range(n), *(placed[leg] for leg in range(n, len(topology.pdg))))


def _decays_found(structure: Structure, topology: EventTopology, places: tuple[int, ...]) -> int:
    decays = [(r.pdg, frozenset(r.legs)) for r in structure.resonances]
    wanted = [(r.pdg, frozenset(places[leg] for leg in r.legs)) for r in topology.resonances]
    return sum(decay in decays for decay in wanted)


def _check_beams(
    events: LegMomenta, incoming: NDArray[np.float64], path: str | os.PathLike[str]
) -> None:
    expected = incoming[events.subprocess]
    n = incoming.shape[1]
    distance = np.abs(events.momenta[:, :n] - expected).max(axis=2, initial=0.0)
    wrong = np.any(distance > TOLERANCE * expected[..., 0], axis=1)
    if np.any(wrong):
        first = int(np.argmax(wrong))
        raise InputError(
            "the beams of the file are not those of the card"
            if n == 2
            else "the decaying particle of the file is not at rest with the mass of the card",
            file=path,
            key=f"event {events.number[first]}",
            found=_beams(events.momenta[first, :n]),
            allowed=_beams(expected[first]),
            hint="beams.energy" if n == 2 else None,
        )


def _check_partons(
    events: LegMomenta, energies: NDArray[np.float64], path: str | os.PathLike[str]
) -> None:
    """That what comes in runs along the beams and has a part of their energies."""
    incoming = events.momenta[:, :2]
    along = np.array([1.0, -1.0]) * energies
    away = np.abs(incoming[..., 3] - np.sign(along) * incoming[..., 0])
    across = np.abs(incoming[..., 1:3]).max(axis=2)
    off = np.maximum(away, across) > TOLERANCE * incoming[..., 0]
    wrong = np.any(off | (incoming[..., 0] > (1.0 + TOLERANCE) * energies), axis=1)
    if np.any(wrong):
        first = int(np.argmax(wrong))
        raise InputError(
            "the partons of an event are none of the beams of the card",
            file=path,
            key=f"event {events.number[first]}",
            found=_beams(incoming[first]),
            allowed=f"along the beams, at most {energies[0]:.10g} and {energies[1]:.10g} GeV",
            hint="beams.energy",
        )


def _check_momenta(
    events: LegMomenta, topologies: Sequence[EventTopology], path: str | os.PathLike[str]
) -> None:
    n = topologies[0].n_initial
    p = events.momenta
    energy = p[:, :n, 0].sum(axis=1)
    miss = np.abs(p[:, :n].sum(axis=1) - p[:, n:].sum(axis=1)).max(axis=1, initial=0.0)
    wrong = ~(miss <= TOLERANCE * energy)
    if np.any(wrong):
        first = int(np.argmax(wrong))
        raise InputError(
            "the momenta of an event are not balanced",
            file=path,
            key=f"event {events.number[first]}",
            found=f"{miss[first]:.3g} GeV of {energy[first]:g} GeV",
            allowed=f"{TOLERANCE:g} of the energy",
        )
    masses = np.array([t.masses for t in topologies])[events.subprocess]
    squares = p[..., 0] ** 2 - np.sum(p[..., 1:] ** 2, axis=-1)
    off = ~(np.abs(squares - masses**2) <= TOLERANCE * p[..., 0] ** 2)
    if np.any(off):
        event, leg = (int(i) for i in np.argwhere(off)[0])
        pdg = topologies[events.subprocess[event]].pdg[leg]
        raise InputError(
            "a particle of the file has another mass than in the card",
            file=path,
            key=f"event {events.number[event]}, PDG id {pdg}",
            found=f"{np.sqrt(np.maximum(squares[event, leg], 0.0)):g} GeV",
            allowed=f"{masses[event, leg]:g} GeV",
        )


def _ids(pdg: Sequence[int], n_initial: int) -> str:
    return f"{' '.join(map(str, pdg[:n_initial]))} > {' '.join(map(str, pdg[n_initial:]))}"


def _beams(momenta: NDArray[np.float64]) -> str:
    return ", ".join(
        f"E = {energy:.10g} GeV with pz = {along:.10g} GeV"
        for energy, _, _, along in momenta.tolist()
    )
