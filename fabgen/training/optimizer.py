"""Adam (Optax) with a learning-rate schedule and FAB's filter of gradient norms."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from fabgen.errors import InputError
from fabgen.training.target import Params

if TYPE_CHECKING:
    from fabgen.card import TrainingOptions

Schedule = Callable[[Array], Array]


def schedule(options: TrainingOptions, rounds: tuple[int, ...] = (), updates: int = 1) -> Schedule:
    """Learning rate as a function of the gradient update 0, 1, ...; a step takes `updates` of them.

    constant: learning_rate. cosine: from learning_rate down to final_rate. warmup-cosine: linear
    from initial_rate to learning_rate in warmup_steps, then cosine down to final_rate. It ends with
    the training, and all updates of a step have the same rate; with schedule_updates it is counted
    in updates, ends after as many, wherever the training ends, and stays at final_rate.

    rounds: the steps at which rounds end; each has a schedule of its own (warm restarts: I.
    Loshchilov, F. Hutter, SGDR, arXiv:1608.03983), so that every round ends with parameters that
    have settled.
    """
    if options.schedule_updates:
        return _course(options, options.schedule_updates)
    if rounds:
        lengths = (end - start for start, end in itertools.pairwise((0, *rounds)))
        own = [_course(options, length) for length in lengths]
        by_step = optax.schedules.join_schedules(own, list(rounds[:-1]))
    else:
        by_step = _course(options, options.steps)
    return lambda update: by_step(update // updates)


def _course(options: TrainingOptions, steps: int) -> Schedule:
    """The learning rate at 0 .. length - 1, and beyond that as at its end."""
    # A float: optax would turn an integer into one when it is first used, which would change the
    # fingerprint of the training.
    peak, final, length = options.learning_rate, options.final_rate, float(max(steps, 1))
    if options.schedule == "constant":
        return optax.schedules.constant_schedule(peak)
    if options.schedule == "cosine":
        return optax.schedules.cosine_decay_schedule(peak, length, alpha=final / peak)
    if options.schedule == "warmup-cosine":
        warm_up = options.warmup_steps
        if warm_up >= length:
            raise InputError(
                "the warm-up takes all of the schedule",
                key="training.warmup_steps",
                found=warm_up,
                allowed=f"less than its length of {length:g}",
            )
        return optax.schedules.warmup_cosine_decay_schedule(
            options.initial_rate, peak, warm_up, length, end_value=final
        )
    raise InputError(
        "unknown learning-rate schedule",
        key="training.schedule",
        found=options.schedule,
        allowed="constant, cosine, warmup-cosine",
    )


class OptimizerState(NamedTuple):
    """Adam's moments, and the last gradient norms: a ring with NaN where nothing was written."""

    adam: Any
    norms: Array  # (norm_window,)
    recorded: Array  # int64: norms written so far


class StepReport(NamedTuple):
    """The verdict of the filter on one gradient: counts of 0 or 1 (int64), and its norm."""

    norm: Array
    skipped: Array
    clipped: Array
    nonfinite: Array


@dataclass(frozen=True)
class Optimizer:
    """Gradient steps that a single bad batch cannot spoil.

    A gradient whose norm exceeds skip_factor times the median of the last norm_window norms, or is
    not finite, leaves parameters and moments as they are. Else it is scaled down to at most
    clip_factor times the median. Every finite norm enters the window, skipped ones too: when norms
    grow for good, the median follows and training goes on. While the window is not full the median
    is that of the norms so far; the first gradient passes as it is.
    """

    schedule: Schedule
    skip_factor: float
    clip_factor: float
    norm_window: int

    @classmethod
    def from_options(
        cls, options: TrainingOptions, rounds: tuple[int, ...] = (), updates: int = 1
    ) -> Optimizer:
        """`updates`: of a training step."""
        return cls(
            schedule(options, rounds, updates),
            options.skip_factor,
            options.clip_factor,
            options.norm_window,
        )

    def init(self, params: Params) -> OptimizerState:
        return OptimizerState(
            adam=optax.scale_by_adam().init(params),
            norms=jnp.full(self.norm_window, jnp.nan, jnp.float64),
            recorded=jnp.zeros((), jnp.int64),
        )

    def step(
        self, params: Params, gradient: Params, state: OptimizerState, update: Array
    ) -> tuple[Params, OptimizerState, StepReport]:
        """One Adam step with the rate of gradient update `update`, unless the filter objects."""
        norm = jnp.sqrt(
            sum(
                (jnp.sum(jnp.square(g.astype(jnp.float64))) for g in jax.tree.leaves(gradient)),
                start=jnp.zeros((), jnp.float64),
            )
        )
        median = jnp.nanmedian(state.norms)
        known = median > 0.0  # False for the NaN of an empty window
        finite = jnp.isfinite(norm)
        skip = ~finite | (known & (norm > self.skip_factor * median))
        clip = ~skip & known & (norm > self.clip_factor * median)
        scale = jnp.where(clip, self.clip_factor * median / norm, 1.0)

        scaled = jax.tree.map(
            lambda g: jnp.where(skip, jnp.zeros_like(g), g * scale.astype(g.dtype)), gradient
        )
        direction, adam = optax.scale_by_adam().update(scaled, state.adam, params)
        rate = self.schedule(update)
        moved = jax.tree.map(lambda p, d: p - (rate * d).astype(p.dtype), params, direction)

        def unless_skipped(new, old):
            return jax.tree.map(lambda n, o: jnp.where(skip, o, n), new, old)

        place = state.recorded % self.norm_window
        norms = state.norms.at[place].set(jnp.where(finite, norm, state.norms[place]))
        new_state = OptimizerState(
            adam=unless_skipped(adam, state.adam),
            norms=norms,
            recorded=state.recorded + finite.astype(jnp.int64),
        )
        report = StepReport(norm, *(b.astype(jnp.int64) for b in (skip, clip, ~finite)))
        return unless_skipped(moved, params), new_state, report
