"""How many diagrams a link of a process has, without making any of them.

Legs of the same particle are alike: what is tabulated is how many of each kind a set of legs holds,
not which, so that 30 photons cost hardly more than three. Sub-diagrams are put together vertex by
vertex (the recursion of Berends and Giele, Nucl. Phys. B306 (1988) 759, with numbers for currents)
until all legs but one are joined.
"""

from __future__ import annotations

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.families import renamings
from fabgen.process.recipes import Orders, VertexTable
from fabgen.process.restrictions import Restrictions
from fabgen.process.syntax import Core

#: Combinations of currents that are looked at, in a second or two, before a link is taken to be
#: beyond counting. Links of fewer than a million diagrams have less than half as many.
_MOST = 5 * 10**5
#: How many legs of each class are in a set.
_Legs = tuple[int, ...]
#: Particle (of a pair: both), coupling orders, required propagators met (bits).
_Kind = tuple[tuple[str, ...], Orders, int]


class Count(NamedTuple):
    """The lowest QED order at which there are diagrams (None: nowhere), and their number there; for
    a link with orders of its own the number that these allow."""

    qed: int | None
    diagrams: int


class _Way(NamedTuple):
    """A vertex at which currents meet; diagrams: 0 for one that is counted elsewhere."""

    particle: str
    orders: Orders
    diagrams: int


class DiagramCounter:
    """Counts the diagrams of links in one model."""

    def __init__(self, model: Model):
        self._model = model
        self._ways: dict[tuple[str, ...], list[_Way]] = {}
        for inputs, ways in VertexTable(model).ways.items():
            self._ways[inputs] = [
                _Way(particle, vertex.orders, int(vertex.is_counted))
                for vertex, _, _, particle in ways
            ]
        #: Pairs of particles that a third one can join at a vertex.
        self._pairs = {
            tuple(sorted((*inputs[:i], *inputs[i + 1 :])))
            for inputs in self._ways
            if len(inputs) == 3
            for i in range(3)
        }
        self._renamings = renamings(model)
        self._counted = functools.cache(self._count)

    def count(self, core: Core) -> Count:
        """The diagrams of one link of a chain, its decayed particles taken as external.

        Raises InputError for a link with too many different particles.
        """
        return self._counted(self._like(core))

    def _like(self, core: Core) -> Core:
        """One link for all that differ by the order of their particles, or by families."""
        if core.required_s_channel or core.exclude or core.exclude_s_channel:
            return core
        both = core.initial, core.final
        initial, final = min(
            tuple(tuple(sorted(new.get(name, name) for name in names)) for names in both)
            for new in self._renamings
        )
        return Core(initial, final, orders=core.orders)

    def _count(self, core: Core) -> Count:
        by_orders = self.by_orders(core, lowest=not core.orders)
        qed = min((orders[-1] for orders in by_orders), default=None)
        kept = (n for orders, n in by_orders.items() if core.orders or orders[-1] == qed)
        return Count(qed, sum(kept))

    def by_orders(self, core: Core, *, lowest: bool) -> dict[Orders, int]:
        """The number of diagrams by their coupling orders; lowest: surely of the lowest QED order,
        which is faster. Raises InputError as `count`."""
        self._left = _MOST
        restrictions = Restrictions.of(self._model, core)
        final = [self._model.particle(name).antiname for name in core.final]
        last = self._model.particle(final.pop())
        legs = Counter([*((name, True) for name in core.initial), *((n, False) for n in final)])
        whole, n_legs = tuple(legs.values()), sum(legs.values())
        outside = (0,) * len(whole)
        zero = (0,) * len(restrictions.maximum)
        singles: list[dict[_Legs, dict[_Kind, int]]] = [{} for _ in range(n_legs + 1)]
        pairs: list[dict[_Legs, dict[_Kind, int]]] = [{} for _ in range(n_legs + 1)]
        for i, (name, _) in enumerate(legs):
            unit = (*outside[:i], 1, *outside[i + 1 :])
            singles[1][unit] = {((name,), zero, 0): 1}
        initial = [is_initial for _, is_initial in legs]
        for size in range(2, n_legs + 1):
            made, pairs[size] = self._joined(singles, pairs, size, whole, restrictions)
            if size == n_legs:
                return _total(made.get(whole, {}), last.antiname, restrictions)
            for held, kinds in made.items():
                inside = sum(n for n, is_initial in zip(held, initial, strict=True) if is_initial)
                side = "final" if not inside else "initial" if inside == len(core.initial) else "t"
                kept = dict[_Kind, int]()
                for ((name,), orders, required), n in kinds.items():
                    anti = self._model.particle(name).antiname
                    if (met := restrictions.passes(name, anti, side)) is not None:
                        kind = ((name,), orders, required | met)
                        kept[kind] = kept.get(kind, 0) + n
                kept = _lowest(kept) if lowest else kept
                if kept:
                    singles[size][held] = kept
        raise AssertionError("a link has three legs or more")

    def _joined(
        self,
        singles: list[dict[_Legs, dict[_Kind, int]]],
        pairs: list[dict[_Legs, dict[_Kind, int]]],
        size: int,
        whole: _Legs,
        restrictions: Restrictions,
    ) -> tuple[dict[_Legs, dict[_Kind, int]], dict[_Legs, dict[_Kind, int]]]:
        """The currents out of sets of `size` legs, and the pairs of currents that they hold.

        Numbers are collected six times too large: that of unordered pairs comes from ordered ones
        (twice), that of three currents from every choice of the third (three times).
        """
        made: dict[_Legs, dict[_Kind, int]] = defaultdict(lambda: defaultdict(int))
        paired: dict[_Legs, dict[_Kind, int]] = defaultdict(lambda: defaultdict(int))
        for first in range(1, size):
            second = size - first
            for held, names, orders, required, n in self._products(
                singles[first], singles[second], whole, restrictions
            ):
                for way in self._ways.get(names, ()):
                    total = _sum(orders, way.orders)
                    if restrictions.allows(total):
                        made[held][(way.particle,), total, required] += 3 * n * way.diagrams
                if names in self._pairs:
                    paired[held][names, orders, required] += n
            for held, names, orders, required, n in self._products(
                pairs[first], singles[second], whole, restrictions
            ):
                for way in self._ways.get(names, ()):
                    total = _sum(orders, way.orders)
                    if restrictions.allows(total):
                        made[held][(way.particle,), total, required] += n * way.diagrams
        result = {held: {k: n // 6 for k, n in kinds.items()} for held, kinds in made.items()}
        return result, paired

    def _products(
        self,
        firsts: dict[_Legs, dict[_Kind, int]],
        seconds: dict[_Legs, dict[_Kind, int]],
        whole: _Legs,
        restrictions: Restrictions,
    ) -> Iterator[tuple[_Legs, tuple[str, ...], Orders, int, int]]:
        """Every kind of the first with every kind of the second: legs, particles, orders, required
        propagators, and in how many ways legs that are alike can be divided so."""
        for held_first, kinds_first in firsts.items():
            for held_second, kinds_second in seconds.items():
                self._left -= 1
                held = _sum(held_first, held_second)
                if any(n > most for n, most in zip(held, whole, strict=True)):
                    continue
                self._left -= len(kinds_first) * len(kinds_second)
                if self._left < 0:
                    raise InputError(
                        "the process has more diagrams than can be counted",
                        found=f"{sum(whole) + 1} particles",
                        hint="fewer final particles",
                    )
                ways = math.prod(map(math.comb, held, held_first))
                for (names_first, orders_first, met_first), n_first in kinds_first.items():
                    for (names_second, orders_second, met_second), n_second in kinds_second.items():
                        orders = _sum(orders_first, orders_second)
                        if restrictions.allows(orders):
                            names = tuple(sorted((*names_first, *names_second)))
                            n = ways * n_first * n_second
                            yield held, names, orders, met_first | met_second, n


def _total(kinds: dict[_Kind, int], particle: str, restrictions: Restrictions) -> dict[Orders, int]:
    """The diagrams that end in the last leg, as the particle that flows out of all others."""
    found: dict[Orders, int] = defaultdict(int)
    for (names, orders, required), n in kinds.items():
        if names == (particle,) and restrictions.accepts(orders, required):
            found[orders] += n
    return dict(found)


def _lowest(kinds: dict[_Kind, int]) -> dict[_Kind, int]:
    """Of each particle (and required propagators met) the kinds of lowest QED order: what the
    diagrams of lowest order are made of."""
    lowest: dict[tuple[tuple[str, ...], int], int] = {}
    for names, orders, required in kinds:
        qed = orders[-1]
        lowest[names, required] = min(qed, lowest.get((names, required), qed))
    return {k: n for k, n in kinds.items() if k[1][-1] == lowest[k[0], k[2]]}


def _sum(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


counter_of = functools.lru_cache(maxsize=8)(DiagramCounter)


def lowest_qed(model: Model, core: Core) -> int | None:
    """The lowest QED order at which one link of a chain has diagrams; None if it has none."""
    return counter_of(model).count(core).qed


def coupling_orders(model: Model, core: Core) -> frozenset[Orders]:
    """The coupling orders (as in `fabgen.model.ORDERS`) at which one link has diagrams."""
    return frozenset(counter_of(model).by_orders(core, lowest=False))
