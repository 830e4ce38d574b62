"""A toy as an integrand of one or several channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from fabgen.errors import InputError
from fabgen.integrand.base import one_line
from fabgen.integrand.point import Placed, Point
from fabgen.integrand.toys.densities import SampledDensity, ToyDensity
from fabgen.integrand.toys.maps import ToyMap
from fabgen.numerics import log_weights
from fabgen.process.event_topology import EventTopology


@dataclasses.dataclass(frozen=True)
class ToyChannel:
    """map: the name of the map; prior: of the map whose density enters the prior weights."""

    map: str
    prior: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ToyIntegrand:
    """f(x) |dx/du| of a density in closed form: no particles, no unit, integral 1.

    prior: "flat", all channels alike, or "densities", alpha_i = g_i / sum_j g_j with the densities
    of the channels' maps.
    """

    name: str
    density: ToyDensity
    channels: tuple[ToyChannel, ...]
    prior: str = "densities"

    n_initial = 0
    unit = "none"
    notes: tuple[str, ...] = ()
    draw_needs_amplitudes = False
    topologies: tuple[EventTopology, ...] = ()
    beam_particles: tuple[int, ...] = ()
    beam_energies: tuple[float, ...] = ()
    masses: Mapping[int, float] = dataclasses.field(default_factory=dict)
    widths: Mapping[int, float] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        return one_line(self, {}, self.name)

    @property
    def dim(self) -> int:
        return self.density.dim

    @property
    def n_channels(self) -> int:
        return len(self.channels)

    @property
    def representative_channel(self) -> tuple[int, ...]:
        return tuple(range(self.n_channels))

    @property
    def component_of_channel(self) -> tuple[int, ...]:
        return (0,) * self.n_channels

    @property
    def n_features(self) -> int:
        return self.density.dim

    @property
    def parameters(self) -> dict[str, float]:
        return dataclasses.asdict(self.density)  # type: ignore[call-overload]

    def log_density(self, u: Array, parameters: Mapping[str, Any] | None = None) -> Array:
        """log f at u (..., dim) of the only channel."""
        if self.n_channels > 1:
            raise InputError(
                f"{self.name} has {self.n_channels} channels, each with an f of its own",
                key="channels.maps",
                allowed="one channel; or point(u, channel)",
            )
        u = jnp.asarray(u, jnp.float64)
        point = self.point(u.reshape(-1, self.dim), 0, parameters)
        return (point.log_f + point.log_jacobian).reshape(u.shape[:-1])

    def point(
        self,
        u: Array,
        channel: Array | int = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> Point:
        """Everything about the points u (events, dim) drawn with the channels `channel`."""
        del map_parameters
        return self.point_at(self.place(u, channel, parameters), channel, parameters)

    def place(
        self, u: Array, channel: Array | int, parameters: Mapping[str, Any] | None = None
    ) -> Placed:
        """x (dim, events) at the points u (events, dim), as the `final` of any integrand."""
        u = jnp.asarray(u, jnp.float64).T
        x, log_jacobian = self._forward(self._with(parameters), u, channel)
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=0)
        return Placed(x, jnp.where(inside, log_jacobian, -jnp.inf))

    def point_at(
        self, placed: Placed, channel: Array | int, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        """Everything about points that `place` has placed."""
        del channel
        there = self._at(self._with(parameters), placed.final)
        inside = ~jnp.isneginf(placed.log_jacobian)
        return there._replace(
            log_f=jnp.where(inside, there.log_f, -jnp.inf),
            log_jacobian=jnp.where(inside, placed.log_jacobian, 0.0),
        )

    def at(self, x: Array) -> Point:
        """The points x (events, dim) themselves, of no channel: log_jacobian is 0."""
        return self._at(self.density, jnp.asarray(x, jnp.float64).T)

    def _at(self, density: ToyDensity, x: Array) -> Point:
        n_events = x.shape[1]
        return Point(
            log_f=density.log_density(x),
            log_jacobian=jnp.zeros(n_events),
            log_prior=self._log_prior(density.maps(), x),
            features=density.features(x),
            momenta=jnp.zeros((0, 4, n_events)),
            subprocess=jnp.zeros((0, n_events)),
            scales=jnp.full((2, n_events), -1.0),
        )

    def space(self, u: Array, channel: Array | int = 0) -> Array:
        """x (events, dim) at u (events, dim)."""
        return self._forward(self.density, jnp.asarray(u, jnp.float64).T, channel)[0].T

    @property
    def has_exact_events(self) -> bool:
        """Whether `exact_events` draws some: of one channel, of a density that draws its points."""
        return self.n_channels == 1 and isinstance(self.density, SampledDensity)

    def exact_events(self, key: Array, n: int) -> Array:
        """u (n, dim) in the cube of the only channel: n independent points of f |dx/du| itself."""
        if self.n_channels > 1 or not isinstance(self.density, SampledDensity):
            raise InputError(
                f"{self.name} does not draw exact events in {self.n_channels} channels",
                key="process",
                found=f"toy:{self.name}",
                allowed="toy:modes or toy:ridge, of one channel",
            )
        own = self.density.maps()[self.channels[0].map]
        return own.inverse(self.density.sample(key, n)).T

    def _with(self, parameters: Mapping[str, Any] | None) -> ToyDensity:
        for name in self.density.whole:
            if name in (parameters or {}):
                raise InputError(
                    "the shape of the points depends on this parameter: it cannot be replaced",
                    key=f"parameters.{name}",
                    allowed="an integrand built with another value",
                )
        return dataclasses.replace(self.density, **(parameters or {}))  # type: ignore[type-var]

    def _forward(self, density: ToyDensity, u: Array, channel: Array | int) -> tuple[Array, Array]:
        """x (dim, events) and log|dx/du|. Maps this cheap all run at all points."""
        u = jnp.clip(u, 0.0, 1.0)
        known = density.maps()
        channel = jnp.broadcast_to(jnp.asarray(channel), u.shape[1:])
        x, log_g = jnp.zeros_like(u), jnp.zeros(u.shape[1:])
        for number, own in enumerate(self.channels):
            here = known[own.map].forward(u)
            x = jnp.where(channel == number, here, x)
            log_g = jnp.where(channel == number, known[own.map].log_density(here), log_g)
        return x, -log_g

    def _log_prior(self, known: Mapping[str, ToyMap], x: Array) -> Array:
        if self.prior == "flat":
            return jnp.full((self.n_channels, x.shape[1]), -jnp.log(self.n_channels))
        log_g = jnp.stack([known[c.prior].log_density(x) for c in self.channels])
        # No channel reaches a point that rounding put beyond the last border: any weights will do.
        return log_weights(log_g)

    # -- what a toy does not have ---------------------------------------------------------------

    def incoming(self, subprocess: int = 0) -> Array:
        raise self._no_particles()

    def momenta(self, u: Array, channel: int = 0, subprocess: int = 0) -> Array:
        raise self._no_particles()

    def unit_cube(self, momenta: Array, channel: Array | int = 0, subprocess: int = 0) -> Array:
        raise self._no_particles()

    def draw_events(self, u: Array, key: Array, channel: Array | int = 0) -> dict[str, Array]:
        raise self._no_particles()

    def draw_at(self, placed: Placed, key: Array, channel: Array | int) -> dict[str, Array]:
        raise self._no_particles()

    def _no_particles(self) -> InputError:
        return InputError(
            "a toy has no particles, so it has no events",
            key="process",
            found=f"toy:{self.name}",
            allowed="fabgen train, integrate or plot",
        )
