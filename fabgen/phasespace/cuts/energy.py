"""Between which energies in their rest frame the final particles lie, where the cuts hold.

sqrt(s) is the sum of the energies of groups of particles, each at least the transverse mass of the
group, sqrt(M^2 + P^2), with the smallest mass M and the smallest transverse momentum P that the
cuts leave it. P is at least what they leave the other particles, which the group recoils against.
Where cuts ask for pT of the hardest particles, or for its sum HT, each particle is a group of its
own, and the sum of sqrt(m^2 + pT^2) is at least sqrt((sum m)^2 + HT^2).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from .bounds import Bound
from .implied import ImpliedBounds


def minimum_sqrt_s(cuts: ImpliedBounds, masses: Sequence[float]) -> float:
    """Lower bound on the energy of all legs in their rest frame, GeV. masses: of all legs, GeV."""
    return _Energies(cuts, masses).lowest()


def maximum_sqrt_s(cuts: ImpliedBounds, masses: Sequence[float]) -> float:
    """Upper bound on the energy of all legs in their rest frame, GeV; inf without one.

    The best of: a cut on the mass of all legs; s = sum_(i<j) m_ij^2 - (n - 2) sum_i m_i^2 of the
    cuts on all pairs; and the sum of the energies in the lab, which is no smaller than sqrt(s).
    """
    n = len(masses)
    candidates = [cuts.maximum_invariant_mass(range(n))]
    if n > 2:
        pairs = [cuts.maximum_invariant_mass(pair) for pair in itertools.combinations(range(n), 2)]
        square = sum(m * m for m in pairs) - (n - 2) * sum(m * m for m in masses)
        candidates.append(math.sqrt(max(square, 0.0)))
    candidates.append(sum(cuts.maximum_energy(leg, mass) for leg, mass in enumerate(masses)))
    return min(candidates)


class _Energies:
    """The smallest energies of groups of legs at rest. Groups are numbers whose bits are legs."""

    def __init__(self, cuts: ImpliedBounds, masses: Sequence[float]):
        self.cuts, self.masses = cuts, masses
        self.pt = [cuts.minimum_pt(leg, mass) for leg, mass in enumerate(masses)]

    def lowest(self) -> float:
        """Of all legs: the best way to divide them into groups, or one hard leg and its recoil."""
        n = len(self.masses)
        own = self._own_energies()
        best = [0.0]
        for group in range(1, 1 << n):
            first = group & -group  # what holds the first leg, and how to divide the rest
            rest = part = group ^ first
            energy = own[group]
            while part:
                energy = max(energy, own[group ^ part] + best[part])
                part = (part - 1) & rest
            best.append(energy)
        return max([best[-1], *self._recoils()])

    def _own_energies(self) -> list[float]:
        """Smallest energies of groups that are not divided any further, by number."""
        n = len(self.masses)
        mass_of = self.cuts.minimum_invariant_masses(self.masses)
        energies = [0.0]
        for group in range(1, 1 << n):
            legs = tuple(leg for leg in range(n) if group >> leg & 1)
            pt = self.pt[legs[0]] if len(legs) == 1 else self.cuts.minimum_summed_pt(legs)
            energies.append(math.hypot(mass_of(legs), pt))
        for bound in self._scalar_bounds():
            group = sum(1 << leg for leg in bound.legs)
            energies[group] = max(energies[group], self._scalar_energy(bound))
        return energies

    def _scalar_bounds(self) -> Iterator[Bound]:
        """The cuts on the pT of leading legs and on its sum."""
        return self.cuts.active("any pt", "ranked pt", "ht")

    def _ranked(self, legs: tuple[int, ...]) -> list[float]:
        """Lower bounds on the pT of the legs in order, the hardest first."""
        ranked = sorted((self.pt[leg] for leg in legs), reverse=True)
        for bound in self._scalar_bounds():
            if set(bound.legs) <= set(legs) and bound.quantity != "ht":
                for k in range(bound.rank or 1):
                    ranked[k] = max(ranked[k], bound.minimum)
        return ranked

    def _scalar_energy(self, bound: Bound) -> float:
        """Smallest energy of the legs of a bound if each is a group of its own."""
        ranked = self._ranked(bound.legs)
        total = sum(ranked)
        if bound.quantity == "ht":
            total = max(total, bound.minimum + sum(ranked[bound.rank or len(ranked) :]))
        return math.hypot(sum(self.masses[leg] for leg in bound.legs), total)

    def _recoils(self) -> Iterator[float]:
        """If one of some legs has a pT, all others together have the same."""
        n = len(self.masses)
        mass_of = self.cuts.minimum_invariant_masses(self.masses)
        for bound in self._scalar_bounds():
            pt = max(self._ranked(bound.legs)[0], self._share(bound))
            found = []
            for leg in bound.legs:
                rest = tuple(other for other in range(n) if other != leg)
                mass = mass_of(rest) if rest else 0.0
                found.append(math.hypot(self.masses[leg], pt) + math.hypot(mass, pt))
            if n > 1:
                yield min(found)

    @staticmethod
    def _share(bound: Bound) -> float:
        """What the hardest leg has at least of HT."""
        return bound.minimum / (bound.rank or len(bound.legs)) if bound.quantity == "ht" else 0.0
