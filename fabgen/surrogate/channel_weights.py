"""Trained channel weights: a correction to the prior (MadNIS, SciPost Phys. 15 (2023) 141, eq. 21).

log alpha_i = log prior_i + network_i(features), normalized by a softmax over the channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Float64, PRNGKeyArray

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


def log_alpha(
    log_prior: Float[Array, "n_channels n"],
    factors: Float[Array, " n_channels"],
    correction: Float[Array, " n_channels #n"] | float = 0.0,
) -> Float[Array, "n_channels n"]:
    """log of the channel weights (n_channels, n); they add up to 1 at every point.

    log_prior (n_channels, n), where -inf stays -inf; factors (n_channels,): of the prior weights, 0
    for dropped channels, whose weight goes to the others in proportion. Where no channel that is
    not dropped has a prior weight, those share alike: f is never lost as long as their densities
    reach the point.
    """
    alive = factors[:, None] > 0.0
    log_factors = jnp.log(jnp.where(alive, factors[:, None], 1.0))
    return log_weights(log_prior + log_factors + correction, alive)
