"""The training loop: one compiled program, cut at fixed steps to log, checkpoint and report.

A chunk of steps is a compiled loop whose end is an argument. Every step is the same instructions on
the same state whatever chunk it falls in, and its random key is a function of the step alone: how a
run was cut, by logs, by checkpoints or by a kill, leaves no trace in the result.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen import interrupts
from fabgen.compiler import Compiler
from fabgen.errors import FabgenError, InputError
from fabgen.integrand.base import Integrand
from fabgen.training.counters import Counters, EvaluationStats, IntervalStats
from fabgen.training.deform import Deformation, Path, path_of
from fabgen.training.objectives.base import Memory, Objective
from fabgen.training.objectives.registry import objective_class
from fabgen.training.optimizer import Optimizer, OptimizerState
from fabgen.training.records import LogRecord, Progress, Snapshot, log_record, progress_of
from fabgen.training.stops import next_stop
from fabgen.training.target import Params, TrainableSurrogate

if TYPE_CHECKING:
    from fabgen.card import TrainingOptions
    from fabgen.training.checkpoint import Checkpointer


#: A stream of random numbers below the key of a step.
_PROBES = 0x50


class TrainingState(NamedTuple):
    """Everything that moves in a training run."""

    step: Array  # int64: steps done; negative during the warm-up of the objective
    key: Array  # key data of the run; step keys are folded from it
    params: Params
    optimizer: OptimizerState
    memory: Memory  # of the objective: HMC step sizes, buffer
    counters: Counters
    meter: IntervalStats
    deformation: Any = ()  # of the parameters of f on their way to the card's


@dataclass(frozen=True)
class TrainResult:
    """The end of a training run.

    `params` are the last ones (with fkld the best in validation): with a rate that falls to zero
    their mean over the last quarter of the run was no better (eps 0.9872 against 0.9876 on an
    8-dimensional toy).
    `history` holds the log lines of this call (after `resumed_step`), `counters` the exact totals
    of the whole run, `figures` what else its method tells, `steps` its length, `seconds` its time
    as told by the caller's clock, compilation included.
    """

    params: Params
    state: TrainingState
    history: tuple[LogRecord, ...]
    counters: Mapping[str, int]
    figures: Mapping[str, float]
    steps: int
    resumed_step: int | None
    seconds: float
    compile_seconds: float


class CheckpointStore(Protocol):
    """The methods of `checkpoint.Checkpointer` that the loop calls."""

    def restore(self, template: Any) -> Any: ...

    def save(self, tree: Any, *, step: int, finished: bool, seconds: float) -> None: ...


@dataclass(frozen=True, eq=False)
class Trainer:
    """The pure part: the state, and one step of it."""

    objective: Objective
    optimizer: Optimizer
    path: Path | None = None

    def init(self, seed: int) -> TrainingState:
        """The state before the first step."""
        params_key, run_key = jax.random.split(jax.random.key(seed))
        params = self.objective.start(self.objective.surrogate.init(params_key))
        return TrainingState(
            step=jnp.asarray(-self.objective.warm_up, jnp.int64),
            key=jax.random.key_data(run_key),
            params=params,
            optimizer=self.optimizer.init(params),
            memory=self.objective.init(),
            counters=self.objective.counters(),
            meter=IntervalStats.zero(),
            deformation=Deformation.start() if self.path else (),
        )

    def step(self, state: TrainingState) -> TrainingState:
        """One training step: fresh samples, then the gradient steps (none during the warm-up)."""
        key = jax.random.fold_in(
            jax.random.wrap_key_data(state.key), state.step + self.objective.warm_up
        )
        if self.path is None:
            return self._step(state, key)
        objective, path = self.objective, self.path
        deformation, counters = path.advanced(
            objective.target,
            objective.surrogate,
            state.params,
            state.deformation,
            state.counters,
            state.step,
            jax.random.fold_in(key, _PROBES),
        )
        state = state._replace(deformation=deformation, counters=counters)
        there = replace(objective, target=path.at(objective.target, deformation))
        return replace(self, objective=there)._step(state, key)

    def _step(self, state: TrainingState, key: Array) -> TrainingState:
        objective = self.objective
        observe_key, update_key = jax.random.split(key)
        memory, tally = objective.observe(
            state.params, state.memory, EvaluationStats(state.counters, state.meter), observe_key
        )
        params = objective.revise(state.params, memory)
        state = state._replace(
            params=params, memory=memory, counters=tally.counters, meter=tally.meter
        )
        if objective.warm_up:
            state = jax.lax.cond(
                state.step >= 0, self._updates, lambda state, _: state, state, update_key
            )
        else:
            state = self._updates(state, update_key)
        return state._replace(step=state.step + 1)

    def _updates(self, state: TrainingState, key: Array) -> TrainingState:
        n = self.objective.updates

        def update(state, nth):
            key, number = nth
            return self._update(state, key, state.step * n + number), None

        return jax.lax.scan(update, state, (jax.random.split(key, n), jnp.arange(n)))[0]

    def _update(self, state: TrainingState, key: Array, number: Array) -> TrainingState:
        batch = self.objective.batch(state.memory, key)
        (loss, (feedback, tally)), gradient = jax.value_and_grad(self.objective.loss, has_aux=True)(
            state.params, batch, EvaluationStats(state.counters, state.meter)
        )
        params, optimizer, report = self.optimizer.step(
            state.params, gradient, state.optimizer, number
        )
        counters = tally.counters
        return state._replace(
            params=params,
            optimizer=optimizer,
            memory=self.objective.absorb(state.memory, batch, feedback),
            counters=counters._replace(
                skipped=counters.skipped + report.skipped,
                clipped=counters.clipped + report.clipped,
                nonfinite_steps=counters.nonfinite_steps + report.nonfinite,
            ),
            meter=tally.meter.with_loss(loss),
        )

    def advance(self, state: TrainingState, stop: Array, data: Any) -> TrainingState:
        """Steps until state.step = stop; a traced `stop` compiles once for all chunks."""
        step = self._on(data).step
        return jax.lax.while_loop(lambda state: state.step < stop, step, state)

    def finish(self, state: TrainingState, data: Any) -> TrainingState:
        """After the last step: the parameters that the training ends with."""
        params, memory = self._on(data).objective.finish(state.params, state.memory)
        return state._replace(params=params, memory=memory)

    def _on(self, data: Any) -> Trainer:
        """The trainer with traced data in the place of the arrays."""
        return replace(self, objective=replace(self.objective, data=data))


def resolve(options: TrainingOptions, data: Any = None) -> TrainingOptions:
    """The options with the length of the training, which may depend on the data (fkld)."""
    return objective_class(options.method).resolve(options, data)


def check_batch(options: TrainingOptions, n_channels: int) -> None:
    """Raises InputError if a batch has too few points for so many channels."""
    each = objective_class(options.method).points_per_channel
    if options.batch_size < each * n_channels:
        raise InputError(
            f"a batch needs {each} point{'s' if each > 1 else ''} of every channel",
            key="training.batch_size",
            found=options.batch_size,
            allowed=f"{each * n_channels} or more for {n_channels} channels",
        )


def make_trainer(
    target: Integrand,
    surrogate: TrainableSurrogate,
    options: TrainingOptions,
    data: Any = None,
    rounds: tuple[int, ...] = (),
) -> Trainer:
    """The trainer of `options.method`; unknown methods raise InputError."""
    check_batch(options, target.n_channels)
    options = resolve(options, data)
    objective = objective_class(options.method)(target, surrogate, options, data)
    optimizer = Optimizer.from_options(options, rounds, objective.updates)
    # Every round is measured, and may be the last one: the first has to get to the end of the path.
    steps = rounds[0] if rounds else options.steps
    path = path_of(options.anneal, target, options.anneal_part, steps)
    return Trainer(objective, optimizer, path)


def train(
    target: Integrand,
    surrogate: TrainableSurrogate,
    options: TrainingOptions,
    *,
    data: Any = None,
    checkpointer: Checkpointer | CheckpointStore | None = None,
    on_log: Callable[[LogRecord], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_snapshot: Callable[[Snapshot], None] | None = None,
    snapshots: Callable[[int], tuple[int, ...]] = lambda steps: (),
    rounds: tuple[int, ...] = (),
    enough: Callable[[Snapshot], bool] = lambda snapshot: False,
    clock: Callable[[], float] = lambda: 0.0,
    compiler: Compiler | None = None,
) -> TrainResult:
    """Trains the surrogate, from the last checkpoint if `checkpointer` has one.

    `data` is what the method learns from besides f (fkld: a Sample). `on_log` is called every
    `log_every` steps and at the end, `on_progress` a few times as often, `on_snapshot` at the steps
    that `snapshots` gives for a training of so many steps; none of them changes the result.

    `rounds` are the steps at which rounds end, the last one at the end of the training. Each has
    its own course of the learning rate, is followed by a checkpoint and, but for the last one, by
    the question `enough`: True ends the training there. A training that was killed before the
    answer asks again when it is resumed.

    `clock` tells seconds (this module reads no clock of its own). A finished checkpoint returns at
    once. Raises FabgenError if f was zero or not finite wherever it was tried, InputError for a
    damaged or foreign checkpoint. A signal that the command line handles (`interrupts`) ends the
    training after a checkpoint of where it is.
    """
    start = clock()
    trainer = make_trainer(target, surrogate, options, data, rounds)
    compiler = compiler or Compiler()
    init = compiler.trace(functools.partial(trainer.init, options.seed))
    restored = None
    if checkpointer is not None:
        restored = checkpointer.restore(init.out_info)
    # The state is donated to every chunk: its arrays must be JAX's own, each its own memory.
    state = jax.tree.map(jnp.array, restored.tree if restored else init.compile()())
    earlier = restored.seconds if restored else 0.0

    def seconds() -> float:
        return earlier + clock() - start

    step = int(state.step)
    warm_up, steps = trainer.objective.warm_up, trainer.objective.options.steps

    def snapshot(state: TrainingState) -> Snapshot:
        calls = state.counters.target_evaluations, state.counters.gradient_evaluations
        pace = stepping / stepped if stepped else None
        return Snapshot(
            int(state.step), state.params, int(calls[0]), int(calls[1]), seconds(), pace
        )

    def finish(state: TrainingState) -> TrainingState:
        ended: TrainingState = compiler.compile(trainer.finish, state, data)(state, data)
        return ended

    def save(state: TrainingState, finished: bool) -> None:
        if checkpointer is not None:
            checkpointer.save(state, step=int(state.step), finished=finished, seconds=seconds())

    if restored is not None and restored.finished:
        steps = step
    extra = snapshots(steps) if on_snapshot is not None else ()
    history: list[LogRecord] = []
    compile_seconds = stepping = 0.0
    stepped = 0
    advance = None
    intervals = (options.log_every, options.checkpoint_every, max(1, options.log_every // 5))
    while step < steps:
        if step in rounds and enough(snapshot(state)):
            steps, state = step, finish(state)
            save(state, True)
            break
        if advance is None:
            before = clock()
            given = state, np.int64(0), data
            advance = compiler.compile(trainer.advance, *given, donate=(0,))
            compile_seconds = clock() - before
            interrupts.check()
        ended = False
        with interrupts.held():  # nothing that was learned is thrown away
            while not ended:
                stop = next_stop(step, steps, intervals, (*extra, *rounds))
                before, first = clock(), step
                state = advance(state, np.int64(stop), data)
                step = int(state.step)
                stepping, stepped = stepping + clock() - before, stepped + step - first
                if step == steps:
                    state = finish(state)
                counters, meter = jax.device_get((state.counters, state.meter))
                if on_progress is not None:
                    on_progress(progress_of(step, warm_up, steps, counters, meter))
                if step > 0 and (step % options.log_every == 0 or step in (*rounds, steps)):
                    _refuse_nothing(counters)
                    last = step * trainer.objective.updates - 1
                    rate = float(trainer.optimizer.schedule(jnp.asarray(last)))
                    validation = trainer.objective.validation_loss(state.memory)
                    record = log_record(step, counters, meter, seconds(), rate, validation)
                    history.append(record)
                    if on_log is not None:
                        on_log(record)
                    state = state._replace(meter=IntervalStats.zero())
                if on_snapshot is not None and step in extra:
                    on_snapshot(snapshot(state))
                ended = step in (*rounds, steps) or interrupts.requested()
                if ended or (step > 0 and step % options.checkpoint_every == 0):
                    save(state, step == steps)
        interrupts.check()

    return TrainResult(
        params=state.params,
        state=state,
        history=tuple(history),
        counters={name: int(n) for name, n in state.counters._asdict().items()},
        figures=trainer.objective.figures(state.memory),
        steps=steps,
        resumed_step=restored.step if restored else None,
        seconds=seconds(),
        compile_seconds=compile_seconds,
    )


def _refuse_nothing(counters: Counters) -> None:
    """Stops a run that cannot learn: f was zero or not finite wherever it was tried."""
    calls, zeros = int(counters.target_evaluations), int(counters.zero_values)
    if 0 < calls == zeros + int(counters.nonfinite_values):
        raise FabgenError(
            f"there is nothing to learn: of {calls} evaluations {zeros} gave zero and "
            f"{calls - zeros} a value that is not finite; are the cuts too tight?"
        )
