"""How much work a process is, told before it is done, and refused where it is more than allowed.

Subprocesses and diagrams are counted without being listed (`counting`). Seconds are those of one
core of a server of 2023 and hold within a factor of three: g g > t t~ g g takes 1 s with all its
channels, p p > j j j j 15 s, g g > g g g g g 25 s.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from fabgen.card.schema import Limits
from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.counting import DiagramCounter
from fabgen.process.expansion import Node

KEY = "limits.setup_minutes"
#: Work that takes longer is announced.
_ANNOUNCED = 10.0
#: Seconds for a choice of particles to be made, for one that conserves charges to be looked at
#: (times 1.6 for every leg), for a matrix element, for a diagram of it with its channel (as often
#: as it has coloured legs, and once more), and for the interference of two colour flows.
_PER_CHOICE, _PER_CANDIDATE, _PER_LEG = 1e-5, 5e-5, 1.6
_PER_ELEMENT, _PER_DIAGRAM, _PER_INTERFERENCE = 1e-2, 4e-4, 2e-5
#: More colour flows than can ever be meant.
_MOST_FLOWS = 10**9
_AGES = 3.2e13
#: Equal multiparticles from which on charges are not looked at while their choices are counted.
_MANY = 10
#: Choices of particles that are tried to find an example with diagrams.
_TRIED, _COUNTED = 100_000, 20

Charges = tuple[int, int, int]


def unheard(text: str) -> None:
    """The note that nobody is told."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """Limits on work for a process. note: is told of work that takes longer than ten seconds."""

    minutes: float = Limits().setup_minutes
    key: str = KEY
    note: Callable[[str], None] = unheard

    def allow(self, work: str, seconds: float) -> None:
        """Announces work, or raises InputError where it takes longer than allowed."""
        told = f"{work}: about {in_words(seconds)} to set up, by estimate"
        if seconds > 60.0 * self.minutes:
            raise InputError(
                "the process is larger than allowed",
                key=self.key,
                found=told,
                allowed=f"processes of at most {self.minutes:g} minutes",
                hint="fewer final particles, smaller multiparticles, or a larger limit",
            )
        if seconds > _ANNOUNCED:
            self.note(told)


DEFAULT = Effort()


def candidates(model: Model, node: Node, parent: str | None = None) -> tuple[int, int]:
    """How many choices a link with its decays has to look through, and at most how many of them
    conserve charges; parent: the particle that decays, None for the core process."""
    options = dict[str, int]()
    looked = 0
    for name in dict.fromkeys(itertools.chain(*node.final)):
        decays = [candidates(model, d, name) for d in node.decays if name in d.parents]
        options[name] = sum(n for _, n in decays) if decays else 1
        looked += sum(n for n, _ in decays)
    looked += math.prod(sum(options[name] for name in slot) for slot in node.final)
    final = Counter({(0, 0, 0): 1})
    whole = 1
    for slot, n in Counter(node.final).items():
        if len(slot) > 1 and n > _MANY:
            whole *= math.comb(sum(options[name] for name in slot) + n - 1, n)
        else:
            final = _product(final, _selections(model, slot, n, options))
    links = [(parent,)] if parent else itertools.product(*node.initial)
    initial = Counter(_total(model, names) for names in links)
    if whole > 1:
        return looked, whole * final.total() * initial.total()
    return looked, sum(n * final[charges] for charges, n in initial.items())


def _selections(
    model: Model, slot: Sequence[str], n: int, options: Mapping[str, int]
) -> Counter[Charges]:
    """How many unordered selections of n members, each with its options, have which charges."""
    found: Counter[tuple[int, Charges]] = Counter({(0, (0, 0, 0)): 1})
    for name in slot:
        own, ways = charges_of(model, name), options[name]
        longer: Counter[tuple[int, Charges]] = Counter()
        for (taken, charges), count in found.items():
            for more in range(n - taken + 1 if ways else 1):
                times = math.comb(ways + more - 1, more) if more else 1
                key = taken + more, _add(charges, *[own] * more)
                longer[key] += count * times
        found = longer
    return Counter({charges: count for (taken, charges), count in found.items() if taken == n})


def _product(first: Counter[Charges], second: Counter[Charges]) -> Counter[Charges]:
    result: Counter[Charges] = Counter()
    for (a, n), (b, m) in itertools.product(first.items(), second.items()):
        result[_add(a, b)] += n * m
    return result


def charges_of(model: Model, name: str) -> Charges:
    """Electric charge and baryon number (times three), lepton number."""
    p = model.particle(name)
    return p.charge, p.lepton_number, (p.colour == 3) - (p.colour == -3)


def _total(model: Model, names: Sequence[str]) -> Charges:
    return _add(*(charges_of(model, name) for name in names))


def _add(*charges: Charges) -> Charges:
    charge, lepton_number, baryon_number = (sum(each) for each in zip(*charges, strict=True))
    return charge, lepton_number, baryon_number


def example(
    model: Model, node: Node, counter: DiagramCounter, parent: str | None = None
) -> tuple[str, int]:
    """One choice of particles in words, the first with diagrams, with one decay of each kind, and
    how many diagrams it has; 0 where none is found in a moment."""
    for text, diagrams in itertools.islice(_examples(model, node, counter, parent), _COUNTED):
        if diagrams:
            for decay in node.decays:
                more, times = example(model, decay, counter, decay.parents[0])
                text, diagrams = f"{text}, {more}", diagrams * max(1, times)
            return text, diagrams
    return str(node.core), 0


def _examples(
    model: Model, node: Node, counter: DiagramCounter, parent: str | None
) -> Iterator[tuple[str, int]]:
    initials = [(parent,)] if parent else list(itertools.product(*node.initial))
    choices = ((i, f) for i in initials for f in itertools.product(*node.final))
    for initial, final in itertools.islice(choices, _TRIED):
        if _total(model, initial) == _total(model, final):
            core = dataclasses.replace(node.core, initial=initial, final=final)
            yield f"{' '.join(initial)} > {' '.join(final)}", counter.count(core).diagrams


def seconds_to_look(looked: int, candidates: int, n_legs: int) -> float:
    return _PER_CHOICE * looked + _PER_CANDIDATE * candidates * _PER_LEG**n_legs


def seconds_to_build(model: Model, external: Sequence[str], diagrams: int) -> float:
    """Of one matrix element with all its channels."""
    colours = [abs(model.particle(name).colour) for name in external]
    gluons, lines = colours.count(8), colours.count(3) // 2
    # The colour flows of gluons alone are traces, with quarks each line ends in one.
    ends = gluons + lines
    flows = min(math.factorial(min(ends, 20)) // max(ends, 1) * max(lines, 1), _MOST_FLOWS)
    coloured = gluons + 2 * lines
    per_diagram = _PER_DIAGRAM * (1 + coloured) * min(diagrams, 10**18)
    return _PER_ELEMENT + per_diagram + _PER_INTERFERENCE * flows**2


def look_before(
    model: Model, nodes: Sequence[Node], counter: DiagramCounter, effort: Effort
) -> None:
    """Announces or refuses what it takes to list the subprocesses of lines, and to build the first
    of each. Raises InputError."""
    seconds, most = 0.0, 0
    for node in nodes:
        looked, n = candidates(model, node)
        seconds += seconds_to_look(looked, n, len(node.initial) + len(node.final))
        most += n
        name, diagrams = example(model, node, counter)
        external = [n for n in re.split(r"[ ,>]+", name) if n in model.particles]
        up_to = "up to " if most > 1 else ""
        work = (
            f"{up_to}{counted(most, 'subprocess')}, {counted(diagrams, 'diagram')} for {name} alone"
        )
        building = seconds_to_build(model, external, diagrams) if diagrams else 0.0
        if seconds + building > 60.0 * effort.minutes:
            effort.allow(work, seconds + building)
    effort.allow(f"up to {counted(most, 'subprocess')} to look at", seconds)


def counted(n: int, noun: str) -> str:
    """A number with its noun; beyond a million millions a digit of it is enough."""
    plural = noun if n == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    digits = str(n)
    amount = f"{n:,}" if len(digits) <= 12 else f"{digits[0]}.{digits[1]}e{len(digits) - 1}"
    return f"{amount} {plural}"


def in_words(seconds: float) -> str:
    """A time that is known to a digit."""
    if seconds > _AGES:
        return "millions of years"
    for unit, size in (("years", 3.15576e7), ("days", 86400.0), ("hours", 3600.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds / 60.0:.0f} minutes" if seconds >= 120.0 else f"{seconds:.0f} s"
