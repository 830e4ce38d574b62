"""Bounds on single particles and on systems that hold wherever the cuts do."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .bounds import Bound, CutLeg


@dataclass(frozen=True)
class ImpliedBounds:
    """What cuts say for certain, for maps and for the refusal of divergences."""

    legs: tuple[CutLeg, ...] = ()
    bounds: tuple[Bound, ...] = ()

    def minimum_pt(self, leg: int, mass: float | None = None) -> float:
        """Lower bound on the pT of a leg in GeV; with its mass a little better.

        A leg has at least the pT that cuts leave all others together, which recoil against it.
        """
        rest = tuple(other for other in range(len(self.legs)) if other != leg)
        bounds = [self._own_minimum_pt(leg, mass)]
        bounds += [b.minimum for b in self.active("summed pt") if b.legs == rest]
        if len(rest) == 1:
            bounds.append(self._own_minimum_pt(rest[0], None))
            bounds += [b.minimum / 2 for b in self.active("ht") if len(b.legs) == 2]
            bounds += [b.minimum for b in self.active("ranked pt", "any pt")]
        return max(bounds)

    def minimum_summed_pt(self, legs: Sequence[int]) -> float:
        """Lower bound on the pT of some legs together, GeV: theirs, or that of all others."""
        inside = tuple(sorted(legs))
        rest = tuple(leg for leg in range(len(self.legs)) if leg not in inside)
        bounds = [0.0, *(b.minimum for b in self.active("summed pt") if b.legs in (inside, rest))]
        bounds += [self.minimum_pt(group[0]) for group in (inside, rest) if len(group) == 1]
        return max(bounds)

    def _own_minimum_pt(self, leg: int, mass: float | None) -> float:
        bounds = [b.minimum for b in self.active("pt", "summed pt", "any pt") if b.legs == (leg,)]
        for b in self.active("ranked pt"):  # the softest of the jets, if it is the last in rank
            if leg in b.legs and len(b.legs) == b.rank:
                bounds.append(b.minimum)
        bounds += [b.minimum for b in self.active("ht") if b.legs == (leg,)]
        reach = self.maximum_rapidity(leg)
        if mass is not None and reach < math.inf:
            energy = max([0.0, *(b.minimum for b in self.active("energy") if b.legs == (leg,))])
            bounds.append(math.sqrt(max((energy / math.cosh(reach)) ** 2 - mass**2, 0.0)))
        return max(bounds, default=0.0)

    def minimum_energy(self, leg: int, mass: float = 0.0) -> float:
        """Lower bound on the energy of a leg in the lab, GeV."""
        transverse_mass = math.hypot(self.minimum_pt(leg), mass)
        away = max([0.0, *(b.minimum for b in self.active("rapidity") if b.legs == (leg,))])
        cut = max([0.0, *(b.minimum for b in self.active("energy") if b.legs == (leg,))])
        return max(cut, transverse_mass * math.cosh(min(away, 700.0)))

    def maximum_rapidity(self, leg: int) -> float:
        """Upper bound on |y| of a leg, inf without one."""
        return min(
            (b.maximum for b in self.active("rapidity") if b.legs == (leg,)), default=math.inf
        )

    def minimum_delta_r(self, first: int, second: int) -> float:
        """Lower bound on sqrt(dy^2 + dphi^2) of a pair."""
        pair = tuple(sorted((first, second)))
        bounds = [b.minimum for b in self.active("delta r", "gap") if b.legs == pair]
        bounds += [2.0 * b.minimum for b in self.active("hemispheres") if b.legs == pair]
        return max(bounds, default=0.0)

    def are_isolated(self, first: int, second: int) -> bool:
        """Whether one of a pair is a photon isolated from the other, which then has no pT left the
        closer they are."""
        return any(
            b.cone is not None and b.cone.power > 0.0 and b.legs[0] == photon and other in b.legs
            for b in self.active("crowding")
            for photon, other in ((first, second), (second, first))
        )

    def maximum_energy(self, leg: int, mass: float = 0.0) -> float:
        """Upper bound on the energy of a leg in the lab, GeV: the cut on it, or that on pT with the
        one on |y|; inf without one."""
        most = [b.maximum for b in self.active("energy") if b.legs == (leg,)]
        pt = min((b.maximum for b in self.active("pt") if b.legs == (leg,)), default=math.inf)
        reach = self.maximum_rapidity(leg)
        if reach < 700.0:
            most.append(math.hypot(mass, pt) * math.cosh(reach))
        return min(most, default=math.inf)

    def minimum_invariant_mass(self, legs: Sequence[int], masses: Sequence[float]) -> float:
        """Lower bound on the invariant mass of some final legs, GeV.

        masses: of all final legs, GeV. The best of: the sum of the masses; a cut on the mass of a
        part of the legs plus the masses of the others; and, from s = sum_(i<j) m_ij^2 - (k - 2)
        sum_i m_i^2, the bounds on all pairs.
        """
        return self.minimum_invariant_masses(masses)(legs)

    def minimum_invariant_masses(self, masses: Sequence[float]) -> Callable[[Sequence[int]], float]:
        """`minimum_invariant_mass` as a function of the legs, for several systems of them."""
        pair_mass = functools.cache(lambda i, j: self._minimum_pair_mass(i, j, masses))

        def lowest(legs: Sequence[int]) -> float:
            inside = frozenset(legs)
            total = sum(masses[leg] for leg in inside)
            candidates = [total]
            for bound in self.active("mass"):
                if inside.issuperset(bound.legs):
                    own = sum(masses[leg] for leg in bound.legs)
                    candidates.append(total + bound.minimum - own)
            pairs = list(itertools.combinations(sorted(inside), 2))
            candidates += [total - masses[i] - masses[j] + pair_mass(i, j) for i, j in pairs]
            square = sum(pair_mass(i, j) ** 2 for i, j in pairs)
            square -= (len(inside) - 2) * sum(masses[leg] ** 2 for leg in inside)
            candidates.append(math.sqrt(max(square, 0.0)) if pairs else 0.0)
            return max(candidates)

        return lowest

    def maximum_invariant_mass(self, legs: Sequence[int]) -> float:
        """Upper bound on the invariant mass of some final legs from a cut on just these, GeV."""
        legs = tuple(sorted(legs))
        return min((b.maximum for b in self.active("mass") if b.legs == legs), default=math.inf)

    def _minimum_pair_mass(self, first: int, second: int, masses: Sequence[float]) -> float:
        """The larger of the cut on the pair's mass and what pT and distance imply.

        m^2 = m1^2 + m2^2 + 2 (mT1 mT2 cosh dy - pT1 pT2 cos dphi) with mT1 mT2 >= m1 m2 + pT1 pT2
        is at least (m1 + m2)^2 + 2 pT1 pT2 (cosh dy - cos dphi); at a given distance r the bracket
        is smallest at dy = 0 (r <= pi), or at dphi = pi.
        """
        pair = tuple(sorted((first, second)))
        cut = max((b.minimum for b in self.active("mass") if b.legs == pair), default=0.0)
        distance = self.minimum_delta_r(*pair)
        if distance <= math.pi:
            opening = 2.0 * math.sin(distance / 2.0) ** 2
        else:
            opening = math.cosh(min(math.sqrt(distance**2 - math.pi**2), 300.0)) + 1.0
        pts = self.minimum_pt(first) * self.minimum_pt(second)
        return max(cut, math.sqrt((masses[first] + masses[second]) ** 2 + 2.0 * pts * opening))

    def active(self, *quantities: str) -> Iterator[Bound]:
        """The bounds on some quantities, but for those that leave out a window: there are values
        below it and above it."""
        for quantity in quantities:
            yield from self._by_quantity.get(quantity, ())

    @functools.cached_property
    def _by_quantity(self) -> dict[str, list[Bound]]:
        found: dict[str, list[Bound]] = {}
        for bound in self.bounds:
            if bound.excludes:
                continue
            found.setdefault(bound.quantity, []).append(bound)
        return found
