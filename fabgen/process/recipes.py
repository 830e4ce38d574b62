"""Which kinds of currents a process has, before any of them is made.

A kind is a particle that flows out of a set of legs, with its coupling orders; a recipe is a vertex
and the kinds of currents that enter it. Every tree diagram has one centre: the vertex all of whose
branches hold less than half of the weight, or else the line that divides it into halves or ends in
a leg with more than half. The weight is the number of spin states (of sets of legs: their product),
so that currents with many spin states meet last, when they are contracted.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from fabgen.model import Model, Vertex
from fabgen.process.currents import bits
from fabgen.process.restrictions import Restrictions

Orders = tuple[int, ...]


@functools.cache
def _two_parts(mask: int) -> tuple[tuple[int, int], ...]:
    """All divisions of a set into two non-empty parts; the first holds the lowest element."""
    lowest = mask & -mask
    rest = mask ^ lowest
    parts, sub = [], rest
    while sub:
        parts.append((mask ^ sub, sub))
        sub = (sub - 1) & rest
    return tuple(parts)


@functools.cache
def _three_parts(mask: int) -> tuple[tuple[int, int, int], ...]:
    return tuple((a, b, c) for a, rest in _two_parts(mask) for b, c in _two_parts(rest))


@dataclasses.dataclass(frozen=True)
class Leg:
    """A leg of one link: an external particle, or a decayed one. particle: as it comes in.

    weight: the number of its spin states, or of those of its decay products; at least 2, so that no
    two lines of a diagram divide the weight alike.
    """

    particle: str
    initial: bool
    weight: int = 2


@dataclasses.dataclass(frozen=True)
class Kind:
    """Kinds of currents out of legs: particle, coupling orders, required propagators met (bits)."""

    particle: str
    orders: Orders
    required: int = 0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A vertex, its open slot, and what enters the other slots: (legs, kind) each."""

    vertex: Vertex
    out: int
    arms: tuple[tuple[int, Kind], ...]
    orders: Orders
    required: int


#: For sets of legs of a link (bit masks): the kinds of currents that flow out, with their recipes.
Table = Mapping[int, dict[Kind, list[Recipe]]]


class VertexTable:
    """Vertices of a model by the particles that enter them."""

    def __init__(self, model: Model):
        self.ways: dict[tuple[str, ...], list[tuple[Vertex, int, tuple[int, ...], str]]] = {}
        for vertex in model.vertices:
            for out, name in enumerate(vertex.particles):
                if name in vertex.particles[:out]:
                    continue  # identical particles: the first slot stands for all
                slots = [s for s in range(len(vertex.particles)) if s != out]
                inputs = [vertex.particles[s] for s in slots]
                order = sorted(range(len(slots)), key=lambda i: inputs[i])
                key = tuple(inputs[i] for i in order)
                target = model.particle(name).antiname
                way = (vertex, out, tuple(slots[i] for i in order), target)
                self.ways.setdefault(key, []).append(way)

    def join(
        self, arms: Sequence[tuple[int, Kind]]
    ) -> Iterator[tuple[Vertex, int, tuple[tuple[int, Kind], ...], str]]:
        """The ways in which currents join: vertex, open slot, arms by slot, particle out."""
        ordered = sorted(arms, key=lambda arm: arm[1].particle)
        ways = self.ways.get(tuple(arm[1].particle for arm in ordered), ())
        for vertex, out, slots, particle in ways:
            by_slot = dict(zip(slots, ordered, strict=True))
            yield vertex, out, tuple(by_slot[s] for s in sorted(by_slot)), particle


class Balance:
    """Where a diagram is balanced, by the weights of its legs."""

    def __init__(self, legs: Sequence[Leg]):
        self._weights = [leg.weight for leg in legs]
        self._total = math.prod(self._weights)

    def weight(self, mask: int) -> int:
        return math.prod(self._weights[i] for i in bits(mask))

    def side(self, mask: int) -> int:
        """-1, 0, 1: these legs hold less than half of the weight, half of it, more."""
        square = self.weight(mask) ** 2
        return (square > self._total) - (square < self._total)

    def is_centre(self, mask: int, others: Sequence[int]) -> bool:
        """Whether branches meet at the centre, and `mask` is the one of them to close with.

        That is the heaviest, then the one with the lowest leg.
        """
        branches = [mask, *others]
        first = min(branches, key=lambda part: (-self.weight(part), part & -part))
        return first == mask and all(self.side(part) < 0 for part in others)


class RecipeBook:
    """The recipes of one link of a process: its core, or one of its decays."""

    def __init__(self, model: Model, restrictions: Restrictions):
        self.model = model
        self.restrictions = restrictions
        self._vertices = VertexTable(model)

    def table(self, legs: Sequence[Leg], *, half: bool) -> dict[int, dict[Kind, list[Recipe]]]:
        """For sets of legs: the kinds of currents that flow out and how each is made.

        half: only sets of up to half of the weight, which is what `closings` needs.
        """
        table: dict[int, dict[Kind, list[Recipe]]] = {}
        zero = (0,) * len(self.restrictions.maximum)
        for number, leg in enumerate(legs):
            table[1 << number] = {Kind(leg.particle, zero): []}
        balance = Balance(legs)
        for size in range(2, len(legs)):
            for mask in subsets(len(legs), size):
                if half and balance.side(mask) > 0:
                    continue
                found: dict[Kind, list[Recipe]] = {}
                for recipe, particle in self.joins(table, mask):
                    side = self._side(legs, mask)
                    required = self.restrictions.passes(
                        particle, self.model.particle(particle).antiname, side
                    )
                    if required is None:
                        continue
                    key = Kind(particle, recipe.orders, recipe.required | required)
                    found.setdefault(key, []).append(recipe)
                table[mask] = found
        return table

    def joins(self, table: Table, mask: int) -> Iterator[tuple[Recipe, str]]:
        """All vertices that join currents to one of the legs `mask`, with the particle out."""
        for parts in itertools.chain(_two_parts(mask), _three_parts(mask)):
            kinds = [table.get(part) for part in parts]
            if not all(kinds):
                continue
            for keys in itertools.product(*kinds):  # type: ignore[arg-type]
                arms = tuple(zip(parts, keys, strict=True))
                for vertex, out, by_slot, particle in self._vertices.join(arms):
                    orders = tuple(
                        sum(o) for o in zip(vertex.orders, *(k.orders for k in keys), strict=True)
                    )
                    if not self.restrictions.allows(orders):
                        continue
                    required = 0
                    for key in keys:
                        required |= key.required
                    yield Recipe(vertex, out, by_slot, orders, required), particle

    def _side(self, legs: Sequence[Leg], mask: int) -> str:
        """Where the propagator of these legs stands: "initial", "final" (s-channel both) or "t"."""
        n_initial = sum(leg.initial for leg in legs)
        inside = sum(legs[i].initial for i in bits(mask))
        if inside == 0:
            return "final"
        return "initial" if inside == n_initial else "t"

    def accepts(self, recipe: Recipe) -> bool:
        """Whether a vertex that completes a link makes a diagram that is wanted."""
        return self.restrictions.accepts(recipe.orders, recipe.required)

    def closings(
        self, legs: Sequence[Leg], table: Table
    ) -> dict[tuple[int, Kind, Orders, int], list[Recipe]]:
        """(legs, kind of the first current, orders and required of the second) -> its recipes."""
        everything = (1 << len(legs)) - 1
        found: dict[tuple[int, Kind, Orders, int], list[Recipe]] = defaultdict(list)
        balance = Balance(legs)
        for mask in table:
            side, rest = balance.side(mask), everything ^ mask
            if not table[mask] or (side == 0 and not _is_first_half(mask, rest)):
                continue
            for recipe, particle in self.joins(table, rest):
                parts = [arm[0] for arm in recipe.arms]
                if side < 0 and not balance.is_centre(mask, parts):
                    continue
                anti = self.model.particle(particle).antiname
                for key in table[mask]:
                    if key.particle != anti:
                        continue
                    total = tuple(a + b for a, b in zip(key.orders, recipe.orders, strict=True))
                    met = key.required | recipe.required
                    if self.restrictions.accepts(total, met):
                        found[mask, key, recipe.orders, recipe.required].append(recipe)
        return found


def _is_first_half(mask: int, rest: int) -> bool:
    """Of two halves close with a leg by itself, or else with the one that holds the first leg."""
    return mask.bit_count() == 1 or (rest.bit_count() > 1 and bool(mask & 1))


def subsets(n: int, size: int) -> Iterator[int]:
    for chosen in itertools.combinations(range(n), size):
        yield sum(1 << i for i in chosen)
