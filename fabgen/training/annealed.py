"""What both forms of FAB share: fresh samples of q, annealed towards p^2/q."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.multichannel import in_channels
from fabgen.training import annealing, hmc
from fabgen.training.annealing import Annealed
from fabgen.training.counters import Tally
from fabgen.training.objective import Objective
from fabgen.training.target import (
    Params,
    Values,
    channels_in_turn,
    clean,
    density_of,
    evaluate,
    value_and_gradient,
)


class AnnealedObjective(Objective):
    """One annealing pass of `batch_size` chains per step.

    Of several channels every one starts the same number of chains, from q_i towards
    (alpha_i f_i)^2 / q_i with the prior weights alpha_i; a chain stays in its channel. Weights of
    all channels compete, so that the objective is the sum of the channels' second moments.

    Without intermediate distributions a sample stays where it was drawn, with the weight (p/q)^2.
    """

    @property
    def needs_gradients(self) -> bool:
        """Whether gradients of f are of any use."""
        fab = self.options.fab
        return fab.intermediate > 0 or fab.fresh_loss != "none"

    def initial_step_sizes(self) -> Array:
        fab = self.options.fab
        return jnp.full(fab.intermediate, fab.step_size, jnp.float64)

    def anneal(
        self, params: Params, step_sizes: Array, tally: Tally, sample_key: Array, anneal_key: Array
    ) -> tuple[Annealed, Array, Tally]:
        """Annealed samples, the step sizes for the next pass, the counts."""
        fab, n = self.options.fab, self.options.batch_size
        channel = channels_in_turn(self.target, n)
        u, log_q = in_channels(self.surrogate).sample_and_log_prob(params, sample_key, channel)
        if fab.intermediate == 0:
            annealed = self._where_drawn(u, log_q, channel)
        else:

            def parts(u):
                return evaluate(self.target, self.surrogate, params, u, channel)

            annealed = annealing.anneal(
                parts, u, anneal_key, step_sizes, fab.leapfrog_steps, fab.hmc_moves
            )
        calls = n * annealing.evaluations_per_sample(
            fab.intermediate, fab.leapfrog_steps, fab.hmc_moves
        )
        counters = tally.counters
        if self.needs_gradients:
            counters = counters.with_evaluations(calls, annealed.faults)
        else:
            counters = counters.with_values(calls, annealed.faults)
        meter = tally.meter.with_weights(annealed.initial_log_w)
        tally = Tally(counters, meter.with_transitions(annealed.acceptance, step_sizes))
        return annealed, hmc.adapt(step_sizes, annealed.acceptance, fab.target_acceptance), tally

    def _where_drawn(self, u: Array, log_q: Array, channel: Array) -> Annealed:
        log_f = density_of(self.target, channel)
        if self.needs_gradients:
            values, faults = Values.of(*value_and_gradient(log_f, u))
        else:
            value, gradient, faults = clean(log_f(u), jnp.zeros_like(u))
            values = Values(value, gradient, jnp.isneginf(value), jnp.isfinite(value))
        log_w = values.log_weight(log_q)
        return Annealed(u, log_q, 2.0 * log_w, log_w, jnp.zeros(0), faults, values)
