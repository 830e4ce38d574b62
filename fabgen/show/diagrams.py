"""Diagrams as text: decays as trees, what is exchanged as a ladder from beam to beam."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fabgen.process.resonances import Diagram, Propagator

_MOST = 3  # particles named at one propagator


def draw(diagrams: Sequence[Diagram], external: Sequence[str], n_initial: int) -> list[str]:
    """The lines of a drawing of diagrams that differ by the particles of their propagators alone.

    external: names of the particles, incoming ones first.
    """
    return _Drawing(diagrams, external, n_initial).lines()


@dataclasses.dataclass(frozen=True)
class _Drawing:
    diagrams: Sequence[Diagram]
    external: Sequence[str]
    n_initial: int

    def lines(self) -> list[str]:
        legs = frozenset(range(self.n_initial, len(self.external)))
        incoming = self.external[: self.n_initial]
        if self.diagrams[0].spacelike:
            return self._ladder(legs)
        total = _names([d.total for d in self.diagrams if d.total])
        head = " ".join(incoming) + (f" ── {total}" if total else "")
        return _hung(head, self._inside(legs))

    def _ladder(self, legs: frozenset[int]) -> list[str]:
        first, second = self.external[:2]
        width = max(len(first), len(second))
        exchanged = self.diagrams[0].spacelike
        ends: list[frozenset[int]] = [
            frozenset(),
            *(frozenset(p.legs) for p in exchanged),
            legs,
        ]
        result = []
        for number in range(len(ends) - 1):
            nodes = self._inside(ends[number + 1] - ends[number])
            for place, node in enumerate(nodes):
                start, joint, after = " " * width + "  ", "├", "│"
                if number == 0 and place == 0:
                    start, joint = f"{first:<{width}} ─", "┬"
                if number == len(exchanged) and place == len(nodes) - 1:
                    start, joint, after = f"{second:<{width}} ─", "┴", " "
                result.append(f"{start}{joint}─ {node[0]}")
                result += [f"{' ' * (width + 2)}{after}  {line}" for line in node[1:]]
            if number < len(exchanged):
                name = _names([d.spacelike[number].particle for d in self.diagrams])
                result.append(f"{' ' * (width + 2)}│ {name}")
        return result

    def _inside(self, legs: frozenset[int]) -> list[list[str]]:
        """Drawings of the largest systems and of the single particles that make up some legs."""
        inside = [p for p in self.diagrams[0].propagators if set(p.legs) <= legs]
        nodes: list[tuple[int, list[str]]] = []
        left = set(legs)
        for p in sorted(inside, key=lambda p: -len(p.legs)):
            if set(p.legs) <= left:
                left -= set(p.legs)
                nodes.append((min(p.legs), self._decay(p)))
        nodes += [(leg, [self.external[leg]]) for leg in left]
        return [lines for _, lines in sorted(nodes)]

    def _decay(self, propagator: Propagator) -> list[str]:
        legs = frozenset(propagator.legs)
        names = [
            p.particle for d in self.diagrams for p in d.propagators if frozenset(p.legs) == legs
        ]
        products = self._without(propagator)._inside(legs)
        return _hung(_names(names), products)

    def _without(self, propagator: Propagator) -> _Drawing:
        """The same without a propagator, whose products are wanted."""
        legs = propagator.legs
        return dataclasses.replace(
            self,
            diagrams=[
                dataclasses.replace(
                    d, propagators=tuple(p for p in d.propagators if p.legs != legs)
                )
                for d in self.diagrams
            ],
        )


def _names(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    more = "/..." if len(different) > _MOST else ""
    return "/".join(different[:_MOST]) + more


def _hung(head: str, nodes: Sequence[Sequence[str]]) -> list[str]:
    """Nodes under each other, to the right of what they come from."""
    result = []
    for number, node in enumerate(nodes):
        last = number == len(nodes) - 1
        start = f"{head} ─" if number == 0 else " " * (len(head) + 2)
        joint = "┬" if number == 0 else "└" if last else "├"
        if len(nodes) == 1:
            joint = "─"
        result.append(f"{start}{joint}─ {node[0]}")
        after = " " if last else "│"
        result += [f"{' ' * (len(head) + 2)}{after}  {line}" for line in node[1:]]
    return result
