"""Maps that differ only in names: the same chain of blocks, for other legs and other resonances.

A map is compiled once for its class; a member is numbers: which leg plays which part, and which
masses and widths belong to its propagators. The 40 channels of e+ e- > e+ e- mu+ mu- have 20
classes, the 116 of g g > t t~ g g 47.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from .cascade import Cascade
from .channels import Permuted
from .mapping import Kinematics, Mapping
from .tree import Branch, Node, Propagator

#: Index of the mass of all exchanged particles without one: the last of the masses, a zero.
_MASSLESS = -1


class Member(NamedTuple):
    """One map of a class: leg k of the class is leg legs[k] of the process; its resonances and
    exchanged particles are those with the indices `resonances` and `exchanged`, -1 without mass."""

    legs: tuple[int, ...]
    resonances: tuple[int, ...] = ()
    exchanged: tuple[int, ...] = ()


def class_of(mapping: Mapping) -> tuple[Mapping, Member]:
    """The class of a map, and which member of it the map is."""
    if isinstance(mapping, Permuted):
        found, member = class_of(mapping.mapping)
        place = np.argsort(mapping.permutation)
        return found, member._replace(legs=tuple(int(place[leg]) for leg in member.legs))
    if not isinstance(mapping, Cascade):
        return mapping, Member(tuple(range(mapping.n_final)))
    names = _Names()
    tree = names.branch(mapping.tree)
    tree = dataclasses.replace(tree, propagator=Propagator())  # that of the root has no meaning
    member = Member(tuple(names.legs), tuple(names.resonances), tuple(names.exchanged))
    return dataclasses.replace(mapping, tree=tree), member


class Members(NamedTuple):
    """Members as arrays: their first axis is that of the members, until one of them is taken.

    legs (members, n_final), order: its inverse; resonances, exchanged: (members, as many as any of
    them has, at least one), unused places are 0.
    """

    legs: Int[Array, "*members n_final"]
    order: Int[Array, "*members n_final"]
    resonances: Int[Array, "*members n_resonances"]
    exchanged: Int[Array, "*members n_exchanged"]

    @classmethod
    def of(cls, members: Sequence[Member]) -> Members:
        legs = np.array([member.legs for member in members])
        return cls(
            jnp.asarray(legs),
            jnp.asarray(np.argsort(legs, axis=1)),
            _filled([member.resonances for member in members]),
            _filled([member.exchanged for member in members]),
        )

    def of_class(self, kinematics: Kinematics) -> Kinematics:
        """The kinematics of the process in the names of the class, for the member taken."""
        return kinematics._replace(
            masses=kinematics.masses[self.legs],
            resonance_masses=_chosen(kinematics.resonance_masses, self.resonances),
            resonance_widths=_chosen(kinematics.resonance_widths, self.resonances),
            exchanged_masses=jnp.append(kinematics.exchanged_masses, 0.0)[self.exchanged],
        )


class _Names:
    """Legs, resonances and exchanged particles in the order in which a tree has them."""

    def __init__(self) -> None:
        self.legs: list[int] = []
        self.resonances: list[int] = []
        self.exchanged: list[int] = []

    def branch(self, branch: Branch) -> Branch:
        """The tree below with names that do not depend on those of the process."""
        first, second = (self._node(child) for child in branch.children)
        propagator = dataclasses.replace(
            branch.propagator, resonance=_place(self.resonances, branch.propagator.resonance)
        )
        exchange = branch.exchange
        if exchange is not None:
            mass = _MASSLESS if exchange.mass is None else exchange.mass
            exchange = dataclasses.replace(exchange, mass=_place(self.exchanged, mass))
        return Branch((first, second), propagator, exchange)

    def _node(self, node: Node) -> Node:
        if isinstance(node, Branch):
            return self.branch(node)
        self.legs.append(node.leg)
        return dataclasses.replace(node, leg=len(self.legs) - 1)


def _place(known: list[int], index: int | None) -> int | None:
    """The place of an index at the end of the list: the same one twice has two places."""
    if index is None:
        return None
    known.append(index)
    return len(known) - 1


def _filled(rows: Sequence[Sequence[int]]) -> Int[Array, "{len(rows)} longest"]:
    """(rows, longest), at least one wide, filled up with zeros."""
    table = np.zeros((len(rows), max(1, *map(len, rows))), dtype=int)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return jnp.asarray(table)


def _chosen(
    values: Float[Array | np.ndarray, " k"], indices: Int[Array, " places"]
) -> Float[Array, " places"]:
    """values[indices]; what is chosen of no values is never used."""
    return jnp.asarray(values)[indices] if len(values) else jnp.ones(indices.shape)
