"""FAB with a prioritized replay buffer: alpha = 2 divergence (Midgley et al., ICLR 2023)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.multichannel import in_channels, n_channels_of
from fabgen.training import annealing, buffer, hmc
from fabgen.training.annealing import Annealed
from fabgen.training.buffer import Buffer, Draw
from fabgen.training.counters import Tally
from fabgen.training.objective import Objective
from fabgen.training.target import Params, channels_in_turn, evaluate


class FabMemory(NamedTuple):
    """HMC step size of each intermediate distribution (M,), and the buffer."""

    step_sizes: Array
    buffer: Buffer


class AnnealedObjective(Objective):
    """What both forms of FAB share: one annealing pass of `batch_size` chains per step.

    Of several channels every one starts the same number of chains, from q_i towards
    (alpha_i f_i)^2 / q_i with the prior weights alpha_i; a chain stays in its channel. Weights of
    all channels compete, so that the objective is the sum of the channels' second moments.
    """

    def initial_step_sizes(self) -> Array:
        fab = self.options.fab
        return jnp.full(fab.intermediate, fab.step_size, jnp.float64)

    def anneal(
        self, params: Params, step_sizes: Array, tally: Tally, key: Array
    ) -> tuple[Annealed, Array, Tally]:
        """Annealed samples, the step sizes for the next pass, the counts."""
        fab, n = self.options.fab, self.options.batch_size
        sample_key, anneal_key = jax.random.split(key)
        channel = channels_in_turn(self.target, n)
        u, _ = in_channels(self.surrogate).sample_and_log_prob(params, sample_key, channel)

        def parts(u):
            return evaluate(self.target, self.surrogate, params, u, channel)

        annealed = annealing.anneal(
            parts, u, anneal_key, step_sizes, fab.leapfrog_steps, fab.hmc_moves
        )
        calls = n * annealing.evaluations_per_sample(
            fab.intermediate, fab.leapfrog_steps, fab.hmc_moves
        )
        meter = tally.meter.with_weights(annealed.initial_log_w)
        tally = Tally(
            tally.counters.with_evaluations(calls, annealed.faults),
            meter.with_transitions(annealed.acceptance, step_sizes),
        )
        return annealed, hmc.adapt(step_sizes, annealed.acceptance, fab.target_acceptance), tally


class Fab(AnnealedObjective):
    """The step: anneal fresh samples into the buffer, then `updates` gradient steps from it."""

    @property
    def warm_up(self) -> int:
        return self.options.fab.buffer_minimum

    @property
    def updates(self) -> int:
        return self.options.fab.updates

    def init(self) -> FabMemory:
        capacity = self.options.fab.buffer_batches * self.options.batch_size
        return FabMemory(
            self.initial_step_sizes(),
            buffer.empty(capacity, self.target.dim, n_channels_of(self.target)),
        )

    def observe(
        self, params: Params, memory: FabMemory, tally: Tally, key: Array
    ) -> tuple[FabMemory, Tally]:
        annealed, step_sizes, tally = self.anneal(params, memory.step_sizes, tally, key)
        channel = channels_in_turn(self.target, self.options.batch_size)
        points = buffer.add(memory.buffer, annealed.u, annealed.log_w, annealed.log_q, channel)
        return FabMemory(step_sizes, points), tally

    def batch(self, memory: FabMemory, key: Array) -> Draw:
        return buffer.draw(memory.buffer, key, self.options.batch_size)

    def loss(self, params: Params, batch: Draw, tally: Tally) -> tuple[Array, tuple[Array, Tally]]:
        """-mean(stop_gradient(min(q_old/q, weight_clip)) log q) over the drawn points."""
        log_q = in_channels(self.surrogate).log_prob(params, batch.u, batch.channel)
        usable = batch.valid & jnp.isfinite(log_q)
        log_clip = jnp.log(self.options.fab.weight_clip)
        ratio = jnp.exp(jnp.minimum(jax.lax.stop_gradient(batch.log_q - log_q), log_clip))
        terms = jnp.where(usable, ratio * log_q, 0.0)
        loss = -jnp.sum(terms) / jnp.maximum(jnp.sum(usable), 1)
        return loss, (jax.lax.stop_gradient(log_q), tally)

    def absorb(self, memory: FabMemory, batch: Draw, feedback: Any) -> FabMemory:
        return memory._replace(buffer=buffer.adjust(memory.buffer, batch, feedback))
