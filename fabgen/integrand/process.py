"""The integrand of a process: f(u) = d sigma / du on the unit hypercubes of its channels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray

from fabgen.beams import Beams, Collision, Scales, boost_z, rotated
from fabgen.errors import InputError
from fabgen.integrand.base import Integrand, numbered, one_line, prior_width
from fabgen.integrand.component import AlphaS, BoundComponents, Component
from fabgen.integrand.draw import Undecided, draw_component, random_numbers
from fabgen.integrand.evaluate import (
    ComponentValues,
    Surroundings,
    evaluate_component,
    lab_momenta,
    over_components,
    surroundings,
)
from fabgen.integrand.maps import Maps, channel_ids, map_programs
from fabgen.integrand.point import (
    Channels,
    EventFields,
    MapPrograms,
    PhaseSpacePoints,
    Point,
)
from fabgen.integrand.prior import OF_DENSITIES
from fabgen.integrand.rough import rough_of, with_masses
from fabgen.integrand.table import ChannelTable, StaticMap, map_keys, static_map
from fabgen.model import Model
from fabgen.numerics import safe_log
from fabgen.phasespace.features import n_event_features
from fabgen.phasespace.rough import RoughTable
from fabgen.process.event_topology import EventTopology

MOST_OWN = 50
"""Up to so many channels have a grid and a flow each: what they share fits none of them as well. Of
t t~ j (30 channels) shared grids had 13.7 instead of 14.9 % of unweighted events, of w+ j j (77)
8.8 instead of 9.2 %."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ProcessIntegrand(Integrand):
    """The sum over components of flux x |M|^2 x luminosities x cuts x Jacobian: pb (decays: GeV).

    f is zero, log f = -inf, outside the cube and the cuts. Every channel of every component is a
    channel. event_topologies: of the subprocesses. notes: what f sums or replaces, in words.
    warnings: what sampling may miss. unmapped_widths: names of the widths of resonances in phase
    space that no map follows. alpha_s: of the renormalization scale; None takes that of the card.
    """

    model: Model
    external: Mapping[str, float]
    components: tuple[Component, ...]
    event_topologies: tuple[EventTopology, ...]
    beams: Beams
    scales: Scales
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unmapped_widths: tuple[str, ...] = ()
    alpha_s: AlphaS | None = None

    draw_needs_amplitudes = True

    def __repr__(self) -> str:
        return one_line(self, {p.pdg: p.name for p in self.model.particles.values()})

    @property
    def dim(self) -> int:
        return self.beam_dim + self.components[0].channels[0].mapping.dim

    @property
    def beam_dim(self) -> int:
        return self.beams.dim

    @property
    def topologies(self) -> tuple[EventTopology, ...]:
        return self.event_topologies

    @property
    def beam_particles(self) -> tuple[int, ...]:
        """PDG ids of the beams; of what comes in, of the first subprocess, if that is the same."""
        return self.beams.particles or self.topologies[0].pdg[: self.n_initial]

    @functools.cached_property
    def component_of_channel(self) -> tuple[int, ...]:
        return tuple(id_.component for id_ in channel_ids(self.components))

    @property
    def n_matrix_elements(self) -> int:
        return len({id(component.element) for component in self.components})

    @property
    def compile_seconds(self) -> float:
        return 3.0 + 0.8 * self.n_matrix_elements * (self.topologies[0].n_external - self.n_initial)

    @property
    def bytes_per_point(self) -> int:
        return super().bytes_per_point + max(c.element.bytes_per_event for c in self.components)

    @property
    def n_features(self) -> int:
        """Numbers that trained channel weights look at; none for one channel."""
        n_final = self.topologies[0].n_external - self.n_initial
        if self.n_channels == 1:
            return 0
        return n_event_features(self.n_initial, n_final, 2 if self.beams.dim else 0)

    @functools.cached_property
    def representative_channel(self) -> tuple[int, ...]:
        result, start = [], 0
        for component in self.components:
            for number, channel in enumerate(component.channels):
                result.append(start + (channel.mirror.original if channel.mirror else number))
            start += len(component.channels)
        return tuple(result)

    @functools.cached_property
    def density_of_channel(self) -> tuple[int, ...]:
        if len(set(self.representative_channel)) <= MOST_OWN:
            return numbered(self.representative_channel)
        maps = map_keys(ChannelTable.of(self.components, self.derived), self.n_channels)
        return numbered(maps[channel] for channel in self.representative_channel)

    @property
    def n_initial(self) -> int:
        return self.topologies[0].n_initial

    @property
    def unit(self) -> str:
        return "pb" if self.n_initial == 2 else "GeV"

    @property
    def beam_energies(self) -> tuple[float, ...]:
        return self.beams.energies

    @property
    def densities(self) -> Mapping[str, Any]:
        return self.beams.description

    @property
    def parameters(self) -> dict[str, float]:
        """External parameters by their UFO names."""
        return dict(self.external)

    @property
    def channel_prior(self) -> str:
        kinds = [component.prior.kind for component in self.components if component.prior]
        return kinds[0] if kinds else ""

    @functools.cached_property
    def derived(self) -> dict[str, Any]:
        """All parameters of the model as numbers."""
        with jax.ensure_compile_time_eval():  # also when first asked for inside a trace
            values = self.model.derive(self.external)
        return {k: complex(v) if np.iscomplexobj(v) else float(v) for k, v in values.items()}

    @property
    def masses(self) -> dict[int, float]:
        """Masses in GeV by PDG id."""
        return self._by_pdg("mass")

    @property
    def widths(self) -> dict[int, float]:
        """Widths in GeV by PDG id."""
        return self._by_pdg("width")

    def _by_pdg(self, attribute: str) -> dict[int, float]:
        particles = (p for p in self.model.particles.values() if p.pdg > 0)
        return {p.pdg: self.derived.get(getattr(p, attribute), 0.0) for p in particles}

    # -- points ---------------------------------------------------------------------------------

    def map(
        self,
        u: Float[Array, "events {self.dim}"],
        channel: Channels = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> PhaseSpacePoints:
        del map_parameters
        _, rows = self._rows(u)
        channel = 0 if self.n_channels == 1 else channel
        self._check_channel(channel)
        return self._maps(self._bound(parameters)).place(rows.T, channel)

    def evaluate(
        self, points: PhaseSpacePoints, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        return self._evaluate(points, parameters, None)

    def evaluate_with(
        self, points: PhaseSpacePoints, log_densities: Float[Array, "channels events"] | None
    ) -> Point:
        return self._evaluate(points, None, log_densities)

    def _evaluate(
        self,
        points: PhaseSpacePoints,
        parameters: Mapping[str, Any] | None,
        log_densities: Float[Array, "channels events"] | None,
    ) -> Point:
        width = prior_width(self.component_of_channel)
        assert points.collision is not None
        bound = self._bound(parameters)
        maps = self._maps(bound)

        def values(
            component: Component,
            block: tuple[Float[Array, "n_final 4 events"], Collision, Surroundings, Array | None],
            bound: BoundComponents,
        ) -> ComponentValues:
            final, collision, around, logs = block
            return evaluate_component(component, final, collision, around, bound, width, maps, logs)

        logs = None if log_densities is None else log_densities[:width]
        around = surroundings(points.final, points.collision, bound)
        given = points.final, points.collision, around, logs
        found = over_components(values, points.channel, bound, given)
        is_open = ~jnp.isneginf(points.log_jacobian)  # NaN is an error, to be counted
        first = np.array([min(s.number for s in c.subprocesses) for c in self.components])
        owner = jnp.asarray(np.array(self.component_of_channel))[points.channel]
        several = self.n_channels > 1
        return Point(
            log_f=jnp.where(is_open, safe_log(jnp.abs(found.value)), -jnp.inf),
            sign=jnp.where(found.value < 0.0, -1, 1).astype(jnp.int8),
            log_jacobian=jnp.where(is_open, points.log_jacobian, 0.0),
            log_prior=found.log_prior,
            features=found.features if several else found.features[:0],
            momenta=found.momenta,
            subprocess=jnp.asarray(first)[owner],
            scales=around.scales,
            alpha_s=around.alpha_s,
        )

    def draw(
        self,
        points: PhaseSpacePoints,
        key: PRNGKeyArray,
        parameters: Mapping[str, Any] | None = None,
    ) -> EventFields:
        assert points.collision is not None
        random = random_numbers(key, points.final.shape[-1])
        bound = self._bound(parameters)
        around = surroundings(points.final, points.collision, bound)
        given = Undecided(points.final, points.collision, around, random)
        drawn: EventFields = over_components(draw_component, points.channel, bound, given)
        return drawn

    def invert(
        self,
        momenta: Float[Array, "events n_external 4"],
        channel: Channels = 0,
        subprocess: int = 0,
    ) -> Float[Array, "events {self.dim}"]:
        """u is NaN for momenta that windows or cuts keep the map of the channel from."""
        channel = 0 if self.n_channels == 1 else channel
        self._check_channel(channel)
        bound = self._bound(None)
        final, collision = self._at_rest(momenta, subprocess, bound)
        u, log_jacobian = self._maps(bound).undo(final, collision, channel)
        return jnp.where(jnp.isposinf(log_jacobian), jnp.nan, u).T

    def momenta(self, u: ArrayLike, channel: Channels = 0) -> Float[Array, "*shape n_external 4"]:
        shape, rows = self._rows(u)
        points, bound = self.map(rows, channel), self._bound(None)

        def lab(
            component: Component,
            block: tuple[Float[Array, "n_final 4 events"], Collision],
            bound: BoundComponents,
        ) -> Float[Array, "n_external 4 events"]:
            return lab_momenta(component, *block, bound.derived)

        assert points.collision is not None
        found = over_components(lab, points.channel, bound, (points.final, points.collision))
        return jnp.moveaxis(found, -1, 0).reshape(*shape, *found.shape[:2])

    # -- what a file of events needs ------------------------------------------------------------

    def incoming(self, subprocess: int = 0) -> Float[Array, "{self.n_initial} 4"]:
        """Lab momenta (n_initial, 4) in GeV of the beams or the decaying particle."""
        component = self.components[self._component_of(subprocess)]
        masses = component.beam_masses(self.derived)
        if self.beams.dim:
            raise InputError("the incoming momenta differ from event to event")
        return self.beams.of_total(jnp.zeros((4, 1)), masses).lab[..., 0]

    def log_prior(
        self, momenta: Float[Array, "events n_external 4"], subprocess: int = 0
    ) -> Float[Array, "{self.n_channels} events"]:
        bound, number = self._bound(None), self._component_of(subprocess)
        final, collision = self._at_rest(momenta, subprocess, bound)
        component = self.components[number]
        n_own = len(component.channels)
        around = surroundings(final, collision, bound)
        found = evaluate_component(
            component, final, collision, around, bound, n_own, self._maps(bound)
        ).log_prior
        before = self.component_of_channel.index(number)
        after = self.n_channels - before - n_own
        return jnp.pad(found, ((before, after), (0, 0)), constant_values=-jnp.inf)

    def _at_rest(
        self,
        momenta: Float[Array, "events n_external 4"],
        subprocess: int,
        bound: BoundComponents,
    ) -> tuple[Float[Array, "n_final 4 events"], Collision]:
        """Final momenta (n_final, 4, events) in the frame and the order of the component of a
        subprocess, and the collisions, of lab momenta (events, n_external, 4)."""
        component = self.components[self._component_of(subprocess)]
        lab = jnp.moveaxis(jnp.asarray(momenta, dtype=jnp.float64), 0, -1)[self.n_initial :]
        collision = self.beams.of_total(lab.sum(axis=0), component.beam_masses(bound.derived))
        final = boost_z(lab, component.final_masses(bound.derived), -collision.rapidity)
        (served,) = [s for s in component.subprocesses if s.number == subprocess]
        return (rotated(final) if served.exchanged else final), collision

    def _component_of(self, subprocess: int) -> int:
        for number, component in enumerate(self.components):
            if any(subprocess == served.number for served in component.subprocesses):
                return number
        raise InputError(
            "no such subprocess", found=subprocess, allowed=f"0 to {len(self.topologies) - 1}"
        )

    def _check_channel(self, channel: Channels) -> None:
        if isinstance(channel, int) and not 0 <= channel < self.n_channels:
            raise InputError(
                "no such channel", found=channel, allowed=f"0 to {self.n_channels - 1}"
            )

    def _bound(self, parameters: Mapping[str, Any] | None) -> BoundComponents:
        """The components at the card's parameters, with external ones replaced."""
        derived = self.model.derive(self._with(parameters)) if parameters else self.derived

        def derive(more: Mapping[str, Any]) -> Mapping[str, Any]:
            return self.model.derive({**self._with(parameters), **more})

        return BoundComponents(
            self.components, self.beams, self.scales, derived, derive, self.alpha_s
        )

    @functools.cached_property
    def _static_map(self) -> StaticMap:
        return static_map(self.components)

    @property
    def map_programs(self) -> MapPrograms:
        return map_programs(self._maps(self._bound(None)))

    @property
    def needs_densities(self) -> bool:
        return self.channel_prior in OF_DENSITIES

    @functools.cached_property
    def _rough(self) -> RoughTable | None:
        is_rough = self.channel_prior == "invariants"
        return rough_of(self.components, self.derived) if is_rough else None

    def _maps(self, bound: BoundComponents) -> Maps:
        table = ChannelTable.of(self.components, bound.derived)
        single = len(self.components) == 1
        rough = self._rough
        if rough is not None and bound.derived is not self.derived:
            rough = with_masses(rough, self.components, bound.derived)
        return Maps(self._static_map, self.n_channels, table, self.beams, single, rough)

    def _with(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        self.model.parameters(parameters or {})  # refuses unknown names
        return {**self.external, **(parameters or {})}
