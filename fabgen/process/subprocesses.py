"""From the lines of a card to subprocesses with their diagrams, equal ones found once."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence

from fabgen.errors import InputError
from fabgen.model import ORDERS, Model
from fabgen.process.chain_orders import Path, bound_chain, links
from fabgen.process.expansion import expand, resolved_order
from fabgen.process.graph import Graph, build_graph, lowest_qed
from fabgen.process.identical import identical_factor
from fabgen.process.multiparticles import multiparticles
from fabgen.process.no_diagrams import no_diagrams, violated_charges
from fabgen.process.parser import parse_process
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


def find_subprocesses(
    model: Model,
    lines: Sequence[str],
    own_multiparticles: Mapping[str, str | Sequence[str]] | None = None,
) -> tuple[tuple[Subprocess, ...], tuple[Diagrams, ...]]:
    """All subprocesses of the lines that have diagrams, and the distinct sets of diagrams.

    Raises InputError (key "process") for wrong syntax, unknown particles, lines without diagrams.
    """
    table = multiparticles(own_multiparticles or {}, model)
    subprocesses: list[Subprocess] = []
    distinct: list[Diagrams] = []
    known: dict[str, int] = {}
    seen: dict[tuple, int] = {}  # the line that a subprocess belongs to
    for position, line in enumerate(lines):
        try:
            found = list(_of_line(model, line, table))
        except InputError as error:
            raise error.with_place(key="process") from None
        for tree, qed in found:
            if seen.setdefault(tree.key(), position) != position:
                raise InputError(
                    f"{_name(tree)} is part of two of the processes, and would be counted twice",
                    key="process",
                    found=f"{lines[seen[tree.key()]]!r} and {line!r}",
                )
            number, legs = _same_diagrams(model, tree, qed, known)
            if number is None:
                graph = build_graph(model, tree, qed)
                if not graph.closings:
                    continue
                number = len(distinct)
                known[_label(tree, qed, {})] = number
                distinct.append(Diagrams(tree, graph, identical_factor(tree), qed))
            subprocesses.append(Subprocess(tree, number, legs, position))
        if not any(seen[sub.tree.key()] == position for sub in subprocesses):
            raise no_diagrams(model, line, table)
    return tuple(subprocesses), tuple(distinct)


def _of_line(
    model: Model, text: str, table: Mapping[str, tuple[str, ...]]
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
    lowest = functools.cache(functools.partial(lowest_qed, model))
    orders: dict[Path, int] = {}
    possible = []
    for tree, cores in zip(trees, cores_of, strict=True):
        qed = {path: n for path, core in cores.items() if (n := lowest(core)) is not None}
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
        for renaming in _renamings(model):
            number = known.get(_label(candidate, qed, renaming))
            if number is not None:
                return number, legs
    return None, identity


def _renamings(model: Model) -> Iterator[dict[str, str]]:
    """All exchanges of families that leave amplitudes the same."""
    choices = [
        [tuple(zip(group, shuffled, strict=True)) for shuffled in itertools.permutations(group)]
        for group in model.families
    ]
    for choice in itertools.product(*choices):
        pairs = itertools.chain.from_iterable(choice)
        yield {a: b for old, new in pairs for a, b in zip(old, new, strict=True)}
