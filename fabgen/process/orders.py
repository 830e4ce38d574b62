"""Powers of a coupling in the diagrams of a graph."""

from __future__ import annotations

from fabgen.model import ORDERS
from fabgen.process.currents import Current, Graph


def coupling_order(graph: Graph, name: str) -> int | None:
    """The power of a coupling ("QCD" or "QED") in all diagrams, None if they differ."""
    place, known = ORDERS.index(name), dict[int, set[int]]()
    for current in graph.currents:
        known[id(current)] = _of(current, place, known)
    found = set[int]()
    for closing in graph.closings:
        first, second = (
            known.get(id(current)) or _of(current, place, known)
            for current in (closing.first, closing.second)
        )
        found |= {a + b for a in first for b in second}
    return found.pop() if len(found) == 1 else None


def _of(current: Current, place: int, known: dict[int, set[int]]) -> set[int]:
    """Powers in the diagrams of a current, whose arms are known."""
    if not current.terms:
        return {0}
    found = set[int]()
    for _, branching in current.terms:
        powers = {branching.vertex.orders[place]}
        for arm in branching.arms:
            powers = {a + b for a in powers for b in known.get(id(arm)) or _of(arm, place, known)}
        found |= powers
    return found
