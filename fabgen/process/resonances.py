"""Propagators of diagrams, for phase-space maps, event records and vetoes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fabgen.model import Model
from fabgen.process.currents import Current, Graph, bits
from fabgen.process.syntax import DecayTree

Legs = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Propagator:
    """An s-channel propagator: the particle that decays into these final legs.

    legs: numbers of external legs (incoming ones are 0 and 1, or 0). decayed: it is a decayed
    particle of a decay chain.
    """

    particle: str
    legs: Legs
    decayed: bool = False


@dataclasses.dataclass(frozen=True)
class Diagram:
    """One diagram by its propagators.

    propagators: time-like ones but that of all final legs together, which is `total` (its particle,
    or None). spacelike: particles exchanged, with the final legs on the side of the first beam.
    """

    propagators: tuple[Propagator, ...]
    spacelike: tuple[Propagator, ...] = ()
    total: str | None = None

    @property
    def particles(self) -> frozenset[str]:
        """The particles of all propagators, in the direction in which each of them is read."""
        lines = (p.particle for p in (*self.propagators, *self.spacelike))
        return frozenset([*lines, *([] if self.total is None else [self.total])])


def decayed_particles(tree: DecayTree) -> tuple[Propagator, ...]:
    """The decayed particles of a chain, mothers before daughters."""
    return tuple(_decayed(tree, len(tree.initial)))


def lineages(tree: DecayTree) -> tuple[tuple[str, ...], ...]:
    """For each final particle its name behind those of the decayed particles it comes from."""
    decayed, first = decayed_particles(tree), len(tree.initial)
    return tuple(
        (*(p.particle for p in decayed if leg in p.legs), name)
        for leg, name in enumerate(tree.final, start=first)
    )


def _decayed(tree: DecayTree, first: int) -> Iterator[Propagator]:
    for name, decay in zip(tree.core.final, tree.decays, strict=True):
        if decay is None:
            first += 1
            continue
        n = len(decay.final)
        yield Propagator(name, tuple(range(first, first + n)), decayed=True)
        yield from _decayed(decay, first)
        first += n


def diagrams(model: Model, graph: Graph, tree: DecayTree) -> tuple[Diagram, ...]:
    """The diagrams of a graph that was built without merging, each topology once.

    In order of how much they exchange, then of the number of propagators.
    """
    found = dict.fromkeys(diagrams_of_closings(model, graph, tree))
    return tuple(sorted(found, key=lambda d: (len(d.spacelike), len(d.propagators))))


def diagrams_of_closings(model: Model, graph: Graph, tree: DecayTree) -> Iterator[Diagram]:
    """The diagram of each closing of a graph that was built without merging."""
    chain = {(p.particle, p.legs) for p in decayed_particles(tree)}
    for closing in graph.closings:
        currents = [*_below(closing.first), *_below(closing.second)]
        propagators, spacelike, total = [], [], None
        for current in currents:
            if not current.propagator:
                continue
            if current.t_channel:
                spacelike.append(_exchanged(model, graph, current))
                continue
            particle, legs = s_channel(model, graph, current)
            if len(legs) == len(graph.external) - graph.n_initial:
                total = particle
            else:
                propagators.append(Propagator(particle, legs, (particle, legs) in chain))
        for kind in (propagators, spacelike):
            kind.sort(key=lambda p: (len(p.legs), p.legs))
        yield Diagram(tuple(propagators), tuple(spacelike), total)


def with_beams_swapped(model: Model, diagram: Diagram, n_external: int) -> Diagram:
    """The diagram of a process whose two incoming particles have changed places."""
    final = set(range(2, n_external))
    spacelike = (
        Propagator(model.particle(p.particle).antiname, tuple(sorted(final - set(p.legs))))
        for p in reversed(diagram.spacelike)
    )
    return dataclasses.replace(diagram, spacelike=tuple(spacelike))


def s_channel(model: Model, graph: Graph, current: Current) -> tuple[str, Legs]:
    """The particle of an s-channel propagator as it decays, and the final legs it decays into."""
    n = len(graph.external)
    incoming = (1 << graph.n_initial) - 1
    if current.legs & incoming:
        return current.particle, tuple(bits(((1 << n) - 1) & ~current.legs))
    # Legs are counted as incoming: what flows out of final legs is the antiparticle.
    return model.particle(current.particle).antiname, tuple(bits(current.legs))


def _exchanged(model: Model, graph: Graph, current: Current) -> Propagator:
    """A space-like propagator, seen as emitted by the first beam."""
    legs = current.legs
    particle = current.particle
    if not legs & 1:
        legs = ((1 << len(graph.external)) - 1) & ~legs
        particle = model.particle(particle).antiname
    return Propagator(particle, tuple(bits(legs & ~0b11)))


def on_shell_vetoes(model: Model, graph: Graph, tree: DecayTree) -> tuple[Propagator, ...]:
    """The s-channel propagators of the particles that `$ x` vetoes near their mass shell."""
    vetoed: dict[Propagator, None] = {}
    for link, legs in _links_with_legs(tree, len(tree.initial)):
        names = set(link.core.veto_on_shell)
        inside = {leg for group in legs for leg in group}
        for current in graph.currents:
            if not current.propagator or current.t_channel:
                continue
            particle, below = s_channel(model, graph, current)
            # Not inside one of the link's final particles, nor outside the link.
            whole = all(set(group) <= set(below) or not set(group) & set(below) for group in legs)
            own = set(below) in [set(group) for group in legs]
            # Nor what decays in this link: it is an external particle of it.
            own |= link is not tree and set(below) == inside
            if particle in names and set(below) <= inside and whole and not own:
                vetoed.setdefault(Propagator(particle, below))
    return tuple(vetoed)


def _links_with_legs(tree: DecayTree, first: int) -> Iterator[tuple[DecayTree, list[Legs]]]:
    """Every link of a chain with the external legs of each of its final particles."""
    legs = []
    for decay in tree.decays:
        n = 1 if decay is None else len(decay.final)
        if decay is not None:
            yield from _links_with_legs(decay, first)
        legs.append(tuple(range(first, first + n)))
        first += n
    yield tree, legs


def _below(current: Current) -> Iterator[Current]:
    """The current and all those it is made of; without merging it has one branching."""
    yield current
    for _, branching in current.terms:
        for arm in branching.arms:
            yield from _below(arm)
