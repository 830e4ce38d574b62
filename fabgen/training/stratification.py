"""Running integrals and deviations of the channels, and how many points each of them gets.

With N_i points of channel i the variance of the integral is sum_i sigma_i^2 / N_i, smallest for
N_i in proportion to sigma_i (MadNIS, SciPost Phys. 15 (2023) 141, section 3.3).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

#: Weight of all steps before in the running means: they look back about 1 / (1 - MEMORY) steps.
MEMORY = 0.95
#: No deviation counts as less than this share of their sum: those of few points are noise.
SMALLEST_SHARE = 0.01
#: A variance needs two points.
FEWEST_POINTS = 2


class Statistics(NamedTuple):
    """Running means over fresh points of each channel, of w = alpha_i f_i / q_i.

    log_scale: of the unit of w, fixed by the first weight that is not zero (f has no natural
    scale). first, second (n_channels,): of w and w^2, weighted; total: the sum of these weights.
    """

    log_scale: Array
    first: Array
    second: Array
    total: Array

    @staticmethod
    def empty(n_channels: int) -> Statistics:
        return Statistics(
            log_scale=jnp.full((), -jnp.inf, jnp.float64),
            first=jnp.zeros(n_channels, jnp.float64),
            second=jnp.zeros(n_channels, jnp.float64),
            total=jnp.zeros((), jnp.float64),
        )

    @property
    def integrals(self) -> Array:
        """I_i (n_channels,) in units of exp(log_scale)."""
        return self.first / jnp.maximum(self.total, jnp.finfo(self.total.dtype).tiny)

    @property
    def second_moments(self) -> Array:
        """<w^2> (n_channels,)."""
        return self.second / jnp.maximum(self.total, jnp.finfo(self.total.dtype).tiny)

    @property
    def deviations(self) -> Array:
        """sigma_i (n_channels,)."""
        variance = self.second_moments - self.integrals**2
        return jnp.sqrt(jnp.maximum(variance, 0.0))


def observe(statistics: Statistics, log_w: Array, channel: Array) -> tuple[Statistics, Statistics]:
    """Takes fresh points in: log_w (n,), -inf where the weight is zero; channel (n,).

    Returns the new statistics and the part of the sums that is of these points.
    """
    n_channels = statistics.first.shape[0]
    top = jnp.max(log_w)
    new = jnp.isneginf(statistics.log_scale) & jnp.isfinite(top)
    log_scale = jnp.where(new, top, statistics.log_scale)
    w = jnp.exp(log_w - jnp.where(jnp.isfinite(log_scale), log_scale, 0.0))
    counts = jnp.bincount(channel, length=n_channels)

    def mean(values: Array) -> Array:
        sums = jax.ops.segment_sum(values, channel, n_channels)
        return sums / jnp.maximum(counts, 1)

    part = Statistics(log_scale, mean(w), mean(w**2), jnp.ones_like(statistics.total))
    before = faded(statistics)
    sums = (old + own for old, own in zip(before[1:], part[1:], strict=True))
    return Statistics(log_scale, *sums), part


def faded(statistics: Statistics) -> Statistics:
    """The sums a step later."""
    return Statistics(statistics.log_scale, *(MEMORY * sums for sums in statistics[1:]))


def without(statistics: Statistics, part: Statistics) -> Statistics:
    """The statistics of all points but those of a part; of these where there are no others."""
    others = statistics.total > part.total
    sums = (
        jnp.where(others, jnp.maximum(whole - own, 0.0), whole)
        for whole, own in zip(statistics[1:], part[1:], strict=True)
    )
    return Statistics(statistics.log_scale, *sums)


def shares(statistics: Statistics, active: Array, uniform_fraction: float, by_sigma: bool) -> Array:
    """p_i (n_channels,): in proportion to sigma_i, but for a fraction that all share alike.

    All alike before the first weight, and without by_sigma. Zero for channels that are not active.
    """
    flat = active / jnp.sum(active)
    sigma = statistics.deviations * active
    known = jnp.sum(sigma) > 0.0
    by_deviation = sigma / jnp.where(known, jnp.sum(sigma), 1.0)
    if not by_sigma:
        return flat
    mixed = uniform_fraction * flat + (1.0 - uniform_fraction) * by_deviation
    return jnp.where(known, mixed, flat)


def allot(p: Array, active: Array, n: int) -> Array:
    """Points (n_channels,) of n for shares p: whole numbers, FEWEST_POINTS or more if active.

    What is left over by rounding goes to the largest fractions. n must be enough for that.
    """
    least = jnp.where(active > 0.0, FEWEST_POINTS, 0)
    rest = n - jnp.sum(least)
    wanted = rest * p
    whole = jnp.floor(wanted).astype(least.dtype)
    rank = jnp.argsort(jnp.argsort(-(wanted - whole), stable=True), stable=True)
    return least + whole + (rank < rest - jnp.sum(whole))


def channels_of(counts: Array, n: int) -> Array:
    """channel (n,) of n points, counts[i] of them channel i, in this order."""
    return jnp.searchsorted(jnp.cumsum(counts), jnp.arange(n), side="right")
