"""Between which invariant masses the particles of a process lie, under cuts and windows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from fabgen.phasespace.cuts import Cuts

#: Final particles by position behind the beams.
LegSet = frozenset[int]


@dataclasses.dataclass(frozen=True)
class Resonance:
    """A decayed particle of a chain: it stays within `reach` GeV of its mass (GeV)."""

    legs: LegSet
    mass: float
    reach: float


@dataclasses.dataclass(frozen=True, eq=False)
class InvariantRanges:
    """Bounds on the invariant mass of final particles that hold wherever |M|^2 is evaluated.

    masses: of the final particles, GeV. sqrt_s: total energy in the rest frame, GeV, the largest
    one where it is variable; least: then the smallest. resonances: the decayed particles, each of
    which bounds what it is made of and what it is a part of.
    """

    cuts: Cuts
    masses: Sequence[float]
    sqrt_s: float
    resonances: tuple[Resonance, ...] = ()
    least: float | None = None

    def depth(self, legs: Iterable[int], mass: float) -> float:
        """How far a squared mass lies inside the range of p^2 of some legs, GeV^2.

        Negative outside of it. If the legs make up a decayed particle its window does not count.
        """
        inside = frozenset(legs)
        return min(mass**2 - self._lowest(inside) ** 2, self._highest(inside) ** 2 - mass**2)

    def _lowest(self, legs: LegSet, *, own: bool = False) -> float:
        """Smallest mass of a system, GeV; own: a decayed particle of just these legs counts.

        A massless particle with a momentum pT adds at least 2 p.k >= 2 pT m^2/sqrt(s) to the m^2 of
        the others, since E - |p| = m^2/(E + |p|) and E + |p| <= sqrt(s).
        """
        if len(legs) == len(self.masses):
            return self.sqrt_s if self.least is None else self.least
        parts = self._parts(legs, own)
        others = legs.difference(*(part.legs for part in parts))
        heavy = sum(map(self._floor, parts)) + sum(self.masses[leg] for leg in others)
        pt = sum(self._pt(leg) for leg in others if self.masses[leg] == 0.0)
        return max(
            heavy * math.sqrt(1.0 + 2.0 * pt / self.sqrt_s),
            self.cuts.minimum_invariant_mass(tuple(legs), self.masses),
        )

    def _highest(self, legs: LegSet) -> float:
        """Largest mass of a system, GeV: what the rest, or a mother in its window, leaves it."""
        if len(legs) == len(self.masses):
            return self.sqrt_s
        rest = frozenset(range(len(self.masses))) - legs
        energy = sum(math.hypot(self.masses[leg], self._pt(leg)) for leg in rest)
        energy = max(energy, self._lowest(rest, own=True))
        found = [self.sqrt_s - energy, self.cuts.maximum_invariant_mass(tuple(legs))]
        if len(rest) == 1:  # a system of one particle has no more mass than that
            square = self.masses[min(rest)] ** 2
            left = self.sqrt_s**2 - 2.0 * self.sqrt_s * energy + square
            found.append(math.sqrt(max(left, 0.0)))
        for mother in self.resonances:
            if legs < mother.legs:
                found.append(self._cap(mother) - self._lowest(mother.legs - legs, own=True))
        return max(min(found), 0.0)

    def _floor(self, resonance: Resonance) -> float:
        return max(resonance.mass - resonance.reach, self._lowest(resonance.legs))

    def _cap(self, resonance: Resonance) -> float:
        return min(resonance.mass + resonance.reach, self._highest(resonance.legs))

    def _parts(self, legs: LegSet, own: bool) -> list[Resonance]:
        """The largest decayed particles inside a system."""
        parts: list[Resonance] = []
        for resonance in sorted(self.resonances, key=lambda r: -len(r.legs)):
            inside = resonance.legs < legs or (own and resonance.legs == legs)
            if inside and not any(resonance.legs <= part.legs for part in parts):
                parts.append(resonance)
        return parts

    def _pt(self, leg: int) -> float:
        return self.cuts.minimum_pt(leg, self.masses[leg])
