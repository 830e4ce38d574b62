"""Sets of resonances that one event may have: those of one diagram, or a part of them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable

from fabgen.model import Model
from fabgen.process.currents import Current, Graph
from fabgen.process.resonances import Propagator, s_channel

Resonances = frozenset[Propagator]


def s_channel_propagators(model: Model, graph: Graph) -> tuple[Propagator, ...]:
    """All time-like propagators of two or more final legs, those of many legs first."""
    found = {
        Propagator(*s_channel(model, graph, current))
        for current in graph.currents
        if current.propagator and not current.t_channel
    }
    several = (propagator for propagator in found if len(propagator.legs) > 1)
    return tuple(sorted(several, key=lambda p: (-len(p.legs), p.legs, p.particle)))


def largest_sets(
    model: Model, graph: Graph, candidates: Collection[Propagator]
) -> frozenset[Resonances]:
    """Of each diagram the propagators that are among the candidates, without the sets that lie
    within another one. The graph may be merged: no diagram is drawn for itself."""
    wanted = frozenset(candidates)
    known: dict[int, frozenset[Resonances]] = {}

    def below(current: Current) -> frozenset[Resonances]:
        if id(current) not in known:
            sets = [joined(branching.arms) for _, branching in current.terms]
            found = _largest(itertools.chain.from_iterable(sets or [[frozenset()]]))
            if current.propagator and not current.t_channel:
                own = wanted & {Propagator(*s_channel(model, graph, current))}
                found = frozenset(resonances | own for resonances in found)
            known[id(current)] = found
        return known[id(current)]

    def joined(currents: Iterable[Current]) -> frozenset[Resonances]:
        choices = itertools.product(*map(below, currents))
        return frozenset(frozenset().union(*choice) for choice in choices)

    sets = (joined((closing.first, closing.second)) for closing in graph.closings)
    return _largest(itertools.chain.from_iterable(sets))


def parts_of(sets: Collection[Resonances]) -> tuple[Resonances, ...]:
    """All subsets of the sets in which no particle lies within another one of its kind, the empty
    one first. Of a particle and what it is after it has radiated one is on its mass shell."""
    found = {
        frozenset(part)
        for resonances in sets
        for n in range(len(resonances) + 1)
        for part in itertools.combinations(resonances, n)
        if not any(within(a, b) for a, b in itertools.permutations(part, 2))
    }
    return tuple(sorted(found | {frozenset()}, key=_order))


def within(inner: Propagator, outer: Propagator) -> bool:
    """Whether a particle is among the products of another one of its kind."""
    return inner.particle == outer.particle and set(inner.legs) < set(outer.legs)


def _largest(sets: Iterable[Resonances]) -> frozenset[Resonances]:
    """Those that lie within no other one."""
    kept: list[Resonances] = []
    for resonances in sorted(set(sets), key=len, reverse=True):
        if not any(resonances < other for other in kept):
            kept.append(resonances)
    return frozenset(kept)


def _order(resonances: Resonances) -> tuple:
    return len(resonances), sorted((-len(p.legs), p.legs, p.particle) for p in resonances)
