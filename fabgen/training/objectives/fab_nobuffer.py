"""FAB without the buffer: one gradient step per annealing pass, self-normalized weights."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.channels import as_multichannel
from fabgen.training.annealing.bootstrap import AnnealedObjective
from fabgen.training.counters import EvaluationStats
from fabgen.training.target import Params, channels_in_turn


class PassMemory(NamedTuple):
    """HMC step sizes (M,) and the last annealing pass: u (n, dim), log_w (n,)."""

    step_sizes: Array
    u: Array
    log_w: Array


class FabNoBuffer(AnnealedObjective):
    """Every annealed sample is used once."""

    def init(self) -> PassMemory:
        n = self.options.batch_size
        u = jnp.full((n, self.target.dim), 0.5, jnp.float64)
        return PassMemory(self.initial_step_sizes(), u, jnp.full(n, -jnp.inf, jnp.float64))

    def observe(
        self, params: Params, memory: PassMemory, tally: EvaluationStats, key: Array
    ) -> tuple[PassMemory, EvaluationStats]:
        keys = tuple(jax.random.split(key))
        channel = channels_in_turn(self.target, self.options.batch_size)
        annealed, step_sizes, tally = self.anneal(params, memory.step_sizes, tally, keys, channel)
        return PassMemory(step_sizes, annealed.u, annealed.log_w), tally

    def batch(self, memory: PassMemory, key: Array) -> PassMemory:
        del key
        return memory

    def loss(
        self, params: Params, batch: PassMemory, tally: EvaluationStats
    ) -> tuple[Array, tuple[None, EvaluationStats]]:
        """-sum(w log q)/sum(w) over the pass; zero if no weight is positive."""
        channel = channels_in_turn(self.target, batch.u.shape[0])
        log_q = as_multichannel(self.surrogate).log_prob(params, batch.u, channel)
        usable = jnp.isfinite(batch.log_w) & jnp.isfinite(log_q)
        log_w = jnp.where(usable, batch.log_w, -jnp.inf)
        # The largest weight becomes 1, so the sum cannot overflow; -inf - 0 keeps weights of zero.
        top = jnp.max(log_w)
        w = jnp.exp(log_w - jnp.where(jnp.isfinite(top), top, 0.0))
        share = w / jnp.maximum(jnp.sum(w), jnp.finfo(w.dtype).tiny)
        return -jnp.sum(jnp.where(usable, share * log_q, 0.0)), (None, tally)
