"""The pipeline: a card and a run directory in; a trained surrogate, events, a report, pictures out.

Everything random follows from two seeds of the card: training.seed and generation.seed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabgen import interrupts
from fabgen.card import Card, with_channels
from fabgen.card.auto import is_automatic
from fabgen.card.toys import is_toy
from fabgen.errors import InputError
from fabgen.run import append
from fabgen.run.auto import automatic_surrogate, goals_of, has_chosen
from fabgen.run.commit import staged, store
from fabgen.run.directory import check_run, open_run, stored_card
from fabgen.run.evaluate import Evaluated, evaluate
from fabgen.run.events import write_events
from fabgen.run.files import RunDirectory, events_name, names_in, number_of
from fabgen.run.pictures.draw import draw_channels, pictures, refuse_without_course
from fabgen.run.pictures.samples import draw_samples
from fabgen.run.progress import Reporter, Silent, Stopwatch, Watched
from fabgen.run.report import report_of, training_figures
from fabgen.run.session import Session, Trained
from fabgen.run.sources import Place, Source
from fabgen.run.surrogate import check_training
from fabgen.run.training import has_finished_surrogate, trained_surrogate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of the caller that the card does not have: nothing here changes a result.

    restart: remove the results of an earlier run first. compilation_cache: a folder in which JAX
    keeps compiled programs between runs. clock: tells seconds; training.auto.costs = "measured"
    decides by what it measures with it.
    """

    restart: bool = False
    reporter: Reporter = dataclasses.field(default_factory=Silent)
    compilation_cache: Path | None = None
    clock: Callable[[], float] = time.perf_counter


def train(card: Card, directory: Path, how: RunOptions = RunOptions()) -> dict[str, Any]:
    """Trains the surrogates of the card, or finishes their training. Returns the figures of it."""
    with _sessions(with_channels(card), directory, how) as parts:
        return training_figures(parts, _trained(parts))


def integrate(
    card: Card, directory: Path, how: RunOptions = RunOptions(), *, vegas: bool = False
) -> dict[str, Any]:
    """The report of the card's cross section, from its surrogates, or from VEGAS+ without one.

    It is stored unless the run has events: then its reports describe those.
    """
    card = with_channels(card)
    with _sessions(card, directory, how, trains=not vegas) as parts:
        if vegas:
            trained = [trained_surrogate(part, "vegas", store=False) for part in parts]
        else:
            trained = _trained(parts, events=False)
        report = report_of(parts, trained, _evaluated(parts, trained))
        run = parts[0].run
        if not run.numbers:
            store(run, report, card)
        return report


def generate(
    card: Card,
    directory: Path,
    how: RunOptions = RunOptions(),
    *,
    weighted: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """The report of new events, after training where there is no finished surrogate.

    Events that the run has stay: new ones go to a file with the next number, from random numbers of
    their own. With `overwrite` the new file takes the place of all event files of the run.
    """
    _refuse_toy(card)
    card = with_channels(card)
    with _sessions(card, directory, how, writes_events=True) as parts:
        run = parts[0].run
        trained = _trained(parts)
        evaluated = _evaluated(parts, trained)
        taken = [] if overwrite else run.numbers
        number = taken[-1] + 1 if taken else 1
        name = events_name(number, card.generation.format)
        path = staged(run, name)
        sources = [
            Source(part, one.sampler, one.survey)
            for part, one in zip(parts, evaluated, strict=True)
        ]
        totals, sums = write_events(sources, path, Place(number, 1, card), weighted)
        report = report_of(parts, trained, evaluated, totals, weighted)
        surveys = [one.survey for one in evaluated]
        report |= {
            "number": number,
            "file": name,
            "parts": [totals.events],
            "append": append.record(trained, surveys, totals, sums, path),
        }
        report = append.sealed(report)
        old = [n for n in names_in(run.path) if number_of(n)] if overwrite else []
        store(run, report, card, [name], old)
        return report


def append_events(
    card: Card, directory: Path, how: RunOptions = RunOptions(), *, weighted: bool = False
) -> dict[str, Any]:
    """The report of the run's last event file after card.generation.events more events.

    They come from random numbers of their own, with the reference weight and the cross section of
    the events before them. Raises InputError where these were made with other settings.
    """
    _refuse_toy(card)
    card = with_channels(card)
    if stored_card(directory) is None:
        append.refuse_without_events(RunDirectory(directory))
    with _sessions(card, directory, how, writes_events=True) as parts:
        before = append.existing(parts[0].run, card, weighted)
        return before.extended(parts, _trained(parts))


def _refuse_toy(card: Card) -> None:
    if is_toy(card.process):
        raise InputError(
            "a toy has no particles, so there are no events to generate",
            file=card.file,
            key="process",
            found=card.process[0],
            allowed="fabgen train, integrate or plot",
        )


def plot(
    directory: Path,
    how: RunOptions = RunOptions(),
    *,
    samples: int | None = None,
    file_format: str = "png",
) -> Iterator[Path]:
    """Draws the pictures of a run, one after the other; gives the path of each once it is there.

    samples: points of each sample (`draw_samples`); card.evaluation.samples by default.
    file_format: png or pdf. A run whose training is not finished has a training curve only.
    Raises InputError for a directory that is not a run's, or of which nothing can be drawn.
    """
    card = stored_card(directory)
    if card is None:
        raise InputError(
            "there is no run here",
            file=directory,
            allowed="the directory of a run, such as runs/ee_ttbar",
        )
    check_run(directory, card)
    run = RunDirectory(directory)
    chosen = is_automatic(card) and run.auto.exists()
    if card.surrogate.kind != "uniform" and not run.surrogate.exists() and not chosen:
        refuse_without_course(run, run.training_records())
    with _sessions(card, directory, how) as parts:
        finished = [_is_finished(part) for part in parts]
        trained = _trained(parts) if all(finished) else [None] * len(parts)
        if not all(finished):
            how.reporter.note("the training is not finished: drawing its course so far, only")
        for part, one in zip(parts, trained, strict=True):
            yield from _pictures(part, one, samples or card.evaluation.samples, file_format)


def _pictures(
    session: Session, trained: Trained | None, samples: int, file_format: str
) -> Iterator[Path]:
    """Draws the pictures of one part of a run; those of later ones have its number behind."""
    from fabgen.plot.style import encode, style

    records, drawn = session.run.training_records(), None
    channels: Iterator[tuple[str, Figure]] = iter(())
    if trained is None:
        refuse_without_course(session.run, records)
    elif is_toy(session.card.process) and session.integrand.n_channels > 1:
        channels = draw_channels(session, trained, samples)
    else:
        drawn = draw_samples(session, trained, samples)
    end = f"-{session.part}" if session.part > 1 else ""
    with style():
        for name, figure in chain(pictures(session, records, drawn, trained), channels):
            file = f"{name}{end}.{file_format}"
            yield session.run.store_picture(file, encode(figure, file_format))


def _trained(parts: Sequence[Session], *, events: bool = True) -> list[Trained]:
    """The surrogates of all parts; events: whether there will be some, for what the run chooses."""
    card = parts[0].card
    if is_automatic(card):
        goals = goals_of(parts, events=events)
        return [automatic_surrogate(part, *goal) for part, goal in zip(parts, goals, strict=True)]
    return [trained_surrogate(part, card.surrogate.kind, store=True) for part in parts]


def _evaluated(parts: Sequence[Session], trained: Sequence[Trained]) -> list[Evaluated]:
    return [evaluate(part, one) for part, one in zip(parts, trained, strict=True)]


def _is_finished(session: Session) -> bool:
    """Whether the run holds this surrogate, ready for use."""
    if is_automatic(session.card):
        return has_chosen(session.run)
    return has_finished_surrogate(session)


def adopt_seed(card: Card, directory: Path) -> Card:
    """The card of a `--seed` that asks an existing run for other events, not another training.

    The option sets both seeds of the card; the training of an existing run keeps the seed it had.
    """
    old = stored_card(directory)
    if old is None:
        return card
    training = dataclasses.replace(card.training, seed=old.training.seed)
    return dataclasses.replace(card, training=training)


@contextlib.contextmanager
def _sessions(
    card: Card,
    directory: Path,
    how: RunOptions,
    *,
    trains: bool = True,
    writes_events: bool = False,
) -> Iterator[tuple[Session, ...]]:
    """Builds the integrands, then enters the run directory: a wrong card leaves no trace.

    One session for each number of final particles. trains: whether the surrogates of the card will
    be asked for, and with them its event file. writes_events: whether there will be an event file
    of the run.
    """
    watch = Stopwatch(how.clock)
    check_run(directory, card, restart=how.restart)
    with watch("import"):
        import jax

        from fabgen.build import build_integrands
        from fabgen.build.initial_states import refuse_several_beams
        from fabgen.compiler import Compiler
        from fabgen.run.sample.from_lhe import read_points

        compiler = Compiler()
        if how.compilation_cache is not None:
            jax.config.update("jax_compilation_cache_dir", str(how.compilation_cache))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
            compiler = Compiler(how.compilation_cache / "programs")
        jax.devices()
    with watch("compile"):
        integrands = build_integrands(card, how.reporter.note)
    for warning in dict.fromkeys(warning for f in integrands for warning in f.warnings):
        how.reporter.note(f"warning: {warning}")
    if writes_events:
        topologies = [topology for f in integrands for topology in f.topologies]
        refuse_several_beams(card, topologies, integrands[0].beam_particles)
    points = None
    if trains:
        for integrand in integrands:
            check_training(card, integrand)
        points = read_points(card, integrands, how.reporter, None if how.restart else directory)
    with open_run(directory, card, restart=how.restart) as run:

        def check() -> None:
            interrupts.check()
            run.check()

        reporter = Watched(how.reporter, check)
        yield tuple(
            Session(card, run.of_part(k), integrand, reporter, watch, compiler, points, part=k)
            for k, integrand in enumerate(integrands, start=1)
        )
