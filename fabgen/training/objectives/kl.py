"""The weighted forward Kullback-Leibler divergence of MadNIS, for any number of channels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.training.objectives.madnis import Madnis, Terms


class WeightedKl(Madnis):
    """KL of (channel, point) under p_i(x)/I from the mixture a_i q_i(x), with a_i = I_i/I.

    sum_i (I_i/I) KL(p_i/I_i || q_i), the divergence of eq. 73 of MadNIS with weights a_i = I_i/I.
    """

    def divergence(self, terms: Terms, integrals: Array, deviations: Array) -> Array:
        """sum_i <v (log p - log a_i - log q)>_i, v = p/q_old in units of I.

        With a_i fixed the gradient in q_i and alpha_i is that of the divergence: in a_i it has
        its minimum at I_i/I. No gradient is taken of log p: it would be sum_i <v grad log alpha_i>,
        which is zero since the alpha_i add up to 1, but where one channel rarely goes its samples
        miss that, and its weight runs away. I_i/I times the score leaves the gradient
        -<(v - (I_i/I) q/q_old) grad log q>.
        """
        del deviations
        log_share = jnp.log(jnp.maximum(integrals, jnp.finfo(integrals.dtype).tiny))
        log_p = jax.lax.stop_gradient(terms.log_p)
        v = jnp.exp(terms.log_p - terms.log_q_old)
        divergence = terms.mean(v * (log_p - log_share[terms.channel] - terms.log_q))
        return jnp.sum(divergence + integrals * terms.score())
