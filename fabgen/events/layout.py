"""How the events of one topology and colour flow are laid out in an LHE file.

pylhe writes one event with a mark in the place of every number that changes from event to event;
its text serves for all events of the same particles and colours. Entries stand in the order
incoming legs, resonances (mothers first), final legs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pylhe
from numpy.typing import NDArray

from fabgen.errors import FabgenError
from fabgen.events.digits import FLOAT_FORMAT, WIDTH, round_digits, scientific
from fabgen.events.record import EventBatch, EventTopology, Flow

#: 15 significant digits, helicities like "-1." and " 9." in three characters.
LHE_FORMAT = pylhe.LHEXMLFormat(
    weights=pylhe.LHEWeightFormat.NONE,
    eventinfo=(
        f"{{nparticles:2d}} {{pid:3d}} {{weight:{FLOAT_FORMAT}}} {{scale:{FLOAT_FORMAT}}}"
        f" {{aqed:{FLOAT_FORMAT}}} {{aqcd:{FLOAT_FORMAT}}}"
    ),
    particle=(
        "{id:8d} {status:2d} {mother1:3d} {mother2:3d} {color1:4d} {color2:4d}"
        f" {{px:{FLOAT_FORMAT}}} {{py:{FLOAT_FORMAT}}} {{pz:{FLOAT_FORMAT}}}"
        f" {{e:{FLOAT_FORMAT}}} {{m:{FLOAT_FORMAT}}} {{lifetime:.0f}}. {{spin: .0f}}."
    ),
    initinfo=(
        "{beamA:8d} {beamB:8d} "
        f"{{energyA:{FLOAT_FORMAT}}} {{energyB:{FLOAT_FORMAT}}}"
        " {PDFgroupA:d} {PDFgroupB:d} {PDFsetA:d} {PDFsetB:d} {weightingStrategy:d}"
        " {numProcesses:d}"
    ),
    procinfo=(
        f"{{xSection:{FLOAT_FORMAT}}} {{error:{FLOAT_FORMAT}}} {{unitWeight:{FLOAT_FORMAT}}}"
        " {procId:d}"
    ),
)

FIRST_COLOUR_TAG = 501
UNKNOWN_HELICITY = 9.0
#: Relative to the energy (or its square): beyond this an event is not written.
TOLERANCE = 1e-10

#: Marks a number that is filled in for each event.
_MARK = -1.23456789012345e-67
_MARK_TEXT = re.escape(format(_MARK, FLOAT_FORMAT))
#: The texts of the helicities from -9 to 9, (19, 3).
_HELICITY_TEXT = np.array([list(f"{h: .0f}.".encode()) for h in range(-9, 10)], np.uint8)


@dataclass(frozen=True)
class EventLayout:
    """Text of an event and the places of its floats.

    text (length,): ASCII codes, masses of external legs filled in. floats (n_floats,): first
    position of each other float: weight, scale, aqed, aqcd, then of each entry px, py, pz, E and,
    for resonances, the mass.
    helicities (n_entries,): first position of each helicity (3 characters).
    """

    topology: EventTopology
    text: NDArray[np.uint8]
    floats: NDArray[np.intp]
    helicities: NDArray[np.intp]

    def render(self, batch: EventBatch) -> NDArray[np.uint8]:
        """The text (n, length) of the events of a batch that all have this layout."""
        text = np.repeat(self.text[None, :], len(batch), axis=0)
        head = np.stack([batch.weight, batch.scale, batch.aqed, batch.aqcd], axis=1)
        codes = scientific(np.concatenate([head, *entries(self.topology, batch.momenta)], axis=1))
        for i, start in enumerate(self.floats):
            text[:, start : start + WIDTH] = codes[:, i]
        if batch.helicity is not None:
            self._fill_helicities(text, batch.helicity)
        return text

    def _fill_helicities(self, text: NDArray[np.uint8], helicity: NDArray[np.integer]) -> None:
        t = self.topology
        n_resonances = len(t.resonances)
        for leg in range(t.n_external):
            entry = leg if leg < t.n_initial else leg + n_resonances
            start = self.helicities[entry]
            text[:, start : start + 3] = _HELICITY_TEXT[helicity[:, leg] + 9]


def event_layout(topology: EventTopology, flow: Flow) -> EventLayout:
    """The layout of the events of a topology with one of its colour flows."""
    event = pylhe.LHEEvent(
        eventinfo=pylhe.LHEEventInfo(
            nparticles=topology.n_external + len(topology.resonances),
            pid=topology.process,
            weight=_MARK,
            scale=_MARK,
            aqed=_MARK,
            aqcd=_MARK,
        ),
        particles=_particles(topology, flow),
    )
    text = event.tolhe(LHE_FORMAT) + "\n"
    floats = [match.start() for match in re.finditer(_MARK_TEXT, text)]
    helicities = [match.start() for match in re.finditer(r" 9\.(?=\n)", text)]
    return EventLayout(
        topology,
        np.frombuffer(text.encode("ascii"), dtype=np.uint8),
        np.array(floats),
        np.array(helicities),
    )


def entries(topology: EventTopology, momenta: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """px, py, pz, E (n, 4) of every entry of n events; resonances with their mass (n, 5).

    Resonances carry the sum of their final legs, as written with 15 digits, and its invariant mass
    (its digits do not depend on how fast the lab sees it along the beams).
    Raises FabgenError for momenta that are not finite, not conserved or not on shell to 1e-10.
    """
    momenta = round_digits(momenta)
    _check(topology, momenta)
    external = list(np.moveaxis(momenta[..., [1, 2, 3, 0]], 1, 0))
    resonances = []
    for resonance in topology.ordered_resonances:
        legs = list(resonance.legs)
        p = sum(external[leg] for leg in legs)
        mass = _invariant_mass(momenta[:, legs], np.asarray(topology.masses)[legs])
        resonances.append(np.column_stack([p, mass]))
    return [*external[: topology.n_initial], *resonances, *external[topology.n_initial :]]


def _invariant_mass(
    momenta: NDArray[np.float64], masses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) GeV of systems of legs (n, legs, 4) with masses (legs,): (E + pz)(E - pz) - pT^2, where
    the smaller of E +- pz of each leg follows from its mass."""
    energy, x, y, z = np.moveaxis(momenta, -1, 0)
    large = energy + np.abs(z)
    small = (x**2 + y**2 + masses**2) / large
    plus, minus = np.where(z >= 0.0, (large, small), (small, large)).sum(axis=2)
    square = plus * minus - x.sum(axis=1) ** 2 - y.sum(axis=1) ** 2
    return np.sqrt(np.maximum(square, 0.0))


def _check(topology: EventTopology, momenta: NDArray[np.float64]) -> None:
    energy = momenta[:, topology.n_initial :, 0].sum(axis=1)
    incoming = momenta[:, : topology.n_initial].sum(axis=1)
    miss = np.abs(momenta[:, topology.n_initial :].sum(axis=1) - incoming).max(axis=1)
    if np.any(miss > TOLERANCE * energy):
        raise FabgenError(
            f"an event violates momentum conservation by {np.max(miss / energy):.2g} of its energy"
        )
    squares = momenta[..., 0] ** 2 - np.sum(momenta[..., 1:] ** 2, axis=-1)
    off = np.abs(squares - np.asarray(topology.masses) ** 2)
    if np.any(off > TOLERANCE * momenta[..., 0] ** 2):
        raise FabgenError("an event has a particle that is not on its mass shell")


def _particles(topology: EventTopology, flow: Flow) -> list[pylhe.LHEParticle]:
    n_initial, resonances = topology.n_initial, topology.ordered_resonances
    rows: list[tuple[int, int, tuple[int, int], tuple[int, int], float]] = []

    def mothers(legs: tuple[int, ...], before: int | None = None) -> tuple[int, int]:
        mother = topology.mother(legs, before)
        if mother is None:
            return 1, n_initial  # both beams, or the one decaying particle
        entry = n_initial + mother + 1
        return entry, entry

    for leg in range(n_initial):
        rows.append((topology.pdg[leg], -1, (0, 0), flow[leg], topology.masses[leg]))
    for i, resonance in enumerate(resonances):
        colour = topology.resonance_colour(resonance, flow)
        rows.append((resonance.pdg, 2, mothers(resonance.legs, i), colour, _MARK))
    for leg in range(n_initial, topology.n_external):
        rows.append((topology.pdg[leg], 1, mothers((leg,)), flow[leg], topology.masses[leg]))
    return [
        pylhe.LHEParticle(
            id=pdg,
            status=status,
            mother1=mother[0],
            mother2=mother[1],
            color1=_tag(colour[0]),
            color2=_tag(colour[1]),
            px=_MARK,
            py=_MARK,
            pz=_MARK,
            e=_MARK,
            m=mass,
            lifetime=0.0,
            spin=UNKNOWN_HELICITY,
        )
        for pdg, status, mother, colour, mass in rows
    ]


def _tag(line: int) -> int:
    return FIRST_COLOUR_TAG - 1 + line if line else 0
