"""The variance loss of MadNIS, for any number of channels."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from fabgen.training.objectives.madnis import Madnis, Terms
from fabgen.training.stratification import FEWEST_POINTS, SMALLEST_SHARE


class Variance(Madnis):
    """The variance of the integral per point, over I^2; V_i that of alpha_i f_i / q_i.

    stratified: (sum_i sigma_i)^2, for points allotted as sigma_i (MadNIS-Lite, arXiv:2408.01486,
    eq. 14). Else n_channels sum_i V_i, for as many points of each channel (eq. 13).
    """

    def divergence(self, terms: Terms, integrals: Array, deviations: Array) -> Array:
        """sum_i (S / sigma_i) V_i with S and sigma_i from the running deviations.

        Its value is S^2 where the V_i are sigma_i^2, and its gradient there is that of
        (sum_i sigma_i)^2: d sigma_i = d V_i / (2 sigma_i). The root of an estimate of few points
        would be biased; V_i itself is not: for points x_j ~ q_old of one channel, v = p/q_old,

            V_i = <p^2 / (q q_old)> - [(sum v)^2 - sum v^2] / (N_i (N_i - 1)) .

        Not stratified: the number of channels in the place of S / sigma_i. One channel: 1 is both.
        To V_i comes <w^2>_i times the score: the gradient is -<(q/q_old) (w^2 - <w^2>) grad log q>.
        """
        total = jnp.sum(deviations)
        floor = SMALLEST_SHARE * total
        sigma = jnp.maximum(deviations, floor)
        factor = jnp.where(total > 0.0, total / jnp.where(total > 0.0, sigma, 1.0), 1.0)
        if not self.options.madnis.stratified:
            factor = jnp.sum(terms.counts > 0)

        v = jnp.exp(terms.log_p - terms.log_q_old)
        square = terms.mean(jnp.exp(2.0 * terms.log_p - terms.log_q - terms.log_q_old))
        n = terms.counts
        pairs = jnp.maximum(n * (n - 1), 1)
        squared_mean = (terms.sum(v) ** 2 - terms.sum(v**2)) / pairs
        variance = square - squared_mean + (integrals**2 + deviations**2) * terms.score()
        return jnp.sum(jnp.where(n >= FEWEST_POINTS, factor * variance, 0.0))
