"""Beams that can decay: where a space-like propagator comes on its mass shell.

A beam A that is heavier than some of the final particles, F, and an exchanged particle X together
can decay into them, and the X can meet the other beam B: A -> F X, X B -> G. Then t = (p_A - p_F)^2
= m_X^2 lies inside of phase space, and the square of the propagator, which has no width there, is
not integrable. With the masses of F and G drawn, all of these are on their mass shells, so that the
mass of G fixes the angle of the decay: points of the surface t = m_X^2 can be made, and one that
passes the cuts is looked for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from fabgen.phasespace.cuts import Cuts
from fabgen.phasespace.kinematics import TWO_PI, kallen

Floats = NDArray[np.float64]

#: The search: points of a generation, those that the next one starts from, the generations, those
#: without progress that end it.
_POINTS, _KEPT, _GENERATIONS, _PATIENCE = 2000, 100, 60, 8
#: By how much points move in the unit cube, at first and from one generation to the next.
_STEP, _SHRINK = 0.3, 0.85
#: A pole that is nearer than this to the edge of phase space lies on it.
_ROUNDING = 1e-9


class Place(NamedTuple):
    """Where the system F is: GeV, in the lab."""

    pt: float
    energy: float


@dataclasses.dataclass(frozen=True)
class BeamDecay:
    """A -> F X, X B -> G of a subprocess under its cuts.

    sqrt_s: total energy in the rest frame, GeV. boost: rapidity of that frame in the lab along the
    flight of A. beams: masses of A and B. masses: of the final legs. group: the legs of F.
    exchanged: mass of X. cuts: on the legs, windows of their masses included.
    """

    sqrt_s: float
    boost: float
    beams: tuple[float, float]
    masses: tuple[float, ...]
    group: tuple[int, ...]
    exchanged: float
    cuts: Cuts

    def find(self) -> Place | None:
        """Where F is at a point of the pole that passes the cuts; None if none is found."""
        (low, _), (_, high) = self._range(self.group), self._range(self.rest)
        heaviest = self.beams[0] - self.exchanged  # of F
        lightest = self.beams[1] + self.exchanged  # of G
        if not (low < heaviest and lightest < high and low + lightest < self.sqrt_s):
            return None
        dim = sum(3 * len(legs) - 3 for legs in (self.group, self.rest) if len(legs) > 1)
        with np.errstate(all="ignore"):  # what has no place or no rest frame misses by infinity
            point = _lowest(lambda x: self.points(x)[1], dim)
            if point is None:
                return None
            momenta, _ = self.points(point[:, None])
        energy, x, y, z = momenta[list(self.group), :, 0].sum(axis=0)
        boosted = energy * math.cosh(self.boost) + z * math.sinh(self.boost)
        return Place(math.hypot(x, y), boosted)

    @property
    def rest(self) -> tuple[int, ...]:
        """The legs of G."""
        return tuple(leg for leg in range(len(self.masses)) if leg not in self.group)

    def _range(self, legs: Sequence[int]) -> tuple[float, float]:
        """Smallest and largest mass of some legs together, GeV."""
        if len(legs) == 1:
            return self.masses[legs[0]], self.masses[legs[0]]
        lowest = self.cuts.minimum_invariant_mass(legs, self.masses)
        return lowest, self.cuts.maximum_invariant_mass(legs)

    def points(self, x: Floats) -> tuple[Floats, Floats]:
        """Momenta (n_final, 4, events) with A along +z in the rest frame of the beams, and by how
        much they miss the pole and the cuts: 0 on it and within them. x (dim, events)."""
        draws, events = iter(x), x.shape[1]
        heaviest, lightest = self.beams[0] - self.exchanged, self.beams[1] + self.exchanged
        first, miss = self._mass(self.group, 0.0, heaviest, draws, events)
        second, more = self._mass(self.rest, lightest, self.sqrt_s - first, draws, events)
        pt, z, off = self._emission(first, second)
        legs: dict[int, Floats] = {}
        for group, mass, sign in ((self.group, first, 1.0), (self.rest, second, -1.0)):
            energy = np.sqrt(mass**2 + pt**2 + z**2)
            total = np.stack([energy, sign * pt, 0.0 * z, sign * z])
            legs |= self._decay(group, total, mass, draws)
        momenta = np.stack([legs[leg] for leg in sorted(legs)])
        beyond = np.asarray(_excess(self.cuts, momenta, np.array(self.masses), self.boost))
        miss = miss + more + off + beyond
        return momenta, np.where(np.isfinite(miss), miss, np.inf)

    def _emission(self, first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
        """pT and pz of F on the pole, given the masses of F and G (events,), and by how much that
        lies outside of phase space."""
        beam, other = self.beams
        momentum = _momentum(self.sqrt_s, beam, other)
        # In the rest frame of A: the momenta of X and B, and the angle between them that gives G
        # its mass, as v = (1 - cos)/2.
        size, against = _momentum(beam, first, self.exchanged), momentum * self.sqrt_s / beam
        least = _least_mass_squared((self.exchanged, size), (other, against))
        v = (second**2 - least) / (4.0 * size * against)
        off = np.maximum(least / second**2 - (1.0 - _ROUNDING), 0.0)
        off += np.maximum(v - (1.0 - _ROUNDING), 0.0)
        v = np.clip(v, 0.0, 1.0)
        pt, z = 2.0 * size * np.sqrt(v * (1.0 - v)), size * (1.0 - 2.0 * v)
        # From there to the rest frame of the beams, E + pz and E - pz each to its own precision.
        large = np.hypot(first, size) + np.abs(z)
        small = (first**2 + pt**2) / large
        stretch = (np.hypot(beam, momentum) + momentum) / beam
        plus, minus = np.where(z > 0.0, (large, small), (small, large))
        return pt, 0.5 * (plus * stretch - minus / stretch), off

    def _mass(
        self, legs: Sequence[int], low: float, high: Any, draws: Iterator[Floats], events: int
    ) -> tuple[Floats, Floats]:
        """Drawn masses (events,) of a system between bounds, and by how much there are none."""
        least, most = self._range(legs)
        if len(legs) == 1:
            return np.full(events, least), np.zeros(events)
        least, most = max(least, low), np.minimum(most, high)
        room = np.maximum(most - least, 0.0)
        return least + room * next(draws), np.maximum(least - most, 0.0) / self.sqrt_s

    def _decay(
        self, legs: Sequence[int], total: Floats, mass: Floats, draws: Iterator[Floats]
    ) -> dict[int, Floats]:
        """The momenta (4, events) of the legs of a system of these masses (events,), GeV."""
        # Those whose masses together are bounded last: their mass is drawn, too.
        order = sorted(legs, key=lambda leg: sum(leg in b.legs for b in self.cuts.bounds))
        made: dict[int, Floats] = {}
        while len(order) > 1:
            leg, *order = order
            below, _ = self._mass(order, 0.0, mass - self.masses[leg], draws, mass.size)
            size = _momentum(mass, self.masses[leg], below)
            cos, phi = 2.0 * next(draws) - 1.0, TWO_PI * next(draws)
            sin = np.sqrt(1.0 - cos * cos)
            direction = np.stack([sin * np.cos(phi), sin * np.sin(phi), cos])
            made[leg] = _boosted(self.masses[leg], size * direction, total, mass)
            total, mass = _boosted(below, -size * direction, total, mass), below
        return {**made, order[0]: total}


#: Cuts.excess, compiled once for all groups of the legs.
_excess = jax.jit(Cuts.excess, static_argnums=0)


def largest_t(sqrt_s: float, beams: Sequence[Any], final: Sequence[Any]) -> Any:
    """The largest (p_1 - p_3)^2 in GeV^2 of the scattering 1 2 -> 3 4 with these masses in GeV.

    E1 E3 - k1 k3 is (m1^2 E3^2 + m3^2 k1^2)/(E1 E3 + k1 k3), which does not cancel.
    """
    k1, k3 = (_momentum(sqrt_s, *pair) for pair in (beams, final))
    m1, m3 = beams[0], final[0]
    e1, e3 = np.hypot(m1, k1), np.hypot(m3, k3)
    return m1**2 + m3**2 - 2.0 * (m1**2 * e3**2 + m3**2 * k1**2) / (e1 * e3 + k1 * k3)


def _momentum(total: Any, mass: Any, other: Any) -> Any:
    """Of two particles in their rest frame, GeV; 0 below threshold."""
    return np.sqrt(np.maximum(kallen(total, mass, other), 0.0)) / (2.0 * total)


def _least_mass_squared(x: tuple[Any, Any], b: tuple[Any, Any]) -> Any:
    """(p_X + p_B)^2 in GeV^2 of parallel momenta, from masses and sizes: E_X E_B - p_X p_B without
    its cancellation."""
    (m, k), (other, p) = x, b
    return (
        m**2
        + other**2
        + 2.0
        * (m**2 * p**2 + other**2 * k**2 + m**2 * other**2)
        / (np.hypot(m, k) * np.hypot(other, p) + k * p)
    )


def _boosted(mass: Any, vector: Floats, total: Floats, total_mass: Floats) -> Floats:
    """The momentum (4, events) of a particle from where `total` rests to where it is given."""
    energy = np.sqrt(mass**2 + np.sum(vector**2, axis=0))
    boosted = (energy * total[0] + np.sum(vector * total[1:], axis=0)) / total_mass
    factor = (energy + boosted) / (total[0] + total_mass)
    return np.concatenate([boosted[None], vector + factor * total[1:]])


def _lowest(miss: Callable[[Floats], Floats], dim: int) -> Floats | None:
    """A point (dim,) of the unit cube where `miss`, of points (dim, n), is 0, if one is found.

    The best points of a generation move at random to make the next one.
    """
    rng = np.random.default_rng(1)
    points = rng.random((dim, _POINTS if dim else 1))
    values = miss(points)
    lowest = [float(np.min(values))]
    while dim and lowest[-1] > 0.0 and len(lowest) < _GENERATIONS:
        if len(lowest) > _PATIENCE and lowest[-1] > 0.99 * lowest[-1 - _PATIENCE]:
            break
        best = points[:, np.argsort(values)[:_KEPT]]
        step = _STEP * _SHRINK ** len(lowest)
        n = _POINTS - _KEPT
        moved = best[:, rng.integers(_KEPT, size=n)] + step * rng.normal(size=(dim, n))
        folded = np.abs(1.0 - np.abs(1.0 - np.clip(moved, -1.0, 2.0)))
        points = np.concatenate([best, folded], axis=1)
        values = miss(points)
        lowest.append(float(np.min(values)))
    return points[:, int(np.argmin(values))] if lowest[-1] == 0.0 else None
