"""f(u) = d sigma / du on the unit hypercube: all that training sees of a process."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.beams import Collision
from fabgen.beams.frames import boost_z, in_lab, with_beams
from fabgen.errors import InputError
from fabgen.integrand.base import one_line
from fabgen.integrand.component import Component, Sampled
from fabgen.integrand.draw import draw_among
from fabgen.integrand.evaluate import Row, Setup, momenta_of, points_of, rows, values_at
from fabgen.integrand.point import Placed, Point
from fabgen.model import Model
from fabgen.numerics import log_shares, safe_log
from fabgen.phasespace.features import n_event_features
from fabgen.phasespace.mapping import Mapping as PhaseSpaceMap
from fabgen.process.event_topology import EventTopology


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Integrand:
    """The sum over subprocesses of flux x |M|^2 x Jacobian x cuts, in pb (decays: GeV).

    f is zero, log f = -inf, outside the cube and the cuts. beam_energies: GeV per beam, () for
    decays. single: one channel on which all components add up, each by the map of its only channel;
    else every channel of every component is a channel. notes: what f sums or replaces, in words.
    unmapped_widths: names of the widths of resonances in phase space that no map follows.
    """

    model: Model
    external: Mapping[str, float]
    components: tuple[Component, ...]
    topologies: tuple[EventTopology, ...]
    beam_particles: tuple[int, ...]
    beam_energies: tuple[float, ...]
    renormalization_scale: float
    factorization_scale: float
    single: bool = True
    notes: tuple[str, ...] = ()
    unmapped_widths: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return one_line(self, {p.pdg: p.name for p in self.model.particles.values()})

    @property
    def dim(self) -> int:
        return self.components[0].mapping.dim

    @property
    def n_channels(self) -> int:
        return 1 if self.single else len(rows(self.components))

    @property
    def n_features(self) -> int:
        """Numbers that trained channel weights look at; none for one channel."""
        n_final = self.topologies[0].n_external - self.n_initial
        return 0 if self.single else n_event_features(self.n_initial, n_final)

    @property
    def representative_channel(self) -> tuple[int, ...]:
        """For each channel the first one that it is equal to, up to names of identical legs."""
        result, start = [], 0
        for component in self.components:
            for number, channel in enumerate(component.channels):
                result.append(start + (channel.mirror.original if channel.mirror else number))
            start += len(component.channels)
        return (0,) if self.single else tuple(result)

    @property
    def component_of_channel(self) -> tuple[int, ...]:
        """For each channel the number of its component; f of a component is in its channels."""
        return (0,) if self.single else tuple(row.component for row in rows(self.components))

    @property
    def n_initial(self) -> int:
        return self.topologies[0].n_initial

    @property
    def unit(self) -> str:
        return "pb" if self.n_initial == 2 else "GeV"

    @property
    def parameters(self) -> dict[str, float]:
        """External parameters by their UFO names."""
        return dict(self.external)

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

    # -- values ---------------------------------------------------------------------------------

    def log_density(self, u: Array, parameters: Mapping[str, Any] | None = None) -> Array:
        """log f at u (..., dim); f in pb, or GeV for a decay.

        parameters: external parameters that replace those of the card; traced, so that f can be
        differentiated in them. Couplings (aS) may have one value per event. Several channels have
        no common cube: InputError.
        """
        if self.n_channels > 1:
            raise InputError(
                f"the integrand has {self.n_channels} channels, each with an f of its own",
                key="channels.use",
                hint="point(u, channel) evaluates them",
            )
        shape, u, derived = self._prepare(u, parameters)
        return safe_log(self._total(u, derived)).reshape(shape)

    def _total(self, u: Array, derived: Mapping[str, Array]) -> Array:
        """f at u (dim, events): zero outside the cube."""
        return _sum([self._sample(c, jnp.clip(u, 0.0, 1.0), derived) for c in self.components], u)

    def point(
        self,
        u: Array,
        channel: Array | int = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> Point:
        """Everything about the points u (events, dim) drawn with the channels `channel`.

        channel (events,), or one number for all. map_parameters: of trainable maps; () for fixed
        ones. One channel with subprocesses of different masses: the Jacobian is that of the first.
        """
        del map_parameters
        if not self.single:
            return self.point_at(self.place(u, channel, parameters), channel, parameters)
        _, u, derived = self._prepare(u, parameters)
        sampled = [self._sample(c, jnp.clip(u, 0.0, 1.0), derived) for c in self.components]
        log_total = safe_log(_sum(sampled, u))
        log_jacobian = sampled[0].log_jacobian
        return Point(
            log_f=jnp.where(jnp.isneginf(log_total), -jnp.inf, log_total - log_jacobian),
            log_jacobian=log_jacobian,
            log_prior=jnp.zeros((1, u.shape[-1])),
            features=jnp.zeros((0, u.shape[-1])),
            momenta=sampled[0].lab,
            subprocess=self._log_shares(sampled),
            scales=self._scales(u.shape[-1]),
        )

    def place(
        self, u: Array, channel: Array | int, parameters: Mapping[str, Any] | None = None
    ) -> Placed:
        """Where the points u (events, dim) of several channels lie."""
        _, u, derived = self._prepare(u, parameters)
        inside = jnp.all((u >= 0) & (u <= 1), axis=0)
        final, log_jacobian = momenta_of(jnp.clip(u, 0.0, 1.0), channel, self._setup(derived))
        return Placed(final, jnp.where(inside, log_jacobian, -jnp.inf))

    def point_at(
        self, placed: Placed, channel: Array | int, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        """Everything about points that `place` has placed."""
        values = values_at(placed.final, channel, self._setup(self._derived(parameters)))
        is_open = ~jnp.isneginf(placed.log_jacobian)  # NaN is an error, to be counted
        log_f = jnp.where(is_open, safe_log(values.total), -jnp.inf)
        return Point(
            log_f=log_f,
            log_jacobian=jnp.where(is_open, placed.log_jacobian, 0.0),
            log_prior=values.log_prior,
            features=values.features,
            momenta=values.lab,
            subprocess=log_shares(values.shares),
            scales=self._scales(placed.final.shape[-1]),
        )

    def _setup(self, derived: Mapping[str, Array]) -> Setup:
        collisions = [self._collision(component, derived) for component in self.components]
        return Setup(self.components, collisions, derived, self.n_initial, len(self.topologies))

    def _scales(self, n_events: int) -> Array:
        scales = jnp.array([[self.renormalization_scale], [self.factorization_scale]])
        return jnp.broadcast_to(scales, (2, n_events))

    def _log_shares(self, sampled: list[Sampled]) -> Array:
        shares = [jnp.zeros(0)] * len(self.topologies)
        for component, values in zip(self.components, sampled, strict=True):
            weights = values.values * jnp.exp(values.log_jacobian)
            for term, weight in zip(component.terms, weights, strict=True):
                for number in term.subprocesses:
                    shares[number] = weight / len(term.subprocesses)
        return log_shares(jnp.stack(shares))

    def _prepare(
        self, u: Array, parameters: Mapping[str, Any] | None
    ) -> tuple[tuple[int, ...], Array, dict[str, Any]]:
        """The shape of the result, u as (dim, events), and derived parameters."""
        u = jnp.asarray(u, dtype=jnp.float64)
        if u.ndim == 0 or u.shape[-1] != self.dim:
            raise InputError("u has the wrong shape", found=u.shape, allowed=f"(..., {self.dim})")
        return u.shape[:-1], u.reshape(-1, self.dim).T, self._derived(parameters)

    def _derived(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """The derived parameters, with external ones replaced."""
        return self.model.derive(self._with_external(parameters)) if parameters else self.derived

    def _with_external(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.model.parameters(parameters)  # refuses unknown names
        return {**self.external, **parameters}

    def _collision(self, component: Component, derived: Mapping[str, Array]) -> Collision:
        return component.collision(self.beam_energies, derived)

    def _sample(self, component: Component, u: Array, derived: Mapping[str, Array]) -> Sampled:
        collision = self._collision(component, derived)
        kinematics = component.kinematics(collision, derived, self.n_initial)
        return self._at(component, *component.mapping.forward(u, kinematics), derived)

    def _at(
        self, component: Component, final: Array, log_jacobian: Array, derived: Mapping[str, Array]
    ) -> Sampled:
        """The component at final momenta (n_final, 4, events) in the rest frame."""
        collision = self._collision(component, derived)
        momenta = with_beams(collision.incoming, final)
        frame = component.frame(collision, derived, self.n_initial)
        lab = in_lab(collision, final, frame.masses)
        values = [term.value(momenta, frame, derived) for term in component.terms]
        return Sampled(momenta, lab, log_jacobian, collision.factor * jnp.stack(values))

    # -- momenta --------------------------------------------------------------------------------

    def incoming(self, subprocess: int = 0) -> Array:
        """Lab momenta (n_initial, 4) in GeV of the beams or the decaying particle."""
        component = self.components[self._component_of(subprocess)]
        return self._collision(component, self.derived).lab

    def momenta(self, u: Array, channel: int = 0, subprocess: int = 0) -> Array:
        """Momenta (..., n_external, 4) in GeV at u (..., dim), lab frame, first beam along +z.

        subprocess: its masses, with one channel; one of several channels has its own.
        """
        shape, u, derived = self._prepare(u, None)
        component, mapping = self._map_of(channel, subprocess)
        collision = self._collision(component, derived)
        kinematics = component.kinematics(collision, derived, self.n_initial)
        final, _ = mapping.forward(u, kinematics)
        lab = in_lab(collision, final, kinematics.masses)
        return jnp.moveaxis(lab, -1, 0).reshape(*shape, *lab.shape[:2])

    def unit_cube(self, momenta: Array, channel: Array | int = 0, subprocess: int = 0) -> Array:
        """u (..., dim) of lab momenta (..., n_external, 4): the inverse map.

        Outside of the cube (or not finite) for momenta that the map does not reach. channel: one
        for each of the momenta (events, n_external, 4) of a subprocess, or one number for all.
        subprocess: as in `momenta`.
        """
        derived = self._derived(None)
        number = self._component_of(subprocess)
        if isinstance(channel, int):
            number = self._row(channel, subprocess).component
        component = self.components[number]
        collision = self._collision(component, derived)
        shape, rest = self._at_rest(momenta, component)
        if self.single:
            kinematics = component.kinematics(collision, derived, self.n_initial)
            u, log_jacobian = component.mapping.inverse(rest, kinematics)
        else:
            u, log_jacobian = points_of(rest, channel, self._setup(derived))
        u = jnp.where(jnp.isposinf(log_jacobian), jnp.nan, u)  # beyond its windows and cuts
        return u.T.reshape(*shape, self.dim)

    def log_prior(self, momenta: Array, subprocess: int = 0) -> Array:
        """log alpha (n_channels, ...) before any training at lab momenta (..., n_external, 4).

        -inf for the channels of other components than that of the subprocess.
        """
        derived = self._derived(None)
        number = self._component_of(subprocess)
        shape, rest = self._at_rest(momenta, self.components[number])
        first = next(i for i, row in enumerate(rows(self.components)) if row.component == number)
        values = values_at(rest, first, self._setup(derived))
        return values.log_prior.reshape(-1, *shape)

    def _at_rest(self, momenta: Array, component: Component) -> tuple[tuple[int, ...], Array]:
        """The shape of the events of lab momenta (..., n_external, 4), and the final momenta in the
        rest frame (n_final, 4, events)."""
        momenta = jnp.asarray(momenta, dtype=jnp.float64)
        lab = jnp.moveaxis(momenta.reshape(-1, *momenta.shape[-2:]), 0, -1)[self.n_initial :]
        collision = self._collision(component, self.derived)
        masses, rapidity = component.frame(collision, self.derived, self.n_initial)
        return momenta.shape[:-2], boost_z(lab, masses, -rapidity)

    def _map_of(self, channel: int, subprocess: int) -> tuple[Component, PhaseSpaceMap]:
        number, local = self._row(channel, subprocess)
        component = self.components[number]
        return component, component.mapping if self.single else component.channels[local].mapping

    def _row(self, channel: int, subprocess: int) -> Row:
        if not 0 <= channel < self.n_channels:
            raise InputError(
                "no such channel", found=channel, allowed=f"0 to {self.n_channels - 1}"
            )
        if self.single:
            return Row(self._component_of(subprocess), 0)
        return rows(self.components)[channel]

    def _component_of(self, subprocess: int) -> int:
        for number, component in enumerate(self.components):
            if any(subprocess in term.subprocesses for term in component.terms):
                return number
        raise InputError(
            "no such subprocess", found=subprocess, allowed=f"0 to {len(self.topologies) - 1}"
        )

    # -- events ---------------------------------------------------------------------------------

    @property
    def draw_needs_amplitudes(self) -> bool:
        """Whether draw_events evaluates f: to choose among subprocesses or colour flows."""
        terms = [term for component in self.components for term in component.terms]
        return len(terms) > 1 or len(terms[0].element.flow_numbers) > 1

    def draw_events(self, u: Array, key: Array, channel: Array | int = 0) -> dict[str, Array]:
        """The events at u (events, dim) of channels (events,): momenta; drawn with the key:
        subprocess, colour flow.

        Subprocesses are drawn in proportion to their part of f, colour flows in proportion to their
        squared partial amplitudes.
        """
        if not self.single:
            return self.draw_at(self.place(u, channel), key, channel)
        _, u, derived = self._prepare(u, None)
        return self._draw([self._sample(c, u, derived) for c in self.components], key)

    def draw_at(self, placed: Placed, key: Array, channel: Array | int) -> dict[str, Array]:
        """The events at points that `place` has placed."""
        owner = jnp.array([row.component for row in rows(self.components)])[channel]
        sampled = []
        for number, component in enumerate(self.components):
            made = self._at(component, *placed, self.derived)
            values = jnp.where(owner == number, made.values, 0.0)
            sampled.append(made._replace(values=values))
        return self._draw(sampled, key)

    def _draw(self, sampled: list[Sampled], key: Array) -> dict[str, Array]:
        """Events out of every component at the same points."""
        lab, subprocess, flow = draw_among(self.components, sampled, self.derived, key)
        ones = jnp.ones(lab.shape[-1])
        return {
            "momenta": jnp.moveaxis(lab, -1, 0),
            "topology": subprocess,
            "flow": flow,
            "scale": self.factorization_scale * ones,
            "aqed": ones / self.derived["aEWM1"],
            "aqcd": ones * self.derived["aS"],
        }


def _sum(sampled: list[Sampled], u: Array) -> Array:
    """f (events,) at u (dim, events) of all components: zero outside the cube."""
    total = jnp.zeros(u.shape[-1])
    for made in sampled:
        open_ = ~jnp.isneginf(made.log_jacobian)
        jacobian = jnp.where(open_, jnp.exp(jnp.where(open_, made.log_jacobian, 0.0)), 0.0)
        total = total + jacobian * made.values.sum(axis=0)
    return jnp.where(jnp.all((u >= 0) & (u <= 1), axis=0), total, 0.0)
