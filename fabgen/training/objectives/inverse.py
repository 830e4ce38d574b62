"""Divergences taken in latent space, with the gradient through f at the points of the flow.

Points u = T(z) move with the parameters ("inverse training" in Differentiable MadNIS-Lite,
arXiv:2408.01486, section 3.1): the loss is <F(t)>, t = f/(I q) at u, for F = (t - 1)^2 (variance),
t log t (KL divergence) and -log t (reverse KL divergence).
"""

from __future__ import annotations

import abc
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.channels import as_multichannel
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.base import Objective
from fabgen.training.target import (
    Params,
    Values,
    channels_in_turn,
    density_of,
    value_and_gradient,
)


class Inverse(Objective):
    """Fresh samples of q for every gradient step, one evaluation of f each; a subclass is an F.

    Of several channels it is the mean of the losses of q_i and alpha_i f_i, alpha_i the prior
    weights. Points where only the gradient of f is not finite count as 0 in the mean.

    With training.path_gradient the score, the gradient of log q at fixed points, is subtracted as
    often as it is in the gradient of the loss for t = 1. It is zero on average and all the noise
    that is left at the end (G. Roeder et al., Sticking the Landing, arXiv:1703.09194). It takes one
    more density of the flow.

    Points with f = 0 (counted: `Counters.zero_values`) have no gradient through f. Over the others
    alone the score is not zero on average but grad P(f > 0), so that what is in the loss of it must
    be known: a multiple of grad P(f = 0), the mean of the score over the points with f = 0, is
    added so that their probability falls. What flows through the border of f, the integral of
    F(t) q over it times its speed, is seen by no gradient along moving points; it is neglected,
    which is right where t is 1 there.
    """

    #: How often the score is in the gradient of F(t) at t = 1: -F'(1).
    score: ClassVar[float]
    #: How often grad P(f = 0) is added.
    outside: ClassVar[float]

    def batch(self, memory: tuple[()], key: Array) -> Array:
        del memory
        return key

    def loss(
        self, params: Params, batch: Array, tally: EvaluationStats
    ) -> tuple[Array, tuple[None, EvaluationStats]]:
        n = self.options.batch_size
        channel = channels_in_turn(self.target, n)
        u, log_q = self.sample(params, batch, channel)
        log_f = density_of(self.target, channel)
        values, faults = Values.of(*value_and_gradient(log_f, jax.lax.stop_gradient(u)))
        loss = self.of_values(params, u, log_q, values, channel)
        tally = EvaluationStats(
            tally.counters.with_evaluations(n, faults),
            tally.meter.with_weights(jax.lax.stop_gradient(values.log_weight(log_q))),
        )
        return loss, (None, tally)

    def sample(self, params: Params, key: Array, channel: Array) -> tuple[Array, Array]:
        """u (n, dim) and log q (n,) of the channels (n,)."""
        return as_multichannel(self.surrogate).sample_and_log_prob(params, key, channel)

    def of_values(
        self, params: Params, u: Array, log_q: Array, values: Values, channel: Array
    ) -> Array:
        """The loss of points u = T(z) (n, dim) that move with the parameters, and what f is there
        (constants)."""
        fixed = jax.lax.stop_gradient(u)
        # log f as a function of u to first order: the right value and gradient, and reverse mode
        # never enters f (whose values and gradients have been cleaned).
        log_p = values.log_p + jnp.sum(values.gradient * (u - fixed), axis=-1)
        usable = values.smooth & jnp.isfinite(log_q)
        terms = self.divergence(jnp.where(usable, log_p, 0.0) - log_q, usable, channel)
        loss = jnp.mean(jnp.where(usable, terms, 0.0))
        score = self.score if self.options.path_gradient else 0.0
        if score or self.outside:
            # How often the score of each point is added.
            times = jnp.where(values.zero, self.outside, 0.0) - score
            loss += jnp.any(usable) * self._scores(params, fixed, channel, times, always=score != 0)
        return loss

    def _scores(
        self, params: Params, u: Array, channel: Array, times: Array, *, always: bool
    ) -> Array:
        """0, with the gradient <times grad log q> at fixed points; without always the density is
        spared where all are 0."""

        def mean(params: Params) -> Array:
            log_q = as_multichannel(self.surrogate).log_prob(params, u, channel)
            return jnp.mean(jnp.where(jnp.isfinite(log_q), times * log_q, 0.0))

        if always:
            found = mean(params)
        else:
            found = jax.lax.cond(jnp.any(times != 0.0), mean, lambda _: jnp.zeros(()), params)
        return found - jax.lax.stop_gradient(found)

    @abc.abstractmethod
    def divergence(self, log_w: Array, usable: Array, channel: Array) -> Array:
        """F (n,) from log(f/q) (n,); what it is for points that are not usable does not matter."""

    def _log_relative(self, log_w: Array, usable: Array, channel: Array) -> Array:
        """log t (n,): I is the mean weight of the batch, channel by channel, a constant."""
        kept = jnp.where(usable, jax.lax.stop_gradient(log_w), -jnp.inf)
        top = jnp.max(kept)
        unit = jnp.where(jnp.isfinite(top), top, 0.0)
        sums = jax.ops.segment_sum(jnp.exp(kept - unit), channel, self.target.n_channels)
        counts = jnp.bincount(channel, length=self.target.n_channels)
        mean = sums / jnp.maximum(counts, 1)
        log_mean = unit + jnp.log(jnp.where(mean > 0.0, mean, 1.0))
        return jnp.where(usable, log_w - log_mean[channel], 0.0)


class InverseVariance(Inverse):
    """<(t - 1)^2> in latent space; points with f = 0 have the value 1."""

    score = 0.0
    outside = 1.0

    def divergence(self, log_w: Array, usable: Array, channel: Array) -> Array:
        return (jnp.exp(self._log_relative(log_w, usable, channel)) - 1.0) ** 2


class InverseKl(Inverse):
    """<t log t> in latent space; points with f = 0 have the value 0."""

    score = -1.0
    outside = 0.0

    def divergence(self, log_w: Array, usable: Array, channel: Array) -> Array:
        log_t = self._log_relative(log_w, usable, channel)
        return jnp.exp(log_t) * log_t
