"""Masses, transverse momenta and rapidities: functions of the momenta of an event.

Equal final particles are told apart by their transverse momentum: 1 has the largest. Resonances of
the same kind likewise.

Masses and rapidities come from light-cone momenta (E + pz, px, py, E - pz), which add up as momenta
do and keep their digits where beams of very different energies leave E - pz a rounding error of E.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabgen.plot.names import Name, leg_names, numbered, particle_name
from fabgen.process.event_topology import EventTopology, Resonance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observable:
    """A number of an event: `values(momenta)` takes (n, n_external, 4) in GeV and gives (n,).

    file: its name in file names. symbol, argument: LaTeX of m and W b in m(W b). unit: "GeV", or
    "" for a number.
    """

    file: str
    symbol: str
    argument: str
    unit: str
    values: Callable[[Floats], Floats]

    @property
    def is_mass(self) -> bool:
        return self.symbol == "m"

    @property
    def latex(self) -> str:
        return rf"{self.symbol}({self.argument})"


def invariant_mass(momentum: Floats) -> Floats:
    """sqrt(p^2) in GeV of momenta (..., 4); 0 where rounding makes p^2 negative."""
    energy, space = momentum[..., 0], momentum[..., 1:]
    return np.sqrt(np.maximum(energy**2 - np.sum(space**2, axis=-1), 0.0))


def transverse_momentum(momentum: Floats) -> Floats:
    """pT in GeV of momenta (..., 4)."""
    return np.hypot(momentum[..., 1], momentum[..., 2])


def light_cone(momenta: Floats, lightest: Floats, heaviest: Floats) -> Floats:
    """(E + pz, px, py, E - pz) of momenta (n, legs, 4) in GeV.

    lightest, heaviest (legs,): masses of the legs; where they are the same no digit is lost.
    """
    energy, x, y, z = np.moveaxis(momenta, -1, 0)
    square = energy**2 - x**2 - y**2 - z**2
    square = np.clip(square, lightest**2, heaviest**2)
    large = energy + np.abs(z)
    small = (x**2 + y**2 + square) / large
    plus, minus = np.where(z >= 0.0, (large, small), (small, large))
    return np.stack([plus, x, y, minus], axis=-1)


def light_cone_mass(cone: Floats) -> Floats:
    """sqrt(p^2) in GeV of light-cone momenta (..., 4)."""
    plus, x, y, minus = np.moveaxis(cone, -1, 0)
    return np.sqrt(np.maximum(plus * minus - x**2 - y**2, 0.0))


def rapidity(cone: Floats) -> Floats:
    """y = 0.5 ln((E + pz)/(E - pz)) of light-cone momenta (..., 4); infinite along the beam without
    mass."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 * (np.log(cone[..., 0]) - np.log(cone[..., 3]))


def by_transverse_momentum(momenta: Floats, groups: Sequence[Sequence[int]]) -> Floats:
    """The momenta (n, n_external, 4) with the legs of each group in falling order of their pT."""
    if not groups:
        return momenta
    result = momenta.copy()
    for group in groups:
        legs = momenta[:, list(group)]
        order = np.argsort(-transverse_momentum(legs), axis=1)
        result[:, list(group)] = np.take_along_axis(legs, order[..., None], axis=1)
    return result


def observables(topologies: Sequence[EventTopology]) -> tuple[Observable, ...]:
    """Masses of resonances and of pairs, then pT and y of the final particles."""
    first = topologies[0].n_initial
    names = leg_names(topologies)
    final = range(first, len(names))
    same = groups_of_equal([names[leg] for leg in final], first)
    labels = (*names[:first], *numbered(names[first:]))
    resonances = common_resonances(topologies)

    masses = np.array([t.masses for t in topologies])
    lightest, heaviest = masses.min(axis=0), masses.max(axis=0)

    def cones(momenta: Floats) -> Floats:
        return light_cone(momenta, lightest, heaviest)

    def leg(number: int) -> Callable[[Floats], Floats]:
        return lambda momenta: by_transverse_momentum(cones(momenta), same)[:, number]

    found = list(_resonance_masses(resonances, cones))
    # The pair that a resonance decays into is drawn under the name of the resonance, unless equal
    # particles make it another pair.
    sorted_legs = set(itertools.chain(*same))
    drawn = {r.legs for r in resonances if not sorted_legs & set(r.legs)}
    for a, b in itertools.combinations(final, 2):
        if (a, b) not in drawn:
            found.append(_pair_mass(labels[a], labels[b], leg(a), leg(b)))
    for kind in (_pt, _y):
        found += [kind(labels[number], leg(number)) for number in final]
    return tuple(found)


def groups_of_equal(names: Sequence[Name], first: int) -> tuple[tuple[int, ...], ...]:
    """Numbers of the legs, counted from `first`, that share a name with others."""
    groups: dict[Name, list[int]] = defaultdict(list)
    for number, name in enumerate(names, start=first):
        groups[name].append(number)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def common_resonances(topologies: Sequence[EventTopology]) -> tuple[Resonance, ...]:
    """The resonances that every subprocess has, mothers before daughters."""
    others = [set(t.resonances) for t in topologies[1:]]
    return tuple(r for r in topologies[0].ordered_resonances if all(r in other for other in others))


def _resonance_masses(
    resonances: Sequence[Resonance], cones: Callable[[Floats], Floats]
) -> list[Observable]:
    names = [particle_name(r.pdg) for r in resonances]
    labels = numbered(names)
    groups = groups_of_equal(names, 0)
    legs = [list(r.legs) for r in resonances]

    def mass(number: int) -> Callable[[Floats], Floats]:
        def values(momenta: Floats) -> Floats:
            legs_of_all = cones(momenta)
            sums = np.stack([legs_of_all[:, group].sum(axis=1) for group in legs], axis=1)
            return light_cone_mass(by_transverse_momentum(sums, groups)[:, number])

        return values

    return [
        Observable(f"mass_{label.file}", "m", label.latex, "GeV", mass(number))
        for number, label in enumerate(labels)
    ]


def _pair_mass(
    a: Name, b: Name, momentum_a: Callable[[Floats], Floats], momentum_b: Callable[[Floats], Floats]
) -> Observable:
    return Observable(
        f"mass_{a.file}_{b.file}",
        "m",
        rf"{a.latex}\,{b.latex}",
        "GeV",
        lambda momenta: light_cone_mass(momentum_a(momenta) + momentum_b(momenta)),
    )


def _pt(name: Name, momentum: Callable[[Floats], Floats]) -> Observable:
    values = lambda momenta: transverse_momentum(momentum(momenta))  # noqa: E731
    return Observable(f"pt_{name.file}", r"p_\mathrm{T}", name.latex, "GeV", values)


def _y(name: Name, momentum: Callable[[Floats], Floats]) -> Observable:
    values = lambda momenta: rapidity(momentum(momenta))  # noqa: E731
    return Observable(f"y_{name.file}", "y", name.latex, "", values)
