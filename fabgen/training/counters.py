"""Running totals of a training run: exact counts, and the figures of one log line."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.training.target import InvalidCounts


class Counters(NamedTuple):
    """Exact totals since the start of the run (int64 scalars).

    Every call of f counts: also those outside the cuts, in HMC and while the buffer fills.
    `gradient_evaluations` are the calls among them that carry a gradient.
    """

    target_evaluations: Array
    gradient_evaluations: Array
    zero_values: Array  # f = 0: outside the cuts
    nonfinite_values: Array  # f is NaN or infinite: treated as 0
    nonfinite_gradients: Array  # of f, at a finite value: treated as 0
    skipped: Array  # gradient steps left out by the filter, those not finite included
    clipped: Array  # gradient steps shortened by the filter
    nonfinite_steps: Array  # gradient steps left out because their norm was not finite

    @staticmethod
    def zero() -> Counters:
        return Counters(*(jnp.zeros((), jnp.int64) for _ in Counters._fields))

    def with_evaluations(self, calls: int, faults: InvalidCounts) -> Counters:
        """Adds `calls` evaluations of f that carried a gradient."""
        return self._replace(gradient_evaluations=self.gradient_evaluations + calls).with_values(
            calls, faults
        )

    def with_values(self, calls: int, faults: InvalidCounts) -> Counters:
        """Adds `calls` evaluations of f without a gradient."""
        return self._replace(
            target_evaluations=self.target_evaluations + calls,
            zero_values=self.zero_values + faults.zero_values,
            nonfinite_values=self.nonfinite_values + faults.nonfinite_values,
            nonfinite_gradients=self.nonfinite_gradients + faults.nonfinite_gradients,
        )


class IntervalStats(NamedTuple):
    """Sums over the steps since the last log line (float64 scalars).

    The sums of weights are kept as logarithms: f has no natural scale.
    """

    log_sum_w: Array  # log sum w over fresh samples of q, w = f/q
    log_sum_w2: Array
    samples: Array
    loss: Array  # sum over gradient steps
    updates: Array
    acceptance: Array  # sum over HMC transitions of their mean acceptance
    transitions: Array
    step_size: Array  # sum over HMC transitions

    @staticmethod
    def zero() -> IntervalStats:
        # One array each: the loop donates them, and a buffer can be donated only once.
        start = {"log_sum_w": -jnp.inf, "log_sum_w2": -jnp.inf}
        return IntervalStats(
            *(jnp.full((), start.get(n, 0.0), jnp.float64) for n in IntervalStats._fields)
        )

    def with_weights(self, log_w: Array) -> IntervalStats:
        """Adds fresh samples of q with log weights log_w (n,)."""
        return self._replace(
            log_sum_w=jnp.logaddexp(self.log_sum_w, jax.nn.logsumexp(log_w)),
            log_sum_w2=jnp.logaddexp(self.log_sum_w2, jax.nn.logsumexp(2.0 * log_w)),
            samples=self.samples + log_w.shape[0],
        )

    def with_transitions(self, acceptance: Array, step_sizes: Array) -> IntervalStats:
        """Adds HMC transitions: mean acceptance and step size of each, shapes (M,)."""
        return self._replace(
            acceptance=self.acceptance + jnp.sum(acceptance),
            transitions=self.transitions + acceptance.shape[0],
            step_size=self.step_size + jnp.sum(step_sizes),
        )

    def with_loss(self, loss: Array) -> IntervalStats:
        """Adds one gradient step; a loss that is not finite is left out (its step is skipped)."""
        finite = jnp.isfinite(loss)
        return self._replace(
            loss=self.loss + jnp.where(finite, loss, 0.0),
            updates=self.updates + finite.astype(self.updates.dtype),
        )


class EvaluationStats(NamedTuple):
    """Everything that is counted along the way."""

    counters: Counters
    meter: IntervalStats

    @staticmethod
    def zero() -> EvaluationStats:
        return EvaluationStats(Counters.zero(), IntervalStats.zero())
