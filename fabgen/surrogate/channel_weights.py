"""Trained channel weights: a correction to the prior (MadNIS, SciPost Phys. 15 (2023) 141, eq. 21).

log alpha_i = log prior_i + network_i(features), normalized by a softmax over the channels.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Float64, Int, PRNGKeyArray

from fabgen.arrays import ChannelNumbers
from fabgen.numerics import log_weights
from fabgen.surrogate.base import Params
from fabgen.surrogate.flow.conditioner import apply_perceptron, init_perceptron
from fabgen.surrogate.flow.flow import PRECISIONS


@dataclass(frozen=True)
class ChannelWeights:
    """The network: its last layer is zero at the start, so that training starts from the prior."""

    n_channels: int
    n_features: int
    hidden: tuple[int, ...] = (16, 16)
    precision: str = "float32"

    def init(self, key: PRNGKeyArray) -> Params:
        dtype = PRECISIONS[self.precision]
        return init_perceptron(key, self.n_features, self.n_channels, self.hidden, dtype)

    def correction(
        self, params: Params, features: Float[Array, "{self.n_features} n"]
    ) -> Float64[Array, " {self.n_channels} #n"]:
        """(n_channels, n) of features (n_features, n), which should be of order one."""
        if self.n_features == 0:
            bias: Float[Array, "n_channels 1"] = params[-1].bias
            return bias.astype(jnp.float64)
        h = features.astype(PRECISIONS[self.precision])
        return apply_perceptron(params, h).astype(jnp.float64)


@dataclass(frozen=True)
class ChannelLayout:
    """Which channels share phase space: those of one component, which follow each other.

    component_of_channel (n_channels,): numbers that do not fall. The weights of a point are those
    of the channels of its component, in `width` rows, as many as the widest component has channels.
    """

    component_of_channel: tuple[int, ...] = (0,)

    @property
    def n_channels(self) -> int:
        return len(self.component_of_channel)

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """(n_channels,): channels of the own component."""
        return np.array([self.component_of_channel.count(k) for k in self.component_of_channel])

    @functools.cached_property
    def first(self) -> np.ndarray:
        """(n_channels,): the first channel of the own component."""
        return np.array([self.component_of_channel.index(k) for k in self.component_of_channel])

    @property
    def width(self) -> int:
        return int(self.counts.max())

    def log_alpha(
        self,
        log_prior: Float[Array, "{self.width} n"],
        factors: Float[Array, " {self.n_channels}"],
        channel: ChannelNumbers,
        correction: Float[Array, " {self.n_channels} #n"] | None = None,
    ) -> Float[Array, "{self.width} n"]:
        """log of the channel weights (width, n); they add up to 1 at every point.

        log_prior (width, n), where -inf stays -inf; factors (n_channels,): of the prior weights, 0
        for dropped channels, whose weight goes to the others in proportion; correction (n_channels,
        n): added to their logarithms. channel (n,) of each point. Where no channel that is not
        dropped has a prior weight, those share alike: f is never lost as long as their densities
        reach the point.
        """
        weights = factors[:, None]
        if self.width < self.n_channels:
            places, exists = self._places(channel, log_prior.shape[1])
            weights = jnp.where(exists, factors[places], 0.0)
            if correction is not None:
                correction = jnp.take_along_axis(correction, places, axis=0)
        alive = weights > 0.0
        log_factors = jnp.log(jnp.where(alive, weights, 1.0))
        more = 0.0 if correction is None else correction
        return log_weights(log_prior + log_factors + more, alive)

    def select(
        self, rows: Float[Array, "{self.width} n"], channel: ChannelNumbers
    ) -> Float[Array, " n"]:
        """Those (n,) of the own channel out of rows (width, n)."""
        channel = jnp.asarray(channel)
        number = jnp.broadcast_to(channel - jnp.asarray(self.first)[channel], rows.shape[1:])
        return jnp.take_along_axis(rows, number[None], axis=0)[0]

    def spread(
        self, rows: Float[Array, "{self.n_channels} {self.width}"]
    ) -> Float[Array, "{self.n_channels} {self.n_channels}"]:
        """Of each channel a number for those of its component (n_channels, width), as one for every
        channel (n_channels, n_channels), zero for other components."""
        number = jnp.arange(self.n_channels)
        places, exists = self._places(number, self.n_channels)
        zero = jnp.zeros((self.n_channels, self.n_channels), rows.dtype)
        return zero.at[number, places].add(jnp.where(exists, rows.T, 0.0))

    def _places(
        self, channel: ChannelNumbers, n: int
    ) -> tuple[Int[Array, "{self.width} n"], Bool[Array, "{self.width} n"]]:
        """Channels of the rows (width, n), and whether the component has that many."""
        channel = jnp.broadcast_to(jnp.asarray(channel), (n,))
        rows = jnp.arange(self.width)[:, None]
        places = jnp.asarray(self.first)[channel] + rows
        exists = rows < jnp.asarray(self.counts)[channel]
        return jnp.minimum(places, self.n_channels - 1), exists


#: The layout of one channel, which has all of phase space.
ONE_CHANNEL = ChannelLayout()
