"""Neutral description of events: what a process looks like, and batches of its events.

Needs numpy only. Conventions are those of the Les Houches accord (hep-ph/0109068): incoming legs
first, momenta (E, px, py, pz) in GeV in the lab frame, colour lines as (colour, anticolour) tags.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from fabgen.errors import FabgenError
from fabgen.process.event_topology import EventTopology, Flow, Resonance

__all__ = ["EventBatch", "EventTopology", "Flow", "MixedBatch", "Resonance"]


@dataclass(frozen=True)
class EventBatch:
    """n events of the same number of external legs.

    momenta (n, n_external, 4) in GeV; topology, flow (n,): indices into the topologies of the
    process and into the flows of that topology; weight (n,): event weight in pb (GeV for a decay);
    scale (n,) in GeV; aqed, aqcd (n,): couplings alpha; helicity (n, n_external) or None;
    resonances (n,): indices into the sets of resonances of the topology, None for the first.
    """

    momenta: NDArray[np.float64]
    topology: NDArray[np.integer]
    flow: NDArray[np.integer]
    weight: NDArray[np.float64]
    scale: NDArray[np.float64]
    aqed: NDArray[np.float64]
    aqcd: NDArray[np.float64]
    helicity: NDArray[np.integer] | None = None
    resonances: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        n = len(self.weight)
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and len(value) != n:
                raise FabgenError(
                    f"event batch: {len(value)} entries of {field.name} for {n} weights"
                )

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def pieces(self) -> tuple[tuple[EventBatch, NDArray[np.integer] | None], ...]:
        """One piece, in its order: see `MixedBatch`."""
        return ((self, None),)

    def take(self, index: slice | NDArray[np.integer]) -> EventBatch:
        """Some of the events, in the order of `index`."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v[index] for k, v in values.items() if v is not None})


@dataclass(frozen=True)
class MixedBatch:
    """Events of different numbers of particles: pieces, each with the places (n,) of its events."""

    pieces: tuple[tuple[EventBatch, NDArray[np.integer]], ...]

    def __len__(self) -> int:
        return sum(len(piece) for piece, _ in self.pieces)
