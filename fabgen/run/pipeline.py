"""The pipeline: a card and a run directory in; a trained surrogate, events, a report, pictures out.

Everything random follows from two seeds of the card: training.seed and generation.seed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabgen import __version__, interrupts
from fabgen.card import Card, with_channels
from fabgen.card.auto import is_automatic
from fabgen.card.toys import is_toy
from fabgen.errors import InputError
from fabgen.run import append
from fabgen.run.auto import Goal, automatic_surrogate, has_chosen
from fabgen.run.commit import staged, store
from fabgen.run.conditions import conditions
from fabgen.run.directory import check_run, open_run, stored_card
from fabgen.run.evaluate import Evaluated, evaluate
from fabgen.run.events import Place, write_events
from fabgen.run.files import RunDirectory, events_name, names_in, number_of
from fabgen.run.pictures.draw import draw_channels, pictures, refuse_without_course
from fabgen.run.pictures.samples import draw_samples
from fabgen.run.progress import Reporter, Silent, Stopwatch, Watched
from fabgen.run.session import Session, Trained
from fabgen.run.surrogate import check_training
from fabgen.run.training import has_finished_surrogate, trained_surrogate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fabgen.run.exact_events import Divergence
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.unweight import Totals


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What the caller decides and the card does not: nothing here changes a result.

    restart: remove the results of an earlier run first. compilation_cache: a folder in which JAX
    keeps compiled programs between runs. clock: tells seconds; training.method = "auto" decides by
    what it measures with it.
    """

    restart: bool = False
    reporter: Reporter = dataclasses.field(default_factory=Silent)
    compilation_cache: Path | None = None
    clock: Callable[[], float] = time.perf_counter


def train(card: Card, directory: Path, how: RunOptions = RunOptions()) -> dict[str, Any]:
    """Trains the surrogate of the card, or finishes its training. Returns the figures of it."""
    with _session(with_channels(card), directory, how) as session:
        trained = _trained(session)
        return {
            **trained.figures,
            "target_evaluations": trained.target_evaluations,
            "gradient_evaluations": trained.gradient_evaluations,
            "timing_s": session.watch.seconds(),
            **_choice(trained),
        }


def integrate(
    card: Card, directory: Path, how: RunOptions = RunOptions(), *, vegas: bool = False
) -> dict[str, Any]:
    """The report of the card's cross section, from its surrogate, or from VEGAS+ without one.

    It is stored unless the run has events: then its reports describe those.
    """
    card = with_channels(card)
    with _session(card, directory, how, trains=not vegas) as session:
        if vegas:
            trained = trained_surrogate(session, "vegas", store=False)
        else:
            trained = _trained(session, events=False)
        report = _report(session, trained, evaluate(session, trained))
        if not session.run.numbers:
            store(session.run, report, card)
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
    with _session(card, directory, how, writes_events=True) as session:
        run = session.run
        trained = _trained(session)
        evaluated = evaluate(session, trained)
        taken = [] if overwrite else run.numbers
        number = taken[-1] + 1 if taken else 1
        name = events_name(number, card.generation.format)
        path = staged(run, name)
        place = Place(number, 1, card)
        survey = evaluated.survey
        totals, sums = write_events(session, path, place, evaluated.sampler, survey, weighted)
        report = _report(session, trained, evaluated, totals, weighted)
        report |= {
            "number": number,
            "file": name,
            "parts": [totals.events],
            "append": append.record(trained, survey, totals, sums, path),
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
    with _session(card, directory, how, writes_events=True) as session:
        before = append.existing(session.run, card, weighted)
        return before.extended(session, _trained(session))


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
    with _session(card, directory, how) as session:
        from fabgen.plot.style import encode, style

        records, drawn = session.run.training_records(), None
        trained: Trained | None = None
        channels: Iterator[tuple[str, Figure]] = iter(())
        if _is_finished(session):
            trained = _trained(session)
            n = samples or card.evaluation.samples
            if is_toy(card.process) and session.integrand.n_channels > 1:
                channels = draw_channels(session, trained, n)
            else:
                drawn = draw_samples(session, trained, n)
        else:
            refuse_without_course(run, records)
            how.reporter.note("the training is not finished: drawing its course so far, only")
        with style():
            for name, figure in chain(pictures(session, records, drawn, trained), channels):
                file = f"{name}.{file_format}"
                yield session.run.store_picture(file, encode(figure, file_format))


def _trained(session: Session, *, events: bool = True) -> Trained:
    """The surrogate of the card; events: whether there will be some, for what the run chooses."""
    card = session.card
    if is_automatic(card):
        return automatic_surrogate(session, Goal.of(card, events=events))
    return trained_surrogate(session, card.surrogate.kind, store=True)


def _is_finished(session: Session) -> bool:
    """Whether the run holds its surrogate, ready for use."""
    if is_automatic(session.card):
        return has_chosen(session.run)
    return has_finished_surrogate(session)


def _choice(trained: Trained) -> dict[str, Any]:
    """The entry of a report on what the run has chosen."""
    return {} if trained.choice is None else {"auto": trained.choice}


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
def _session(
    card: Card,
    directory: Path,
    how: RunOptions,
    *,
    trains: bool = True,
    writes_events: bool = False,
) -> Iterator[Session]:
    """Builds the integrand, then enters the run directory: a wrong card leaves no trace.

    trains: whether the surrogate of the card will be asked for, and with it its event file.
    writes_events: whether there will be an event file of the run.
    """
    watch = Stopwatch(how.clock)
    check_run(directory, card, restart=how.restart)
    with watch("import"):
        import jax

        from fabgen.build import build_integrand
        from fabgen.build.initial_states import refuse_several_beams
        from fabgen.run.sample.from_lhe import read_points

        if how.compilation_cache is not None:
            jax.config.update("jax_compilation_cache_dir", str(how.compilation_cache))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.devices()
    with watch("compile"):
        integrand = build_integrand(card, how.reporter.note)
    if writes_events:
        refuse_several_beams(card, integrand.topologies, integrand.beam_particles)
    if trains:
        check_training(card, integrand)
    stored = None if how.restart else directory
    points = read_points(card, integrand, how.reporter, stored) if trains else None
    with open_run(directory, card, restart=how.restart) as run:

        def check() -> None:
            interrupts.check()
            run.check()

        yield Session(card, run, integrand, Watched(how.reporter, check), watch, points)


def _report(
    session: Session,
    trained: Trained,
    evaluated: Evaluated,
    totals: Totals | None = None,
    weighted: bool = False,
) -> dict[str, Any]:
    """All figures of the run. The untrained map's evaluations count as evaluation, too."""
    import jax

    from fabgen.run.report import build_report
    from fabgen.sampling.unweight import Totals

    card, flat = session.card, evaluated.untrained
    device = jax.devices()[0]
    return build_report(
        process=card.process[0] if len(card.process) == 1 else list(card.process),
        model=card.model,
        seed=card.training.seed,
        version=__version__,
        unit=session.integrand.unit,
        survey=evaluated.survey,
        totals=totals or Totals(),
        target_evaluations={
            "training": trained.target_evaluations,
            "evaluation": evaluated.target_evaluations,
        },
        gradient_evaluations={"training": trained.gradient_evaluations},
        timing_s=session.watch.seconds(),
        device=device.platform if device.platform == "cpu" else device.device_kind,
        weighted=weighted,
        warnings=evaluated.warnings,
        generation_seed=card.generation_seed,
        training=trained.figures,
        **_choice(trained),
        **(evaluated.exact.figures() if evaluated.exact else {}),
        untrained=_untrained(flat, evaluated.exact_untrained) if flat else None,
        notes=list(session.integrand.notes),
        settings=append.settings_of(card),
        **conditions(card, session.integrand),
    )


def _untrained(survey: Survey, exact: Divergence | None) -> dict[str, Any]:
    metrics = survey.metrics
    return {
        "sampling_efficiency": metrics.sampling_efficiency,
        "unweighting_efficiency": metrics.unweighting_efficiency,
        "unweighting_efficiency_999": metrics.unweighting_efficiency_999,
        "forward_kl": metrics.forward_kl,
        "forward_kl_error": metrics.forward_kl_error,
        "integral": metrics.integral,
        "integral_error": metrics.integral_error,
        "evaluation_samples": metrics.n,
        **(exact.figures() if exact else {}),
    }
