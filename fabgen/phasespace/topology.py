"""From the diagrams of a process to the cascade that maps its phase space.

One diagram gives one cascade: its time-like propagators become branches; where space-like
propagators connect them, their momenta are joined with flat invariants. Taken is the most resonant
diagram.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from fabgen.model import ZERO, Model
from fabgen.phasespace.cascade import Branch, Cascade, Kind, Leaf, Node, Propagator, flat_tree
from fabgen.process import resonances
from fabgen.process.resonances import Diagram, Legs

#: A lower bound in GeV on the invariant mass of some final particles, by position behind the beams.
MinimumMass = Callable[[Legs], float]


@dataclasses.dataclass(frozen=True)
class ChannelMap:
    """A cascade and the names of masses and widths that its resonance indices stand for."""

    mapping: Cascade
    resonances: tuple[tuple[str, str], ...]


def most_resonant(
    model: Model,
    diagrams: Sequence[Diagram],
    values: Mapping[str, float],
    minimum_mass: MinimumMass,
    sqrt_s: float,
    n_initial: int,
) -> Diagram:
    """The diagram with most resonances that can be on shell, then with most time-like propagators.

    values: masses by name, for the decision alone; the map itself follows traced values.
    """

    def rank(diagram: Diagram) -> tuple[int, int, int]:
        resonant = [
            p
            for p in diagram.propagators
            if _reachable(model, p, values, minimum_mass, sqrt_s, n_initial)
        ]
        return len(resonant), len(diagram.propagators), -len(diagram.spacelike)

    return max(diagrams, key=rank)


def _reachable(
    model: Model,
    propagator: resonances.Propagator,
    values: Mapping[str, float],
    minimum_mass: MinimumMass,
    sqrt_s: float,
    n_initial: int,
) -> bool:
    """Whether the particle has a width and its mass lies within phase space."""
    particle = model.particle(propagator.particle)
    if particle.width == ZERO or not values[particle.width] > 0:
        return False
    below = tuple(leg - n_initial for leg in propagator.legs)
    mass = values[particle.mass]
    return minimum_mass(below) < mass < sqrt_s


def channel_map(
    model: Model,
    diagram: Diagram,
    values: Mapping[str, float],
    minimum_mass: MinimumMass,
    sqrt_s: float,
    n_initial: int,
    n_final: int,
    *,
    bw_cutoff: float,
    nu: float,
) -> ChannelMap:
    """The cascade along one diagram. bw_cutoff bounds decayed particles of a chain, in widths."""
    names: list[tuple[str, str]] = []

    def block(propagator: resonances.Propagator) -> Propagator:
        particle = model.particle(propagator.particle)
        below = tuple(leg - n_initial for leg in propagator.legs)
        minimum = minimum_mass(below)
        width = particle.width != ZERO and values[particle.width] > 0
        window = bw_cutoff if propagator.decayed and bw_cutoff != float("inf") else None
        if window is None and not (
            width and _reachable(model, propagator, values, minimum_mass, sqrt_s, n_initial)
        ):
            above = not particle.is_massless and values[particle.mass] >= sqrt_s
            return Propagator("flat" if above else "power", nu=nu, minimum=minimum)
        pair = (particle.mass, particle.width)
        if pair not in names:
            names.append(pair)
        kind: Kind = "breit-wigner-tail" if window is None else "breit-wigner"
        return Propagator(kind, resonance=names.index(pair), window=window, minimum=minimum)

    # From the smallest sets of legs to the largest: each joins what it contains.
    nodes: dict[frozenset[int], Node] = {frozenset([leg]): Leaf(leg) for leg in range(n_final)}

    def join(legs: frozenset[int], propagator: Propagator) -> None:
        inside = [nodes.pop(part) for part in sorted(nodes, key=min) if part <= legs]
        nodes[legs] = flat_tree(inside, propagator)

    for propagator in sorted(diagram.propagators, key=lambda p: len(p.legs)):
        join(frozenset(leg - n_initial for leg in propagator.legs), block(propagator))
    join(frozenset(range(n_final)), Propagator())
    (tree,) = nodes.values()
    assert isinstance(tree, Branch)
    return ChannelMap(Cascade(tree, n_final), tuple(names))
