"""Rough densities of the channels of a process (`phasespace.rough`): their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fabgen.arrays import array_module
from fabgen.integrand.component import Component, first_channels
from fabgen.integrand.table import values_by_name
from fabgen.model import ZERO
from fabgen.phasespace.rough import RoughTable
from fabgen.phasespace.rough_table import Trees, rough_table
from fabgen.phasespace.tree_map import TreeMap


def rough_of(components: Sequence[Component], derived: Mapping[str, float]) -> RoughTable:
    """The tables of all components, at parameters that are numbers."""
    firsts = first_channels(components)
    return rough_table([
        _trees(component, first, derived)
        for component, first in zip(components, firsts, strict=True)
    ])  # fmt: skip


def with_masses(
    table: RoughTable, components: Sequence[Component], derived: Mapping[str, Any]
) -> RoughTable:
    """The same with masses and widths at other parameters, which may be traced. The limits of
    invariants stay those of the numbers that the table was made with."""
    columns = []
    for number, component in enumerate(components):
        used, first = component.widths.used(derived), component.channels[0]
        resonance, exchanged = table.drawn.resonance[number], table.scatterings.exchanged[number]
        lists = (
            ([mass for mass, _ in first.resonances], resonance),
            ([width for _, width in first.resonances], resonance),
            (first.exchanged, exchanged),
        )
        # -1: the last one, a zero
        columns.append([values_by_name(used, [*names, ZERO])[index] for names, index in lists])
    stacked = [array_module(column).stack(column) for column in zip(*columns, strict=True)]
    mass, width, exchanged_mass = stacked
    return table._replace(
        drawn=table.drawn._replace(mass=mass, width=width),
        scatterings=table.scatterings._replace(mass=exchanged_mass),
    )


def _trees(component: Component, first: int, derived: Mapping[str, float]) -> Trees:
    used, channel = component.widths.used(derived), component.channels[0]

    def numbers(names: Sequence[str]) -> list[float]:
        return [float(value) for value in np.asarray(values_by_name(used, names))]

    maps = [one.mapping for one in component.channels]
    return Trees(
        [mapping for mapping in maps if isinstance(mapping, TreeMap)],
        first,
        numbers(component.masses[component.n_initial :]),
        [(mass, width) for mass, width in map(numbers, channel.resonances)],
        numbers(channel.exchanged),
    )
