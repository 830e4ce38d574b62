"""The tables that rough densities are found from: factors of all channels, each once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from .rough import Drawn, RoughTable, Scatterings
from .row import index_or_none, leaves_of, shape_number, shrink_of
from .tree import Branch, Exchange, Leaf, Node
from .tree_map import TreeMap

#: Tables are filled up to multiples of this, so that processes share programs.
_MULTIPLE = 8

#: The columns of a factor.
_Factor = tuple[Any, ...]


class Trees(NamedTuple):
    """The maps of all channels of a component, the number of the first, the masses of its final
    particles, and those that the trees refer to: of resonances with their widths, and of what is
    exchanged; GeV."""

    maps: Sequence[TreeMap]
    first: int
    masses: Sequence[float]
    resonances: Sequence[tuple[float, float]] = ()
    exchanged: Sequence[float] = ()


def rough_table(components: Sequence[Trees]) -> RoughTable:
    """The tables of some components, filled up to the same sizes, in NumPy's arrays."""
    found = [_Factors(component) for component in components]
    sizes = [_filled(max(map(len, kinds))) for kinds in zip(*(f.kinds for f in found), strict=True)]
    n_sums = _filled(max(len(factors.sums) for factors in found))
    most = max(len(own) for factors in found for own in factors.channels)
    n_channels = max(len(component.maps) for component in components)
    starts = np.cumsum([0, *sizes])
    tables = []
    for factors, component in zip(found, components, strict=True):
        sums = np.zeros((n_sums, 2 + len(component.masses)))
        for number, signs in enumerate(factors.sums):
            for leg, sign in signs:
                sums[number, leg] = sign
        terms = np.full((most, n_channels), starts[-1])
        for channel, own in enumerate(factors.channels):
            terms[: len(own), channel] = [starts[kind] + number for kind, number in own]
        drawn, splits, scatterings = (
            [*kind, *[filling] * (size - len(kind))]
            for kind, filling, size in zip(factors.kinds, _NONE, sizes, strict=True)
        )
        columns = Drawn(*map(np.array, zip(*drawn, strict=True)))
        ladder = Scatterings(*map(np.array, zip(*scatterings, strict=True)))
        counts = np.array(component.first), np.array(len(component.maps))
        tables.append(RoughTable(sums, columns, np.array(splits), ladder, terms, *counts))
    table: RoughTable = jax.tree.map(lambda *columns: np.stack(columns), *tables)
    return table


#: What fills up tables: factors of no channel.
_NONE: tuple[_Factor, ...] = (
    (0, 0, -1, 0.0, 0.0, 1.0, 2.0, (0.0, 0.0), 0.0, math.inf, 0.0),
    (0, 0, 0),
    (0, 0, 0, (0, 0), 0, -1, 0.0, 1.0, (0.0, 0.0), (0.0, 0.0), 0),
)


def _filled(n: int) -> int:
    """At least one: tables have no empty axis."""
    return max(1, -(-n // _MULTIPLE)) * _MULTIPLE


class _Factors:
    """All distinct factors of a component, numbered as its channels ask for them."""

    def __init__(self, component: Trees):
        self.masses, self.resonances = component.masses, component.resonances
        self.exchanged = component.exchanged
        self.sums: dict[tuple[tuple[int, int], ...], int] = {}
        self.drawn: dict[_Factor, int] = {}
        self.splits: dict[_Factor, int] = {}
        self.scatterings: dict[_Factor, int] = {}
        #: for each channel the kinds and numbers of its factors
        self.channels = [list(self._of_channel(mapping)) for mapping in component.maps]

    @property
    def kinds(self) -> tuple[dict[_Factor, int], ...]:
        return self.drawn, self.splits, self.scatterings

    def _of_channel(self, mapping: TreeMap) -> Iterator[tuple[int, int]]:
        tree, from_second = mapping.tree, mapping.from_second
        for branch in tree.branches():
            if branch is not tree or math.isfinite(branch.propagator.maximum):
                yield 0, self.drawn.setdefault(self._drawn(branch), len(self.drawn))
            if branch.exchange is None:
                nodes = (self._node(branch), *map(self._node, branch.children))
                yield 1, self.splits.setdefault(nodes, len(self.splits))
        taken: tuple[int, ...] = ()
        for branch, exchange in tree.scatterings():
            row = self._scattering(branch, exchange, taken, from_second)
            yield 2, self.scatterings.setdefault(row, len(self.scatterings))
            taken += branch.children[0].legs

    def _drawn(self, branch: Branch) -> _Factor:
        p, low, high = branch.propagator, self._lowest(branch), branch.propagator.maximum
        mass, width = (0.0, 0.0) if p.resonance is None else self.resonances[p.resonance]
        if p.window is not None:
            low = max(low, mass - p.window * width)
            high = min(high, mass + p.window * width)
        others = sum(self.masses) - sum(self.masses[leg] for leg in branch.legs)
        if len(branch.legs) == len(self.masses):  # s of the beams leaves itself no limit
            others = -math.inf
        return (
            *(self._node(branch), shape_number(branch), index_or_none(p.resonance), mass, width),
            *(p.nu, float(branch.bodies), p.tails, low, high, others),
        )

    def _scattering(
        self, branch: Branch, exchange: Exchange, taken: tuple[int, ...], from_second: bool
    ) -> _Factor:
        """taken: legs that have been taken off the beam before."""
        n, beam = len(self.masses), int(from_second)
        children = branch.children
        after = (*taken, *children[0].legs)
        return (
            self._node(branch),
            self._transfer(beam, taken) if taken else n + beam,
            self._transfer(beam, after),
            (self._node(children[0]), self._node(children[1])),
            *(beam, index_or_none(exchange.mass)),
            *(0.0 if exchange.mass is None else self.exchanged[exchange.mass], exchange.nu),
            tuple(c.minimum_pt if isinstance(c, Leaf) else 0.0 for c in children),
            tuple(min(map(shrink_of, leaves_of(child))) for child in children),
            int(not taken),
        )

    def _lowest(self, node: Node) -> float:
        if isinstance(node, Leaf):
            return self.masses[node.leg]
        return max(sum(map(self._lowest, node.children)), node.propagator.minimum)

    def _node(self, node: Node) -> int:
        """The number of its square: final particles, both beams, s, then the sums."""
        n = len(self.masses)
        if isinstance(node, Leaf):
            return node.leg
        return n + 2 if len(node.legs) == n else self._sum([(2 + leg, 1) for leg in node.legs])

    def _transfer(self, beam: int, legs: Sequence[int]) -> int:
        return self._sum([(beam, 1), *((2 + leg, -1) for leg in legs)])

    def _sum(self, signs: Sequence[tuple[int, int]]) -> int:
        number = self.sums.setdefault(tuple(sorted(signs)), len(self.sums))
        return len(self.masses) + 3 + number
