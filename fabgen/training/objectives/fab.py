"""FAB with a prioritized replay buffer: alpha = 2 divergence (Midgley et al., ICLR 2023).

With several channels p is alpha_i f_i, q the density q_i of the channel, and the objective is
(sum_i S_i)^2, S_i^2 = E_qi[(alpha_i f_i / q_i)^2]: the second moment of the integral with points
allotted as S_i (Differentiable MadNIS-Lite, arXiv:2408.01486, eq. 14, has the deviations). It is
smallest where every q_i is alpha_i f_i / I_i. Its gradient is that of

    sum_i S/S_i <w (2 log alpha_i - log q_i)>_i,    w -> p_i^2/q_i,    S = sum_i S_i,

over the points of the buffer, which are drawn in proportion to w/S_i. One channel: S_i/S = 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.channels import as_multichannel
from fabgen.training.annealing import buffer
from fabgen.training.annealing.bootstrap import AnnealedObjective
from fabgen.training.annealing.buffer import Buffer, Draw, Entries, Law
from fabgen.training.counters import EvaluationStats
from fabgen.training.deform import deformation_of
from fabgen.training.objectives.rkld import ReverseKl
from fabgen.training.stratification import FEWEST_POINTS, allot, channels_of
from fabgen.training.target import Params, Values, channels_in_turn

#: Effective size of the weights that points are drawn by, in batches, at least: with fewer that
#: carry the weight, different points are not drawn in proportion, and modes are lost. (Eight modes
#: in 8D, 3 x 10^5 evaluations: a KL of 2.9 with 1 batch, 1.3 and 0.6 with 8, 0.2, 0.8 and 1.2 with
#: 16, 1.3 and 1.5 with 32, where the training is too short.) Shorter trainings have to hurry: so
#: many steps for each of these batches.
LEAST_SIZE, STEPS_EACH = 16, 18


class Fresh(NamedTuple):
    """The fresh points of a step: the key data that drew them, their channels, what f is there."""

    key: Array
    channel: Array
    values: Values


class FabMemory(NamedTuple):
    """The state of FAB.

    step_sizes (M,): of HMC at each intermediate distribution. law: of the draws of this step.
    fresh: () without a loss of the fresh points. turn: gradient steps so far in this step. steps:
    so far; tempered: those with draws by a power of the weights.
    """

    step_sizes: Array
    buffer: Buffer
    law: Law
    fresh: Any
    turn: Array
    steps: Array
    tempered: Array


class FabBatch(NamedTuple):
    draw: Draw
    law: Law
    fresh: Any
    is_fresh: Array


class Fab(AnnealedObjective):
    """The step: anneal fresh samples into the buffer, then gradient steps.

    With fab.fresh_loss = "rkld" the first one follows the reverse KL divergence of the fresh
    samples, whose gradients of f the annealing needs anyway; then come `updates` from the buffer.

    Far from p few points carry the weight. With fab.tempered they are drawn by a power of it
    (`buffer.law`), and the fresh ones follow log f times twice that power if it is less than 1:
    both learn a flatter p first, as flat as the weights ask for.

    Without intermediate distributions the density g that drew a point is known, and where p is
    nearly reached (`law.efficiency`, which is 1 for q = p) two terms are added that are zero on
    average and cancel the gradient of every single point for q_i = alpha_i f_i / I_i: the score of
    q_i, and sum_i <alpha_i f_i / g grad log alpha_i>, zero because the alpha_i add up to 1. For
    that a part of the points is drawn by no weight (fab.even_draws).
    """

    points_per_channel = FEWEST_POINTS

    @property
    def warm_up(self) -> int:
        return self.options.fab.buffer_minimum

    @property
    def updates(self) -> int:
        return self.options.fab.updates + self._learns_from_fresh

    @property
    def _learns_from_fresh(self) -> bool:
        return self.options.fab.fresh_loss == "rkld"

    @property
    def _fresh_loss(self) -> ReverseKl:
        return ReverseKl(self.target, self.surrogate, self.options)

    @property
    def _controlled(self) -> bool:
        return self.options.fab.intermediate == 0 and self.options.fab.even_draws > 0.0

    def init(self) -> FabMemory:
        n, dim = self.options.batch_size, self.target.dim
        zero, channel = jnp.zeros(n, jnp.float64), jnp.zeros(n, jnp.int32)
        u = jnp.full((n, dim), 0.5, jnp.float64)
        entries = Entries(u, zero, zero, zero)
        if self._n_channels > 1:
            shapes, _ = jax.eval_shape(lambda: self.what_weights_see(u, channel))
            more = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
            entries = entries._replace(channel=channel, more=more)
        if self.options.anneal:
            entries = entries._replace(progress=zero)
        points = buffer.empty(self.options.fab.buffer_batches * n, entries)
        fresh: Any = ()
        if self._learns_from_fresh:
            nowhere = jnp.zeros(n, bool)
            values = Values(jnp.full(n, -jnp.inf), jnp.zeros((n, dim)), nowhere, nowhere)
            fresh = Fresh(jax.random.key_data(jax.random.key(0)), channel, values)
        count = (jnp.zeros((), jnp.int64) for _ in range(3))
        law = self._law(points)
        return FabMemory(self.initial_step_sizes(), points, law, fresh, *count)

    @property
    def _least_batches(self) -> int:
        return min(max(self.options.steps // STEPS_EACH, 1), LEAST_SIZE)

    def _law(self, points: Buffer) -> Law:
        fab = self.options.fab
        return buffer.law(
            points,
            self._n_channels,
            even=fab.even_draws if self._controlled else 0.0,
            least_size=self._least_batches * self.options.batch_size if fab.tempered else 0,
        )

    def observe(
        self, params: Params, memory: FabMemory, tally: EvaluationStats, key: Array
    ) -> tuple[FabMemory, EvaluationStats]:
        sample_key, anneal_key = jax.random.split(key)
        n = self.options.batch_size
        channel, log_share = channels_in_turn(self.target, n), jnp.zeros(())
        if self._n_channels > 1:
            counts = self._counts(params, memory.law)
            channel = channels_of(counts, n)
            log_share = jnp.log(counts / n)[channel]
        annealed, step_sizes, tally = self.anneal(
            params, memory.step_sizes, tally, (sample_key, anneal_key), channel, log_share
        )
        drawn_by = annealed.log_q + log_share if self.options.fab.intermediate == 0 else jnp.inf
        entries = Entries(
            annealed.u,
            annealed.log_w - log_share,
            annealed.log_q - 2.0 * annealed.log_alpha,
            jnp.broadcast_to(drawn_by, annealed.log_q.shape),
            *((channel, annealed.more) if self._n_channels > 1 else ()),
        )
        if self.options.anneal:
            progress, oldest = deformation_of(self.target)
            entries = entries._replace(progress=jnp.full(n, progress))
            points = buffer.add(buffer.retire(memory.buffer, oldest), entries)
        else:
            points = buffer.add(memory.buffer, entries)
        law = self._law(points)
        fresh = memory.fresh
        if self._learns_from_fresh:
            fresh = Fresh(
                jax.random.key_data(sample_key), channel.astype(jnp.int32), annealed.start
            )
        return FabMemory(
            step_sizes,
            points,
            law,
            fresh,
            turn=jnp.zeros_like(memory.turn),
            steps=memory.steps + 1,
            tempered=memory.tempered + (law.exponent < 1.0),
        ), tally

    def _counts(self, params: Params, law: Law) -> Array:
        """Points (n_channels,) of a step: as S_i, but for a part that all share alike."""
        active = self.active(params)
        sizes = law.sizes * active
        flat = active / jnp.sum(active)
        even = self.options.madnis.uniform_fraction
        return allot(
            even * flat + (1.0 - even) * sizes / jnp.sum(sizes), active, self.options.batch_size
        )

    def revise(self, params: Params, memory: FabMemory) -> Params:
        """Drops channels with too small a part of the sum of S_i."""
        return self.without_small_channels(params, memory.law.sizes, memory.steps)

    def batch(self, memory: FabMemory, key: Array) -> FabBatch:
        drawn = buffer.draw(memory.buffer, memory.law, key, self.options.batch_size)
        return FabBatch(drawn, memory.law, memory.fresh, memory.turn == 0)

    def loss(
        self, params: Params, batch: FabBatch, tally: EvaluationStats
    ) -> tuple[Array, tuple[Array, EvaluationStats]]:
        if self._learns_from_fresh:
            either = self._of_fresh, self._of_drawn
            loss, log_r = jax.lax.cond(batch.is_fresh, *either, params, batch)
        else:
            loss, log_r = self._of_drawn(params, batch)
        return loss, (jax.lax.stop_gradient(log_r), tally)

    def _of_drawn(self, params: Params, batch: FabBatch) -> tuple[Array, Array]:
        """<t rho/m (2 log alpha - log q)> over the drawn points, less the terms that are zero on
        average; log r. rho = min((r_old/r)^exponent, weight_clip): what t has become meanwhile."""
        draw, law, log_clip = batch.draw, batch.law, jnp.log(self.options.fab.weight_clip)
        entries = draw.entries
        log_q = as_multichannel(self.surrogate).log_prob(params, entries.u, entries.channel)
        log_alpha = jnp.zeros_like(log_q)
        if self._n_channels > 1:
            log_alpha = self.log_alpha(params, entries.more, entries.channel)
        log_r = log_q - 2.0 * log_alpha
        usable = draw.valid & jnp.isfinite(log_r)

        def factor(log_ratio: Array) -> Array:
            return jnp.exp(jnp.minimum(jax.lax.stop_gradient(log_ratio), log_clip))

        log_ratio = jnp.where(usable, entries.log_r - log_r, 0.0)
        of_q = of_alpha = draw.t * factor(law.exponent * log_ratio)
        if self._controlled:
            total = jnp.sum(law.sizes)
            share = law.sizes[entries.channel] / total if self._n_channels > 1 else 1.0
            log_g = entries.log_g
            of_q -= law.efficiency * share * factor(jnp.where(usable, log_q - log_g, -jnp.inf))
            if self._n_channels > 1:
                log_f = 0.5 * (entries.log_w + entries.log_r + log_g - law.log_unit)
                log_v = log_f + log_alpha - log_g - jnp.log(total)
                of_alpha -= law.efficiency * factor(jnp.where(usable, log_v, -jnp.inf))
        terms = 2.0 * of_alpha * log_alpha - of_q * log_q
        terms = jnp.where(usable, terms / jnp.where(usable, draw.m, 1.0), 0.0)
        return jnp.sum(terms) / jnp.maximum(jnp.sum(draw.valid), 1), log_r

    def _of_fresh(self, params: Params, batch: FabBatch) -> tuple[Array, Array]:
        """The reverse KL divergence; the drawn points stay as they are."""
        key, channel, values = batch.fresh
        if self.options.fab.tempered:
            power = jnp.minimum(2.0 * batch.law.exponent, 1.0)
            values = values._replace(log_p=power * values.log_p, gradient=power * values.gradient)
        u, log_q = self._fresh_loss.sample(params, jax.random.wrap_key_data(key), channel)
        loss = self._fresh_loss.of_values(params, u, log_q, values, channel)
        return loss, jnp.full_like(batch.draw.t, -jnp.inf)

    def absorb(self, memory: FabMemory, batch: FabBatch, feedback: Any) -> FabMemory:
        points = buffer.adjust(memory.buffer, batch.draw, feedback)
        return memory._replace(buffer=points, turn=memory.turn + 1)

    def figures(self, memory: FabMemory) -> dict[str, float]:
        return {
            "buffer_efficiency": float(memory.law.efficiency),
            "tempered_steps": int(memory.tempered),
        }
