"""Evaluation of compiled tables on blocks of events, for NumPy and JAX arrays alike.

Events are the last axis of every array. Nothing here is traced per diagram: the number of
operations depends on the number of levels and of kinds of sums of vertices only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fabgen.amplitude import wavefunctions
from fabgen.amplitude.kernels import PROPAGATOR_KERNELS, VERTEX_KERNELS, Components, dot
from fabgen.amplitude.tables import Group, Leg, Tables
from fabgen.model import ZERO

Array = Any


class Constants(NamedTuple):
    """Numbers that the names in the tables stand for: (names, 1) or (names, events)."""

    masses: Array
    widths: Array
    couplings: Array


def constants(xp: Any, tables: Tables, parameters: dict[str, Array]) -> Constants:
    """Look up masses, widths and couplings in the derived parameters (scalars or one per event)."""

    def stack(names: tuple[str, ...], dtype: Any) -> Array:
        values = [xp.zeros(()) if name == ZERO else xp.asarray(parameters[name]) for name in names]
        n_events = max((v.size for v in values), default=1)
        rows = [xp.broadcast_to(xp.reshape(v, (-1,)), (n_events,)).astype(dtype) for v in values]
        return xp.stack(rows) if rows else xp.zeros((0, 1), dtype)

    return Constants(
        stack(tables.masses, np.float64),
        stack(tables.widths, np.float64),
        stack(tables.couplings, np.complex128),
    )


def evaluate_currents(
    xp: Any,
    tables: Tables,
    momenta: Array,
    values: Constants,
    override: dict[int, Array] | None = None,
    helicity: bool = False,
) -> Array:
    """All currents (rows, 4, events) for momenta (legs, 4, events).

    helicity: massive external particles have definite helicities; without it, canonical states.
    Which rows vanish identically does not depend on it: rotations of the spins of massive particles
    mix all of their states. override: wave functions (states, 4, events) that replace those of a
    leg, e.g. its momentum for a Ward identity.
    """
    zero = xp.zeros((1, 4, momenta.shape[-1]), np.complex128)
    rows = [zero, _combine(xp, tables.vector_signs, momenta).astype(np.complex128)]
    for leg in tables.legs:
        states = (override or {}).get(leg.number)
        if states is None:
            states = _wavefunction(xp, leg, momenta[leg.number], values, helicity)
        rows.append(states[leg.states])
    buffer = xp.concatenate(rows)
    flows = _combine(xp, tables.momentum_signs, momenta)
    for level in tables.levels:
        products = dot(*(_components(buffer[rows]) for rows in level.dots))
        made = [_group(xp, group, buffer, products, flows, values) for group in level.groups]
        buffer = xp.concatenate([buffer, *made])
    return buffer


def evaluate_closings(tables: Tables, buffer: Array) -> Array:
    """The amplitude of every closing without colour, (closings, helicities, events)."""
    return (buffer[tables.first] * buffer[tables.second]).sum(axis=2)


def _wavefunction(xp: Any, leg: Leg, p: Array, values: Constants, helicity: bool) -> Array:
    mass = None if leg.mass is None else values.masses[leg.mass]
    if leg.spin == 2:
        return wavefunctions.spinor(xp, p, mass, leg.particle, leg.bra, helicity)
    if leg.spin == 3:
        return wavefunctions.vector(xp, p, mass, leg.outgoing, helicity)
    return wavefunctions.scalar(xp, p)


def _combine(xp: Any, signs: np.ndarray, momenta: Array) -> Array:
    """The sums of momenta (legs, 4, events) with coefficients (sums, legs): (sums, 4, events)."""
    n_legs, _, n_events = momenta.shape
    flat = xp.matmul(signs, momenta.reshape(n_legs, 4 * n_events))
    return flat.reshape(len(signs), 4, n_events)


def _components(array: Array) -> Components:
    return [array[:, i] for i in range(4)]


def _group(
    xp: Any, group: Group, buffer: Array, products: Array, flows: Array, values: Constants
) -> Array:
    """The currents of one group, (rows, 4, events); products (dots, events)."""
    total: Array = 0.0
    for terms in group.vertices:
        arms = [_components(buffer[rows]) for rows in terms.arms]
        couplings = [values.couplings[c] * terms.factors[:, None] for c in terms.couplings]
        total = total + xp.stack(VERTEX_KERNELS[terms.kernel](*arms, *couplings), axis=1)
    for entry in group.products:
        coupling = values.couplings[entry.couplings] * entry.factors[:, None]
        total = total + (coupling * products[entry.dots])[:, None] * buffer[entry.rows]
    propagator = group.propagator
    if propagator.kernel == "":
        return total
    if propagator.kernel == "lower":
        return total * np.array([1.0, -1.0, -1.0, -1.0])[:, None]
    made = PROPAGATOR_KERNELS[propagator.kernel](
        _components(total),
        _components(flows[propagator.momenta]),
        values.masses[propagator.masses],
        values.widths[propagator.widths],
    )
    return xp.stack(made, axis=1)
