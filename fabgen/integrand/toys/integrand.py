"""A toy as an integrand of one or several channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray

from fabgen.errors import InputError
from fabgen.integrand.base import Integrand, one_line
from fabgen.integrand.point import Channels, EventFields, PhaseSpacePoints, Point
from fabgen.integrand.toys.densities import SampledDensity, ToyDensity
from fabgen.integrand.toys.maps import OfEach, Points, ToyMap
from fabgen.numerics import log_weights


@dataclasses.dataclass(frozen=True)
class ToyChannel:
    """map: the name of the map; prior: of the map whose density enters the prior weights."""

    map: str
    prior: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ToyIntegrand(Integrand):
    """f(x) |dx/du| of a density in closed form: no particles, no unit, integral 1.

    prior: "flat", all channels alike, or "densities", alpha_i = g_i / sum_j g_j with the densities
    of the channels' maps.
    """

    name: str
    density: ToyDensity
    channels: tuple[ToyChannel, ...]
    prior: str = "densities"

    def __repr__(self) -> str:
        return one_line(self, {}, self.name)

    @property
    def dim(self) -> int:
        return self.density.dim

    @property
    def component_of_channel(self) -> tuple[int, ...]:
        return (0,) * len(self.channels)

    @property
    def n_features(self) -> int:
        """Numbers that trained channel weights look at; none for one channel."""
        return self.density.dim if self.n_channels > 1 else 0

    @property
    def parameters(self) -> dict[str, float | int]:
        known: dict[str, float | int] = dataclasses.asdict(self.density)  # type: ignore[call-overload]
        return known

    def map(
        self,
        u: Float[Array, "events {self.dim}"],
        channel: Channels = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> PhaseSpacePoints:
        """x (dim, events) at the points u (events, dim)."""
        del map_parameters
        _, rows = self._rows(u)
        x, log_jacobian = self._forward(self._with(parameters), rows.T, channel)
        inside = jnp.all((rows >= 0.0) & (rows <= 1.0), axis=1)
        channel = jnp.broadcast_to(jnp.asarray(channel, jnp.int32), inside.shape)
        return PhaseSpacePoints(x, None, channel, jnp.where(inside, log_jacobian, -jnp.inf))

    def evaluate(
        self, points: PhaseSpacePoints, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        there = self._at(self._with(parameters), points.final)
        inside = ~jnp.isneginf(points.log_jacobian)
        return there._replace(
            log_f=jnp.where(inside, there.log_f, -jnp.inf),
            log_jacobian=jnp.where(inside, points.log_jacobian, 0.0),
        )

    def at(self, x: ArrayLike) -> Point:
        """The points x (events, dim) themselves, of no channel: log_jacobian is 0."""
        return self._at(self.density, jnp.asarray(x, jnp.float64).T)

    def _at(self, density: ToyDensity, x: Points) -> Point:
        n_events = x.shape[1]
        return Point(
            log_f=density.log_density(x),
            sign=jnp.ones(n_events, jnp.int8),
            log_jacobian=jnp.zeros(n_events),
            log_prior=self._log_prior(density.maps(), x),
            features=density.features(x)[: self.n_features],
            momenta=jnp.zeros((0, 4, n_events)),
            subprocess=jnp.zeros(n_events, jnp.int32),
            scales=jnp.full((2, n_events), -1.0),
            alpha_s=jnp.full(n_events, -1.0),
        )

    def space(self, u: ArrayLike, channel: Channels = 0) -> Float[Array, "events {self.dim}"]:
        """x (events, dim) at u (events, dim)."""
        return self._forward(self.density, jnp.asarray(u, jnp.float64).T, channel)[0].T

    @property
    def has_exact_events(self) -> bool:
        """Whether `exact_events` draws some: of one channel, of a density that draws its points."""
        return self.n_channels == 1 and isinstance(self.density, SampledDensity)

    def exact_events(self, key: PRNGKeyArray, n: int) -> Float[Array, "{n} {self.dim}"]:
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

    def _forward(self, density: ToyDensity, u: Points, channel: Channels) -> tuple[Points, OfEach]:
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

    def _log_prior(
        self, known: Mapping[str, ToyMap], x: Points
    ) -> Float[Array, "{self.n_channels} events"]:
        if self.prior == "flat":
            return jnp.full((self.n_channels, x.shape[1]), -jnp.log(self.n_channels))
        log_g = jnp.stack([known[c.prior].log_density(x) for c in self.channels])
        # No channel reaches a point that rounding put beyond the last border: any weights will do.
        return log_weights(log_g)

    # -- what a toy does not have ---------------------------------------------------------------

    def draw(
        self,
        points: PhaseSpacePoints,
        key: PRNGKeyArray,
        parameters: Mapping[str, Any] | None = None,
    ) -> EventFields:
        raise self._no_particles()

    def invert(
        self,
        momenta: Float[Array, "events n_external 4"],
        channel: Channels = 0,
        subprocess: int = 0,
    ) -> Float[Array, "events {self.dim}"]:
        raise self._no_particles()

    def momenta(self, u: ArrayLike, channel: Channels = 0) -> Float[Array, "*shape n_external 4"]:
        raise self._no_particles()

    def incoming(self, subprocess: int = 0) -> Float[Array, "{self.n_initial} 4"]:
        raise self._no_particles()

    def _no_particles(self) -> InputError:
        return InputError(
            "a toy has no particles, so it has no events",
            key="process",
            found=f"toy:{self.name}",
            allowed="fabgen train, integrate or plot",
        )
