"""The stages of a run: train the surrogate, evaluate it, write events.

Heavy packages are imported by the functions that need them; the time this takes is measured.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabgen import __version__
from fabgen.card import Card, dump_card
from fabgen.channel_grids import channel_grids
from fabgen.reporting import Silent
from fabgen.session import EVENTS, GENERATION, GRID, Session, Trained
from fabgen.surrogates import describe_training, has_training, pretrains, surrogate_of
from fabgen.trained_grids import trained_grids

if TYPE_CHECKING:
    from fabgen.evaluation import Evaluated
    from fabgen.events.lhe import FileInfo
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.unweight import Totals
    from fabgen.training import Snapshot


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
        starts = pretrains(session.card)
        return train_flow(
            session, surrogate, session.card, lambda: channel_grids(session) if starts else None
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
        from fabgen.along_training import Monitor
        from fabgen.training import Checkpointer, LogRecord, Progress
        from fabgen.training.loop import resolve, train
        from fabgen.training_sample import training_sample
    run, watch = session.run, session.watch
    description = describe_training(session.card)
    checkpointer = Checkpointer(run.surrogate, description)
    resumed, reporter = checkpointer.resume_step, session.reporter
    sample: Any = None
    sample_figures = dict[str, Any]()
    if card.training.method == "fkld":
        sample, sample_figures = training_sample(session, description)
    steps = resolve(card.training, sample).steps
    run.truncate_logs(resumed)
    if checkpointer.finished:
        reporter.note("using the finished surrogate of the run")
        reporter = Silent()
    elif resumed is not None:
        most = "at most " if rounds else ""
        reporter.note(f"resuming the training at step {resumed} of {most}{steps}")
    n_channels = session.integrand.n_channels
    several = f" of {n_channels} channels" if n_channels > 1 else ""
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

        def progress(p: Progress) -> None:
            nonlocal end, show
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
            **result.figures,
            **sample_figures,
        },
        run.evaluations_along,
    )


def write_events(session: Session, path: Path, evaluated: Evaluated, weighted: bool) -> Totals:
    """Generates the events and writes them to `path`, block by block."""
    with session.watch("import"):
        from fabgen.events.assemble import assemble, drawer_of_placed, event_drawer
        from fabgen.events.lhe import write_lhe
        from fabgen.sampling import unweight
        from fabgen.sampling.sampler import DEFAULT_BLOCK
    watch, n = session.watch, session.card.generation.events
    integrand = session.integrand
    place = session.place if integrand.n_channels > 1 else None
    with watch("compile"):
        if place is None:
            drawer = event_drawer(integrand)
        else:
            drawer = drawer_of_placed(session.in_channels, place, DEFAULT_BLOCK)
    totals = unweight.Totals()
    drawn = 0

    def counted(blocks: Iterator[unweight.Accepted]) -> Iterator[unweight.Accepted]:
        nonlocal totals
        for block in blocks:
            totals = totals + block
            yield block

    select = unweight.weighted if weighted else unweight.unweight
    accepted = counted(select(evaluated.sampler, evaluated.survey, n, session.key(GENERATION)))
    batches = iter(assemble(drawer, accepted, session.key(EVENTS)))

    def timed() -> Iterator[Any]:
        nonlocal drawn
        while True:
            with watch("generate"):
                batch = next(batches, None)
            if batch is None:
                return
            drawn += drawer.block
            yield batch

    with session.reporter.stage("events", n, "events") as show:
        before = watch.seconds().get("generate", 0.0)
        start = watch.clock()
        write_lhe(
            path,
            _file_info(session, evaluated.survey),
            integrand.topologies,
            timed(),
            progress=show,
        )
        generating = watch.seconds().get("generate", 0.0) - before
        watch.add("write", watch.clock() - start - generating)
    calls = drawn if integrand.drawing_evaluates else 0
    return dataclasses.replace(totals, target_evaluations=totals.target_evaluations + calls)


def _file_info(session: Session, survey: Survey) -> FileInfo:
    from fabgen.events.lhe import FileInfo, decay_beams
    from fabgen.events.slha import slha_text

    card, integrand = session.card, session.integrand
    if len(integrand.beam_particles) == 1:
        mass = integrand.topologies[0].masses[0]
        beams, energies = decay_beams(integrand.beam_particles[0], mass)
    else:
        (a, b), (energy_a, energy_b) = integrand.beam_particles, integrand.beam_energies
        beams, energies = (a, b), (energy_a, energy_b)
    return FileInfo(
        beams=beams,
        energies=energies,
        cross_section=survey.metrics.integral,
        # A file has no place for "unknown".
        error=min(survey.metrics.integral_error, survey.metrics.integral),
        unit=integrand.unit,
        process="; ".join(_process_names(card.process)),
        card=dump_card(card),
        slha=slha_text(integrand.parameters, integrand.masses, integrand.widths),
        version=__version__,
    )


def _process_names(lines: Sequence[str]) -> list[str]:
    """The lines of a card, of several each with its number in the event file."""
    from fabgen.process.parser import parse_process
    from fabgen.process.syntax import process_numbers

    if len(lines) == 1:
        return list(lines)
    parsed = [parse_process(line) for line in lines]
    numbers = process_numbers(parsed)
    return [f"{line} (LPRUP {number})" for line, number in zip(lines, numbers, strict=True)]
