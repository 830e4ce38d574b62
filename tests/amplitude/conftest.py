"""Amplitudes in NumPy, without any compilation, and phase-space points to evaluate them at."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from scipy.optimize import brentq

from fabgen.amplitude import tabulate as tb
from fabgen.amplitude.evaluate import constants, evaluate_closings, evaluate_currents
from fabgen.model import load_model
from fabgen.process import colour
from fabgen.process.graph import Closing, build_graph
from fabgen.process.subprocesses import find_subprocesses

#: Fixed widths break gauge invariance; without them it is exact.
NO_WIDTHS = {"WT": 0.0, "WZ": 0.0, "WW": 0.0, "WH": 0.0}


class Amplitudes:
    """Helicity amplitudes of one subprocess as vectors of colour structures, nothing dropped.

    Spin sums, colour sums and averages are done here once more, independently of MatrixElement.
    keep(closing): only some of the diagrams, leave_out: not this one (merge=False: a closing is a
    diagram).
    """

    def __init__(
        self,
        process: str,
        *,
        merge: bool = True,
        t_channel_width: bool = False,
        model: str = "sm",
        keep: Callable[[Closing], bool] | None = None,
        leave_out: int | None = None,
    ):
        self.model = load_model(model)
        (_,), (diagrams,) = find_subprocesses(self.model, [process])
        self.tree = diagrams.tree
        graph = build_graph(self.model, diagrams.tree, diagrams.qed, merge=merge)
        kept = tuple(
            closing
            for number, closing in enumerate(graph.closings)
            if (keep is None or keep(closing)) and number != leave_out
        )
        graph = dataclasses.replace(graph, closings=kept)
        self.graph = graph
        everything = (1 << len(graph.external)) - 1
        shape = tb.states_shape(self.model, graph, everything)
        self.combinations = np.array(list(itertools.product(*map(range, shape))))
        alive = tb.all_alive(self.model, graph)
        self.tables = tb.compile_tables(
            self.model, graph, alive, self.combinations, t_channel_width
        )
        self.metric = np.array(
            [
                [float(colour.interference(a, b)) for b in self.tables.structures]
                for a in self.tables.structures
            ]
        )
        self.average = diagrams.identical_factor
        for name in graph.external[: graph.n_initial]:
            particle = self.model.particle(name)
            self.average *= particle.n_spin_states * abs(particle.colour)

    def derived(self, parameters: Mapping[str, float] | None = None) -> dict[str, np.ndarray]:
        values = self.model.derive(self.model.parameters(parameters))
        return {name: np.asarray(value) for name, value in values.items()}

    def masses(self, parameters: Mapping[str, float] | None = None) -> list[float]:
        """Of the external particles, GeV."""
        derived = self.derived(parameters)
        names = [self.model.particle(name).mass for name in self.graph.external]
        return [float(derived.get(name, 0.0)) for name in names]

    def closings(self, momenta, parameters=None, override=None) -> np.ndarray:
        """(closings, helicities, events) for momenta (legs, 4, events)."""
        values = constants(np, self.tables, self.derived(parameters))
        buffer = evaluate_currents(np, self.tables, momenta, values, override)
        return evaluate_closings(self.tables, buffer)

    def colour_vectors(self, momenta, parameters=None, override=None) -> np.ndarray:
        """(structures, helicities, events)."""
        made = self.closings(momenta, parameters, override)
        return np.einsum("cs,che->she", self.tables.colour, made)

    def by_helicity(self, momenta, parameters=None) -> np.ndarray:
        """|M|^2 of every combination of spin states, colours summed, not averaged."""
        vectors = self.colour_vectors(momenta, parameters)
        return np.einsum("she,st,the->he", vectors, self.metric, vectors.conj()).real

    def squared(self, momenta, parameters=None) -> np.ndarray:
        """|M|^2 (events,): summed and averaged."""
        return self.by_helicity(momenta, parameters).sum(axis=0) / self.average

    def points(self, sqrt_s: float, n: int, seed: int = 1, parameters=None) -> np.ndarray:
        """Momenta (legs, 4, n); a single incoming particle is at rest whatever sqrt_s."""
        return random_momenta(self.masses(parameters), self.graph.n_initial, sqrt_s, n, seed)


def random_momenta(masses, n_initial: int, sqrt_s: float, n: int, seed: int) -> np.ndarray:
    """On-shell momenta (legs, 4, n) in the rest frame of the total, in random directions."""
    rng = np.random.default_rng(seed)
    if n_initial == 1:
        sqrt_s = masses[0]
    return np.stack([_one_point(masses, n_initial, sqrt_s, rng) for _ in range(n)], axis=-1)


def _one_point(masses, n_initial, sqrt_s, rng) -> np.ndarray:
    final = np.asarray(masses[n_initial:])
    vectors = rng.normal(size=(len(final), 3))
    vectors -= vectors.mean(axis=0)
    squares = (vectors**2).sum(axis=1)

    def energies(scale: float) -> np.ndarray:
        return np.sqrt(final**2 + scale**2 * squares)

    scale = brentq(lambda x: energies(x).sum() - sqrt_s, 0.0, 1e3 * sqrt_s, xtol=1e-14 * sqrt_s)
    outgoing = np.column_stack([energies(scale), scale * vectors])
    energy = outgoing[:, 0].sum()  # sqrt_s to rounding
    if n_initial == 1:
        incoming = np.array([[energy, 0.0, 0.0, 0.0]])
    else:
        m1, m2 = masses[:2]
        k = np.sqrt((energy**2 - (m1 + m2) ** 2) * (energy**2 - (m1 - m2) ** 2)) / (2 * energy)
        axis = rng.normal(size=3)
        axis *= k / np.linalg.norm(axis)
        incoming = np.array([[np.hypot(m1, k), *axis], [np.hypot(m2, k), *-axis]])
    return np.vstack([incoming, outgoing])


def boost(momenta: np.ndarray, beta) -> np.ndarray:
    """Momenta (legs, 4, events) seen from a frame in which they move with velocity beta (3,)."""
    beta = np.asarray(beta, dtype=float)
    gamma = 1 / np.sqrt(1 - beta @ beta)
    matrix = np.eye(4)
    matrix[0, 0] = gamma
    matrix[0, 1:] = matrix[1:, 0] = gamma * beta
    matrix[1:, 1:] += (gamma - 1) * np.outer(beta, beta) / (beta @ beta)
    return np.einsum("ij,lje->lie", matrix, momenta)


def dot(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Minkowski product of (4, events)."""
    return p[0] * q[0] - (p[1:] * q[1:]).sum(axis=0)


@pytest.fixture(scope="session")
def amplitudes() -> Callable[..., Amplitudes]:
    """amplitudes(process, **options) -> Amplitudes, each made once."""
    return functools.cache(Amplitudes)


@pytest.fixture(scope="session")
def minkowski() -> Callable[..., np.ndarray]:
    return dot


@pytest.fixture(scope="session")
def boosted() -> Callable[..., np.ndarray]:
    return boost


@pytest.fixture(scope="session")
def no_widths() -> dict[str, float]:
    return dict(NO_WIDTHS)
