"""A channel as a row of numbers: what the one program for n final particles needs to know of it.

A tree of n - 1 splits (tree.py) is the same computation for every diagram. Which node splits into
which two, how its invariant is drawn, whether the split is a decay or a scattering, and which
masses, bounds and powers it has, are columns of a table.

Nodes are numbered: final particles 0 to n - 1, then the splits. Splits come after those that they
are made by: the root is the first; the scatterings of a ladder follow each other from there.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from fabgen.arrays import Table

from .invariants import SHAPES
from .tree import Branch, Exchange, Leaf, Node, order_of_drawing

#: How many of a row there are at least, and at most.
BUCKETS = (1, 16, 64, 256, 1024, 4096)
#: Rapidities beyond this are none of any particle in double precision.
_FARTHEST = 100.0


class Role(enum.IntEnum):
    """What the angles of a split are.

    A flight is a decay with axes of its own, because cuts limit its angles (transverse.py). A decay
    that it makes has its axes renewed: they start from its flight in the frame of the beams.
    """

    DECAY = 0
    SCATTERING = 1
    FLIGHT = 2
    RENEWED = 3


class Row(NamedTuple):
    """The columns of one channel, or, with a first axis more, of several.

    splits = n - 1, drawn = n - 2 (all but the root), nodes = 2 n - 1. GeV.
    """

    #: nodes that a split makes; of a scattering the first is what the exchanged particle is taken
    #: off for
    children: Int[Table, "*rows splits 2"]
    #: the split that makes a split, by number among splits (of the root: itself)
    parent: Int[Table, "*rows splits"]
    #: splits whose invariants are drawn first, second, ...
    order: Int[Table, "*rows drawn"]
    #: the place of each split in `order`; -1 for the root, whose s the beams have, or draw
    rank: Int[Table, "*rows splits"]
    #: the split, drawn before, that the mass of a split is taken from
    payer: Int[Table, "*rows splits"]
    #: the splits between both, which are drawn after
    between: Bool[Table, "*rows splits splits"]
    #: 1 for the nodes that come of the first node of a split, itself included, -1 of the second, 0
    below: Int[Table, "*rows splits nodes"]
    #: the same for how far a split's axes lead: not beyond decays with axes of their own
    frame: Int[Table, "*rows splits nodes"]
    #: the distribution of s (invariants.SHAPES), and its numbers
    shape: Int[Table, "*rows splits"]
    resonance: Int[Table, "*rows splits"]  #: its number in the Kinematics, or -1
    power: Float[Table, "*rows splits"]  #: nu of (s - m^2)^-nu
    bodies: Float[Table, "*rows splits"]  #: of a flat one
    tails: Float[Table, "*rows splits 2"]  #: shares of the variable below and above a resonance
    window: Float[Table, "*rows splits"]  #: |sqrt(s) - M| in widths, or inf
    minimum: Float[Table, "*rows splits"]  #: of sqrt(s), from cuts
    maximum: Float[Table, "*rows splits"]
    #: what the angles of the split are (Role)
    role: Int[Table, "*rows splits"]
    #: of a scattering: the number of what is exchanged or -1, nu in t
    exchanged: Int[Table, "*rows splits"]
    exchange_power: Float[Table, "*rows splits"]
    #: whether the ladder starts from the second beam: momenta are mirrored in z
    from_second: Bool[Table, "*rows"]
    #: bounds from cuts on particles: pT at least, exp(-2 |y|) at most (0: none), by node; the first
    #: is 0 for systems of several; whether any particle of a node has a bound
    pt: Float[Table, "*rows nodes"]
    shrink: Float[Table, "*rows nodes"]
    is_cut: Bool[Table, "*rows nodes"]
    #: the largest pT bound of a particle that the root makes, which limits the other's mass
    root_pt: Float[Table, "*rows"]

    @property
    def n_final(self) -> int:
        return self.children.shape[-2] + 1


def row_of(tree: Branch, from_second: bool = False) -> Row:
    """The row of a tree, in NumPy's arrays."""
    splits, n = _numbered(tree), len(tree.legs)
    number: dict[Node, int] = {leaf: leaf.leg for leaf in tree.leaves}
    number |= {split: n + k for k, split in enumerate(splits)}
    parent = {child: k for k, split in enumerate(splits) for child in split.children}
    order = [splits.index(split) for split in order_of_drawing(tuple(tree.branches()))]
    rank = [-1, *(order.index(k) for k in range(1, len(splits)))]
    payer, between = _payers([parent.get(split, 0) for split in splits], rank)
    flies = [k > 0 and split.is_cut and split.exchange is None for k, split in enumerate(splits)]
    stops = {split for split, cut in zip(splits, flies, strict=True) if cut}
    roles = [
        _role(split, flies[k], k > 0 and flies[parent[split]]) for k, split in enumerate(splits)
    ]
    nodes: list[Node] = [*sorted(tree.leaves, key=lambda leaf: leaf.leg), *splits]
    propagators = [split.propagator for split in splits]
    exchanges = [split.exchange for split in splits]
    leaves = [child for child in tree.children if isinstance(child, Leaf)]
    return Row(
        children=np.array([[number[child] for child in split.children] for split in splits]),
        parent=np.array([parent.get(split, 0) for split in splits]),
        order=np.array(order, int),
        rank=np.array(rank),
        payer=np.array(payer),
        between=np.array(between),
        below=np.array([_signs(split, number, ()) for split in splits]),
        frame=np.array([_signs(split, number, stops) for split in splits]),
        shape=np.array([shape_number(split) for split in splits]),
        resonance=np.array([index_or_none(p.resonance) for p in propagators]),
        power=np.array([p.nu for p in propagators]),
        bodies=np.array([float(split.bodies) for split in splits]),
        tails=np.array([p.tails for p in propagators]),
        window=np.array([math.inf if p.window is None else p.window for p in propagators]),
        minimum=np.array([p.minimum for p in propagators]),
        maximum=np.array([p.maximum for p in propagators]),
        role=np.array(roles),
        exchanged=np.array([index_or_none(x.mass if x else None) for x in exchanges]),
        exchange_power=np.array([x.nu if x else Exchange().nu for x in exchanges]),
        from_second=np.array(from_second),
        pt=np.array([node.minimum_pt if isinstance(node, Leaf) else 0.0 for node in nodes]),
        shrink=np.array([min(shrink_of(leaf) for leaf in leaves_of(node)) for node in nodes]),
        is_cut=np.array([node.is_cut for node in nodes]),
        root_pt=np.array(max((leaf.minimum_pt for leaf in leaves), default=0.0)),
    )


def padded(column: Table) -> Table:
    """A column filled up with copies of its last row to a bucket's size."""
    n = len(column)
    size = next((bucket for bucket in BUCKETS if bucket >= n), n)
    rows: Table = column[np.minimum(np.arange(size), n - 1)]
    return rows


def _numbered(tree: Branch) -> list[Branch]:
    """The splits: the scatterings from the root on, then all others, parents before children."""
    ladder = [split for split, _ in tree.scatterings()]
    return [*ladder, *(split for split in tree.branches() if split not in ladder)]


def _payers(parents: Sequence[int], rank: Sequence[int]) -> tuple[list[int], list[list[bool]]]:
    payers, between = [], []
    for split in range(len(parents)):
        passed = [False] * len(parents)
        above = parents[split]
        while rank[above] > rank[split]:
            passed[above] = True
            above = parents[above]
        payers.append(above)
        between.append(passed)
    return payers, between


def _role(split: Branch, flies: bool, made_by_flight: bool) -> Role:
    if split.exchange is not None:
        return Role.SCATTERING
    if flies:
        return Role.FLIGHT
    return Role.RENEWED if made_by_flight else Role.DECAY


def _signs(split: Branch, number: Mapping[Node, int], stops: Collection[Branch]) -> list[int]:
    signs = [0] * len(number)
    for child, sign in zip(split.children, (1, -1), strict=True):
        for node in _descendants(child, stops):
            signs[number[node]] = sign
    return signs


def _descendants(node: Node, stops: Collection[Branch]) -> Iterator[Node]:
    yield node
    if isinstance(node, Branch) and node not in stops:
        for child in node.children:
            yield from _descendants(child, stops)


def leaves_of(node: Node) -> tuple[Leaf, ...]:
    return (node,) if isinstance(node, Leaf) else node.leaves


def shape_number(split: Branch) -> int:
    name: str = split.propagator.kind
    # What is left of a scattering is no system that decays isotropically.
    if name == "flat" and (split.bodies == 2 or split.exchange is not None):
        name = "linear"
    return SHAPES.index(name)


def index_or_none(index: int | None) -> int:
    return -1 if index is None else index


def shrink_of(leaf: Leaf) -> float:
    """exp(-2 |y|) at the largest rapidity."""
    bound = leaf.maximum_rapidity
    return math.exp(-2.0 * bound) if bound < _FARTHEST else 0.0
