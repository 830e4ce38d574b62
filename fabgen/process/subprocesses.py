"""From the lines of a card to subprocesses with their diagrams, equal ones found once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Iterator, Mapping, Sequence

from fabgen.errors import InputError
from fabgen.model import ORDERS, Model
from fabgen.process.chain_orders import Path, bound_chain, links
from fabgen.process.counting import DiagramCounter, counter_of
from fabgen.process.effort import DEFAULT, Effort, counted, look_before, seconds_to_build
from fabgen.process.expansion import Node, expand, resolve, resolved_order
from fabgen.process.families import renamings
from fabgen.process.graph import Graph, build_graph
from fabgen.process.identical import identical_factor
from fabgen.process.multiparticles import multiparticles
from fabgen.process.no_diagrams import no_diagrams, violated_charges
from fabgen.process.parser import parse_process
from fabgen.process.same_amplitudes import SameAmplitudes
from fabgen.process.syntax import DecayTree


@dataclasses.dataclass(frozen=True, eq=False)
class Diagrams:
    """The diagrams of one distinct matrix element, with the tree that they were drawn for."""

    tree: DecayTree
    graph: Graph
    identical_factor: int
    qed: Mapping[Path, int]


@dataclasses.dataclass(frozen=True)
class Subprocess:
    """One choice of particles. diagrams: number of its matrix element among the distinct ones.

    legs: which leg of the subprocess each leg of that matrix element is (its beams may be swapped).
    line: the position of its line in the card.
    """

    tree: DecayTree
    diagrams: int
    legs: tuple[int, ...]
    line: int

    @property
    def external(self) -> tuple[str, ...]:
        return (*self.tree.initial, *self.tree.final)


#: All subprocesses, and the distinct sets of diagrams that their numbers stand for.
Found = tuple[tuple[Subprocess, ...], tuple[Diagrams, ...]]


def find_subprocesses(
    model: Model,
    lines: Sequence[str],
    own_multiparticles: Mapping[str, str | Sequence[str]] | None = None,
    effort: Effort = DEFAULT,
) -> Found:
    """All subprocesses of the lines that have diagrams, and the distinct sets of diagrams.

    Raises InputError (key "process") for wrong syntax, unknown particles, lines without diagrams,
    and for more work than `effort` allows.
    """
    table = multiparticles(own_multiparticles or {}, model)
    counter = counter_of(model)
    found: list[_Tree] = []
    try:
        look_before(model, [_resolved(model, line, table) for line in lines], counter, effort)
        for position, line in enumerate(lines):
            found += [(position, *each) for each in _of_line(model, line, table, counter)]
        _refuse_twice(lines, found)
        return _built(model, lines, table, _numbered(model, found), counter, effort)
    except InputError as error:
        raise error.with_place(key="process") from None


#: The line of a tree, the tree, and the QED orders to keep in its links.
_Tree = tuple[int, DecayTree, Mapping[Path, int]]


def _refuse_twice(lines: Sequence[str], found: Sequence[_Tree]) -> None:
    seen: dict[tuple, int] = {}  # the line that a subprocess belongs to
    for position, tree, _ in found:
        if seen.setdefault(tree.key(), position) != position:
            raise InputError(
                f"{_name(tree)} is part of two of the processes, and would be counted twice",
                found=f"{lines[seen[tree.key()]]!r} and {lines[position]!r}",
            )


def _numbered(model: Model, found: Sequence[_Tree]) -> list[tuple[Subprocess, Mapping[Path, int]]]:
    """Subprocesses, numbered by the place of the first that has the same matrix element."""
    known: dict[str, int] = {}
    numbered = []
    for place, (position, tree, qed) in enumerate(found):
        number, legs = _same_diagrams(model, tree, qed, known)
        if number is None:
            known[_label(tree, qed, {})] = number = place
        numbered.append((Subprocess(tree, number, legs, position), qed))
    return numbered


def _built(
    model: Model,
    lines: Sequence[str],
    table: Mapping[str, tuple[str, ...]],
    numbered: Sequence[tuple[Subprocess, Mapping[Path, int]]],
    counter: DiagramCounter,
    effort: Effort,
) -> tuple[tuple[Subprocess, ...], tuple[Diagrams, ...]]:
    """The subprocesses that have diagrams, and these."""
    counts = {
        place: n
        for place, (sub, qed) in enumerate(numbered)
        if sub.diagrams == place and (n := _count(counter, sub.tree, qed))
    }
    if counts:
        of_them = sum(sub.diagrams in counts for sub, _ in numbered)
        effort.allow(
            f"{counted(of_them, 'subprocess')}, {counted(sum(counts.values()), 'diagram')}",
            sum(
                seconds_to_build(model, numbered[place][0].external, n)
                for place, n in counts.items()
            ),
        )
    # Copies of families are known by their names before; what their graphs tell, comes after.
    distinct: list[Diagrams] = []
    number_of: dict[int, int] = {}
    same, numbers = SameAmplitudes(model), dict[Hashable, int]()
    for place in counts:
        sub, qed = numbered[place]
        graph = build_graph(model, sub.tree, qed)
        if not graph.closings:
            continue
        factor = identical_factor(sub.tree)
        number_of[place] = numbers.setdefault(same.key(sub.tree, graph, factor), len(distinct))
        if number_of[place] == len(distinct):
            distinct.append(Diagrams(sub.tree, graph, factor, qed))
    kept = [sub for sub, _ in numbered if sub.diagrams in number_of]
    with_diagrams = {sub.line for sub in kept}
    for position, line in enumerate(lines):
        if position not in with_diagrams:
            raise no_diagrams(model, line, table)
    return (
        tuple(dataclasses.replace(sub, diagrams=number_of[sub.diagrams]) for sub in kept),
        tuple(distinct),
    )


def _count(counter: DiagramCounter, tree: DecayTree, qed: Mapping[Path, int]) -> int:
    """The diagrams of a subprocess: the product of those of its links."""
    product = 1
    for path, core in links(tree):
        lowest, diagrams = counter.count(core)
        product *= diagrams if path not in qed or lowest == qed[path] else 0
    return product


def _resolved(model: Model, text: str, table: Mapping[str, tuple[str, ...]]) -> Node:
    return resolve(parse_process(text), model, table, orders=ORDERS)


def _of_line(
    model: Model, text: str, table: Mapping[str, tuple[str, ...]], counter: DiagramCounter
) -> Iterator[tuple[DecayTree, dict[Path, int]]]:
    """The subprocesses of a line that may have diagrams, with the QED orders to keep.

    Without orders of its own a link keeps the lowest QED order that any subprocess of the line has.
    """
    line = parse_process(text)
    trees = expand(
        line, model, table, orders=ORDERS, possible=functools.partial(conserves_charges, model)
    )
    bounds = [resolved_order(order, ORDERS) for order in line.orders]
    if bounds:
        bounded = (bound_chain(model, tree, bounds) for tree in trees)
        trees = tuple(tree for tree in bounded if tree is not None)
    cores_of = [dict(links(tree)) for tree in trees]
    orders: dict[Path, int] = {}
    possible = []
    for tree, cores in zip(trees, cores_of, strict=True):
        qed = {
            path: n for path, core in cores.items() if (n := counter.count(core).qed) is not None
        }
        if len(qed) < len(cores):
            continue
        possible.append((tree, cores))
        for path, value in qed.items():
            orders[path] = min(orders.get(path, value), value)
    for tree, cores in possible:
        yield tree, {path: orders[path] for path, core in cores.items() if not core.orders}


def conserves_charges(model: Model, initial: Sequence[str], final: Sequence[str]) -> bool:
    """Electric charge, lepton number, colour triality and baryon number."""
    return not violated_charges(model, initial, final)


def _name(tree: DecayTree) -> str:
    return f"{' '.join(tree.initial)} > {' '.join(tree.final)}"


def _label(tree: DecayTree, qed: Mapping[Path, int], renaming: Mapping[str, str]) -> str:
    """All that a matrix element depends on, with particles renamed and beams in this order."""

    def text(node: DecayTree) -> tuple:
        core = node.core
        renamed = [tuple(renaming.get(n, n) for n in names) for names in (core.initial, core.final)]
        restricted = [
            sorted(renaming.get(n, n) for n in names)
            for names in (core.exclude, core.exclude_s_channel, core.veto_on_shell)
        ]
        required = [[renaming.get(n, n) for n in group] for group in core.required_s_channel]
        decays = [None if d is None else text(d) for d in node.decays]
        return (*renamed, restricted, required, sorted(map(str, core.orders)), decays)

    return str((text(tree), sorted(qed.items())))


def _same_diagrams(
    model: Model, tree: DecayTree, qed: Mapping[Path, int], known: Mapping[str, int]
) -> tuple[int | None, tuple[int, ...]]:
    """The number of an equal matrix element if there is one, and the legs to call it with."""
    n_legs = len(tree.initial) + len(tree.final)
    identity = tuple(range(n_legs))
    swapped = dataclasses.replace(
        tree, core=dataclasses.replace(tree.core, initial=tree.core.initial[::-1])
    )
    for candidate, legs in ((tree, identity), (swapped, (*identity[:2][::-1], *identity[2:]))):
        for renaming in renamings(model):
            number = known.get(_label(candidate, qed, renaming))
            if number is not None:
                return number, legs
    return None, identity
