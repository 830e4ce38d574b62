"""The first stage of a run: train the surrogate, or find the one that was trained.

Heavy packages are imported by the functions that need them; the time this takes is measured.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fabgen.card import Card
from fabgen.run.grids import adapted_grids, trained_grids
from fabgen.run.progress import Silent
from fabgen.run.session import Session, Trained
from fabgen.run.streams import GRID
from fabgen.run.surrogate import (
    annealed,
    describe_training,
    has_training,
    pretrains,
    surrogate_of,
)

if TYPE_CHECKING:
    from fabgen.training import Snapshot


#: How much longer than f a step of a training takes to compile, about: it has the gradients of f.
_STEP = 3.0


def has_finished_surrogate(session: Session) -> bool:
    """Whether the run holds the card's surrogate, ready for use."""
    if not has_training(session.card, session.integrand):
        return True
    with session.watch("import"):
        from fabgen.training import Checkpointer
    return Checkpointer(session.run.surrogate, describe_training(session.card)).finished


def trained_surrogate(session: Session, kind: str, *, store: bool) -> Trained:
    """The surrogate of a kind: trained now, resumed, or read from the run."""
    if kind == "vegas":
        return trained_grids(session, store=store)
    with session.watch("import"):
        surrogate = surrogate_of(session.card, session.integrand)
    trains = has_training(session.card, session.integrand)
    if trains:
        starts = pretrains(session.card, session.integrand.n_channels)
        return train_flow(
            session, surrogate, session.card, lambda: adapted_grids(session) if starts else None
        )
    return Trained(surrogate, surrogate.init(session.key(GRID)))


def train_flow(
    session: Session,
    surrogate: Any,
    card: Card,
    start: Callable[[], Any],
    rounds: tuple[int, ...] = (),
    enough: Callable[[Snapshot], bool] = lambda snapshot: False,
) -> Trained:
    """The surrogate trained as `card` says: now, to its end, or read from the run.

    card: that of the session, or one that spells out what it leaves open. start: makes what a new
    training starts from. rounds, enough: see `training.loop.train`; `enough` takes no time of it.
    """
    with session.watch("import"):
        from fabgen.run.monitor import Monitor
        from fabgen.run.sample.stored import training_sample
        from fabgen.training import Checkpointer, LogRecord, Progress
        from fabgen.training.loop import resolve, train
    run, watch = session.run, session.watch
    description = describe_training(session.card)
    checkpointer = Checkpointer(run.surrogate, description)
    resumed, reporter = checkpointer.resume_step, session.reporter
    sample: Any = None
    sample_figures = dict[str, Any]()
    if card.training.method == "fkld":
        sample, sample_figures = training_sample(session, description)
    card = annealed(card, session.integrand)
    steps = resolve(card.training, sample).steps
    run.truncate_logs(resumed)
    if checkpointer.finished:
        reporter.note("using the finished surrogate of the run")
        reporter = Silent()
    elif resumed is not None:
        most = "at most " if rounds else ""
        reporter.note(f"resuming the training at step {max(resumed, 0)} of {most}{steps}")
    n_channels = session.integrand.n_channels
    several = f" of {n_channels} channels" if n_channels > 1 else ""
    for name, value in card.training.anneal.items():
        own = session.integrand.parameters[name]
        reporter.note(f"starting with another {name} ({value}; the card's is {own:g})")
    reporter.note(f"compiling the training step{several} (kept for later runs)")

    def log(record: LogRecord) -> None:
        run.append_log(record.as_dict())

    monitor = Monitor(session, surrogate)

    def decide(snapshot: Snapshot) -> bool:
        with monitor.pause():
            return enough(snapshot)

    if sample is None and resumed is None:
        with watch("train"):
            sample = start()
    begun = monitor.clock()
    with contextlib.ExitStack() as stages:
        # A bar for each round: nobody knows yet how many there will be.
        ends = iter([end for end in rounds if end > (resumed or 0)] or [steps])
        end = next(ends)
        show = stages.enter_context(reporter.stage("train", end, "steps"))
        compiling = contextlib.ExitStack()
        stages.callback(compiling.close)
        expected = _STEP * session.integrand.compile_seconds
        compiling.enter_context(reporter.busy("compile", expected))

        def progress(p: Progress) -> None:
            nonlocal end, show
            compiling.close()
            if p.step > end:
                stages.close()
                end = next(ends)
                show = stages.enter_context(reporter.stage("train", end, "steps"))
            show(max(p.step, 0), loss=p.loss, eps=p.eps, evaluations=p.target_evaluations)

        result = train(
            session.integrand,
            surrogate,
            card.training,
            data=sample,
            checkpointer=checkpointer,
            on_log=log,
            on_progress=progress,
            on_snapshot=monitor,
            snapshots=monitor.steps,
            rounds=rounds,
            enough=decide,
            clock=monitor.clock,
            compiler=session.compiler,
        )
    watch.add("compile", result.compile_seconds)
    watch.add("train", monitor.clock() - begun - result.compile_seconds)
    counts = result.counters
    return Trained(
        surrogate,
        result.params,
        counts["target_evaluations"],
        counts["gradient_evaluations"],
        {
            "method": card.training.method,
            "steps": result.steps,
            "resumed_step": result.resumed_step,
            "training_seconds": result.seconds,
            **{name: n for name, n in counts.items() if not name.endswith("_evaluations")},
            **({"anneal": dict(card.training.anneal)} if card.training.anneal else {}),
            **result.figures,
            **sample_figures,
        },
        run.evaluations_along,
    )
