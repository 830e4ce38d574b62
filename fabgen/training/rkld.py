"""Reverse Kullback-Leibler divergence, E_q[log(q/p)], with the gradient taken through f."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.multichannel import in_channels
from fabgen.training.counters import Tally
from fabgen.training.objective import Objective
from fabgen.training.target import (
    Params,
    channels_in_turn,
    clean,
    density_of,
    value_and_gradient,
)


class ReverseKl(Objective):
    """Fresh samples of q for every gradient step, one evaluation of f each.

    Points with f = 0 have an infinite loss: they are left out of the mean and counted
    (`Counters.zero_values`). Points where only the gradient of f is not finite are left out too.
    Of several channels it is the mean of KL(q_i || alpha_i f_i), alpha_i the prior weights.
    """

    def batch(self, memory: tuple[()], key: Array) -> Array:
        del memory
        return key

    def loss(self, params: Params, batch: Array, tally: Tally) -> tuple[Array, tuple[None, Tally]]:
        n = self.options.batch_size
        channel = channels_in_turn(self.target, n)
        u, log_q = in_channels(self.surrogate).sample_and_log_prob(params, batch, channel)
        fixed = jax.lax.stop_gradient(u)
        value, raw = value_and_gradient(density_of(self.target, channel), fixed)
        value, gradient, faults = clean(value, raw)
        # log f as a function of u to first order: the right value and gradient, and reverse mode
        # never enters f (whose values and gradients have been cleaned).
        log_p = value + jnp.sum(gradient * (u - fixed), axis=-1)
        usable = jnp.isfinite(value) & jnp.all(jnp.isfinite(raw), axis=-1) & jnp.isfinite(log_q)
        terms = jnp.where(usable, log_q - jnp.where(usable, log_p, 0.0), 0.0)
        loss = jnp.sum(terms) / jnp.maximum(jnp.sum(usable), 1)
        log_w = jnp.where(jnp.isfinite(value) & jnp.isfinite(log_q), value - log_q, -jnp.inf)
        tally = Tally(
            tally.counters.with_evaluations(n, faults),
            tally.meter.with_weights(jax.lax.stop_gradient(log_w)),
        )
        return loss, (None, tally)
