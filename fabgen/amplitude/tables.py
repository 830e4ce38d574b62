"""Index tables: what a graph of currents is compiled to.

A row is one current for one combination of spin states of the legs below it. The rows of a level
only need rows of levels before it, so a level is evaluated with one gather and one kernel for each
kind of current, whatever the number of diagrams: rows that add up the same kinds of vertices and
end in the same kind of propagator form a group. Row 0 is zero: it stands for rows that vanish
identically. Behind it come the sums of momenta that three-vector vertices contain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from fabgen.process.colour import Structure

IntArray = np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class VertexRows:
    """One vertex for every row of a group: indices of arms and couplings, factors, each (rows,)."""

    kernel: str
    arms: tuple[IntArray, ...]
    couplings: tuple[IntArray, ...]
    factors: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ProductRows:
    """One `products.Product` for every row of a group: number of x.y, row of z; factors (rows,)."""

    dots: IntArray
    rows: IntArray
    couplings: IntArray
    factors: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class PropagatorRows:
    """The propagator of every row of a group, all of one kind ("" for none): indices (rows,)."""

    kernel: str
    momenta: IntArray
    masses: IntArray
    widths: IntArray


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Rows whose currents are the same sums of vertices with the same kind of propagator.

    A row with fewer terms than others has some of factor zero.
    """

    vertices: tuple[VertexRows, ...]
    products: tuple[ProductRows, ...]
    propagator: PropagatorRows

    @property
    def n_rows(self) -> int:
        return len(self.propagator.momenta)


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """All currents of one level: first the dot products of pairs of rows, then the groups."""

    dots: tuple[IntArray, IntArray]
    groups: tuple[Group, ...]


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
    vector_signs (vectors, legs): the sums of momenta that are rows, behind row 0.
    masses, widths, couplings: names of model parameters that the indices count.
    first, second (closings, helicities): rows whose product is the amplitude of a closing.
    colour (closings, structures): the colour vectors of the closings, sign included.
    helicities (helicities, legs): spin states of the combinations that do not vanish.
    rows: of every current by its number, one axis per leg; 0 where it is not evaluated.
    """

    legs: tuple[Leg, ...]
    levels: tuple[Level, ...]
    momentum_signs: np.ndarray
    vector_signs: np.ndarray
    masses: tuple[str, ...]
    widths: tuple[str, ...]
    couplings: tuple[str, ...]
    first: IntArray
    second: IntArray
    colour: np.ndarray
    structures: tuple[Structure, ...]
    helicities: IntArray
    rows: Mapping[int, np.ndarray]
