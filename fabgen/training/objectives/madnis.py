"""Common part of MadNIS losses: stratified fresh points of all channels, used more than once.

T. Heimel et al., SciPost Phys. 15 (2023) 141, section 3.3; Differentiable MadNIS-Lite,
arXiv:2408.01486, section 2. A step draws one batch of fresh points and takes R gradient steps: one
on that batch, the others on batches of a ring buffer, whose densities and channel weights are
evaluated anew, f never. Points x ~ q_old of channel i estimate an integral of the present densities
as the mean of integrand/q_old, whatever has become of q since.
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.channels import as_multichannel
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.from_grids import FromGrids
from fabgen.training.stratification import (
    FEWEST_POINTS,
    Statistics,
    allot,
    channels_of,
    faded,
    observe,
    shares,
    without,
)
from fabgen.training.target import InvalidCounts, Params, values_at


class Points(NamedTuple):
    """A batch of evaluated points; log_q is that of the flow that drew them.

    u (n, dim), channel (n,), log_f (n,) without alpha (-inf where f = 0), log_q (n,), log_prior
    (channels of the widest component, n), features (n_features, n).
    """

    u: Array
    channel: Array
    log_f: Array
    log_q: Array
    log_prior: Array
    features: Array


class Ring(NamedTuple):
    """The last batches: Points and their part of the Statistics with a first axis of places; the
    next place, how many are filled."""

    points: Points
    parts: Statistics
    cursor: Array
    filled: Array


class MadnisMemory(NamedTuple):
    """statistics of the fresh points; the ring; updates so far in this step; steps so far."""

    statistics: Statistics
    ring: Ring
    turn: Array
    steps: Array


class MadnisBatch(NamedTuple):
    """statistics: of the other batches. With its own outliers in the deviations that its loss is
    divided by, a gradient is too small."""

    points: Points
    statistics: Statistics


class Terms(NamedTuple):
    """Terms of a loss, point by point (n,): gradients flow through log_p and log_q.

    log_p: log of alpha_i f_i; log_q: of the present density; log_q_old: of the one that drew it.
    known: where the densities are finite; usable: where log_p is finite, too. What is not finite is
    0. channel (n,), and counts (n_channels,) of the points of each channel, all included.
    """

    log_p: Array
    log_q: Array
    log_q_old: Array
    known: Array
    usable: Array
    channel: Array
    counts: Array

    def mean(self, values: Array) -> Array:
        """Means (n_channels,) over the points of each channel; 0 for unusable points."""
        return self.sum(values) / jnp.maximum(self.counts, 1)

    def sum(self, values: Array) -> Array:
        return self._sum(jnp.where(self.usable, values, 0.0))

    def score(self, *, outside: bool = False) -> Array:
        """0 (n_channels,) with the gradient <(q/q_old) grad log q>, which is zero on average; of
        the points with f = 0 alone (outside) it is the gradient of their probability.

        It belongs to a loss as a control variate: the gradients of single points add up to zero
        even for q = p/I, and only a multiple of the score takes that noise away. (Variance loss,
        tops without a window, 1.2 million evaluations: sampling efficiency 0.9947 without, 0.9977
        with it.) The integral form of a divergence, <(q/q_old) F(p/q)> with F(1) = F'(1) = 0, has
        it built in.
        """
        there = self.known & ~self.usable if outside else self.known
        ratio = jnp.where(there, jnp.exp(self.log_q - self.log_q_old), 0.0)
        mean = self._sum(ratio) / jnp.maximum(self.counts, 1)
        return mean - jax.lax.stop_gradient(mean)

    def _sum(self, values: Array) -> Array:
        return jax.ops.segment_sum(values, self.channel, self.counts.shape[0])


class Madnis(FromGrids):
    """The frame; a subclass is a loss. Memory of the buffer: `figures`."""

    points_per_channel = FEWEST_POINTS

    @property
    def updates(self) -> int:
        return round(self.options.madnis.buffer_gain)

    @property
    def _places(self) -> int:
        """Batches that the buffer holds; one if every batch is used once."""
        return self.options.madnis.buffer_batches if self.updates > 1 else 1

    def init(self) -> MadnisMemory:
        n, n_channels = self.options.batch_size, self._n_channels
        shapes = jax.eval_shape(
            self._evaluated, jnp.zeros((n, self.target.dim)), jnp.zeros(n, int), jnp.zeros(n)
        )
        empty = Statistics.empty(n_channels)
        points, parts = jax.tree.map(
            lambda s: jnp.zeros((self._places, *s.shape), s.dtype), (shapes, empty)
        )
        zero = (jnp.zeros((), jnp.int64) for _ in range(4))
        ring = Ring(points, parts, next(zero), next(zero))
        return MadnisMemory(empty, ring, next(zero), next(zero))

    def figures(self, memory: MadnisMemory) -> dict[str, float]:
        """buffer_bytes: on the device, of batches held x batch x (dim + channels of the widest
        component + n_features + 3) numbers of 8 bytes."""
        points = jax.tree.leaves(memory.ring.points)
        return {"buffer_bytes": sum(leaf.size * leaf.dtype.itemsize for leaf in points)}

    def _evaluated(self, u: Array, channel: Array, log_q: Array) -> Points:
        values = values_at(self.target, u, channel)
        return Points(u, channel, values.log_f, log_q, values.log_prior, values.features)

    def observe(
        self, params: Params, memory: MadnisMemory, tally: EvaluationStats, key: Array
    ) -> tuple[MadnisMemory, EvaluationStats]:
        """One batch of fresh points: the only place where f is evaluated."""
        n, madnis = self.options.batch_size, self.options.madnis
        active = self.active(params)
        p = shares(memory.statistics, active, madnis.uniform_fraction, madnis.stratified)
        counts = allot(p, active, n)
        channel = channels_of(counts, n)
        u, log_q = as_multichannel(self.surrogate).sample_and_log_prob(params, key, channel)
        points = self._evaluated(u, channel, log_q)
        faults = InvalidCounts.none()._replace(
            zero_values=jnp.sum(jnp.isneginf(points.log_f), dtype=jnp.int64),
            nonfinite_values=jnp.sum(
                ~jnp.isfinite(points.log_f) & ~jnp.isneginf(points.log_f), dtype=jnp.int64
            ),
        )
        points = points._replace(
            log_f=jnp.where(jnp.isfinite(points.log_f), points.log_f, -jnp.inf)
        )
        terms = self._terms(params, points, log_q)
        log_w = jnp.where(terms.usable, terms.log_p - terms.log_q, -jnp.inf)
        # As a sample of the mixture with shares counts / n.
        log_share = jnp.log(counts / n)[channel]
        tally = EvaluationStats(
            tally.counters.with_values(n, faults), tally.meter.with_weights(log_w - log_share)
        )
        statistics, part = observe(memory.statistics, log_w, channel)
        ring = memory.ring
        stored, parts = jax.tree.map(
            lambda old, new: old.at[ring.cursor].set(new),
            (ring.points, faded(ring.parts)),
            (points, part),
        )
        ring = Ring(
            stored,
            parts,
            (ring.cursor + 1) % self._places,
            jnp.minimum(ring.filled + 1, self._places),
        )
        return MadnisMemory(statistics, ring, jnp.zeros_like(memory.turn), memory.steps + 1), tally

    def revise(self, params: Params, memory: MadnisMemory) -> Params:
        """Drops channels with too small a share of I."""
        return self.without_small_channels(params, memory.statistics.integrals, memory.steps)

    def batch(self, memory: MadnisMemory, key: Array) -> MadnisBatch:
        """The fresh batch first, then any of the buffer."""
        ring = memory.ring
        newest = (ring.cursor - 1) % self._places
        drawn = jax.random.randint(key, (), 0, jnp.maximum(ring.filled, 1), newest.dtype)
        place = jnp.where(memory.turn == 0, newest, drawn)
        points, part = jax.tree.map(lambda leaf: leaf[place], (ring.points, ring.parts))
        return MadnisBatch(points, without(memory.statistics, part))

    def loss(
        self, params: Params, batch: MadnisBatch, tally: EvaluationStats
    ) -> tuple[Array, tuple[None, EvaluationStats]]:
        points, statistics = batch
        log_q = as_multichannel(self.surrogate).log_prob(params, points.u, points.channel)
        terms = self._terms(params, points, log_q)
        # Everything in units of the integral so far: Adam has a scale of its own.
        integral = jnp.sum(statistics.integrals)
        positive = integral > 0.0
        log_unit = statistics.log_scale + jnp.log(jnp.where(positive, integral, 1.0))
        log_unit = jnp.where(positive, log_unit, 0.0)
        terms = terms._replace(log_p=jnp.where(terms.usable, terms.log_p - log_unit, 0.0))
        integral = jnp.where(positive, integral, 1.0)
        relative = (statistics.integrals / integral, statistics.deviations / integral)
        return self.divergence(terms, *relative), (None, tally)

    @abc.abstractmethod
    def divergence(self, terms: Terms, integrals: Array, deviations: Array) -> Array:
        """The loss (scalar); f is in units of the integral, as are the running integrals and
        deviations (n_channels,), through which no gradient flows."""

    def _terms(self, params: Params, points: Points, log_q: Array) -> Terms:
        view, seen = as_multichannel(self.surrogate), (points.log_prior, points.features)
        log_p = points.log_f + view.log_alpha(params, *seen, points.channel)
        known = jnp.isfinite(log_q) & jnp.isfinite(points.log_q)
        usable = known & jnp.isfinite(log_p)
        return Terms(
            jnp.where(usable, log_p, 0.0),
            jnp.where(known, log_q, 0.0),
            jnp.where(known, points.log_q, 0.0),
            known,
            usable,
            points.channel,
            jnp.bincount(points.channel, length=self._n_channels),
        )

    def absorb(self, memory: MadnisMemory, batch: MadnisBatch, feedback: Any) -> MadnisMemory:
        del batch, feedback
        return memory._replace(turn=memory.turn + 1)
