"""A mixture of Gaussians in normal coordinates x = Phi^-1(u), where the cube is a normal density.

A component with mean 0 and covariance 1 is the uniform density, one that is narrow along some of
the axes only is uniform along the others, and no component reaches out of the cube. Of several
channels each has its own shares of the components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Float, Float64, Int, PRNGKeyArray

from fabgen.arrays import ChannelNumbers
from fabgen.surrogate.channel_weights import ONE_CHANNEL, ChannelLayout

#: Of u from both faces: the double below 1 is 1 - 1.1e-16.
_LEAST = 1.2e-16


class GaussiansParams(NamedTuple):
    """mean (components, dim) and lower triangular factor (components, dim, dim) of the covariances,
    in x; log_share (n_channels, components): logarithms of the shares, -inf for none."""

    mean: Float[Array, "components dim"]
    factor: Float[Array, "components dim dim"]
    log_share: Float[Array, "n_channels components"]


@dataclass(frozen=True)
class Gaussians:
    """A static description with the methods of a MultiChannel; its arrays are GaussiansParams.

    No training makes it: its channels have the weights that they have before any.
    """

    dim: int
    components: int
    layout: ChannelLayout = ONE_CHANNEL

    weights = None
    is_flat = False

    @property
    def n_channels(self) -> int:
        return self.layout.n_channels

    def init(self, key: PRNGKeyArray) -> GaussiansParams:
        """All components uniform."""
        del key
        n = self.components
        return GaussiansParams(
            jnp.zeros((n, self.dim)),
            jnp.broadcast_to(jnp.eye(self.dim), (n, self.dim, self.dim)),
            jnp.full((self.n_channels, n), -math.log(n)),
        )

    def sample_and_log_prob(
        self, params: GaussiansParams, key: PRNGKeyArray, channel: Int[Array, " n"]
    ) -> tuple[Float64[Array, "n {self.dim}"], Float64[Array, " n"]]:
        """u (n, dim) ~ q_i and log q_i(u) (n,), i = channel (n,)."""
        key, key_component = jax.random.split(key)
        number = jax.random.categorical(key_component, params.log_share[channel])
        z = jax.random.normal(key, (channel.shape[0], self.dim), jnp.float64)
        x = params.mean[number] + jnp.sum(params.factor[number] * z[:, None], axis=2)
        return cube_point(x), self._log_prob(params, x, channel)

    def log_prob(
        self,
        params: GaussiansParams,
        u: Float[Array, "n {self.dim}"],
        channel: ChannelNumbers,
    ) -> Float64[Array, " n"]:
        """log q_i(u) (n,) at u (n, dim), i = channel (n,) or of all."""
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        log_q = self._log_prob(params, normal_point(u), channel)
        return jnp.where(inside, log_q, -jnp.inf)

    def log_alpha(
        self,
        params: GaussiansParams,
        log_prior: Float[Array, "{self.layout.width} n"],
        features: Float[Array, "n_features n"],
        channel: ChannelNumbers,
    ) -> Float[Array, " n"]:
        """log alpha (n,) of the own channel, of a Point's log_prior: before training."""
        del params, features
        rows = self.layout.log_alpha(log_prior, jnp.ones(self.n_channels), channel)
        return self.layout.select(rows, channel)

    def _log_prob(
        self,
        params: GaussiansParams,
        x: Float[Array, "n {self.dim}"],
        channel: ChannelNumbers,
    ) -> Float64[Array, " n"]:
        """log q (n,) at normal coordinates x (n, dim)."""

        def add(
            total: Float[Array, " n"],
            component: tuple[
                Float[Array, " dim"], Float[Array, "dim dim"], Float[Array, " n_channels"]
            ],
        ) -> tuple[Float[Array, " n"], None]:
            mean, inverse, log_share = component
            z = (x - mean) @ inverse.T
            log_q = log_normal(z) + jnp.log(jnp.diagonal(inverse)).sum() + log_share[channel]
            return jnp.logaddexp(total, log_q), None

        start = jnp.full(x.shape[0], -jnp.inf)
        identity = jnp.broadcast_to(jnp.eye(self.dim), params.factor.shape)
        inverse = jax.scipy.linalg.solve_triangular(params.factor, identity, lower=True)
        parts = params.mean, inverse, params.log_share.T
        return jax.lax.scan(add, start, parts)[0] - log_normal(x)


def cube_point(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """u of normal coordinates x."""
    return jnp.clip(ndtr(x), _LEAST, 1.0 - _LEAST)


def normal_point(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Normal coordinates x of u."""
    return ndtri(jnp.clip(u, _LEAST, 1.0 - _LEAST))


def log_normal(x: Float[Array, "*n dim"]) -> Float[Array, "*n"]:
    """log of the standard normal density at x (..., dim)."""
    return -0.5 * jnp.sum(x**2, axis=-1) - 0.5 * x.shape[-1] * math.log(2.0 * math.pi)
