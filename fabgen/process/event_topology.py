"""The topology of the events of a subprocess: particles, resonances, colour flows.

Conventions are those of the Les Houches accord (hep-ph/0109068): incoming legs first, colour lines
as (colour, anticolour) tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from fabgen.errors import FabgenError

#: Per external leg (colour, anticolour): 0 for none, else the number 1..k of a colour line. An
#: incoming quark carries its line in the first slot, like an outgoing one; a line that runs from an
#: incoming to an outgoing leg stands in the same slot of both.
Flow = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Resonance:
    """An intermediate particle: a decayed one of a decay chain, or one near its mass shell.

    pdg: its PDG id. legs: positions, in the list of all external legs, of the final legs below it.
    """

    pdg: int
    legs: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(set(self.legs)) < 2 or len(set(self.legs)) != len(self.legs):
            raise FabgenError(
                f"resonance {self.pdg}: needs two or more different legs: {self.legs}"
            )


@dataclass(frozen=True)
class EventTopology:
    """One subprocess as it appears in an event file.

    pdg: PDG ids of the external legs, the n_initial incoming ones first.
    masses: their masses in GeV. resonances: of decayed particles, written with status 2; nested or
    disjoint. flows: the possible colour flows, at least one (all zeros for a colourless process).
    process: number in an event file (LPRUP) of the process that it is a part of. resonance_sets:
    what an event may have besides, near its mass shell; the first set is empty.
    """

    pdg: tuple[int, ...]
    n_initial: int
    masses: tuple[float, ...]
    resonances: tuple[Resonance, ...] = ()
    flows: tuple[Flow, ...] = ()
    process: int = 1
    resonance_sets: tuple[tuple[Resonance, ...], ...] = ((),)

    def __post_init__(self) -> None:
        n = len(self.pdg)
        if self.n_initial not in (1, 2) or n - self.n_initial < 1 or len(self.masses) != n:
            raise FabgenError(
                f"event topology {self.pdg}: one mass for each leg, one or two incoming legs"
            )
        if not self.flows:
            object.__setattr__(self, "flows", (((0, 0),) * n,))
        for flow in self.flows:
            _check_flow(flow, self.pdg, self.n_initial)
        for resonance in self.resonances:
            if not all(self.n_initial <= leg < n for leg in resonance.legs):
                raise FabgenError(f"resonance {resonance} has legs that are not final legs")
        for i, a in enumerate(self.ordered_resonances):
            for b in self.ordered_resonances[i + 1 :]:
                if not set(b.legs) <= set(a.legs) and not set(b.legs).isdisjoint(a.legs):
                    raise FabgenError(f"resonances {a} and {b} overlap")

    def with_resonances(self, number: int) -> EventTopology:
        """As it is in an event of one of its sets of resonances."""
        resonances = (*self.resonances, *self.resonance_sets[number])
        return replace(self, resonances=resonances, resonance_sets=((),))

    @property
    def n_external(self) -> int:
        return len(self.pdg)

    @cached_property
    def ordered_resonances(self) -> tuple[Resonance, ...]:
        """Resonances with every mother before its daughters."""
        return tuple(sorted(self.resonances, key=lambda r: (-len(r.legs), min(r.legs))))

    def mother(self, legs: tuple[int, ...], before: int | None = None) -> int | None:
        """Position in ordered_resonances of the smallest one that contains `legs`, or None.

        Only the first `before` are looked at: those that may be mothers of a resonance.
        """
        candidates = self.ordered_resonances[:before]
        for i in range(len(candidates) - 1, -1, -1):
            if set(legs) <= set(candidates[i].legs):
                return i
        return None

    def resonance_colour(self, resonance: Resonance, flow: Flow) -> tuple[int, int]:
        """(colour, anticolour) of a resonance: the lines of its legs that do not end among them."""
        colour, anticolour = open_lines(resonance.legs, flow)
        if len(colour) > 1 or len(anticolour) > 1:
            raise FabgenError(
                f"colour flow {flow} gives the resonance {resonance.pdg} more than one colour line"
            )
        return next(iter(colour), 0), next(iter(anticolour), 0)


def open_lines(legs: Sequence[int], flow: Flow) -> tuple[frozenset[int], frozenset[int]]:
    """The colour lines that end in the colours and in the anticolours of final legs, and do not
    run from one of them to another."""
    colours = frozenset(flow[leg][0] for leg in legs) - {0}
    anticolours = frozenset(flow[leg][1] for leg in legs) - {0}
    return colours - anticolours, anticolours - colours


def _check_flow(flow: Flow, pdg: tuple[int, ...], n_initial: int) -> None:
    """Every colour line has one beginning and one end.

    Seen from the interaction a line begins at an incoming colour or an outgoing anticolour and ends
    at an outgoing colour or an incoming anticolour.
    """
    if len(flow) != len(pdg):
        raise FabgenError(f"colour flow {flow} does not fit the {len(pdg)} legs {pdg}")
    begin: Counter[int] = Counter()
    end: Counter[int] = Counter()
    for leg, (colour, anticolour) in enumerate(flow):
        incoming = leg < n_initial
        begin[colour if incoming else anticolour] += 1
        end[anticolour if incoming else colour] += 1
    del begin[0], end[0]
    if begin != end or any(count != 1 for count in begin.values()):
        raise FabgenError(f"colour flow {flow} of {pdg}: a colour line has no beginning or no end")
