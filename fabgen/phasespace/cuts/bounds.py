"""What a cut is once the process is known: a bound on a quantity of some final legs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

#: j: gluons and quarks that count as light; b: a massive b quark; l: charged leptons; a: photons;
#: missing: neutrinos; other: anything else.
Kind = Literal["j", "b", "l", "a", "missing", "other"]

#: Particles above this mass are called heavy, and those above that are in no cut of a class, GeV.
_HEAVY, _UNCUT = 10.0, 20.0


@dataclass(frozen=True)
class CutLeg:
    """A final particle as the cuts see it: its class, PDG number, whether a decay chain made it,
    and its mass in GeV."""

    kind: Kind
    pdg: int
    from_decay: bool = False
    mass: float = 0.0

    @property
    def is_heavy(self) -> bool:
        """Whether it is one of the heavy particles of `ptheavy`."""
        return self.mass > _HEAVY

    @property
    def is_cut(self) -> bool:
        """Whether the cuts on each particle, or each pair, of its class hold for it."""
        return self.mass <= _UNCUT


@dataclass(frozen=True)
class Cone:
    """The isolation of photons (S. Frixione, Phys. Lett. B 429 (1998) 369, eq. 3.4).

    Within every distance r < radius there is at most the pT of share pT(photon) [(1 - cos r)/(1 -
    cos radius)]^power.
    """

    radius: float
    power: float
    share: float


@dataclass(frozen=True)
class Bound:
    """minimum <= quantity(legs) <= maximum; energies and momenta in GeV.

    A maximum below the minimum leaves out what lies between them, and keeps the rest.
    """

    key: str  #: the quantity as cards call it, for messages
    quantity: str  #: a key of event.QUANTITIES
    legs: tuple[int, ...]
    minimum: float = 0.0
    maximum: float = math.inf
    rank: int = 0  #: number of leading particles, for quantities that sort them
    cone: Cone | None = None  #: for the isolation of the first leg

    @property
    def excludes(self) -> bool:
        """Whether it leaves out the values between its ends."""
        return bool(self.minimum > self.maximum)
