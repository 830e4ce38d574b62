"""Cuts on the final particles in the lab frame, and the bounds on phase space that they imply.

Names and meanings are those of MadGraph's run card, with the rapidity y where it says eta. Only the
cuts that a card writes apply; one whose classes do not occur in the process does nothing.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from fabgen.arrays import Masses, Number
from fabgen.errors import InputError

from .kinematics import (
    components,
    delta_phi,
    invariant_mass,
    light_cone,
    transverse_momentum,
)

Kind = Literal["j", "b", "l", "a", "missing", "heavy"]
_LETTERS = ("j", "b", "l", "a")
PAIRS = ("jj", "bb", "ll", "aa", "bj", "aj", "jl", "ab", "bl", "al")
#: How many jets, counted from the hardest, the cuts on leading jets and on HT know.
_LEADING = (1, 2, 3, 4)


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
    quantity: str  #: a key of _QUANTITIES
    legs: tuple[int, ...]
    minimum: float = 0.0
    maximum: float = math.inf
    rank: int = 0  #: number of leading jets, for quantities that sort them


@dataclass(frozen=True)
class Cuts:
    """All cuts of a card for one list of final particles. Static and hashable."""

    legs: tuple[CutLeg, ...] = ()
    bounds: tuple[Bound, ...] = ()
    cut_decays: bool = False

    @classmethod
    def from_card(cls, cuts: Mapping[str, float | int | bool], legs: Sequence[CutLeg]) -> Cuts:
        """The cuts that apply to these legs. cuts: the card's table, only the keys it writes."""
        legs = tuple(legs)
        cut_decays = bool(cuts.get("cut_decays", False))
        values = {key: _checked(key, value) for key, value in cuts.items() if key != "cut_decays"}
        classes: dict[str, list[int]] = {}
        for index, leg in enumerate(legs):
            if cut_decays or not leg.from_decay:
                classes.setdefault(leg.kind, []).append(index)
        bounds = []
        for low, high, quantity, groups, rank in _table(legs, classes):
            minimum, maximum = values.pop(low, 0.0), values.pop(high, math.inf)
            if minimum > 0.0 or maximum < math.inf:
                bounds += [Bound(low, quantity, g, minimum, maximum, rank) for g in groups]
        if values:
            raise InputError("unknown cut", key=f"cuts.{next(iter(values))}")
        return cls(legs, tuple(bounds), cut_decays)

    def passes(
        self,
        momenta: Float[Array, "n_final 4 events"],
        masses: Masses,
        boost: Number = 0.0,
    ) -> Bool[Array, " events"]:
        """Whether events pass, (events,) bool.

        momenta (n_final, 4, events), masses (n_final,): GeV. boost: rapidity along z in the lab of
        the frame of the momenta; cuts are on quantities of the lab. An event whose quantities are
        not numbers fails. No gradient flows through.
        """
        event = Event(*jax.lax.stop_gradient((momenta, masses, boost)))
        result = jnp.ones(momenta.shape[2:], dtype=bool)
        for bound in self.bounds:
            value = _QUANTITIES[bound.quantity](event, bound)
            if bound.minimum > 0.0:
                result &= value >= bound.minimum
            if bound.maximum < math.inf:
                result &= value <= bound.maximum
        return result

    def excess(
        self,
        momenta: Float[Array, "n_final 4 events"],
        masses: Masses,
        boost: Number = 0.0,
    ) -> Float[Array, " events"]:
        """By how much events miss the cuts, (events,): in units of each bound, added up; 0 where
        they pass. Arguments as in `passes`."""
        event = Event(momenta, masses, boost)
        total = jnp.zeros(momenta.shape[2:])
        for bound in self.bounds:
            value = _QUANTITIES[bound.quantity](event, bound)
            if bound.minimum > 0.0:
                total += jnp.maximum(1.0 - value / bound.minimum, 0.0)
            if bound.maximum < math.inf:
                total += jnp.maximum(value - bound.maximum, 0.0) / (bound.maximum or 1.0)
        return total

    # Static bounds that hold wherever the cuts do, for maps and for the refusal of divergences.

    def minimum_pt(self, leg: int, mass: float | None = None) -> float:
        """Lower bound on the pT of a leg in GeV; with its mass a little better."""
        bound = self._own_minimum_pt(leg, mass)
        if len(self.legs) == 2:  # two particles recoil against each other
            bound = max(bound, self._own_minimum_pt(1 - leg, None))
            bound = max([bound, *(b.minimum / 2 for b in self._of("ht") if len(b.legs) == 2)])
            bound = max([bound, *(b.minimum for b in self._of("ranked pt", "any pt") if b.legs)])
        return bound

    def _own_minimum_pt(self, leg: int, mass: float | None) -> float:
        bounds = [b.minimum for b in self._of("pt", "summed pt", "any pt") if b.legs == (leg,)]
        for b in self._of("ranked pt"):  # the softest of the jets, if it is the last in rank
            if leg in b.legs and len(b.legs) == b.rank:
                bounds.append(b.minimum)
        bounds += [b.minimum for b in self._of("ht") if b.legs == (leg,)]
        reach = self.maximum_rapidity(leg)
        if mass is not None and reach < math.inf:
            energy = max([0.0, *(b.minimum for b in self._of("energy") if b.legs == (leg,))])
            bounds.append(math.sqrt(max((energy / math.cosh(reach)) ** 2 - mass**2, 0.0)))
        return max(bounds, default=0.0)

    def minimum_energy(self, leg: int, mass: float = 0.0) -> float:
        """Lower bound on the energy of a leg in the lab, GeV."""
        transverse_mass = math.hypot(self.minimum_pt(leg), mass)
        away = max([0.0, *(b.minimum for b in self._of("rapidity") if b.legs == (leg,))])
        cut = max([0.0, *(b.minimum for b in self._of("energy") if b.legs == (leg,))])
        return max(cut, transverse_mass * math.cosh(min(away, 700.0)))

    def maximum_rapidity(self, leg: int) -> float:
        """Upper bound on |y| of a leg, inf without one."""
        return min((b.maximum for b in self._of("rapidity") if b.legs == (leg,)), default=math.inf)

    def minimum_delta_r(self, first: int, second: int) -> float:
        """Lower bound on sqrt(dy^2 + dphi^2) of a pair."""
        pair = tuple(sorted((first, second)))
        return max((b.minimum for b in self._of("delta r") if b.legs == pair), default=0.0)

    def minimum_invariant_mass(self, legs: Sequence[int], masses: Sequence[float]) -> float:
        """Lower bound on the invariant mass of some final legs, GeV.

        masses: of all final legs, GeV. The best of: the sum of the masses; a cut on the mass of a
        part of the legs plus the masses of the others; and, from s = sum_(i<j) m_ij^2 - (k - 2)
        sum_i m_i^2, the bounds on all pairs.
        """
        legs = tuple(sorted(legs))
        total = sum(masses[leg] for leg in legs)
        candidates = [total]
        for bound in self._of("mass"):
            if set(bound.legs) <= set(legs):
                candidates.append(total + bound.minimum - sum(masses[leg] for leg in bound.legs))
        pairs = list(itertools.combinations(legs, 2))
        candidates += [
            total - masses[i] - masses[j] + self._minimum_pair_mass(i, j, masses) for i, j in pairs
        ]
        square = sum(self._minimum_pair_mass(i, j, masses) ** 2 for i, j in pairs)
        square -= (len(legs) - 2) * sum(masses[leg] ** 2 for leg in legs)
        candidates.append(math.sqrt(max(square, 0.0)) if pairs else 0.0)
        return max(candidates)

    def maximum_invariant_mass(self, legs: Sequence[int]) -> float:
        """Upper bound on the invariant mass of some final legs from a cut on just these, GeV."""
        legs = tuple(sorted(legs))
        return min((b.maximum for b in self._of("mass") if b.legs == legs), default=math.inf)

    def _minimum_pair_mass(self, first: int, second: int, masses: Sequence[float]) -> float:
        """The larger of the cut on the pair's mass and what pT and distance imply.

        m^2 = m1^2 + m2^2 + 2 (mT1 mT2 cosh dy - pT1 pT2 cos dphi) with mT1 mT2 >= m1 m2 + pT1 pT2
        is at least (m1 + m2)^2 + 2 pT1 pT2 (cosh dy - cos dphi); at a given distance r the bracket
        is smallest at dy = 0 (r <= pi), or at dphi = pi.
        """
        pair = tuple(sorted((first, second)))
        cut = max((b.minimum for b in self._of("mass") if b.legs == pair), default=0.0)
        distance = self.minimum_delta_r(*pair)
        if distance <= math.pi:
            opening = 2.0 * math.sin(distance / 2.0) ** 2
        else:
            opening = math.cosh(min(math.sqrt(distance**2 - math.pi**2), 300.0)) + 1.0
        pts = self.minimum_pt(first) * self.minimum_pt(second)
        return max(cut, math.sqrt((masses[first] + masses[second]) ** 2 + 2.0 * pts * opening))

    def _of(self, *quantities: str) -> Iterator[Bound]:
        return (b for b in self.bounds if b.quantity in quantities)


class Event:
    """Quantities of a batch in the lab, each computed once.

    momenta (n_final, 4, events): in the frame that has the rapidity `boost` in the lab. In that of
    the beams they hold more digits than in the lab, where E - pz may be nothing beside E.
    """

    def __init__(
        self,
        momenta: Float[Array, "n_final 4 events"],
        masses: Masses,
        boost: Number = 0.0,
    ):
        self.momenta = momenta
        self.masses = masses
        self.boost = boost

    @functools.cached_property
    def pt(self) -> Float[Array, "n_final events"]:
        """(n_final, events) GeV."""
        return transverse_momentum(self.momenta)

    @functools.cached_property
    def light_cones(self) -> tuple[Float[Array, "n_final events"], Float[Array, "n_final events"]]:
        """E + pz and E - pz in the lab, (n_final, events) GeV."""
        energy, _, _, along = components(self.momenta)
        plus, minus = light_cone(energy, along, self.pt**2 + self.masses[:, None] ** 2)
        return plus * jnp.exp(self.boost), minus * jnp.exp(-self.boost)

    @functools.cached_property
    def energy(self) -> Float[Array, "n_final events"]:
        """(n_final, events) GeV."""
        plus, minus = self.light_cones
        return 0.5 * (plus + minus)

    @functools.cached_property
    def rapidity(self) -> Float[Array, "n_final events"]:
        """(n_final, events); +-inf for a massless particle along the beam."""
        plus, minus = self.light_cones
        return 0.5 * (jnp.log(plus) - jnp.log(minus))

    def sum(self, legs: tuple[int, ...]) -> Float[Array, "4 events"]:
        """Summed momentum of some legs, (4, events) GeV."""
        return functools.reduce(jnp.add, (self.momenta[leg] for leg in legs))

    def leading(self, legs: tuple[int, ...]) -> Float[Array, "legs events"]:
        """pT of some legs, the largest first, (len(legs), events) GeV."""
        return -jnp.sort(-jnp.stack([self.pt[leg] for leg in legs]), axis=0)

    def delta_r(self, first: int, second: int) -> Float[Array, " events"]:
        """Distance of two legs, (events,)."""
        angle = delta_phi(self.momenta[first], self.momenta[second])
        return jnp.hypot(self.rapidity[first] - self.rapidity[second], angle)


_QUANTITIES: dict[str, Callable[[Event, Bound], Float[Array, " events"]]] = {
    "pt": lambda e, b: e.pt[b.legs[0]],
    "energy": lambda e, b: e.energy[b.legs[0]],
    "rapidity": lambda e, b: jnp.abs(e.rapidity[b.legs[0]]),
    "delta r": lambda e, b: e.delta_r(*b.legs),
    "mass": lambda e, b: invariant_mass(e.sum(b.legs)),
    "summed pt": lambda e, b: transverse_momentum(e.sum(b.legs)),
    "any pt": lambda e, b: e.leading(b.legs)[0],
    "ranked pt": lambda e, b: e.leading(b.legs)[b.rank - 1],
    "ht": lambda e, b: jnp.sum(e.leading(b.legs)[: b.rank or None], axis=0),
}

#: Key of the minimum, key of the maximum, quantity, groups of legs it holds for, rank.
_Row = tuple[str, str, str, list[tuple[int, ...]], int]


def _table(legs: tuple[CutLeg, ...], classes: Mapping[str, list[int]]) -> Iterator[_Row]:
    """Every cut there is, with the groups of legs it applies to in this process."""

    def of(kind: str) -> list[int]:
        return classes.get(kind, [])

    def whole(group: list[int], at_least: int = 1) -> list[tuple[int, ...]]:
        return [tuple(sorted(group))] if len(group) >= at_least else []

    for c in _LETTERS:
        singles: list[tuple[int, ...]] = [(leg,) for leg in of(c)]
        yield f"pt{c}", f"pt{c}max", "pt", singles, 0
        yield f"e{c}", f"e{c}max", "energy", singles, 0
        yield f"eta{c}min", f"eta{c}", "rapidity", singles, 0
    yield "misset", "missetmax", "summed pt", whole(of("missing")), 0
    yield "ptheavy", "", "any pt", whole(of("heavy")), 0
    for pair in PAIRS:
        legs_of_pair = _pairs(of(pair[0]), of(pair[1]))
        yield f"dr{pair}", f"dr{pair}max", "delta r", legs_of_pair, 0
    for c in ("j", "b", "a"):
        yield f"mm{c}{c}", f"mm{c}{c}max", "mass", _pairs(of(c), of(c)), 0
    same_flavour = [p for p in _pairs(of("l"), of("l")) if legs[p[0]].pdg == -legs[p[1]].pdg]
    yield "mmll", "mmllmax", "mass", same_flavour, 0
    yield "mmnl", "mmnlmax", "mass", whole(of("l") + of("missing"), at_least=2), 0
    for k in _LEADING:
        yield f"ptj{k}min", f"ptj{k}max", "ranked pt", whole(of("j"), at_least=k), k
    for k in _LEADING[1:]:
        yield f"ht{k}min", f"ht{k}max", "ht", whole(of("j"), at_least=k), k
    yield "htjmin", "htjmax", "ht", whole(of("j")), 0


def _pairs(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, ...]]:
    """All unordered pairs of different legs, one of each class."""
    return sorted({(min(i, j), max(i, j)) for i in first for j in second if i != j})


def _checked(key: str, value: float | int | bool) -> float:
    """The value as a number, if it can be a bound."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0.0:
        raise InputError(
            "wrong value of a cut", key=f"cuts.{key}", found=value, allowed="a number >= 0"
        )
    return float(value)
