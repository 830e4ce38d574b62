"""Which rows and helicity combinations vanish identically.

They are found once, by evaluating everything at a few random points with random parameters: what
vanishes there vanishes because of the structure of the amplitude (massless fermions of the wrong
chirality, gluons all of one helicity), not because of a value that a user may change later.
"""

from __future__ import annotations

import itertools

import numpy as np

from fabgen.amplitude import tabulate as tb
from fabgen.amplitude.evaluate import constants, evaluate_closings, evaluate_currents
from fabgen.model import ZERO, Model
from fabgen.process.currents import bits
from fabgen.process.graph import Graph

_POINTS = 3
_RELATIVE = 1e-10  # of the largest amplitude; rounding leaves 1e-15 or so


def find_nonvanishing(
    model: Model, graph: Graph, t_channel_width: bool
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """The rows to evaluate (by current, an axis per leg) and the helicities (n, legs)."""
    rng = np.random.default_rng(20260101)
    alive = tb.all_alive(model, graph)
    everything = (1 << len(graph.external)) - 1
    shape = tb.states_shape(model, graph, everything)
    combinations = np.array(list(itertools.product(*map(range, shape))))
    full = tb.compile_tables(model, graph, alive, combinations, t_channel_width)
    parameters, momenta = random_point(model, graph, rng)
    with np.errstate(all="ignore"):
        buffer = evaluate_currents(np, full, momenta, constants(np, full, parameters))
        closings = evaluate_closings(full, buffer)
    colours = np.einsum("cs,che->she", full.colour, closings)
    size = np.abs(colours).max(axis=(0, 2))
    kept = size > _RELATIVE * size.max()
    helicities = combinations[kept]
    row_size = np.abs(buffer).max(axis=(1, 2))
    return _needed(graph, full, alive, helicities, row_size), helicities


def _needed(graph, full, alive, helicities, row_size) -> dict[int, np.ndarray]:
    """Rows that do not vanish and that some helicity combination that is kept asks for."""
    needed = {number: np.zeros_like(states) for number, states in alive.items()}
    for closing in graph.closings:
        for current in (closing.first, closing.second):
            picked = tuple(helicities[:, leg] for leg in bits(current.legs))
            needed[current.number][picked] = True
    for current in reversed(graph.currents):
        states = needed[current.number]
        # Rounding: what a row of zero size leaves is far below the typical row of its current.
        sizes = row_size[full.rows[current.number]]
        states &= sizes > 1e-12 * max(sizes.max(), 1e-300)
        legs = bits(current.legs)
        for _, branching in current.terms:
            for arm in branching.arms:
                below = bits(arm.legs)
                axes = tuple(i for i, leg in enumerate(legs) if leg not in below)
                needed[arm.number] |= states.any(axis=axes)
    return needed


def random_point(model: Model, graph: Graph, rng: np.random.Generator):
    """Derived parameters and on-shell momenta (legs, 4, points) in general position.

    Every parameter is moved by a few percent and zeros are replaced, so that no value is special.
    """
    external = {
        name: (value or 1.0) * (1 + 0.05 * rng.uniform(0.2, 1.0))
        for name, value in model.external.items()
    }
    parameters = {k: np.asarray(v) for k, v in model.derive(external).items()}
    masses = []
    for name in graph.external:
        mass = model.particle(name).mass
        masses.append(0.0 if mass == ZERO else float(parameters[mass]))
    points = [_random_momenta(masses, graph.n_initial, rng) for _ in range(_POINTS)]
    return parameters, np.stack(points, axis=-1)


def _random_momenta(masses, n_initial, rng) -> np.ndarray:
    """Final particles on shell with random directions, balanced by the incoming ones.

    Two incoming particles are on shell; a single one has the momentum that is needed, on shell or
    not (closed decays have amplitudes too). The frame is a general one: where the beams are back to
    back, polarization vectors of one are orthogonal to the other and more vanishes by accident.
    """
    final = np.asarray(masses[n_initial:])
    vectors = rng.normal(size=(len(final), 3))
    if n_initial == 2:
        vectors -= vectors.mean(axis=0)  # the centre-of-mass frame
    vectors *= max(sum(masses), 100.0)
    energies = np.sqrt(final**2 + (vectors**2).sum(axis=1))
    outgoing = np.column_stack([energies, vectors])
    if n_initial == 1:
        return np.vstack([outgoing.sum(axis=0), outgoing])
    energy = energies.sum()
    m1, m2 = masses[:2]
    k = np.sqrt((energy**2 - (m1 + m2) ** 2) * (energy**2 - (m1 - m2) ** 2)) / (2 * energy)
    direction = rng.normal(size=3)
    direction *= k / np.linalg.norm(direction)
    first = np.array([np.sqrt(m1**2 + k**2), *direction])
    second = np.array([np.sqrt(m2**2 + k**2), *-direction])
    return _boosted(np.vstack([first, second, outgoing]), 0.4 * rng.uniform(-1, 1, size=3))


def _boosted(momenta: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Momenta (legs, 4) in a frame in which their former rest frame moves with velocity beta."""
    gamma = 1 / np.sqrt(1 - beta @ beta)
    along = momenta[:, 1:] @ beta
    energies = gamma * (momenta[:, 0] + along)
    shift = gamma * (gamma / (gamma + 1) * along + momenta[:, 0])
    return np.column_stack([energies, momenta[:, 1:] + shift[:, None] * beta])
