"""What a cut is once the process is known: a bound on a quantity of some final legs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["j", "b", "l", "a", "missing", "heavy"]


@dataclass(frozen=True)
class CutLeg:
    """A final particle as the cuts see it: its class, PDG number, and if a decay chain made it."""

    kind: Kind
    pdg: int
    from_decay: bool = False


@dataclass(frozen=True)
class Bound:
    """minimum <= quantity(legs) <= maximum; energies and momenta in GeV."""

    key: str  #: the quantity as cards call it, for messages
    quantity: str  #: a key of event.QUANTITIES
    legs: tuple[int, ...]
    minimum: float = 0.0
    maximum: float = math.inf
    rank: int = 0  #: number of leading jets, for quantities that sort them
