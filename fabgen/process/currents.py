"""Currents, the vertices they are made at, and graphs of them.

All legs are taken as incoming: an outgoing particle is an incoming antiparticle with -p.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from fractions import Fraction

from fabgen.model import Vertex
from fabgen.process import colour


def bits(mask: int) -> list[int]:
    """The numbers of the legs in a mask, lowest first."""
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


@dataclasses.dataclass(frozen=True, eq=False)
class Current:
    """A current out of a set of external legs.

    legs: bit mask of external legs. leg: its number for an external leg itself, else None. terms:
    (coefficient, branching), added up before the propagator. propagator: False for an external leg
    and for an amputated current. t_channel: the propagator separates the two incoming legs.
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
    """A vertex with the currents that enter it; arms in the order of its slots, without `out`."""

    vertex: Vertex
    out: int
    arms: tuple[Current, ...]
    sign: int

    @property
    def n_diagrams(self) -> int:
        count = int(self.vertex.is_counted)
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

    external: names of the particles as they come in and go out, initial first. incoming: the same
    as all-incoming particles.
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
