"""FAB with a prioritized replay buffer: alpha = 2 divergence (Midgley et al., ICLR 2023)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.multichannel import in_channels, n_channels_of
from fabgen.training import buffer
from fabgen.training.annealed import AnnealedObjective
from fabgen.training.buffer import Buffer, Draw
from fabgen.training.counters import Tally
from fabgen.training.rkld import ReverseKl
from fabgen.training.target import Params, Values, channels_in_turn


class Fresh(NamedTuple):
    """The fresh points of a step: the key data that drew them, and what f is there."""

    key: Array
    values: Values


class FabMemory(NamedTuple):
    """HMC step size of each intermediate distribution (M,), the buffer; with a loss of the fresh
    points these, and the gradient steps so far in this step."""

    step_sizes: Array
    buffer: Buffer
    fresh: Any = ()
    turn: Any = ()


class FabBatch(NamedTuple):
    draw: Draw
    fresh: Any = ()
    is_fresh: Any = ()


class Fab(AnnealedObjective):
    """The step: anneal fresh samples into the buffer, then gradient steps.

    With fab.fresh_loss = "rkld" the first one follows the reverse KL divergence of the fresh
    samples, whose gradients of f the annealing needs anyway; then come `updates` from the buffer.
    """

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

    def init(self) -> FabMemory:
        n, dim = self.options.batch_size, self.target.dim
        capacity = self.options.fab.buffer_batches * n
        memory = FabMemory(
            self.initial_step_sizes(),
            buffer.empty(capacity, dim, n_channels_of(self.target)),
        )
        if not self._learns_from_fresh:
            return memory
        nowhere = jnp.zeros(n, bool)
        values = Values(jnp.full(n, -jnp.inf), jnp.zeros((n, dim)), nowhere, nowhere)
        key = jax.random.key_data(jax.random.key(0))
        return memory._replace(fresh=Fresh(key, values), turn=jnp.zeros((), jnp.int64))

    def observe(
        self, params: Params, memory: FabMemory, tally: Tally, key: Array
    ) -> tuple[FabMemory, Tally]:
        sample_key, anneal_key = jax.random.split(key)
        annealed, step_sizes, tally = self.anneal(
            params, memory.step_sizes, tally, sample_key, anneal_key
        )
        channel = channels_in_turn(self.target, self.options.batch_size)
        points = buffer.add(memory.buffer, annealed.u, annealed.log_w, annealed.log_q, channel)
        memory = memory._replace(step_sizes=step_sizes, buffer=points)
        if self._learns_from_fresh:
            fresh = Fresh(jax.random.key_data(sample_key), annealed.start)
            memory = memory._replace(fresh=fresh, turn=jnp.zeros_like(memory.turn))
        return memory, tally

    def batch(self, memory: FabMemory, key: Array) -> FabBatch:
        drawn = buffer.draw(memory.buffer, key, self.options.batch_size)
        if not self._learns_from_fresh:
            return FabBatch(drawn)
        return FabBatch(drawn, memory.fresh, memory.turn == 0)

    def loss(
        self, params: Params, batch: FabBatch, tally: Tally
    ) -> tuple[Array, tuple[Array, Tally]]:
        if not self._learns_from_fresh:
            loss, log_q = self._of_buffer(params, batch.draw)
        else:
            loss, log_q = jax.lax.cond(
                batch.is_fresh, self._of_fresh, self._of_drawn, params, batch
            )
        return loss, (jax.lax.stop_gradient(log_q), tally)

    def _of_buffer(self, params: Params, draw: Draw) -> tuple[Array, Array]:
        """-mean(stop_gradient(min(q_old/q, weight_clip)) log q) over the drawn points; log q."""
        log_q = in_channels(self.surrogate).log_prob(params, draw.u, draw.channel)
        usable = draw.valid & jnp.isfinite(log_q)
        log_clip = jnp.log(self.options.fab.weight_clip)
        ratio = jnp.exp(jnp.minimum(jax.lax.stop_gradient(draw.log_q - log_q), log_clip))
        terms = jnp.where(usable, ratio * log_q, 0.0)
        return -jnp.sum(terms) / jnp.maximum(jnp.sum(usable), 1), log_q

    def _of_drawn(self, params: Params, batch: FabBatch) -> tuple[Array, Array]:
        return self._of_buffer(params, batch.draw)

    def _of_fresh(self, params: Params, batch: FabBatch) -> tuple[Array, Array]:
        """The reverse KL divergence; the drawn points stay as they are."""
        key, values = batch.fresh
        u, log_q = self._fresh_loss.sample(params, jax.random.wrap_key_data(key))
        loss = self._fresh_loss.of_values(params, u, log_q, values)
        return loss, jnp.full_like(batch.draw.log_q, -jnp.inf)

    def absorb(self, memory: FabMemory, batch: FabBatch, feedback: Any) -> FabMemory:
        memory = memory._replace(buffer=buffer.adjust(memory.buffer, batch.draw, feedback))
        if self._learns_from_fresh:
            memory = memory._replace(turn=memory.turn + 1)
        return memory
