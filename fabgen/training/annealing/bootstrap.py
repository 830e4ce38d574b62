"""Common part of both forms of FAB: fresh samples of q, annealed towards p^2/q."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.surrogate.channels import as_multichannel
from fabgen.training.annealing import ais, hmc
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.from_grids import FromGrids
from fabgen.training.target import (
    InvalidCounts,
    Params,
    Parts,
    Values,
    clean,
    density_of,
    evaluate,
    value_and_gradient,
    values_at,
)


class AnnealedPoints(NamedTuple):
    """The end of n annealed chains, or points where they were drawn.

    u (n, dim). log_q, log_alpha (n,): the density and the weight of the own channel there. log_w
    (n,): annealed log weights. start: log(alpha_i f_i) where they were drawn. more: what channel
    weights look at, () for one channel.
    """

    u: Array
    log_q: Array
    log_alpha: Array
    log_w: Array
    start: Values
    more: Any


class AnnealedObjective(FromGrids):
    """One annealing pass of `batch_size` chains per step.

    Of several channels a chain stays in its own, from q_i towards (alpha_i f_i)^2 / q_i with the
    present weights alpha_i. Without intermediate distributions a sample stays where it was drawn,
    with the weight (p/q)^2.
    """

    @property
    def needs_gradients(self) -> bool:
        """Whether gradients of f are of any use."""
        fab = self.options.fab
        return fab.intermediate > 0 or fab.fresh_loss != "none"

    def initial_step_sizes(self) -> Array:
        fab = self.options.fab
        return jnp.full(fab.intermediate, fab.step_size, jnp.float64)

    def what_weights_see(
        self, u: Array, channel: Array
    ) -> tuple[tuple[Array, Array], InvalidCounts]:
        """log_prior (n, channels of the widest component) and features (n, n_features) of points;
        evaluates f."""
        values = values_at(self.target, u, channel)
        _, _, faults = clean(values.log_f, jnp.zeros_like(u))
        return (values.log_prior.T, values.features.T), faults

    def log_alpha(self, params: Params, more: Any, channel: Array) -> Array:
        """log alpha_i (n,) of the own channel."""
        if self.target.n_channels == 1:
            return jnp.zeros(channel.shape)
        log_prior, features = more
        view = as_multichannel(self.surrogate)
        return view.log_alpha(params, log_prior.T, features.T, channel)

    def anneal(
        self,
        params: Params,
        step_sizes: Array,
        tally: EvaluationStats,
        keys: tuple[Array, Array],
        channel: Array,
        log_share: Array | float = 0.0,
    ) -> tuple[AnnealedPoints, Array, EvaluationStats]:
        """Annealed samples of the channels (n,), the step sizes for the next pass, the counts.

        keys: of the samples, and of their chains. log_share (n,): of the share of their channel.
        """
        fab, n, counters = self.options.fab, channel.shape[0], tally.counters
        u, log_q = as_multichannel(self.surrogate).sample_and_log_prob(params, keys[0], channel)
        calls = n * ais.evaluations_per_sample(fab.intermediate, fab.leapfrog_steps, fab.hmc_moves)
        if fab.intermediate == 0:
            points, faults = self._where_drawn(params, u, log_q, channel)
            log_w, acceptance = 0.5 * points.log_w, jnp.zeros(0)
        else:
            found = self._chains(params, step_sizes, u, log_q, keys[1], channel)
            more: Any = ()
            if self.target.n_channels > 1:
                more, extra = self.what_weights_see(found.u, channel)
                counters = counters.with_values(n, extra)
            points = AnnealedPoints(
                found.u,
                found.log_q,
                self.log_alpha(params, more, channel),
                found.log_w,
                found.start,
                more,
            )
            faults, log_w, acceptance = found.faults, found.initial_log_w, found.acceptance
        counted = counters.with_evaluations if self.needs_gradients else counters.with_values
        meter = tally.meter.with_weights(log_w - log_share).with_transitions(acceptance, step_sizes)
        step_sizes = hmc.adapt(step_sizes, acceptance, fab.target_acceptance)
        return points, step_sizes, EvaluationStats(counted(calls, faults), meter)

    def _chains(
        self,
        params: Params,
        step_sizes: Array,
        u: Array,
        log_q: Array,
        key: Array,
        channel: Array,
    ) -> ais.Annealed:
        """Annealed chains from points u with their log q."""
        fab = self.options.fab
        lengths = fab.leapfrog_steps, fab.hmc_moves
        if fab.intermediate > 1:

            def both(u: Array) -> tuple[Parts, InvalidCounts]:
                return evaluate(self.target, self.surrogate, params, u, channel)

            return ais.anneal(both, u, key, step_sizes, *lengths)

        # The only distribution in between is p itself: q is asked for where chains end, and its
        # gradient, most of the time of a pass, is not.
        log_density = density_of(self.target, channel, self.surrogate, params)

        def of_p(u: Array) -> tuple[Parts, InvalidCounts]:
            log_p, gradient, faults = clean(*value_and_gradient(log_density, u))
            return Parts(log_p, jnp.zeros_like(log_p), gradient, jnp.zeros_like(u)), faults

        found = ais.anneal(of_p, u, key, step_sizes, *lengths)
        at_end = as_multichannel(self.surrogate).log_prob(params, found.u, channel)
        known = jnp.isfinite(at_end) & jnp.isfinite(log_q)
        return found._replace(
            log_q=at_end,
            log_w=jnp.where(known, found.log_w - log_q - at_end, -jnp.inf),
            initial_log_w=jnp.where(jnp.isfinite(log_q), found.initial_log_w - log_q, -jnp.inf),
        )

    def _where_drawn(
        self, params: Params, u: Array, log_q: Array, channel: Array
    ) -> tuple[AnnealedPoints, InvalidCounts]:
        """The points as they are, log_w = 2 log(p/q)."""

        def log_p(u: Array) -> tuple[Array, tuple[Any, Array]]:
            if self.target.n_channels == 1:
                return self.target.log_density(u), ((), jnp.zeros(u.shape[0]))
            values = values_at(self.target, u, channel)
            more = values.log_prior.T, values.features.T
            log_alpha = self.log_alpha(params, more, channel)
            return values.log_f + log_alpha, (more, log_alpha)

        if self.needs_gradients:
            value, pullback, (more, log_alpha) = jax.vjp(log_p, u, has_aux=True)
            values, faults = Values.of(value, pullback(jnp.ones_like(value))[0])
        else:
            value, (more, log_alpha) = log_p(u)
            cleaned, gradient, faults = clean(value, jnp.zeros_like(u))
            values = Values(cleaned, gradient, jnp.isneginf(value), jnp.isfinite(value))
        log_w = 2.0 * values.log_weight(log_q)
        return AnnealedPoints(u, log_q, log_alpha, log_w, values, more), faults
