"""Graphs of different particles with the same amplitudes: u d > u d and u s > u s by gluons alone.

What a graph is evaluated from are attributes of particles (spin, colour, mass, width), the numbers
and structures of vertices, and colour. Two graphs with the same of all that, whatever the order of
their currents, have the same |M|^2, the same colour flows and the same maps of phase space.
"""

from __future__ import annotations

from collections.abc import Hashable

from fabgen.model import Model
from fabgen.process.currents import Branching, Closing, Current, Graph
from fabgen.process.syntax import DecayTree


class SameAmplitudes:
    """Keys of graphs of a model: equal ones have the same amplitudes."""

    def __init__(self, model: Model):
        self.model = model
        self._numbers: dict[Hashable, int] = {}

    def key(self, tree: DecayTree, graph: Graph, identical_factor: int) -> Hashable:
        """Of a graph, with what its tree asks for beyond it: decays and vetoes."""
        currents: dict[int, int] = {}
        for current in graph.currents:
            currents[id(current)] = self._current(current, currents)
        closings = [self._closing(closing, currents) for closing in graph.closings]
        external = tuple(map(self._particle, graph.external))
        return (*external, identical_factor, _links(tree), *sorted(closings))

    def _number(self, content: Hashable) -> int:
        return self._numbers.setdefault(content, len(self._numbers))

    def _particle(self, name: str) -> int:
        p = self.model.particle(name)
        own = p.name == p.antiname
        return self._number(("particle", p.spin, p.colour, p.mass, p.width, p.pdg > 0, own))

    def _current(self, current: Current, known: dict[int, int]) -> int:
        terms = sorted((c, self._branching(b, known)) for c, b in current.terms)
        colour = tuple(sorted(current.colour.items()))
        return self._number(
            (
                *(self._particle(current.particle), current.legs, current.leg, colour),
                *(current.propagator, current.t_channel, *terms),
            )
        )

    def _branching(self, branching: Branching, known: dict[int, int]) -> int:
        v = branching.vertex
        arms = tuple(
            known[id(arm)] if id(arm) in known else self._current(arm, known)
            for arm in branching.arms
        )
        form = v.lorentz, v.couplings, v.colour, v.weights, v.orders
        return self._number((form, branching.out, branching.sign, arms))

    def _closing(self, closing: Closing, known: dict[int, int]) -> int:
        ends = tuple(
            known[id(end)] if id(end) in known else self._current(end, known)
            for end in (closing.first, closing.second)
        )
        return self._number(("closing", ends, closing.sign, tuple(sorted(closing.colour.items()))))


def _links(tree: DecayTree) -> tuple[Hashable, ...]:
    """What the links of a chain ask for by name, and which of their particles decay."""
    core = tree.core
    own = core.exclude, core.exclude_s_channel, core.veto_on_shell, core.required_s_channel
    decays = tuple(
        None if decay is None else (name, _links(decay))
        for name, decay in zip(core.final, tree.decays, strict=True)
    )
    return str(own), decays
