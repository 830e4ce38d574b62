"""Population Monte Carlo: Gaussians that climb f from different starts, each on its own.

Every Gaussian draws as many points in each round, and takes the mean and the covariance of them,
with weights (f/g)^beta, g its own density (O. Cappe et al., Adaptive importance sampling in general
mixture classes, Stat. Comput. 18 (2008) 447). beta <= 1 leaves some number of equal weights
(E. Koblents, J. Miguez, Stat. Comput. 25 (2015) 407): where f is narrower than g by many orders of
magnitude the Gaussian goes towards it by steps. It needs no gradient, and no point of the start has
to lie in a peak. Since none of them gives way to another, peaks of any size keep theirs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from fabgen.numerics import last_good
from fabgen.sampling.reference import BEST_POINTS, Points
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.gaussians import (
    Gaussians,
    GaussiansParams,
    cube_point,
    log_normal,
    normal_point,
)

LogDensity = Callable[[jax.Array, jax.Array], jax.Array]
"""log(alpha_i f_i): u (block, dim), i = channel (block,) -> (block,)."""

GAUSSIANS = 64
#: Rounds at most; 8 peaks of width 0.03 in 16 dimensions want seven.
ROUNDS = 7
#: Equal weights that a round leaves to a Gaussian, and its width at the start.
_EQUAL = 20.0
_FIRST_WIDTH = 0.7
#: Half of the starts are drawn from so many equal weights of the best points.
_EQUAL_STARTS = 256.0
#: Of the covariance: the part of its diagonal, since few points make noise of the rest, and of the
#: one before, since no estimate may be singular.
_DIAGONAL = 0.5
_BEFORE = 0.01
#: Width of a Gaussian that has met nothing, over the one before.
_NARROWER = 0.25
#: No more rounds when so many of the Gaussians take all of the weights.
_DONE = 0.9
#: Share of the uniform density in the mixture: no weight is larger than by 1/share of the untrained
#: map.
_UNIFORM = 0.1


class Population(NamedTuple):
    """Gaussians in normal coordinates: mean (n, dim), factor (n, dim, dim) of the covariance, the
    channels (n,) they stay in, and log of the integral (n,) that each found in the last round."""

    mean: jax.Array
    factor: jax.Array
    channel: jax.Array
    log_integral: jax.Array


def adapted(
    log_f: LogDensity,
    starts: Points,
    key: jax.Array,
    rounds: int = ROUNDS,
    block: int = DEFAULT_BLOCK,
) -> tuple[Population, int]:
    """The population that starts from some of the points, at least one; calls of f.

    block: points of a round, a multiple of the number of Gaussians.
    """
    key_start, key = jax.random.split(key)
    population = _started(starts, key_start)
    number = np.repeat(np.arange(GAUSSIANS), block // GAUSSIANS)
    channel = population.channel[number]
    for i in range(rounds):
        u, z = _drawn(population, jax.random.fold_in(key, i), block)
        population, beta = _improved(population, z, log_f(u, channel))
        if np.mean(np.asarray(beta) >= 1.0) >= _DONE:
            return population, (i + 1) * block
    return population, rounds * block


def mixture(
    population: Population, layout: ChannelLayout
) -> tuple[Gaussians, GaussiansParams, tuple[float, ...]]:
    """The density of all of them and of the uniform one in every channel; shares of the channels.

    Those that found more have a larger share, but no few of them have all.
    """
    params, shares = _mixed(population, layout.n_channels)
    surrogate = Gaussians(population.mean.shape[1], GAUSSIANS + 1, layout)
    return surrogate, params, tuple(np.asarray(shares).tolist())


@functools.partial(jax.jit, static_argnums=1)
def _mixed(population: Population, n_channels: int) -> tuple[GaussiansParams, jax.Array]:
    found = population.log_integral[None]
    found = jnp.where(jnp.any(jnp.isfinite(found)), found, 0.0)
    weights = jax.nn.softmax(_tempered(found, GAUSSIANS / 2.0) * found[0])
    shares = jnp.zeros((n_channels, GAUSSIANS + 1))
    shares = shares.at[population.channel, jnp.arange(GAUSSIANS)].set((1.0 - _UNIFORM) * weights)
    shares = shares.at[:, -1].set(_UNIFORM / n_channels)
    of_channels = shares.sum(axis=1)
    dim = population.mean.shape[1]
    params = GaussiansParams(
        jnp.concatenate([population.mean, jnp.zeros((1, dim))]),
        jnp.concatenate([population.factor, jnp.eye(dim)[None]]),
        jnp.log(shares / of_channels[:, None]),
    )
    return params, of_channels


def _started(starts: Points, key: jax.Array) -> Population:
    """Gaussians around points that differ where there are enough: half of them from the best ones,
    the others from all."""
    size = len(starts.log_part)
    filled = np.arange(max(size, BEST_POINTS)) % size  # one compiled shape
    u, channel, log_part = (column[filled] for column in starts)
    return _around(u, channel, np.where(np.arange(len(filled)) < size, log_part, -np.inf), key)


@jax.jit
def _around(
    u: NDArray[np.float64],
    channel: NDArray[np.int64],
    log_part: NDArray[np.float64],
    key: jax.Array,
) -> Population:
    """_started at some of the points with log_part above -inf."""
    known = ~jnp.isneginf(log_part)
    noise = jax.random.gumbel(key, (2, log_part.shape[0]))
    beta = _tempered(jnp.asarray(log_part)[None], _EQUAL_STARTS)
    scores = noise + jnp.where(
        known, jnp.stack([beta * log_part, jnp.zeros_like(noise[1])]), -jnp.inf
    )
    half = GAUSSIANS // 2
    _, order = jax.lax.top_k(scores, half)
    chosen = order[:, jnp.arange(half) % jnp.sum(known)].reshape(-1)
    dim = u.shape[1]
    return Population(
        normal_point(jnp.asarray(u)[chosen]),
        jnp.broadcast_to(_FIRST_WIDTH * jnp.eye(dim), (GAUSSIANS, dim, dim)),
        jnp.asarray(channel)[chosen].astype(jnp.int32),
        jnp.zeros(GAUSSIANS),
    )


@functools.partial(jax.jit, static_argnums=2)
def _drawn(population: Population, key: jax.Array, block: int) -> tuple[jax.Array, jax.Array]:
    """The points u (block, dim) of a round, and the normal numbers z (n, points, dim) that
    they come from."""
    n, dim = population.mean.shape
    z = jax.random.normal(key, (n, block // n, dim), jnp.float64)
    return cube_point(_at(population, z).reshape(-1, dim)), z


def _at(population: Population, z: jax.Array) -> jax.Array:
    """Normal coordinates x (n, points, dim) that the Gaussians make of normal numbers."""
    return population.mean[:, None] + z @ jnp.swapaxes(population.factor, 1, 2)


@jax.jit
def _improved(
    population: Population, z: jax.Array, log_f: jax.Array
) -> tuple[Population, jax.Array]:
    """The population after a round with log f (block,) at its points, and beta (n,).

    One that has met no f > 0 stays where it is, narrower: f is not 0 where it started.
    """
    mean, factor = population.mean, population.factor
    x = _at(population, z)
    log_det = jnp.log(jnp.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    log_w = log_f.reshape(z.shape[:2]) + log_normal(x) - log_normal(z) + log_det[:, None]
    log_w = jnp.where(jnp.isfinite(log_w), log_w, -jnp.inf)
    log_integral = jax.nn.logsumexp(log_w, axis=1) - math.log(x.shape[1])
    largest = jnp.max(log_w, axis=1, keepdims=True)
    met = jnp.isfinite(largest)
    log_w = jnp.where(met, log_w - largest, 0.0)
    beta = _tempered(log_w, _EQUAL)
    w = jnp.exp(beta[:, None] * log_w)
    w /= w.sum(axis=1, keepdims=True)
    centre = jnp.sum(w[..., None] * x, axis=1)
    shift = x - centre[:, None]
    found = jnp.swapaxes(w[..., None] * shift, 1, 2) @ shift
    found = jnp.where(jnp.eye(x.shape[2], dtype=bool), found, (1.0 - _DIAGONAL) * found)
    before = factor @ jnp.swapaxes(factor, 1, 2)
    equal = 1.0 / jnp.sum(w**2, axis=1)
    known = jnp.minimum(equal / _EQUAL, 1.0) * (1.0 - _BEFORE)
    known = jnp.where(met[:, 0], known, 0.0)[:, None, None]
    before *= jnp.where(met[:, 0], 1.0, _NARROWER**2)[:, None, None]
    new = Population(
        jnp.where(met, centre, mean),
        jnp.linalg.cholesky(known * found + (1.0 - known) * before),
        population.channel,
        log_integral,
    )
    return new, jnp.where(met[:, 0], beta, 0.0)


def _tempered(log_w: jax.Array, equal: float) -> jax.Array:
    """beta (n,), at most 1, for which w^beta, w (n, points), are as good as so many equal weights;
    half of those above zero if these are fewer."""

    def enough(beta: jax.Array) -> jax.Array:
        scaled = jnp.where(jnp.isneginf(log_w), -jnp.inf, beta[:, None] * log_w)
        total = jax.nn.logsumexp(scaled, axis=1)
        return 2.0 * total - jax.nn.logsumexp(2.0 * scaled, axis=1) >= jnp.log(least)

    above = jnp.sum(~jnp.isneginf(log_w), axis=1)
    least = jnp.maximum(jnp.minimum(equal, above / 2.0), 1.0)

    n = log_w.shape[0]
    low = last_good(lambda log: enough(jnp.exp(log)), jnp.full(n, -30.0), jnp.zeros(n), 25)
    return jnp.where(enough(jnp.ones(n)), 1.0, jnp.exp(low))
