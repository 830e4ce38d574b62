"""A graph of currents compiled to index tables.

A row is one current for one combination of spin states of the legs below it. The rows of a level
only need rows of levels before it, so a level is evaluated with one gather and one kernel for each
kind of vertex, whatever the number of diagrams. Row 0 is zero: it stands for rows that vanish
identically.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from fabgen.model import ZERO, Model, Vertex
from fabgen.process.colour import Structure
from fabgen.process.currents import bits
from fabgen.process.graph import Branching, Closing, Current, Graph

IntArray = np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class VertexRows:
    """All vertices of one kind at one level. arms, couplings, momenta: index arrays (rows,)."""

    kernel: str
    arms: tuple[IntArray, ...]
    couplings: tuple[IntArray, ...]
    momenta: tuple[IntArray, ...] = ()
    weights: tuple[np.ndarray, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class PropagatorRows:
    """A slice of the rows of a level that ends in the same kind of propagator ("" for none)."""

    kernel: str
    start: int
    stop: int
    momenta: IntArray
    masses: IntArray
    widths: IntArray


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """All currents of one level.

    vertices: evaluated first, their rows concatenated. terms, coefficients (rows, terms): the sums
    of vertices that make up the currents. propagators: applied to these.
    """

    vertices: tuple[VertexRows, ...]
    terms: IntArray
    coefficients: np.ndarray
    propagators: tuple[PropagatorRows, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Leg:
    """An external particle: how to make its wave functions, and which of its states are rows."""

    number: int
    spin: int
    mass: int | None
    particle: bool
    outgoing: bool
    bra: bool
    states: IntArray


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """Everything that the evaluation needs, as index arrays.

    momentum_signs (sums, legs): the momenta that flow out of the sets of legs that occur.
    masses, widths, couplings: names of model parameters that the indices count.
    first, second (closings, helicities): rows whose product is the amplitude of a closing.
    colour (closings, structures): the colour vectors of the closings, sign included.
    helicities (helicities, legs): spin states of the combinations that do not vanish.
    rows: of every current by its number, one axis per leg; 0 where it is not evaluated.
    """

    legs: tuple[Leg, ...]
    levels: tuple[Level, ...]
    momentum_signs: np.ndarray
    masses: tuple[str, ...]
    widths: tuple[str, ...]
    couplings: tuple[str, ...]
    first: IntArray
    second: IntArray
    colour: np.ndarray
    structures: tuple[Structure, ...]
    helicities: IntArray
    rows: Mapping[int, np.ndarray]


#: current number -> which of its spin states are evaluated, one axis per leg.
Alive = Mapping[int, np.ndarray]


class _Names:
    """Numbers names in the order in which they are first asked for."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
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
        self.n_rows = 1

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
        signs = np.zeros((len(self.momenta.numbers), len(self.graph.external)))
        for mask, number in self.momenta.numbers.items():
            for leg in bits(int(mask)):
                signs[number, leg] = 1.0 if leg < self.graph.n_initial else -1.0
        return Tables(
            legs=legs,
            levels=tuple(levels),
            momentum_signs=signs,
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

    def _level(self, currents: Sequence[Current]) -> Level:
        currents = sorted(currents, key=self._propagator)
        vertices: dict[str, list[_VertexBlock]] = defaultdict(list)
        terms: list[list[tuple[str, int, float]]] = []  # (kernel, row in its batch, coefficient)
        counts: dict[str, int] = defaultdict(int)
        slices: dict[str, list[tuple[Current, int]]] = defaultdict(list)
        for current in currents:
            selected = self.alive[current.number]
            first = len(terms)
            n = int(selected.sum())
            terms.extend([] for _ in range(n))
            for coefficient, branching in current.terms:
                block, used = self._vertex_block(current, branching, selected)
                for row, position in enumerate(used):
                    entry = (
                        block.kernel,
                        counts[block.kernel] + row,
                        float(coefficient) * branching.sign,
                    )
                    terms[first + position].append(entry)
                counts[block.kernel] += len(used)
                vertices[block.kernel].append(block)
            rows = np.zeros(selected.shape, dtype=np.int64)
            rows[selected] = self._new_rows(n)
            self.rows[current.number] = rows
            slices[self._propagator(current)].append((current, n))
        kernels = sorted(kernel for kernel in vertices if counts[kernel])
        offsets = dict(zip(kernels, np.cumsum([0, *(counts[k] for k in kernels)]), strict=False))
        width = max(map(len, terms))
        index = np.zeros((len(terms), width), dtype=np.int64)
        coefficients = np.zeros((len(terms), width))
        for row, entries in enumerate(terms):
            for k, (kernel, position, factor) in enumerate(entries):
                index[row, k] = offsets[kernel] + position
                coefficients[row, k] = factor
        return Level(
            vertices=tuple(_join_blocks(kernel, vertices[kernel]) for kernel in kernels),
            terms=index,
            coefficients=coefficients,
            propagators=self._propagators(slices),
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

    def _propagators(
        self, slices: Mapping[str, Sequence[tuple[Current, int]]]
    ) -> tuple[PropagatorRows, ...]:
        made, start = [], 0
        for kernel in sorted(slices):
            numbers = []
            for current, n in slices[kernel]:
                particle = self.model.particle(current.particle)
                no_width = current.t_channel and not self.t_channel_width
                triple = (
                    self.momenta[str(current.legs)],
                    self.masses[particle.mass],
                    self.widths[ZERO if no_width else particle.width],
                )
                numbers += [triple] * n
            momenta, masses, widths = (np.array(column) for column in zip(*numbers, strict=True))
            made.append(
                PropagatorRows(kernel, start, start + len(numbers), momenta, masses, widths)
            )
            start += len(numbers)
        return tuple(made)

    def _vertex_block(
        self, current: Current, branching: Branching, selected: np.ndarray
    ) -> tuple[_VertexBlock, np.ndarray]:
        """The rows of one branching, and which of the rows of its current they belong to."""
        legs = bits(current.legs)
        arm_rows = []
        for arm in branching.arms:
            below = set(bits(arm.legs))
            rows = self.rows.get(arm.number)
            if rows is None:
                rows = np.zeros(states_shape(self.model, self.graph, arm.legs), dtype=np.int64)
            shape = [n if leg in below else 1 for leg, n in zip(legs, selected.shape, strict=True)]
            sized = rows.reshape([s for s, leg in zip(shape, legs, strict=True) if leg in below])
            arm_rows.append(np.broadcast_to(sized.reshape(shape), selected.shape)[selected])
        used = np.flatnonzero(np.all([rows > 0 for rows in arm_rows], axis=0))
        order, kernel, weights = _canonical(branching)
        momenta: tuple[int, ...] = ()
        if kernel == "VVV>vector":
            momenta = tuple(self.momenta[str(branching.arms[i].legs)] for i in order)
        couplings = tuple(self.couplings[name] for name in branching.vertex.couplings)
        arms = tuple(arm_rows[i][used] for i in order)
        return _VertexBlock(kernel, arms, couplings, momenta, weights), used

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


@dataclasses.dataclass(frozen=True, eq=False)
class _VertexBlock:
    """The rows of one branching: index arrays of its arms, and what is the same for all rows."""

    kernel: str
    arms: tuple[np.ndarray, ...]
    couplings: tuple[int, ...]
    momenta: tuple[int, ...]
    weights: tuple[int, ...]


def _join_blocks(kernel: str, blocks: Sequence[_VertexBlock]) -> VertexRows:
    sizes = [len(block.arms[0]) for block in blocks]

    def repeated(attribute: str) -> tuple[np.ndarray, ...]:
        columns = zip(*(getattr(block, attribute) for block in blocks), strict=True)
        return tuple(np.repeat(np.array(column), sizes) for column in columns)

    return VertexRows(
        kernel=kernel,
        arms=tuple(
            np.concatenate(column) for column in zip(*(b.arms for b in blocks), strict=True)
        ),
        couplings=repeated("couplings"),
        momenta=repeated("momenta"),
        weights=repeated("weights"),
    )


def _canonical(branching: Branching) -> tuple[tuple[int, ...], str, tuple[int, ...]]:
    """The order of arms that the kernel expects, its name, its weights (four vectors)."""
    vertex, out = branching.vertex, branching.out
    slots = [s for s in range(len(vertex.particles)) if s != out]
    lorentz = vertex.lorentz
    if lorentz[:2] == "FF":
        leaves = ("ket", "bra", "vector" if lorentz == "FFV" else "scalar")[out]
        return (0, 1), f"{lorentz}>{leaves}", ()
    leaves = "vector" if lorentz[out] == "V" else "scalar"
    if lorentz == "VVV":
        # Slots in cyclic order behind the open one: the structure is cyclic.
        cyclic = [(out + 1) % 3, (out + 2) % 3]
        return tuple(slots.index(s) for s in cyclic), "VVV>vector", ()
    if lorentz == "VVVV":
        return (0, 1, 2), "VVVV>vector", _quartic_weights(vertex, slots, out)
    return tuple(range(len(slots))), f"{lorentz}>{leaves}", ()


def _quartic_weights(vertex: Vertex, slots: Sequence[int], out: int) -> tuple[int, ...]:
    """The weights of g_ab g_c,out, g_ac g_b,out and g_bc g_a,out for the other slots a, b, c."""
    pairings = ({0, 1}, {0, 2}, {0, 3})

    def weight(x: int, y: int) -> int:
        pair = {x, y} if 0 in (x, y) else {0, 1, 2, 3} - {x, y}
        return vertex.weights[pairings.index(pair)]

    a, b, c = slots
    return weight(a, b), weight(a, c), weight(b, c)
