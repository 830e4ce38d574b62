"""Forward Kullback-Leibler divergence, -E_p[log q], on a sample of p (maximum likelihood)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.errors import InputError
from fabgen.surrogate.channels import as_multichannel
from fabgen.training.counters import Counters, EvaluationStats
from fabgen.training.objectives.base import Objective
from fabgen.training.sample import Sample, WeightedPoints
from fabgen.training.target import Params

if TYPE_CHECKING:
    from fabgen.card import TrainingOptions

#: The permutations have a stream of numbers of their own below the seed of the training.
_SHUFFLE = 0x464B4C01


class ForwardKlMemory(NamedTuple):
    """order (n,): the permutation of the present epoch; taken: batches so far (int64).

    best: the parameters with the lowest validation loss at the end of an epoch; best_loss,
    best_epoch: that loss and the epochs it took; last_loss: the loss at the last end of an epoch.
    """

    order: Array
    taken: Array
    best: Params
    best_loss: Array
    best_epoch: Array
    last_loss: Array


class ForwardKl(Objective):
    """Minibatches of the sample, in a new random order in every epoch.

    Of several channels each point belongs to one, whose density learns from it.

    The order follows from the seed and the number of the epoch alone; what does not fill a batch at
    the end of an epoch is left out of it. With a validation sample the parameters at the end are
    the best in validation, looked at before the first step and after every epoch; without one they
    are the last.
    """

    points_per_channel = 0

    @classmethod
    def resolve(cls, options: TrainingOptions, data: Any) -> TrainingOptions:
        """Steps = epochs x batches, the warm-up in steps."""
        if not isinstance(data, Sample):
            raise InputError(
                "the forward divergence needs a sample to learn from",
                key="training.method",
                found=options.method,
                hint="train(..., data=split_sample(u, weight, ...))",
            )
        n = len(data.training.weight)
        if n < options.batch_size:
            raise InputError(
                "the sample does not fill one batch",
                key="training.batch_size",
                found=options.batch_size,
                allowed=f"at most the {n} events left for training",
            )
        fkld, batches = options.fkld, n // options.batch_size
        return dataclasses.replace(
            options,
            steps=fkld.epochs * batches,
            warmup_steps=fkld.warmup_epochs * batches or options.warmup_steps,
        )

    @property
    def _sample(self) -> Sample:
        return self.data

    @property
    def _batches(self) -> int:
        return len(self._sample.training.weight) // self.options.batch_size

    @property
    def _validates(self) -> bool:
        return len(self._sample.validation.weight) > 0

    def counters(self) -> Counters:
        sample = self._sample
        return Counters.zero()._replace(
            target_evaluations=jnp.asarray(sample.target_evaluations, jnp.int64),
            zero_values=jnp.asarray(sample.zero_values, jnp.int64),
            nonfinite_values=jnp.asarray(sample.nonfinite_values, jnp.int64),
        )

    def init(self) -> ForwardKlMemory:
        best = self.surrogate.init(jax.random.key(0)) if self._validates else ()
        return ForwardKlMemory(
            order=jnp.zeros(len(self._sample.training.weight), jnp.int32),
            taken=jnp.zeros((), jnp.int64),
            best=best,
            best_loss=jnp.full((), jnp.inf, jnp.float64),
            best_epoch=jnp.zeros((), jnp.int64),
            last_loss=jnp.full((), jnp.nan, jnp.float64),
        )

    def observe(
        self, params: Params, memory: ForwardKlMemory, tally: EvaluationStats, key: Array
    ) -> tuple[ForwardKlMemory, EvaluationStats]:
        """At the start of an epoch: validates, draws the new order."""
        del key

        def next_epoch(memory: ForwardKlMemory) -> ForwardKlMemory:
            shuffle = jax.random.fold_in(jax.random.key(self.options.seed), _SHUFFLE)
            shuffle = jax.random.fold_in(shuffle, memory.taken // self._batches)
            n = memory.order.shape[0]
            order = jax.random.permutation(shuffle, n).astype(jnp.int32)
            return self._validated(params, memory)._replace(order=order)

        begins = memory.taken % self._batches == 0
        return jax.lax.cond(begins, next_epoch, lambda memory: memory, memory), tally

    def batch(self, memory: ForwardKlMemory, key: Array) -> WeightedPoints:
        del key
        size, points = self.options.batch_size, self._sample.training
        start = memory.taken % self._batches * size
        places = jax.lax.dynamic_slice_in_dim(memory.order, start, size)
        return jax.tree.map(lambda leaf: leaf[places], points)

    def loss(
        self, params: Params, batch: WeightedPoints, tally: EvaluationStats
    ) -> tuple[Array, tuple[None, EvaluationStats]]:
        """-mean(weight x log q); points where log q is not finite are left out."""
        log_q = as_multichannel(self.surrogate).log_prob(
            params, jnp.asarray(batch.u), batch.channel
        )
        terms = jnp.where(jnp.isfinite(log_q), batch.weight * log_q, 0.0)
        return -jnp.mean(terms), (None, tally)

    def absorb(
        self, memory: ForwardKlMemory, batch: WeightedPoints, feedback: Any
    ) -> ForwardKlMemory:
        del batch, feedback
        return memory._replace(taken=memory.taken + 1)

    def finish(self, params: Params, memory: ForwardKlMemory) -> tuple[Params, ForwardKlMemory]:
        if not self._validates:
            return params, memory
        memory = self._validated(params, memory)
        return memory.best, memory

    def validation_loss(self, memory: ForwardKlMemory) -> Array:
        return memory.last_loss

    def figures(self, memory: ForwardKlMemory) -> dict[str, float]:
        if not self._validates:
            return {}
        return {
            "validation_loss": float(memory.best_loss),
            "validation_epoch": int(memory.best_epoch),
        }

    def _validated(self, params: Params, memory: ForwardKlMemory) -> ForwardKlMemory:
        """Keeps the parameters if none before were better on the validation sample."""
        if not self._validates:
            return memory
        points, size = self._sample.validation, self.options.batch_size
        view = as_multichannel(self.surrogate)
        # Whole batches, filled up with weight zero: the flow is compiled once.
        n, dim = points.u.shape
        missing = -n % size
        u = jnp.pad(points.u, ((0, missing), (0, 0)), mode="edge").reshape(-1, size, dim)
        weight = jnp.pad(points.weight, (0, missing))
        channel = jnp.pad(points.channel, (0, missing)).reshape(-1, size)
        log_q = jax.lax.map(lambda x: view.log_prob(params, *x), (u, channel)).ravel()
        loss = -jnp.sum(jnp.where(jnp.isfinite(log_q), weight * log_q, 0.0)) / n
        better = loss < memory.best_loss
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, memory.best)
        epoch = memory.taken // self._batches
        return memory._replace(
            best=best,
            best_loss=jnp.where(better, loss, memory.best_loss),
            best_epoch=jnp.where(better, epoch, memory.best_epoch),
            last_loss=loss,
        )
