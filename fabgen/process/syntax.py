"""The syntax tree of one line of process syntax, and its canonical text.

    e+ e- > t t~, (t > w+ b, w+ > l+ vl), t~ > w- b~

A line is a core process and the decays of its final particles; each of these links has its own
orders and exclusions. Nothing here knows a model: names stay as typed, in lower case. `parser`
makes the tree from text, `expansion` replaces multiparticles and assigns the decays.

The syntax is MadGraph's (J. Alwall et al., JHEP 07 (2014) 079).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Order:
    """A bound on a coupling order; `QED=2` is written and meant as `QED<=2`, as in MadGraph."""

    name: str
    operator: Literal["<=", "=="]
    value: int

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


@dataclass(frozen=True)
class Core:
    """Incoming and outgoing particles of one link of a chain, and the diagrams wanted there.

    required_s_channel: alternatives, of which one must appear in the s-channel with all its names:
    `a b > z | w+ w- > c d` gives (("z",), ("w+", "w-")); () asks for nothing.
    exclude: `/ x`, nowhere in the diagram. exclude_s_channel: `$$ x`. veto_on_shell: `$ x`, the
    diagrams stay. Whether the antiparticle is meant too is for whoever draws the diagrams.
    """

    initial: tuple[str, ...]
    final: tuple[str, ...]
    required_s_channel: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_s_channel: tuple[str, ...] = ()
    veto_on_shell: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()

    def __str__(self) -> str:
        words = [" ".join(self.initial)]
        if self.required_s_channel:
            words += [">", " | ".join(" ".join(names) for names in self.required_s_channel)]
        words += [">", " ".join(self.final)]
        for sign, names in (
            ("/", self.exclude),
            ("$$", self.exclude_s_channel),
            ("$", self.veto_on_shell),
        ):
            if names:
                words += [sign, " ".join(names)]
        return " ".join([*words, *map(str, self.orders)])


@dataclass(frozen=True)
class Decay:
    """One decay as written, with the decays given for its products inside its parentheses."""

    core: Core
    decays: tuple[Decay, ...] = ()

    @property
    def parent(self) -> str:
        return self.core.initial[0]

    def __str__(self) -> str:
        if not self.decays:
            return str(self.core)
        return f"({', '.join(map(str, (self.core, *self.decays)))})"


@dataclass(frozen=True)
class ProcessLine:
    """One process as written. `number` is MadGraph's `@1`: what event files call the process.

    orders: bounds on the orders of all links of a chain together (behind its number). Its text is
    canonical, with nested decays in parentheses: parse_process(str(line)) == line.
    """

    core: Core
    decays: tuple[Decay, ...] = ()
    number: int | None = None
    orders: tuple[Order, ...] = ()

    def __str__(self) -> str:
        text = ", ".join(map(str, (self.core, *self.decays)))
        if self.number is None:
            return text
        return " ".join([text, f"@{self.number}", *map(str, self.orders)])


@dataclass(frozen=True)
class DecayTree:
    """One subprocess, or one decay in it: concrete particles, and what each final one turns into.

    core: its names are canonical names of the model. decays: as long as core.final, None where the
    particle is final, else the tree of its decay, whose core.initial is that particle alone.
    """

    core: Core
    decays: tuple[DecayTree | None, ...]

    @property
    def initial(self) -> tuple[str, ...]:
        return self.core.initial

    @property
    def final(self) -> tuple[str, ...]:
        """The external final particles, every decayed one replaced in place by its products."""
        names: list[str] = []
        for name, decay in zip(self.core.final, self.decays, strict=True):
            names += [name] if decay is None else decay.final
        return tuple(names)

    def slots(self) -> tuple[tuple[str, tuple], ...]:
        """(particle, key of its decay) of every final particle; () stands for no decay."""
        return tuple(
            (name, () if decay is None else decay.key())
            for name, decay in zip(self.core.final, self.decays, strict=True)
        )

    def key(self) -> tuple:
        """Equal for trees that differ by the order of final particles only; sortable, hashable."""
        core = self.core
        orders = tuple(sorted((o.name, o.operator, o.value) for o in core.orders))
        names = (core.exclude, core.exclude_s_channel, core.veto_on_shell)
        restrictions = tuple(tuple(sorted(set(group))) for group in names)
        required = tuple(sorted(tuple(sorted(group)) for group in core.required_s_channel))
        return (core.initial, tuple(sorted(self.slots())), required, restrictions, orders)

    def line(self) -> ProcessLine:
        """The line that expands to this tree alone: one decay for each decayed particle."""
        return ProcessLine(self.core, self._decays())

    def _decays(self) -> tuple[Decay, ...]:
        return tuple(Decay(d.core, d._decays()) for d in self.decays if d is not None)

    def __str__(self) -> str:
        return str(self.line())


def process_numbers(lines: Sequence[ProcessLine]) -> tuple[int, ...]:
    """The number of each line in event files: its `@N`, else its position, counted from 1.

    Lines with the same `@N` are one process. A line without one whose position is the `@N` of
    another gets the next number that is free.
    """
    taken = {line.number for line in lines}
    numbers = []
    for position, line in enumerate(lines, start=1):
        number = line.number
        if number is None:
            number = next(n for n in itertools.count(position) if n not in taken)
            taken.add(number)
        numbers.append(number)
    return tuple(numbers)
