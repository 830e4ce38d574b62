"""Integrands from a density on the unit cube: no particles, no unit."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray

from fabgen.errors import InputError
from fabgen.integrand.base import Integrand, prior_width
from fabgen.integrand.point import Channels, EventFields, PhaseSpacePoints, Point


class DensityIntegrand(Integrand):
    """A density of one's own: a subclass has `dim` and `log_density`, and can be trained on.

    One with several channels has `component_of_channel` and `evaluate` besides: the point u of the
    cube stands in the place of the momenta (`PhaseSpacePoints.final` is (dim, events)).
    """

    @abc.abstractmethod
    def log_density(
        self, u: ArrayLike, parameters: Mapping[str, Any] | None = None
    ) -> Float[Array, " events"]:
        """log f at u (events, dim), (events,); -inf where f = 0."""

    def map(
        self,
        u: Float[Array, "events {self.dim}"],
        channel: Channels = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> PhaseSpacePoints:
        del parameters, map_parameters
        _, rows = self._rows(u)
        inside = jnp.all((rows >= 0.0) & (rows <= 1.0), axis=1)
        channel = jnp.broadcast_to(jnp.asarray(channel, jnp.int32), inside.shape)
        return PhaseSpacePoints(rows.T, None, channel, jnp.where(inside, 0.0, -jnp.inf))

    def evaluate(
        self, points: PhaseSpacePoints, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        given = (parameters,) if parameters else ()
        return self.at(points, self.log_density(points.final.T, *given))

    def at(
        self,
        points: PhaseSpacePoints,
        log_f: Float[Array, " events"],
        log_prior: Float[Array, "width events"] | None = None,
        features: Float[Array, "n_features events"] | None = None,
    ) -> Point:
        """A Point with log f (events,), log_prior (channels of the widest component, events), by
        default all alike, and features (n_features, events), by default none."""
        inside = ~jnp.isneginf(points.log_jacobian)
        n = inside.shape[0]
        if log_prior is None:
            width = prior_width(self.component_of_channel)
            log_prior = jnp.full((width, n), -jnp.log(width))
        return Point(
            log_f=jnp.where(inside, log_f, -jnp.inf),
            sign=jnp.ones(n, jnp.int8),
            log_jacobian=jnp.where(inside, points.log_jacobian, 0.0),
            log_prior=log_prior,
            features=jnp.zeros((0, n)) if features is None else features,
            momenta=jnp.zeros((0, 4, n)),
            subprocess=jnp.zeros(n, jnp.int32),
            scales=jnp.full((2, n), -1.0),
            alpha_s=jnp.full(n, -1.0),
        )

    def draw(
        self,
        points: PhaseSpacePoints,
        key: PRNGKeyArray,
        parameters: Mapping[str, Any] | None = None,
    ) -> EventFields:
        raise InputError(f"{self!r} has no particles")

    def invert(
        self,
        momenta: Float[Array, "events n_external 4"],
        channel: Channels = 0,
        subprocess: int = 0,
    ) -> Float[Array, "events {self.dim}"]:
        raise InputError(f"{self!r} has no particles")
