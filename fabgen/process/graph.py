"""All tree diagrams of a subprocess as one graph of shared currents.

Only currents of up to half of the legs are built, and each diagram is closed once, at its centre
(`recipes`): one branch meets an amputated current (no propagator) made of all the other branches.

With `merge`, sub-diagrams of the same particle, legs and coupling orders are added up as far as
their colour vectors allow (`colour.independent_rows`); without it a current is one sub-diagram, and
a closing is one diagram (each of the three colour structures of a four-gluon vertex for itself).

Decay chains: a decayed particle is a leg of its production process whose current is built first,
from its own decay process, with its propagator. Counting legs for the centre, it counts as one.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from fabgen.model import Model
from fabgen.process import colour
from fabgen.process.currents import Branching, Closing, Current, Graph, bits, parity
from fabgen.process.recipes import Kind, Leg, Recipe, RecipeBook, Table
from fabgen.process.restrictions import Restrictions
from fabgen.process.syntax import Core, DecayTree

__all__ = ["Branching", "Closing", "Current", "Graph", "build_graph"]


@dataclasses.dataclass(frozen=True)
class _Leg:
    """A leg of a link with its currents: those of its decay if it is a decayed particle."""

    leg: Leg
    currents: tuple[Current, ...]


class _External:
    """The external legs of the whole subprocess, and all currents made so far."""

    def __init__(self, model: Model, names: Sequence[str], n_initial: int):
        self.incoming = tuple(
            name if i < n_initial else model.particle(name).antiname for i, name in enumerate(names)
        )
        self._fermions = 0
        for i, name in enumerate(names):
            self._fermions |= int(model.particle(name).is_fermion) << i
        self.n_initial = n_initial
        self._initial = (1 << n_initial) - 1
        self.currents: list[Current] = []
        for i, name in enumerate(self.incoming):
            tensor = colour.leaf(model.particle(name).colour, i)
            self.add(Current(i, name, 1 << i, tensor, leg=i))

    def add(self, current: Current) -> Current:
        self.currents.append(current)
        return current

    def fermions(self, legs: int) -> list[int]:
        return bits(legs & self._fermions)

    def is_t_channel(self, legs: int) -> bool:
        inside = (legs & self._initial).bit_count()
        return self._initial.bit_count() == 2 and inside == 1


class _Builder:
    """Makes the currents of one link (the core process, or one decay) on top of its legs."""

    def __init__(self, model: Model, restrictions: Restrictions, external: _External, merge: bool):
        self.model = model
        self.book = RecipeBook(model, restrictions)
        self.external = external
        self.merge = merge

    def make_branchings(
        self, recipes: Sequence[Recipe], get: _Getter
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
        """Currents of one kind: one per branching; merged, one per independent colour vector."""
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

    def __init__(self, builder: _Builder, legs: Sequence[_Leg], table: Table):
        self._builder = builder
        self._table = table
        self._made = {
            (1 << number, key): list(leg.currents)
            for number, leg in enumerate(legs)
            for key in table[1 << number]
        }

    def __call__(self, mask: int, key: Kind) -> list[Current]:
        if (mask, key) not in self._made:
            branchings = self._builder.make_branchings(self._table[mask][key], self)
            self._made[mask, key] = self._builder.make_currents(key.particle, branchings, True)
        return self._made[mask, key]


def build_graph(
    model: Model, tree: DecayTree, qed: Mapping[tuple[int, ...], int], merge: bool = True
) -> Graph:
    """The graph of all diagrams of a subprocess.

    qed: for the links without orders of their own the QED order to keep, by the path of the link
    (the slots that lead to it, () for the core). Without diagrams the graph has no closings.
    """
    n_initial = len(tree.initial)
    external = _External(model, (*tree.initial, *tree.final), n_initial)
    drawing = _Drawing(model, external, qed, merge)
    legs = [drawing.external_leg(i) for i in range(n_initial)]
    closings = drawing.core(tree, [*legs, *drawing.final_legs(tree, (), n_initial)])
    return Graph(
        external=(*tree.initial, *tree.final),
        incoming=external.incoming,
        n_initial=n_initial,
        currents=tuple(external.currents),
        closings=tuple(closings),
    )


@dataclasses.dataclass(frozen=True)
class _Drawing:
    """Data that all links of one subprocess share while their currents are made."""

    model: Model
    external: _External
    qed: Mapping[tuple[int, ...], int]
    merge: bool

    def builder(self, core: Core, path: tuple[int, ...]) -> _Builder:
        restrictions = Restrictions.of(self.model, core, self.qed.get(path))
        return _Builder(self.model, restrictions, self.external, self.merge)

    def external_leg(self, number: int) -> _Leg:
        """An external particle as a leg of its link."""
        name = self.external.incoming[number]
        weight = max(2, self.model.particle(name).n_spin_states)
        leg = Leg(name, number < self.external.n_initial, weight)
        return _Leg(leg, (self.external.currents[number],))

    def final_legs(self, tree: DecayTree, path: tuple[int, ...], first: int) -> list[_Leg]:
        """The final legs of a link, decayed ones with currents; `first` numbers external legs."""
        legs = []
        for slot, (name, decay) in enumerate(zip(tree.core.final, tree.decays, strict=True)):
            if decay is None:
                legs.append(self.external_leg(first))
                first += 1
                continue
            last = first + len(decay.final)
            weight = math.prod(self.external_leg(i).leg.weight for i in range(first, last))
            leg = Leg(self.model.particle(name).antiname, False, weight)
            legs.append(_Leg(leg, self.decay(decay, (*path, slot), first)))
            first = last
        return legs

    def decay(self, tree: DecayTree, path: tuple[int, ...], first: int) -> tuple[Current, ...]:
        """The currents of a decayed particle, with its propagator, from those of its products."""
        products = self.final_legs(tree, path, first)
        builder = self.builder(tree.core, path)
        table = builder.book.table([p.leg for p in products], half=False)
        anti = self.model.particle(tree.core.initial[0]).antiname
        recipes = [
            recipe
            for recipe, particle in builder.book.joins(table, (1 << len(products)) - 1)
            if particle == anti and builder.book.accepts(recipe)
        ]
        branchings = builder.make_branchings(recipes, _Getter(builder, products, table))
        return tuple(builder.make_currents(anti, branchings, propagator=True))

    def core(self, tree: DecayTree, legs: list[_Leg]) -> list[Closing]:
        """All closings of the core process."""
        builder = self.builder(tree.core, ())
        outer = [leg.leg for leg in legs]
        table = builder.book.table(outer, half=True)
        get = _Getter(builder, legs, table)
        closings = []
        for (mask, kind, _, _), recipes in builder.book.closings(outer, table).items():
            particle = self.model.particle(kind.particle)
            branchings = builder.make_branchings(recipes, get)
            seconds = builder.make_currents(particle.antiname, branchings, propagator=False)
            for first, second in itertools.product(get(mask, kind), seconds):
                tensor = colour.close(particle.colour, first.colour, second.colour)
                if not tensor:
                    continue
                pair = [first, second]
                if particle.is_fermion and particle.pdg > 0:
                    pair.reverse()  # a ket flows out of the first: the bra comes before it
                fermions = [leg for c in pair for leg in self.external.fermions(c.legs)]
                closings.append(Closing(first, second, parity(fermions), tensor))
        return closings
