"""The command line: arguments, exit codes, tables. The only file that prints.

Exit codes: 0 done, 1 the run failed, 2 the input is wrong. Results go to stdout, progress and
messages to stderr.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fabgen import __version__, interrupts
from fabgen.cli import outcome as streams
from fabgen.cli.arguments import (
    EVENT_FORMATS,
    PICTURE_FORMATS,
    CardArgument,
    DataOption,
    QuietOption,
    RestartOption,
    RunOption,
    SeedOption,
    SetOption,
    TargetArgument,
    TrainingSeedOption,
    one_of,
    whole_number,
)
from fabgen.cli.targets import card_and_run, card_of_run, is_file
from fabgen.errors import InputError
from fabgen.plain_text import encode_everything, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fabgen.run import RunOptions

app = typer.Typer(
    name="fabgen",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    epilog="Example:  fabgen generate cards/ee_ttbar.toml -n 1000 --set training.steps=200",
)


pdf = typer.Typer(
    no_args_is_help=True,
    help="Parton densities: what is installed, and more of them.",
    epilog="Example:  fabgen pdf install NNPDF40_lo_as_01180",
)
app.add_typer(pdf, name="pdf")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"fabgen {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Events for particle physics: a process card in, unweighted Les Houches events out.

    A card is a TOML file. One line is enough; every other key has a default:

        process = "e+ e- > mu+ mu-"

    A process in quotes may stand in the place of such a card.
    """


@app.command()
def train(
    card: CardArgument,
    run: RunOption = None,
    seed: TrainingSeedOption = None,
    settings: SetOption = None,
    data: DataOption = None,
    restart: RestartOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train the surrogate of a card. A training that was cut short is resumed.

    Example:  fabgen train cards/ee_ttbar.toml --set training.steps=200
    """
    with streams.messages(restart=restart):
        from fabgen import run as pipeline

        loaded, directory = card_and_run(card, run, settings, seed, data)
        if os.path.isdir(card):
            raise InputError("train takes a card", found=card, allowed="a TOML file")
        figures = pipeline.train(loaded, directory, _how(restart, quiet))
        interrupts.mark_stored()
        _show_training(figures, directory)


@app.command()
def generate(
    target: TargetArgument,
    run: RunOption = None,
    events: Annotated[
        int | None,
        typer.Option(
            "--events",
            "-n",
            metavar="INT",
            parser=whole_number(at_least=1),
            help="Events to write: 10000, 10_000 or 1e4.",
        ),
    ] = None,
    weighted: Annotated[
        bool, typer.Option("--weighted", help="Keep every point, with its weight.")
    ] = False,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(EVENT_FORMATS),
            parser=one_of(*EVENT_FORMATS),
            help="Format of the event file.",
        ),
    ] = None,
    seed: SeedOption = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add the events to the last event file of the run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace all event files of the run by the new one.")
    ] = False,
    settings: SetOption = None,
    data: DataOption = None,
    restart: RestartOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write events; train first if the run has no finished surrogate.

    Events that are there stay: more of them go to events-2.lhe.gz, events-3.lhe.gz, ...

    Example:  fabgen generate cards/ee_ttbar.toml -n 1000
    """
    options = [*(settings or [])]
    options += [f"generation.events={events}"] if events is not None else []
    options += [f'generation.format="{file_format}"'] if file_format is not None else []
    with streams.messages(restart=restart):
        from fabgen import run as pipeline

        card, directory = card_and_run(target, run, options, seed, data)
        if append and (overwrite or restart):
            raise InputError(
                "these options exclude each other",
                key="--append",
                found="--append and " + ("--overwrite" if overwrite else "--restart"),
                allowed="one of them",
            )
        card = card if seed is None or restart else pipeline.adopt_seed(card, directory)
        how = _how(restart, quiet)
        if append:
            report = pipeline.append_events(card, directory, how, weighted=weighted)
        else:
            report = pipeline.generate(card, directory, how, weighted=weighted, overwrite=overwrite)
        _show_results(report)
        _show_files(report, directory)


@app.command()
def integrate(
    target: TargetArgument,
    run: RunOption = None,
    vegas: Annotated[
        bool, typer.Option("--vegas", help="Use VEGAS+ in the place of the trained surrogate.")
    ] = False,
    seed: SeedOption = None,
    settings: SetOption = None,
    restart: RestartOption = False,
    quiet: QuietOption = False,
) -> None:
    """The cross section only, from the surrogate (trained first if need be) or from VEGAS+.

    Example:  fabgen integrate cards/ee_ttbar.toml --vegas
    """
    with streams.messages(restart=restart):
        from fabgen import run as pipeline
        from fabgen.run.files import RunDirectory

        card, directory = card_and_run(target, run, settings, seed)
        card = card if seed is None or restart else pipeline.adopt_seed(card, directory)
        report = pipeline.integrate(card, directory, _how(restart, quiet), vegas=vegas)
        _show_results(report)
        stored = RunDirectory(directory)
        if stored.numbers:
            reports = ", ".join(str(stored.report(number)) for number in stored.numbers)
            _print(f"  not stored: the run has events, which {reports} tells about")
        else:
            _print(f"  {stored.report()}")


@app.command()
def show(
    target: Annotated[
        str, typer.Argument(metavar="PROCESS|CARD", help="A process in quotes, or a card.")
    ],
    settings: SetOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All diagrams and channels, not the first twelve.")
    ] = False,
) -> None:
    """The subprocesses of a process, their diagrams and channels, and the dimension.

    Example:  fabgen show "e+ e- > t t~, t > w+ b, t~ > w- b~"
    """
    with streams.messages():
        from fabgen.card import card_of_process, load_card

        # os.path says no, where Path raises OSError, to a text too long for the name of a file.
        if os.path.isdir(target):
            card = load_card(card_of_run(Path(target)), settings or [])
        elif is_file(target):
            card = load_card(target, settings or [])
        else:
            card = card_of_process(target, settings or [])
        from fabgen.show.process import describe

        _print(describe(card, everything=everything, note=_print_note), keep="\n")


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.")],
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            metavar="INT",
            parser=whole_number(at_least=100),
            help="Points of the surrogate, and of each part of the reference; by default as many "
            "as the card evaluates.",
        ),
    ] = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(PICTURE_FORMATS),
            parser=one_of(*PICTURE_FORMATS),
            help="Format of the pictures.",
        ),
    ] = "png",
    quiet: QuietOption = False,
) -> None:
    """Pictures of a run: training, weights, unit hypercube, masses, pT, rapidities, Dalitz plot.

    Example:  fabgen plot runs/ee_ttbar
    """
    with streams.messages():
        from fabgen import run as pipeline

        how = _how(False, quiet)
        for path in pipeline.plot(run, how, samples=samples, file_format=file_format):
            _print(f"  {path}")


@pdf.command("list")
def pdf_list() -> None:
    """The sets of parton densities that cards may name, and the folders that hold them.

    Example:  fabgen pdf list
    """
    with streams.messages():
        from fabgen.beams.pdf.sets import installed_sets
        from fabgen.cli.densities import lines_of_sets

        for line in lines_of_sets(installed_sets()):
            _print(line)


@pdf.command("install")
def pdf_install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A set by the name LHAPDF gives it.")],
) -> None:
    """Fetch a set of parton densities from LHAPDF's server.

    Example:  fabgen pdf install NNPDF40_lo_as_01180
    """
    with streams.messages():
        from fabgen.beams.pdf.install import install

        _print(f"  {install(name, _print_note)}")


def _compilation_cache() -> Path | None:
    """Where compiled programs are kept between runs; None if nothing can be written there."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(base) / "fabgen" / "jax"
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home, as in containers
        return None
    return cache if os.access(cache, os.W_OK) else None


def _how(restart: bool, quiet: bool) -> RunOptions:
    from rich.console import Console

    from fabgen.cli.progress import reporter_for
    from fabgen.run import RunOptions
    from fabgen.run.progress import Silent

    reporter = Silent() if quiet else reporter_for(Console(stderr=True))
    return RunOptions(restart=restart, reporter=reporter, compilation_cache=_compilation_cache())


def _show_results(report: dict) -> None:
    from fabgen.cli.tables import results

    _print_table(results(report))


def _show_files(report: dict, directory: Path) -> None:
    """Where the events are, and what they have to do with those that were there before."""
    from fabgen.run.files import report_name

    _print(f"  {directory / report['file']}")
    _print(f"  {directory / report_name(report['number'])}")
    if len(report["parts"]) > 1:
        _print(f"  {report['parts'][-1]:,} of the events are new")
    elif report["number"] > 1:
        _print("  the events that the run had are still there; --overwrite replaces them")


def _show_training(figures: dict, directory: Path) -> None:
    from fabgen.cli.tables import training_results

    _print_table(training_results(figures))
    _print(f"  {directory}")


def _print_table(table: RenderableType) -> None:
    from rich.console import Console

    console = Console()
    with streams.output():
        with console.capture() as captured:  # where a reader has left, rich would end the process
            console.print(table)
        print(captured.get(), end="")


def _print(text: str, keep: str = "") -> None:
    """Prints a text that may quote names and values from anywhere. keep: as of `visible`."""
    with streams.output():
        print(visible(text, keep))


def _print_note(text: str) -> None:
    streams.say(visible(text))


def main() -> None:
    """Entry point of the `fabgen` command."""
    interrupts.install()
    # XLA reports compilations of more than two minutes as if they were bugs.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    encode_everything(sys.stdout, sys.stderr)
    try:
        try:
            app()
        finally:
            interrupts.end()
            streams.flush(sys.stdout)
    except OSError as error:  # of stdout, or of a usage error that stderr does not take
        if os.environ.get("FABGEN_DEBUG"):
            raise
        streams.say(f"fabgen: {streams.unwritable(error)}")
        sys.exit(getattr(error.__context__, "exit_code", 1))
    finally:
        streams.drop_unwritten()
