"""Several channels: a density q_i each, and their weights alpha_i.

A point u ~ q_i of channel i has the weight alpha_i f_i / q_i with log f_i = log f + log(Jacobian of
channel i). How many points a channel has is up to whoever draws them (`sampling`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float64, Int, PRNGKeyArray

from fabgen.arrays import ChannelNumbers
from fabgen.dispatch import dispatch
from fabgen.integrand.point import Point
from fabgen.surrogate.base import Params, Surrogate
from fabgen.surrogate.channel_weights import ChannelLayout, ChannelWeights
from fabgen.surrogate.flow.flow import Flow
from fabgen.surrogate.gaussians import Gaussians
from fabgen.surrogate.uniform import Uniform
from fabgen.surrogate.vegas.axis_grid import from_grid, to_grid, uniform_grid

#: Channels are indices into the parameters here.
_dispatch = functools.partial(dispatch, side_by_side=True)


class MultiChannelParams(NamedTuple):
    """density: of the flows, with a first axis of flows unless one is conditioned on the channel.

    weights: of the network of the channel weights, () without one. grid (n_channels, dim,
    bins + 1): a fixed map of each axis behind the flow, () without one. factors (n_channels,):
    beta_i, what the prior weights are multiplied with before they are normalized; 0 for dropped
    channels. No gradient trains the last two.
    """

    density: Params
    weights: Params
    grid: Float[Array, "n_channels dim borders"] | tuple[()]
    factors: Float[Array, " n_channels"]


@dataclass(frozen=True)
class MultiChannel:
    """A static description, as a Surrogate; its arrays are MultiChannelParams.

    density: of one channel. conditioned: one flow for all channels that gets the channel as a
    context (n_context = n_channels); else flow_of[i] is the number of the flow of channel i, so
    that channels that mirror each other can share one. weights: None keeps the prior. grid_bins: of
    the fixed maps of VEGAS pre-training, 0 for none. drop_below: a training drops channels with a
    smaller share of the integral.
    """

    density: Surrogate
    layout: ChannelLayout
    flow_of: tuple[int, ...]
    conditioned: bool = False
    weights: ChannelWeights | None = None
    grid_bins: int = 0
    drop_below: float = field(default=0.0, compare=False)  # draws the same points

    @property
    def dim(self) -> int:
        return self.density.dim

    @property
    def n_channels(self) -> int:
        return self.layout.n_channels

    @property
    def is_flat(self) -> bool:
        """Whether q_i is 1 in every channel."""
        return isinstance(self.density, Uniform) and not self.grid_bins

    def init(self, key: PRNGKeyArray) -> MultiChannelParams:
        density_key, weights_key = jax.random.split(key)
        n = self.n_channels
        if self.conditioned:
            density = self.density.init(density_key)
        else:
            keys = jax.random.split(density_key, max(self.flow_of) + 1)
            density = jax.vmap(self.density.init)(keys)
        grid: Float[Array, "n_channels dim borders"] | tuple[()] = ()
        if self.grid_bins:
            borders = uniform_grid(self.dim, self.grid_bins)
            grid = jnp.broadcast_to(borders, (n, *borders.shape))
        return MultiChannelParams(
            density,
            self.weights.init(weights_key) if self.weights else (),
            grid,
            jnp.ones(n, jnp.float64),
        )

    def sample_and_log_prob(
        self, params: MultiChannelParams, key: PRNGKeyArray, channel: Int[Array, " n"]
    ) -> tuple[Float64[Array, "n {self.dim}"], Float64[Array, " n"]]:
        """u (n, dim) ~ q_i and log q_i(u) (n,), i = channel (n,)."""
        n = channel.shape[0]
        if self.conditioned:
            assert isinstance(self.density, Flow)
            context = self._context(channel)
            v, log_q = self.density.sample_and_log_prob(params.density, key, n, context)
        elif isinstance(self.density, Flow):
            flow = self.density

            def one(
                i: ChannelNumbers, z: Float[Array, "n dim"]
            ) -> tuple[Float[Array, "n dim"], Float[Array, " n"]]:
                u, log_det = flow.from_base(self._of(params.density, i), z)
                return u, -log_det

            z = jax.random.uniform(key, (n, self.dim), jnp.float64)
            v, log_q = _dispatch(one, channel, self.n_channels, z)
        else:  # a density without parameters
            v, log_q = self.density.sample_and_log_prob((), key, n)
        if not self.grid_bins:
            return v, log_q
        u, log_slope = _dispatch(
            lambda i, v: from_grid(params.grid[i], v), channel, self.n_channels, v
        )
        return u, log_q - log_slope

    def log_prob(
        self,
        params: MultiChannelParams,
        u: Float[Array, "n {self.dim}"],
        channel: ChannelNumbers,
    ) -> Float64[Array, " n"]:
        """log q_i(u) (n,) at u (n, dim), i = channel (n,) or of all."""
        channel = jnp.broadcast_to(jnp.asarray(channel), u.shape[:1])
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        v, log_slope = jnp.where(inside[:, None], u, 0.5), jnp.zeros(u.shape[0])
        if self.grid_bins:
            v, log_slope = _dispatch(
                lambda i, v: to_grid(params.grid[i], v), channel, self.n_channels, v
            )
        if self.conditioned:
            assert isinstance(self.density, Flow)
            log_q = self.density.log_prob(params.density, v, self._context(channel))
        elif isinstance(self.density, Flow):

            def one(i: ChannelNumbers, v: Float[Array, "n dim"]) -> Float[Array, " n"]:
                return self.density.log_prob(self._of(params.density, i), v)

            log_q = _dispatch(one, channel, self.n_channels, v)
        else:
            log_q = self.density.log_prob((), v)
        return jnp.where(inside, log_q + log_slope, -jnp.inf)

    def log_alpha(
        self,
        params: MultiChannelParams,
        log_prior: Float[Array, "{self.layout.width} n"],
        features: Float[Array, "n_features n"],
        channel: ChannelNumbers,
    ) -> Float[Array, " n"]:
        """log alpha (n,) of the own channel of points with a Point's log_prior and features."""
        rows = self.log_alphas(params, log_prior, features, channel)
        return self.layout.select(rows, channel)

    def log_alphas(
        self,
        params: MultiChannelParams,
        log_prior: Float[Array, "{self.layout.width} n"],
        features: Float[Array, "n_features n"],
        channel: ChannelNumbers,
    ) -> Float[Array, "{self.layout.width} n"]:
        """The same of all channels of the component of each point, (layout.width, n)."""
        correction = None
        if self.weights is not None:
            correction = self.weights.correction(params.weights, features)
        factors = jax.lax.stop_gradient(params.factors)
        return self.layout.log_alpha(log_prior, factors, channel, correction)

    def _of(self, stacked: Params, channel: ChannelNumbers) -> Params:
        """The parameters of the flow of one channel."""
        number = jnp.asarray(self.flow_of)[channel]
        return jax.tree.map(lambda leaf: leaf[number], stacked)

    def _context(self, channel: Int[Array, " n"]) -> Float64[Array, "{self.n_channels} n"]:
        """(n_channels, n), ones and zeros."""
        return jax.nn.one_hot(channel, self.n_channels, axis=0, dtype=jnp.float64)


@dataclass(frozen=True)
class OneChannel:
    """Any surrogate of a single channel, with the methods of MultiChannel; alpha = 1."""

    density: Any

    n_channels = 1
    weights = None

    @property
    def dim(self) -> int:
        dim: int = self.density.dim
        return dim

    @property
    def is_flat(self) -> bool:
        return isinstance(self.density, Uniform)

    def init(self, key: PRNGKeyArray) -> Params:
        return self.density.init(key)

    def sample_and_log_prob(
        self, params: Params, key: PRNGKeyArray, channel: Int[Array, " n"]
    ) -> tuple[Float64[Array, "n {self.dim}"], Float64[Array, " n"]]:
        u, log_q = self.density.sample_and_log_prob(params, key, channel.shape[0])
        return u, log_q

    def log_prob(
        self, params: Params, u: Float[Array, "n {self.dim}"], channel: Any
    ) -> Float64[Array, " n"]:
        del channel
        log_q: Float64[Array, " n"] = self.density.log_prob(params, u)
        return log_q

    def log_alpha(
        self,
        params: Params,
        log_prior: Float[Array, "1 n"],
        features: Float[Array, "n_features n"],
        channel: Any,
    ) -> Float[Array, " n"]:
        del params, features, channel
        return jnp.zeros(log_prior.shape[1:])


AnyChannels = MultiChannel | OneChannel | Gaussians


def as_multichannel(surrogate: Any) -> AnyChannels:
    """The surrogate with a channel in every call."""
    several = isinstance(surrogate, MultiChannel | Gaussians)
    return surrogate if several else OneChannel(surrogate)


class ChannelValues(NamedTuple):
    """What f says about points u of their channels; channels or features first, then events.

    log_f (n,): log of |f| times the Jacobian of the own channel, without alpha; sign (n,): of f, 1
    or -1; log_prior (channels of the widest component, n); features (n_features, n).
    """

    log_f: Float[Array, " n"]
    sign: Int[Array, " n"]
    log_prior: Float[Array, "width n"]
    features: Float[Array, "n_features n"]


def channel_values(point: Point) -> ChannelValues:
    """What a surrogate needs of points of an integrand."""
    log_f = point.log_f + point.log_jacobian
    return ChannelValues(log_f, point.sign, point.log_prior, point.features)
