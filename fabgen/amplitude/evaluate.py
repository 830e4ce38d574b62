"""Evaluation of compiled tables on blocks of events, for NumPy and JAX arrays alike.

Events are the last axis of every array. Nothing here is traced per diagram: the number of
operations depends on the number of levels and of kinds of vertices only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fabgen.amplitude import wavefunctions
from fabgen.amplitude.kernels import PROPAGATOR_KERNELS, VERTEX_KERNELS, Components
from fabgen.amplitude.tables import Leg, Level, Tables
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
) -> Array:
    """All currents (rows, 4, events) for momenta (legs, 4, events).

    override: wave functions (states, 4, events) that replace those of a leg, e.g. its momentum for
    a Ward identity.
    """
    rows = [xp.zeros((1, 4, momenta.shape[-1]), np.complex128)]
    for leg in tables.legs:
        states = (override or {}).get(leg.number)
        if states is None:
            states = _wavefunction(xp, leg, momenta[leg.number], values)
        rows.append(states[leg.states])
    buffer = xp.concatenate(rows)
    flows = _flows(xp, tables, momenta)
    for level in tables.levels:
        buffer = xp.concatenate([buffer, _level(xp, level, buffer, flows, values)])
    return buffer


def evaluate_closings(tables: Tables, buffer: Array) -> Array:
    """The amplitude of every closing without colour, (closings, helicities, events)."""
    return (buffer[tables.first] * buffer[tables.second]).sum(axis=2)


def _wavefunction(xp: Any, leg: Leg, p: Array, values: Constants) -> Array:
    mass = None if leg.mass is None else values.masses[leg.mass]
    if leg.spin == 2:
        return wavefunctions.spinor(xp, p, mass, leg.particle, leg.bra)
    if leg.spin == 3:
        return wavefunctions.vector(xp, p, mass, leg.outgoing)
    return wavefunctions.scalar(xp, p)


def _flows(xp: Any, tables: Tables, momenta: Array) -> Array:
    """The momenta that flow out of sets of legs, (sums, 4, events)."""
    signs = tables.momentum_signs
    n_legs, _, n_events = momenta.shape
    flat = xp.matmul(signs, momenta.reshape(n_legs, 4 * n_events))
    return flat.reshape(len(signs), 4, n_events)


def _components(array: Array) -> Components:
    return [array[:, i] for i in range(4)]


def _level(xp: Any, level: Level, buffer: Array, flows: Array, values: Constants) -> Array:
    outputs = []
    for batch in level.vertices:
        arguments = [_components(buffer[arm]) for arm in batch.arms]
        arguments += [_components(flows[momentum]) for momentum in batch.momenta]
        if batch.weights:
            arguments.append([weight[:, None] for weight in batch.weights])
        couplings = [values.couplings[index] for index in batch.couplings]
        outputs.append(xp.stack(VERTEX_KERNELS[batch.kernel](*arguments, *couplings), axis=1))
    vertices = outputs[0] if len(outputs) == 1 else xp.concatenate(outputs)
    currents = _sum_terms(level, vertices)
    pieces = []
    for part in level.propagators:
        rows = currents[part.start : part.stop]
        if part.kernel == "":
            pieces.append(rows)
        elif part.kernel == "lower":
            pieces.append(rows * np.array([1.0, -1.0, -1.0, -1.0])[:, None])
        else:
            made = PROPAGATOR_KERNELS[part.kernel](
                _components(rows),
                _components(flows[part.momenta]),
                values.masses[part.masses],
                values.widths[part.widths],
            )
            pieces.append(xp.stack(made, axis=1))
    return pieces[0] if len(pieces) == 1 else xp.concatenate(pieces)


def _sum_terms(level: Level, vertices: Array) -> Array:
    terms, coefficients = level.terms, level.coefficients
    total = coefficients[:, 0, None, None] * vertices[terms[:, 0]]
    for k in range(1, terms.shape[1]):
        total = total + coefficients[:, k, None, None] * vertices[terms[:, k]]
    return total
