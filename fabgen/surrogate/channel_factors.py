"""Factors beta_i of the channel weights before training, alpha_i -> beta_i alpha_i / norm.

R. Kleiss and R. Pittau, Weight optimization in multichannel Monte Carlo, Comput. Phys. Commun. 83
(1994) 141. Before that all channels count alike, however much of f they describe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST = 1e-3
"""The smallest factor, where the largest is 1: a channel may be the only one that reaches some
corner of phase space."""

_ITERATIONS, _PRECISION = 100, 1e-3


def adapt_factors(
    log_f: Floats, log_prior: Floats, channel: NDArray[np.integer], mirrors: Sequence[int]
) -> Floats:
    """The factors (n_channels,) with the largest sampling efficiency, from points of all channels.

    log_f (n,): log of f times the Jacobian of the own channel over the density of the points in its
    cube, -inf where f = 0; log_prior (n_channels, n): log alpha; channel (n,). Channels that mirror
    an earlier one (`mirrors`) have its factor. A channel without any weight keeps its own.

    A mixture with the best shares has the sampling efficiency (I / S)^2, S = sum_i S_i with
    S_i^2 = <w_i^2>, w_i = alpha_i f_i/q_i. The derivative of S in log beta_j vanishes where
    S_j = sum_i <w_i^2 alpha_j> / S_i; a step multiplies beta_j with the ratio of both sides.
    """
    n_channels = len(log_prior)
    points = np.bincount(channel, minlength=n_channels)
    usable = np.isfinite(log_f)
    if not np.any(usable):
        return np.ones(n_channels)
    f = np.exp(np.where(usable, log_f - log_f[usable].max(), -np.inf))
    prior = np.exp(log_prior)
    group = np.asarray(mirrors)
    factors = np.ones(n_channels)
    for _ in range(_ITERATIONS):
        alpha = factors[:, None] * prior
        alpha /= np.maximum(alpha.sum(axis=0), np.finfo(float).tiny)
        squares = (f * np.take_along_axis(alpha, channel[None], axis=0)[0]) ** 2
        sizes = np.sqrt(np.bincount(channel, squares, n_channels) / np.maximum(points, 1))
        weights = np.where(sizes > 0.0, sizes * points, np.inf)[channel]
        demand = alpha @ (squares / weights)
        own, wanted = (np.bincount(group, x, n_channels)[group] for x in (sizes, demand))
        known = own > 0.0
        before = factors
        factors = factors * np.where(known, wanted / np.where(known, own, 1.0), 1.0)
        factors = np.maximum(factors / factors.max(), LEAST)
        if np.all(np.abs(np.log(factors / before)) < _PRECISION):
            break
    return factors
