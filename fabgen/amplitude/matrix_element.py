"""The matrix element of one subprocess as a differentiable JAX function."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fabgen.amplitude import tabulate as tb
from fabgen.amplitude import wavefunctions
from fabgen.amplitude.evaluate import Constants, constants, evaluate_closings, evaluate_currents
from fabgen.amplitude.tables import Tables
from fabgen.amplitude.vanishing import find_nonvanishing
from fabgen.blocks import in_blocks
from fabgen.errors import InputError
from fabgen.model import Model, load_model
from fabgen.process import colour
from fabgen.process.effort import DEFAULT, Effort
from fabgen.process.graph import Graph
from fabgen.process.subprocesses import find_subprocesses

_CACHE_BYTES = (
    1 << 20
)  # what the arrays of one block of events may take, about the size of an L2 cache


class MatrixElement:
    """|M|^2 of one subprocess: summed over final, averaged over initial spins and colours.

    Identical-particle factors are included. All widths are fixed; a propagator that separates the
    two incoming legs has none unless t_channel_width.
    """

    def __init__(
        self,
        model: Model,
        graph: Graph,
        identical_factor: int,
        *,
        parameters: Mapping[str, Any] | None = None,
        t_channel_width: bool = False,
    ):
        self.model = model
        self.graph = graph
        self.parameters = model.parameters(parameters)
        alive, combinations = find_nonvanishing(model, graph, t_channel_width)
        self.tables = tb.compile_tables(model, graph, alive, combinations, t_channel_width)
        average = identical_factor
        for name in graph.external[: graph.n_initial]:
            particle = model.particle(name)
            average *= particle.n_spin_states * abs(particle.colour)
        self._metric = _colour_metric(self.tables) / average
        self._root = _root(self._metric)
        self._block = self._block_size()

    def __repr__(self) -> str:
        size = f"{self.n_diagrams} diagrams, {self.n_helicities} helicities"
        return f"<MatrixElement {self.process}: {size}>"

    @property
    def process(self) -> str:
        n = self.graph.n_initial
        return " > ".join((" ".join(self.graph.external[:n]), " ".join(self.graph.external[n:])))

    @property
    def n_external(self) -> int:
        return len(self.graph.external)

    @property
    def n_diagrams(self) -> int:
        return self.graph.n_diagrams

    @property
    def n_helicities(self) -> int:
        """The number of combinations of spin states that do not vanish identically."""
        return len(self.tables.helicities)

    @functools.cached_property
    def helicities(self) -> np.ndarray:
        """The combinations that do not vanish identically, (n_helicities, n_external).

        As in Les Houches files: +1 and -1 for fermions and vectors, 0 for longitudinal vectors and
        for scalars, of the physical particle along its own momentum, incoming ones included.
        """
        columns = []
        for leg, name in enumerate(self.graph.external):
            particle = self.model.particle(name)
            values = wavefunctions.helicities(particle.spin, particle.is_massless, particle.pdg > 0)
            columns.append(np.array(values)[self.tables.helicities[:, leg]])
        return np.stack(columns, axis=1)

    @functools.cached_property
    def masses(self) -> np.ndarray:
        """The masses of the external particles in GeV, for the parameters given at construction."""
        derived = self.model.derive(self.parameters)
        names = (self.model.particle(name).mass for name in self.graph.external)
        return np.array([float(derived.get(name, 0.0)) for name in names])

    def __call__(self, momenta: Any, parameters: Mapping[str, Any] | None = None) -> jax.Array:
        """|M|^2 in GeV^(4 - 2 n_final) for two incoming particles, GeV^(6 - 2 n_final) for one.

        momenta (..., n_external, 4): (E, px, py, pz) in GeV, initial particles first, on shell.
        parameters: external parameters that replace those of construction; scalars or arrays of the
        shape of the result. Raises InputError for unknown parameters and wrong shapes.
        """
        momenta = jnp.asarray(momenta, dtype=jnp.float64)
        if momenta.ndim < 2 or momenta.shape[-2:] != (self.n_external, 4):
            raise InputError(
                f"momenta of {self.process} have the wrong shape",
                found=momenta.shape,
                allowed=f"(..., {self.n_external}, 4)",
            )
        shape = momenta.shape[:-2]
        flat = jnp.moveaxis(momenta.reshape(-1, self.n_external, 4), 0, -1)
        values = {
            name: jnp.broadcast_to(value, shape).reshape(-1) if jnp.ndim(value) else value
            for name, value in self._values(parameters).items()
        }
        return _evaluate_jit(self, flat, values).reshape(shape)

    def _values(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        self.model.parameters(parameters)  # refuses unknown names
        return {
            name: jnp.asarray(v) for name, v in {**self.parameters, **(parameters or {})}.items()
        }

    def evaluate(self, momenta: jax.Array, derived: Mapping[str, Any]) -> jax.Array:
        """The same for momenta (n_external, 4, events) and derived parameters (Model.derive).

        With parameters that are plain numbers only the momenta can be differentiated, and value and
        gradient come from one pass.
        """
        values = self._constants(derived)
        if isinstance(values.couplings, np.ndarray):
            return self._of_momenta(momenta, values)
        return self._in_blocks(jax.checkpoint(self._squared), momenta, values)

    def evaluate_diagrams(
        self, momenta: jax.Array, derived: Mapping[str, Any], groups: np.ndarray
    ) -> tuple[jax.Array, jax.Array]:
        """|M|^2 (events,), and sums of |M_i|^2 of single closings, (groups, events).

        groups (n_groups, closings): with which weight a closing of the graph enters each sum. A
        closing is one diagram (or a colour structure of one) if the graph was built without
        merging.
        """
        weights = groups * np.diag(self._metric)

        def both(momenta: jax.Array, values: Constants) -> tuple[jax.Array, jax.Array]:
            amplitudes = self._closings(momenta, values)
            squares = (amplitudes.real**2 + amplitudes.imag**2).sum(axis=1)
            return _norm(self._root, amplitudes).sum(axis=(0, 1)), jnp.matmul(weights, squares)

        return self._in_blocks(jax.checkpoint(both), momenta, self._constants(derived))

    def _constants(self, derived: Mapping[str, Any]) -> Constants:
        """Masses, widths and couplings: NumPy arrays where the parameters are plain numbers."""
        traced = any(isinstance(value, jax.Array) for value in derived.values())
        return constants(jnp if traced else np, self.tables, dict(derived))

    def _of_momenta(self, momenta: jax.Array, values: Constants) -> jax.Array:
        @jax.custom_jvp
        def squared(momenta: jax.Array) -> jax.Array:
            return self._in_blocks(self._squared, momenta, values)

        @squared.defjvp
        def _(primals, tangents):
            value, gradient = self._in_blocks(self._with_gradient, primals[0], values)
            return value, (gradient * tangents[0]).sum(axis=(0, 1))

        return squared(momenta)

    def flow_weights(self, momenta: jax.Array, derived: Mapping[str, Any]) -> jax.Array:
        """Squared partial amplitudes of the colour flows, (flows, events), not normalized."""

        def weights(momenta: jax.Array, values: Constants) -> jax.Array:
            return self._flows_squared(self._closings(momenta, values))

        return self._in_blocks(weights, momenta, self._constants(derived))

    def helicity_weights(self, momenta: jax.Array, derived: Mapping[str, Any]) -> jax.Array:
        """The part of |M|^2 of each row of `helicities`, (n_helicities, events).

        Their sum is |M|^2 as `evaluate` gives it, up to rounding. Helicities are those in the frame
        of the momenta; for a particle at rest it is the spin along z.
        """

        def weights(momenta: jax.Array, values: Constants) -> jax.Array:
            return self._helicities_squared(self._closings(momenta, values, helicity=True))

        return self._in_blocks(weights, momenta, self._constants(derived))

    def weights(
        self, momenta: jax.Array, derived: Mapping[str, Any]
    ) -> tuple[jax.Array, jax.Array]:
        """flow_weights (up to rounding) and helicity_weights from one evaluation of amplitudes."""

        def both(momenta: jax.Array, values: Constants) -> tuple[jax.Array, jax.Array]:
            amplitudes = self._closings(momenta, values, helicity=True)
            return self._flows_squared(amplitudes), self._helicities_squared(amplitudes)

        return self._in_blocks(both, momenta, self._constants(derived))

    def _closings(self, momenta: jax.Array, values: Constants, helicity: bool = False) -> jax.Array:
        buffer = evaluate_currents(jnp, self.tables, momenta, values, helicity=helicity)
        return evaluate_closings(self.tables, buffer)

    def _squared(self, momenta: jax.Array, values: Constants) -> jax.Array:
        return _norm(self._root, self._closings(momenta, values)).sum(axis=(0, 1))

    def _helicities_squared(self, amplitudes: jax.Array) -> jax.Array:
        return _norm(self._root, amplitudes).sum(axis=0)

    def _with_gradient(self, momenta: jax.Array, values: Constants) -> tuple[jax.Array, jax.Array]:
        value, pullback = jax.vjp(lambda p: self._squared(p, values), momenta)
        return value, pullback(jnp.ones_like(value))[0]

    def _flows_squared(self, amplitudes: jax.Array) -> jax.Array:
        vectors = self.tables.colour.T[self.flow_numbers]
        return _norm(vectors, amplitudes).sum(axis=1)

    @functools.cached_property
    def flow_numbers(self) -> np.ndarray:
        """The colour structures that are flows: not suppressed by 1/N in all diagrams."""
        allowed = set()
        for closing in self.graph.closings:
            allowed |= colour.leading_in_n(closing.colour)
        return np.array([i for i, s in enumerate(self.tables.structures) if s in allowed])

    def _in_blocks(self, function: Any, momenta: jax.Array, values: Constants) -> Any:
        """function(momenta, values) block by block: what a block needs stays in the cache.

        The results may be any pytree of arrays whose last axis is that of the events.
        """
        # Constants of one value for all events stay out of the loop.
        varying = [value.shape[-1] > 1 for value in values]
        moving = [value for value, moves in zip(values, varying, strict=True) if moves]

        def body(block_of: tuple[jax.Array, list[jax.Array]]) -> Any:
            p, own = block_of[0], iter(block_of[1])
            mixed = [
                next(own) if moves else value for value, moves in zip(values, varying, strict=True)
            ]
            return function(p, Constants(*mixed))

        return in_blocks(body, self._block, (momenta, moving))

    @property
    def bytes_per_event(self) -> int:
        """Memory that the evaluation of one event takes, about."""
        rows = 1 + sum(len(leg.states) for leg in self.tables.legs)
        rows += sum(group.n_rows for level in self.tables.levels for group in level.groups)
        return int(64 * rows + 48 * self.tables.first.size)

    def _block_size(self) -> int:
        fitting = 2 ** math.floor(math.log2(_CACHE_BYTES / self.bytes_per_event))
        return int(min(512, max(16, fitting)))


def matrix_element(
    process: str,
    parameters: Mapping[str, Any] | None = None,
    model: str = "sm",
    t_channel_width: bool = False,
    setup_minutes: float = DEFAULT.minutes,
) -> MatrixElement:
    """The matrix element of one process in MadGraph syntax, e.g. "g g > t t~ g".

    parameters: external parameters (UFO names) that differ from the defaults. t_channel_width: keep
    the width in propagators that separate the incoming particles. setup_minutes: longest time that
    the diagrams may take to set up, by estimate. Raises InputError for a process that is wrong, has
    no diagrams, stands for several subprocesses or would take longer.
    """
    loaded = load_model(model)
    loaded.parameters(parameters)  # refuses unknown names first
    subprocesses, distinct = find_subprocesses(
        loaded, [process], effort=Effort(setup_minutes, "setup_minutes")
    )
    if len(subprocesses) > 1:
        names = [f"{' '.join(s.tree.initial)} > {' '.join(s.tree.final)}" for s in subprocesses[:4]]
        raise InputError(
            f"the process stands for {len(subprocesses)} subprocesses; ask for one of them",
            key="process",
            found=process,
            allowed=", ".join(names) + (", ..." if len(subprocesses) > 4 else ""),
        )
    (diagrams,) = distinct
    return MatrixElement(
        loaded,
        diagrams.graph,
        diagrams.identical_factor,
        parameters=parameters,
        t_channel_width=t_channel_width,
    )


@functools.partial(jax.jit, static_argnums=0)
def _evaluate_jit(element: MatrixElement, momenta: jax.Array, values: dict[str, Any]) -> jax.Array:
    return element.evaluate(momenta, element.model.derive(values))


def _norm(matrix: np.ndarray, amplitudes: jax.Array) -> jax.Array:
    """|matrix @ amplitudes|^2 for a real matrix (n, closings): (n, helicities, events)."""
    n_closings, n_helicities, n_events = amplitudes.shape
    flat = amplitudes.reshape(n_closings, n_helicities * n_events)
    squared = (matrix @ flat.real) ** 2 + (matrix @ flat.imag) ** 2
    return squared.reshape(len(matrix), n_helicities, n_events)


def _colour_metric(tables: Tables) -> np.ndarray:
    """Interferences of the closings summed over colours: |M|^2 = sum_ij a_i metric_ij a_j*."""
    structures = tables.structures
    n = len(structures)
    matrix = np.zeros((n, n))
    for i, first in enumerate(structures):
        for j in range(i, n):
            matrix[i, j] = matrix[j, i] = float(colour.interference(first, structures[j]))
    return tables.colour @ matrix @ tables.colour.T


def _root(metric: np.ndarray) -> np.ndarray:
    """A matrix of full row rank with root^T root = metric."""
    values, vectors = np.linalg.eigh(metric)
    kept = values > 1e-13 * max(values.max(), 0.0)
    return (np.sqrt(values[kept]) * vectors[:, kept]).T
