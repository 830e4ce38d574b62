"""From a graph of currents to its index tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fabgen.amplitude.products import Momentum, four_vectors, three_vectors
from fabgen.amplitude.tables import (
    Group,
    Leg,
    Level,
    ProductRows,
    PropagatorRows,
    Tables,
    VertexRows,
)
from fabgen.model import ZERO, Model, Vertex
from fabgen.process.colour import Structure
from fabgen.process.currents import bits
from fabgen.process.graph import Branching, Closing, Current, Graph

#: current number -> which of its spin states are evaluated, one axis per leg.
Alive = Mapping[int, np.ndarray]


class _Names:
    """Numbers names, or sets of legs, in the order in which they are first asked for."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def __getitem__(self, name: Any) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


def states_shape(model: Model, graph: Graph, legs: int) -> tuple[int, ...]:
    """The number of spin states of each leg of a set."""
    return tuple(model.particle(graph.external[leg]).n_spin_states for leg in bits(legs))


def all_alive(model: Model, graph: Graph) -> dict[int, np.ndarray]:
    return {
        current.number: np.ones(states_shape(model, graph, current.legs), dtype=bool)
        for current in graph.currents
    }


def compile_tables(
    model: Model, graph: Graph, alive: Alive, helicities: np.ndarray, t_channel_width: bool
) -> Tables:
    """Tables for the given rows and combinations of spin states.

    helicities (n, legs): the combinations to evaluate. t_channel_width: keep the width in
    propagators that separate the two incoming legs.
    """
    return _Compiler(model, graph, alive, t_channel_width).tables(helicities)


class _Compiler:
    def __init__(self, model: Model, graph: Graph, alive: Alive, t_channel_width: bool):
        self.model, self.graph, self.alive = model, graph, alive
        self.t_channel_width = t_channel_width
        self.momenta, self.masses = _Names(), _Names()
        self.widths, self.couplings = _Names(), _Names()
        self.rows: dict[int, np.ndarray] = {}
        self.vectors = self._vectors()
        self.n_rows = 1 + len(self.vectors)

    def tables(self, helicities: np.ndarray) -> Tables:
        legs = tuple(
            self._leg(current) for current in self.graph.currents if current.leg is not None
        )
        levels = []
        by_level = defaultdict(list)
        for current in self.graph.currents:
            if current.leg is None and self.alive[current.number].any():
                by_level[current.level].append(current)
        for level in sorted(by_level):
            levels.append(self._level(by_level[level]))
        closings = self.graph.closings
        first, second = self._closing_rows(closings, helicities)
        vectors, structures = self._colour(closings)
        return Tables(
            legs=legs,
            levels=tuple(levels),
            momentum_signs=self._signs([((mask, 1),) for mask in self.momenta.numbers]),
            vector_signs=self._signs([momentum.terms for momentum in self.vectors]),
            masses=tuple(self.masses.numbers),
            widths=tuple(self.widths.numbers),
            couplings=tuple(self.couplings.numbers),
            first=first,
            second=second,
            colour=vectors,
            structures=structures,
            helicities=helicities,
            rows=self.rows,
        )

    def _leg(self, current: Current) -> Leg:
        assert current.leg is not None
        number = current.leg
        particle = self.model.particle(self.graph.external[number])
        outgoing = number >= self.graph.n_initial
        states = np.flatnonzero(self.alive[current.number])
        rows = np.zeros(self.alive[current.number].shape, dtype=np.int64)
        rows[states] = self._new_rows(len(states))
        self.rows[current.number] = rows
        return Leg(
            number=number,
            spin=particle.spin,
            mass=None if particle.is_massless else self.masses[particle.mass],
            particle=particle.pdg > 0,
            outgoing=outgoing,
            bra=(particle.pdg > 0) == outgoing,
            states=states,
        )

    def _new_rows(self, n: int) -> np.ndarray:
        start = self.n_rows
        self.n_rows += n
        return np.arange(start, start + n)

    def _vectors(self) -> dict[Momentum, int]:
        """The sums of momenta in three-vector vertices, and the rows that they become."""
        found: dict[Momentum, int] = {}
        for current in self.graph.currents:
            for _, branching in current.terms:
                if branching.vertex.lorentz == "VVV":
                    legs = [arm.legs for arm in _ordered_arms(branching)]
                    for product in three_vectors(0, 1, *legs):
                        for factor in product[:3]:
                            if isinstance(factor, Momentum):
                                found.setdefault(factor, 1 + len(found))
        return found

    def _signs(self, sums: Sequence[Sequence[tuple[int, int]]]) -> np.ndarray:
        """Factors (sums, legs) of the momenta of the legs in sums of ((bit mask, factor), ...)."""
        signs = np.zeros((len(sums), len(self.graph.external)))
        for row, terms in zip(signs, sums, strict=True):
            for mask, factor in terms:
                for leg in bits(mask):
                    row[leg] += factor if leg < self.graph.n_initial else -factor
        return signs

    def _level(self, currents: Sequence[Current]) -> Level:
        dots: dict[tuple[int, int], int] = {}
        groups: dict[_Key, list[tuple[Current, int, _Terms]]] = defaultdict(list)
        for current in currents:
            terms = self._terms(current, dots)
            self.rows[current.number] = np.zeros(self.alive[current.number].shape, dtype=np.int64)
            for position, row in enumerate(terms):
                if not row.vertices and not row.products:
                    continue  # it vanishes like its arms
                key = (self._propagator(current), row.kinds, _padded(len(row.products), 3))
                groups[key].append((current, position, row))
        made = []
        for key, members in sorted(groups.items(), key=lambda item: item[0]):
            for (current, position, _), row in zip(
                members, self._new_rows(len(members)), strict=True
            ):
                places = np.flatnonzero(self.alive[current.number])
                self.rows[current.number].flat[places[position]] = row
            propagator, kinds, n_products = key
            made.append(self._group(propagator, kinds, n_products, members))
        pairs = np.array(list(dots), dtype=np.int64).reshape(-1, 2)
        return Level(dots=(pairs[:, 0], pairs[:, 1]), groups=tuple(made))

    def _group(
        self,
        propagator: str,
        kinds: tuple[tuple[str, int], ...],
        n_products: int,
        members: Sequence[tuple[Current, int, _Terms]],
    ) -> Group:
        vertices = []
        for kernel, n in kinds:
            padded = [_pad(row.vertices[kernel], n) for _, _, row in members]
            for column in zip(*padded, strict=True):
                arms, numbers, factors = zip(*column, strict=True)
                vertices.append(
                    VertexRows(kernel, _columns(arms), _columns(numbers), np.array(factors))
                )
        products = []
        all_products = [
            [(*key, factor) for key, factor in row.products.items()] for _, _, row in members
        ]
        for column in zip(*(_pad(entries, n_products) for entries in all_products), strict=True):
            dots, rows, couplings = _columns(entry[:3] for entry in column)
            weights = np.array([entry[3] for entry in column])
            products.append(ProductRows(dots, rows, couplings, weights))
        return Group(
            tuple(vertices),
            tuple(products),
            self._propagators(propagator, [current for current, _, _ in members]),
        )

    def _propagator(self, current: Current) -> str:
        particle = self.model.particle(current.particle)
        if not current.propagator:
            return "lower" if particle.spin == 3 else ""
        if particle.spin == 2:
            return "ket" if particle.pdg > 0 else "bra"
        if particle.spin == 3:
            return "massless vector" if particle.is_massless else "massive vector"
        return "scalar"

    def _propagators(self, kernel: str, currents: Sequence[Current]) -> PropagatorRows:
        entries = []
        for current in currents:
            particle = self.model.particle(current.particle)
            no_width = current.t_channel and not self.t_channel_width
            width = ZERO if no_width else particle.width
            entries.append(
                (self.momenta[current.legs], self.masses[particle.mass], self.widths[width])
            )
        return PropagatorRows(kernel, *_columns(entries))

    def _terms(self, current: Current, dots: dict[tuple[int, int], int]) -> list[_Terms]:
        """The terms of each row of a current; numbers the dot products that they need."""
        selected = self.alive[current.number]
        rows = [_Terms() for _ in range(int(selected.sum()))]
        for coefficient, branching in current.terms:
            factor = float(coefficient) * branching.sign
            vertex = branching.vertex
            couplings = tuple(self.couplings[name] for name in vertex.couplings)
            arms = _ordered_arms(branching)
            arm_rows = [self._arm_rows(current, arm, selected) for arm in arms]
            used = np.flatnonzero(np.all([r > 0 for r in arm_rows], axis=0))
            numbers = np.stack([r[used] for r in arm_rows], axis=1).tolist()
            if set(vertex.lorentz) != {"V"}:
                kernel = _kernel(branching)
                for position, arm_numbers in zip(used, numbers, strict=True):
                    entry = (tuple(arm_numbers), couplings, factor)
                    rows[position].vertices[kernel].append(entry)
                continue
            products = self._products(branching, arms)
            for position, arm_numbers in zip(used, numbers, strict=True):
                found = rows[position].products
                for x, y, z, weight in products:
                    x, y, z = (arm_numbers[i] if i < 0 else i for i in (x, y, z))
                    pair = (x, y) if x < y else (y, x)
                    found[dots.setdefault(pair, len(dots)), z, couplings[0]] += weight * factor
        return rows

    def _products(
        self, branching: Branching, arms: Sequence[Current]
    ) -> list[tuple[int, int, int, float]]:
        """A vertex of vectors alone: x, y, z and factor of each product.

        x, y, z: the row of a sum of momenta, or an arm counted from the end (-1 is the last).
        """
        if branching.vertex.lorentz == "VVV":
            products = three_vectors(-2, -1, *(arm.legs for arm in arms))
        else:
            products = four_vectors(-3, -2, -1, _quartic_weights(branching.vertex, branching.out))

        def number(vector: Any) -> int:
            return self.vectors[vector] if isinstance(vector, Momentum) else vector

        return [(number(p.x), number(p.y), number(p.z), p.factor) for p in products]

    def _arm_rows(self, current: Current, arm: Current, selected: np.ndarray) -> np.ndarray:
        """The row of an arm for every row of a current, 0 where it vanishes."""
        below = set(bits(arm.legs))
        rows = self.rows.get(arm.number)
        if rows is None:
            rows = np.zeros(states_shape(self.model, self.graph, arm.legs), dtype=np.int64)
        shape = [
            n if leg in below else 1
            for leg, n in zip(bits(current.legs), selected.shape, strict=True)
        ]
        return np.broadcast_to(rows.reshape(shape), selected.shape)[selected]

    def _closing_rows(
        self, closings: Sequence[Closing], helicities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        def rows(current: Current) -> np.ndarray:
            known = self.rows.get(current.number)
            if known is None:
                return np.zeros(len(helicities), dtype=np.int64)
            return known[tuple(helicities[:, leg] for leg in bits(current.legs))]

        first = np.array([rows(closing.first) for closing in closings])
        second = np.array([rows(closing.second) for closing in closings])
        dead = (first == 0) | (second == 0)
        first[dead] = second[dead] = 0
        return first, second

    @staticmethod
    def _colour(closings: Sequence[Closing]) -> tuple[np.ndarray, tuple[Structure, ...]]:
        structures = sorted({s for closing in closings for s in closing.colour})
        numbers = {structure: i for i, structure in enumerate(structures)}
        vectors = np.zeros((len(closings), len(structures)))
        for row, closing in enumerate(closings):
            for structure, coefficient in closing.colour.items():
                vectors[row, numbers[structure]] = closing.sign * float(coefficient)
        return vectors, tuple(structures)


#: What the rows of a group have in common: propagator, (kernel, number) of vertices, products.
_Key = tuple[str, tuple[tuple[str, int], ...], int]
#: A vertex of one row: rows of its arms, numbers of its couplings, factor.
_Entry = tuple[tuple[int, ...], tuple[int, ...], float]


class _Terms:
    """The terms of one row: vertices by kernel, products by (number of x.y, row of z, coupling)."""

    def __init__(self) -> None:
        self.vertices: dict[str, list[_Entry]] = defaultdict(list)
        self.products: dict[tuple[int, int, int], float] = defaultdict(float)

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """The kernels and how often each occurs, padded."""
        return tuple((k, _padded(len(v), 1)) for k, v in sorted(self.vertices.items()))


def _padded(n: int, unit: int) -> int:
    """n rounded up to 0, 1, 2, 4, 8, ... units: few different sums, few programs to compile."""
    units = -(-n // unit)
    return unit * (1 << (units - 1).bit_length()) if units else 0


def _pad(entries: list, n: int) -> list:
    """Entries repeated with the factor zero."""
    missing = n - len(entries)
    return entries + [(*entries[0][:-1], 0.0)] * missing if missing else entries


def _columns(rows: Iterable[Sequence[int]]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))


def _ordered_arms(branching: Branching) -> tuple[Current, ...]:
    """The arms in the order that the kernel, or the sum of products, expects."""
    if branching.vertex.lorentz != "VVV":
        return branching.arms
    # Slots in cyclic order behind the open one: the structure is cyclic.
    slots = [s for s in range(3) if s != branching.out]
    cyclic = [(branching.out + 1) % 3, (branching.out + 2) % 3]
    return tuple(branching.arms[slots.index(s)] for s in cyclic)


def _kernel(branching: Branching) -> str:
    lorentz, out = branching.vertex.lorentz, branching.out
    if lorentz[:2] == "FF":
        leaves = ("ket", "bra", "vector" if lorentz == "FFV" else "scalar")[out]
    else:
        leaves = "vector" if lorentz[out] == "V" else "scalar"
    return f"{lorentz}>{leaves}"


def _quartic_weights(vertex: Vertex, out: int) -> tuple[int, ...]:
    """The weights of g_ab g_c,out, g_ac g_b,out and g_bc g_a,out for the other slots a, b, c."""
    pairings = ({0, 1}, {0, 2}, {0, 3})

    def weight(x: int, y: int) -> int:
        pair = {x, y} if 0 in (x, y) else {0, 1, 2, 3} - {x, y}
        return vertex.weights[pairings.index(pair)]

    a, b, c = (s for s in range(4) if s != out)
    return weight(a, b), weight(a, c), weight(b, c)
