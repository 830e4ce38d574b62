"""All tree diagrams of a subprocess as one graph of shared currents.

All legs are taken as incoming (an outgoing particle is an incoming antiparticle with -p). A current is
what flows out of a set of legs. Every tree diagram has one centre: the vertex all of whose branches
hold less than half of the legs, or else the propagator that divides the legs into two halves. So only
currents of up to half of the legs are built, and each diagram is closed once, at its centre: one branch
meets an amputated current (no propagator) made of all the other branches.

With `merge`, sub-diagrams of the same particle, legs and coupling orders are added up as far as their
colour vectors allow (`colour.independent_rows`); without it a current is one sub-diagram, and a closing
is one diagram (each of the three colour structures of a four-gluon vertex for itself).

Decay chains: a decayed particle is a leg of its production process whose current is built first, from
its own decay process, with its propagator. Counting legs for the centre, it counts as one.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from fabgen.model import Model, Vertex
from fabgen.process import colour
from fabgen.process.restrictions import Restrictions
from fabgen.process.syntax import DecayTree

Orders = tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Current:
    """What flows out of a set of external legs.

    legs: bit mask of external legs. leg: its number for an external leg itself, else None. terms:
    (coefficient, branching), added up before the propagator. propagator: False for an external leg and
    for an amputated current. t_channel: the propagator separates the two incoming legs.
    """

    number: int
    particle: str
    legs: int
    colour: colour.Tensor
    leg: int | None = None
    terms: tuple[tuple[Fraction, Branching], ...] = ()
    propagator: bool = False
    t_channel: bool = False
    level: int = 0
    n_diagrams: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Branching:
    """A vertex with the currents that enter it; arms are in the order of its slots, without `out`."""

    vertex: Vertex
    out: int
    arms: tuple[Current, ...]
    sign: int

    @property
    def n_diagrams(self) -> int:
        # The three colour structures of the four-gluon vertex are one diagram.
        if self.vertex.colour.startswith("ff:") and self.vertex.colour != "ff:12|34":
            return 0
        count = 1
        for arm in self.arms:
            count *= arm.n_diagrams
        return count


@dataclasses.dataclass(frozen=True, eq=False)
class Closing:
    """Two currents that meet: `first` with its propagator, `second` amputated; the amplitude is the
    sum over all closings of sign x first . second x colour."""

    first: Current
    second: Current
    sign: int
    colour: colour.Tensor

    @property
    def n_diagrams(self) -> int:
        return self.first.n_diagrams * self.second.n_diagrams


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Currents in an order in which each comes after its arms, and the closings.

    external: names of the particles as they come in and go out, initial first. incoming: the same as
    all-incoming particles. orders: those of all diagrams of the core process.
    """

    external: tuple[str, ...]
    incoming: tuple[str, ...]
    n_initial: int
    currents: tuple[Current, ...]
    closings: tuple[Closing, ...]

    @property
    def n_diagrams(self) -> int:
        return sum(closing.n_diagrams for closing in self.closings)


def parity(sequence: Sequence[int]) -> int:
    """+1 or -1: the sign of the permutation that sorts a sequence of different numbers."""
    inversions = sum(a > b for a, b in itertools.combinations(sequence, 2))
    return -1 if inversions % 2 else 1


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


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
class _Key:
    """A kind of current of given legs: its particle, coupling orders, required propagators met."""

    particle: str
    orders: Orders
    required: int = 0


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """A vertex and the kinds of currents that enter it, by slot."""

    vertex: Vertex
    out: int
    arms: tuple[tuple[int, _Key], ...]
    orders: Orders
    required: int


class VertexTable:
    """Vertices of a model by the particles that enter them."""

    def __init__(self, model: Model):
        self._ways: dict[tuple[str, ...], list[tuple[Vertex, int, tuple[int, ...], str]]] = {}
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
                self._ways.setdefault(key, []).append(way)

    def join(
        self, arms: Sequence[tuple[int, _Key]]
    ) -> Iterator[tuple[Vertex, int, tuple[tuple[int, _Key], ...], str]]:
        """The ways in which currents join: vertex, slot that stays open, arms by slot, particle out."""
        ordered = sorted(arms, key=lambda arm: arm[1].particle)
        ways = self._ways.get(tuple(arm[1].particle for arm in ordered), ())
        for vertex, out, slots, particle in ways:
            by_slot = dict(zip(slots, ordered, strict=True))
            yield vertex, out, tuple(by_slot[s] for s in sorted(by_slot)), particle


class _Builder:
    """Builds the currents of one link (the core process, or one decay) on top of its legs."""

    def __init__(self, model: Model, restrictions: Restrictions, external: _External, merge: bool):
        self.model = model
        self.restrictions = restrictions
        self.external = external
        self.merge = merge
        self.vertices = VertexTable(model)

    # -- which kinds of currents exist ---------------------------------------------------------

    def recipes(
        self, legs: Sequence[_Leg], largest: int, minimal: bool = False
    ) -> dict[int, dict[_Key, list[_Recipe]]]:
        """For all sets of up to `largest` legs: the kinds of currents and how each is made.

        minimal: keep only the lowest QED order of every particle (to find the lowest of all).
        """
        table: dict[int, dict[_Key, list[_Recipe]]] = {}
        zero = (0,) * len(self.restrictions.maximum)
        for number, leg in enumerate(legs):
            table[1 << number] = {_Key(leg.particle, zero): []}
        everything = (1 << len(legs)) - 1
        for size in range(2, largest + 1):
            for mask in _masks(len(legs), size):
                if mask == everything:
                    continue
                found: dict[_Key, list[_Recipe]] = {}
                for recipe, particle in self.joins(table, mask):
                    side = self._side(legs, mask)
                    required = self.restrictions.passes(
                        particle, self.model.particle(particle).antiname, side
                    )
                    if required is None:
                        continue
                    key = _Key(particle, recipe.orders, recipe.required | required)
                    found.setdefault(key, []).append(recipe)
                table[mask] = _lowest(found) if minimal else found
        return table

    def joins(
        self, table: Mapping[int, dict[_Key, list[_Recipe]]], mask: int, limit: int | None = None
    ) -> Iterator[tuple[_Recipe, str]]:
        """All vertices that join currents to one of the legs `mask`, with the particle that flows out.

        limit: no part holds more than this many legs.
        """
        for parts in itertools.chain(_two_parts(mask), _three_parts(mask)):
            if limit is not None and max(part.bit_count() for part in parts) > limit:
                continue
            kinds = [table.get(part) for part in parts]
            if not all(kinds):
                continue
            for keys in itertools.product(*kinds):  # type: ignore[arg-type]
                arms = tuple(zip(parts, keys, strict=True))
                for vertex, out, by_slot, particle in self.vertices.join(arms):
                    orders = tuple(
                        sum(o) for o in zip(vertex.orders, *(k.orders for k in keys), strict=True)
                    )
                    if not self.restrictions.allows(orders):
                        continue
                    required = 0
                    for key in keys:
                        required |= key.required
                    yield _Recipe(vertex, out, by_slot, orders, required), particle

    def _side(self, legs: Sequence[_Leg], mask: int) -> str:
        """Where the propagator of these legs stands: "initial", "final" (s-channel both) or "t"."""
        n_initial = sum(leg.initial for leg in legs)
        inside = sum(legs[i].initial for i in _bits(mask))
        if inside == 0:
            return "final"
        return "initial" if inside == n_initial else "t"

    # -- closing -------------------------------------------------------------------------------

    def closings(
        self, legs: Sequence[_Leg], table: Mapping[int, dict[_Key, list[_Recipe]]]
    ) -> dict[tuple[int, _Key, Orders, int], list[_Recipe]]:
        """(legs and kind of the first current, orders and required of the second) -> its recipes."""
        everything = (1 << len(legs)) - 1
        half, odd = divmod(len(legs), 2)
        found: dict[tuple[int, _Key, Orders, int], list[_Recipe]] = defaultdict(list)
        largest = half if odd else half - 1  # of a branch at a central vertex
        for mask in itertools.chain.from_iterable(_masks(len(legs), s) for s in range(1, half + 1)):
            at_propagator = not odd and mask.bit_count() == half
            if at_propagator and not mask & 1:
                continue
            if not table.get(mask):
                continue
            for recipe, particle in self.joins(table, everything ^ mask, None if at_propagator else largest):
                parts = [arm[0] for arm in recipe.arms]
                if not at_propagator and mask != _representative([mask, *parts]):
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

    # -- currents ------------------------------------------------------------------------------

    def make_branchings(
        self, recipes: Sequence[_Recipe], get: _Getter
    ) -> list[tuple[Branching, colour.Tensor]]:
        """Every combination of currents that a list of recipes stands for, with its colour."""
        made = []
        for recipe in recipes:
            slots = [s for s in range(len(recipe.vertex.particles)) if s != recipe.out]
            for arms in itertools.product(*(get(mask, key) for mask, key in recipe.arms)):
                tensor = colour.attach(
                    recipe.vertex.colour,
                    recipe.out,
                    {
                        slot: (self.model.particle(arm.particle).colour, arm.colour)
                        for slot, arm in zip(slots, arms, strict=True)
                    },
                )
                if not tensor:
                    continue
                fermions = [leg for arm in arms for leg in self.external.fermions(arm.legs)]
                made.append((Branching(recipe.vertex, recipe.out, arms, parity(fermions)), tensor))
        return made

    def make_currents(
        self, particle: str, branchings: list[tuple[Branching, colour.Tensor]], propagator: bool
    ) -> list[Current]:
        """Currents of one kind: one per branching, or (merged) one per independent colour vector."""
        if not branchings:
            return []
        tensors = [tensor for _, tensor in branchings]
        if self.merge:
            basis, combinations = colour.independent_rows(tensors)
        else:
            basis, combinations = tensors, [{i: Fraction(1)} for i in range(len(tensors))]
        legs = 0
        for arm in branchings[0][0].arms:
            legs |= arm.legs
        made = []
        counted: set[int] = set()
        for tensor, combination in zip(basis, combinations, strict=True):
            terms = tuple((c, branchings[i][0]) for i, c in combination.items())
            # A branching that enters several colour vectors is counted with the first of them.
            count = sum(branchings[i][0].n_diagrams for i in combination if i not in counted)
            counted.update(combination)
            made.append(
                self.external.add(
                    Current(
                        number=len(self.external.currents),
                        particle=particle,
                        legs=legs,
                        colour=tensor,
                        terms=terms,
                        propagator=propagator,
                        t_channel=propagator and self.external.is_t_channel(legs),
                        level=1 + max(arm.level for _, b in terms for arm in b.arms),
                        n_diagrams=count,
                    )
                )
            )
        return made


class _Getter:
    """Currents of a kind, made on first use."""

    def __init__(self, builder: _Builder, legs: Sequence[_Leg], table):
        self._builder = builder
        self._table = table
        self._made = {
            (1 << number, key): list(leg.currents)
            for number, leg in enumerate(legs)
            for key in table[1 << number]
        }

    def __call__(self, mask: int, key: _Key) -> list[Current]:
        if (mask, key) not in self._made:
            branchings = self._builder.make_branchings(self._table[mask][key], self)
            self._made[mask, key] = self._builder.make_currents(key.particle, branchings, True)
        return self._made[mask, key]


@dataclasses.dataclass(frozen=True)
class _Leg:
    """A leg of one link: an external particle, or a decayed one with all its decay currents."""

    particle: str
    initial: bool
    currents: tuple[Current, ...] = ()


class _External:
    """The external legs of the whole subprocess, and all currents made so far."""

    def __init__(self, model: Model, names: Sequence[str], n_initial: int):
        self.incoming = tuple(
            name if i < n_initial else model.particle(name).antiname for i, name in enumerate(names)
        )
        self._fermions = 0
        for i, name in enumerate(names):
            self._fermions |= int(model.particle(name).is_fermion) << i
        self._initial = (1 << n_initial) - 1
        self.currents: list[Current] = []
        for i, name in enumerate(self.incoming):
            tensor = colour.leaf(model.particle(name).colour, i)
            self.add(Current(i, name, 1 << i, tensor, leg=i))

    def add(self, current: Current) -> Current:
        self.currents.append(current)
        return current

    def fermions(self, legs: int) -> list[int]:
        return _bits(legs & self._fermions)

    def is_t_channel(self, legs: int) -> bool:
        inside = (legs & self._initial).bit_count()
        return self._initial.bit_count() == 2 and inside == 1


def _masks(n: int, size: int) -> Iterator[int]:
    for chosen in itertools.combinations(range(n), size):
        yield sum(1 << i for i in chosen)


def _lowest(found: dict[_Key, list[_Recipe]]) -> dict[_Key, list[_Recipe]]:
    """For each particle (and required propagators met) the key of lowest QED order."""
    best: dict[tuple[str, int], _Key] = {}
    for key in found:
        label = (key.particle, key.required)
        if label not in best or key.orders[-1] < best[label].orders[-1]:
            best[label] = key
    return {key: [] for key in best.values()}


def _representative(parts: Sequence[int]) -> int:
    """The branch at a central vertex that is closed with: the largest, then the one of lowest legs."""
    return min(parts, key=lambda part: (-part.bit_count(), part & -part))


def lowest_qed(model: Model, tree: DecayTree) -> int | None:
    """The lowest QED order at which the core process of a tree has diagrams; None if it has none.

    Decays count as external legs here: each link of a chain has its own orders.
    """
    names = (*tree.core.initial, *tree.core.final)
    external = _External(model, names, len(tree.core.initial))
    restrictions = Restrictions.of(model, tree.core)
    builder = _Builder(model, restrictions, external, merge=True)
    legs = [_Leg(name, i < len(tree.core.initial)) for i, name in enumerate(external.incoming)]
    table = builder.recipes(legs, len(legs) // 2, minimal=True)
    totals = [
        key.orders[-1] + orders[-1] for _, key, orders, _ in builder.closings(legs, table)
    ]
    return min(totals, default=None)


def build_graph(
    model: Model, tree: DecayTree, qed: Mapping[tuple[int, ...], int], merge: bool = True
) -> Graph:
    """The graph of all diagrams of a subprocess.

    qed: for the links without orders of their own the QED order to keep, by the path of the link (the
    slots that lead to it, () for the core). Without diagrams the graph has no closings.
    """
    names = (*tree.initial, *tree.final)
    n_initial = len(tree.initial)
    external = _External(model, names, n_initial)
    legs = [_Leg(external.incoming[i], True, (external.currents[i],)) for i in range(n_initial)]
    legs += _final_legs(model, tree, (), n_initial, external, qed, merge)
    builder = _Builder(model, Restrictions.of(model, tree.core, qed.get(())), external, merge)
    table = builder.recipes(legs, len(legs) // 2)
    get = _Getter(builder, legs, table)
    closings = []
    for (mask, key, _, _), recipes in builder.closings(legs, table).items():
        particle = model.particle(key.particle)
        seconds = builder.make_currents(
            particle.antiname, builder.make_branchings(recipes, get), propagator=False
        )
        for first, second in itertools.product(get(mask, key), seconds):
            tensor = colour.close(particle.colour, first.colour, second.colour)
            if not tensor:
                continue
            pair = [first, second]
            if particle.is_fermion and particle.pdg > 0:
                pair.reverse()  # a fermion flows out of the first: the second is the spinor on the left
            fermions = [leg for current in pair for leg in external.fermions(current.legs)]
            closings.append(Closing(first, second, parity(fermions), tensor))
    return Graph(names, external.incoming, n_initial, tuple(external.currents), tuple(closings))


def _final_legs(model, tree, path, first, external, qed, merge) -> list[_Leg]:
    """The final legs of one link, decayed ones with their currents; `first` numbers external legs."""
    legs = []
    for slot, (name, decay) in enumerate(zip(tree.core.final, tree.decays, strict=True)):
        anti = model.particle(name).antiname
        if decay is None:
            legs.append(_Leg(anti, False, (external.currents[first],)))
            first += 1
            continue
        below = (*path, slot)
        products = _final_legs(model, decay, below, first, external, qed, merge)
        legs.append(_Leg(anti, False, _decay_currents(model, decay, below, products, external, qed, merge)))
        first += len(decay.final)
    return legs


def _decay_currents(model, decay, path, products, external, qed, merge) -> tuple[Current, ...]:
    """The currents of a decayed particle, with its propagator, from the currents of its products."""
    restrictions = Restrictions.of(model, decay.core, qed.get(path))
    builder = _Builder(model, restrictions, external, merge)
    table = builder.recipes(products, len(products) - 1)
    anti = model.particle(decay.core.initial[0]).antiname
    get = _Getter(builder, products, table)
    recipes = [
        recipe
        for recipe, particle in builder.joins(table, (1 << len(products)) - 1)
        if particle == anti and restrictions.accepts(recipe.orders, recipe.required)
    ]
    branchings = builder.make_branchings(recipes, get)
    return tuple(builder.make_currents(anti, branchings, propagator=True))
