"""Reverse Kullback-Leibler divergence, E_q[log(q/p)], in latent space and in data space."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from fabgen.training.objectives.inverse import Inverse
from fabgen.training.objectives.madnis import Madnis, Terms


class ReverseKl(Inverse):
    """<-log(f/q)>, with the gradient taken through f.

    Under cuts it is infinite. Its gradient is that of the mean over f > 0 along moving points
    without the score, and grad P(f = 0): the score over f > 0, which is in the first, is
    -grad P(f = 0) on average.
    """

    score = 1.0
    outside = 2.0

    def divergence(self, log_w: Array, usable: Array, channel: Array) -> Array:
        del usable, channel
        return -log_w


class ForwardReverseKl(Madnis):
    """The same at fixed points u ~ q_old, weighted by q/q_old: no gradient of f is needed.

    Eq. 29 of Differentiable MadNIS-Lite; of several channels the divergence of the mixture with
    shares a_i = I_i/I: sum_i a_i <(q_i/q_old) log(a_i q_i / p_i)>, less a_i times the score, since
    the gradient of q log q is (1 + log q) grad q. Points with f = 0 give a_i grad P_i(f = 0), with
    which the mean over f > 0 has the gradient <(q_i/q_old) (log(a_i q_i / p_i) - 1) grad log q_i>.
    """

    def divergence(self, terms: Terms, integrals: Array, deviations: Array) -> Array:
        del deviations
        share = jnp.maximum(integrals, jnp.finfo(integrals.dtype).tiny)
        log_ratio = jnp.log(share)[terms.channel] + terms.log_q - terms.log_p
        ratio = jnp.exp(terms.log_q - terms.log_q_old)
        scores = 2.0 * terms.score(outside=True) - terms.score()
        return jnp.sum(share * (terms.mean(ratio * log_ratio) + scores))
