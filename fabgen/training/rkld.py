"""Reverse Kullback-Leibler divergence, E_q[log(q/p)], in latent space and in data space."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from fabgen.training.inverse import Inverse
from fabgen.training.madnis import Madnis, Terms


class ReverseKl(Inverse):
    """<-log(f/q)>, with the gradient taken through f."""

    score = 1.0

    def divergence(self, log_w: Array, usable: Array, channel: Array) -> Array:
        del usable, channel
        return -log_w


class ForwardReverseKl(Madnis):
    """The same at fixed points u ~ q_old, weighted by q/q_old: no gradient of f is needed.

    Eq. 29 of Differentiable MadNIS-Lite; of several channels the divergence of the mixture with
    shares a_i = I_i/I: sum_i a_i <(q_i/q_old) log(a_i q_i / p_i)>, less a_i times the score, since
    the gradient of q log q is (1 + log q) grad q.
    """

    def divergence(self, terms: Terms, integrals: Array, deviations: Array) -> Array:
        del deviations
        share = jnp.maximum(integrals, jnp.finfo(integrals.dtype).tiny)
        log_ratio = jnp.log(share)[terms.channel] + terms.log_q - terms.log_p
        ratio = jnp.exp(terms.log_q - terms.log_q_old)
        return jnp.sum(share * (terms.mean(ratio * log_ratio) - terms.score()))
