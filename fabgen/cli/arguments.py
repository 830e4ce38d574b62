"""Arguments and options that the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

EVENT_FORMATS = ("lhe", "lhe.gz")
PICTURE_FORMATS = ("png", "pdf")


def run_path(text: str) -> Path:
    """An empty --run, as of a shell variable that is not set, would be the working directory."""
    if not text:
        raise typer.BadParameter("an empty name is none of a directory")
    return Path(text)


def data_path(text: str) -> str:
    """An empty --data would train on events of the surrogate's own."""
    if not text:
        raise typer.BadParameter("an empty name is none of an event file")
    return text


def one_of(*names: str) -> Callable[[str], str]:
    """The parser of an option that takes one of these names."""

    def parse(text: str) -> str:
        if text not in names:
            raise typer.BadParameter(f"found {text!r}, allowed {' or '.join(names)}")
        return text

    return parse


def whole_number(at_least: int) -> Callable[[str], int]:
    """The parser of an option that takes 10000, 10_000 or 1e4."""

    def parse(text: str) -> int:
        try:
            number = float(text)
            if number == int(number) >= at_least:
                return int(number)
        except (ValueError, OverflowError):  # no number, nan, inf
            pass
        raise typer.BadParameter(
            f"{text!r} is not a whole number >= {at_least}, such as 10000, 10_000 or 1e4."
        )

    return parse


_seed = whole_number(at_least=0)
CardArgument = Annotated[
    str, typer.Argument(metavar="CARD", help="A process card (TOML), or a process in quotes.")
]
TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="CARD|RUN",
        help="A process card, the directory of a run, or a process in quotes.",
    ),
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Run directory; by default runs/<card name>, of a process in quotes "
        "runs/<its particles>_<digits of its own>.",
        parser=run_path,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="INT",
        parser=_seed,
        help="Seed; for a run that exists, that of its events only.",
    ),
]
TrainingSeedOption = Annotated[
    int | None,
    typer.Option("--seed", metavar="INT", parser=_seed, help="Seed of the training."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY.PATH=VALUE", help="Overrides a key of the card; may be repeated."
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FILE",
        parser=data_path,
        help="LHE file that training.method=fkld learns from.",
    ),
]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Remove the results of the run and begin again.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
