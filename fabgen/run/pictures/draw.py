"""The pictures of a run: which there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fabgen.card.auto import is_automatic
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.errors import InputError
from fabgen.run.auto import read_choice
from fabgen.run.auto.record import FLOWS, Choice
from fabgen.run.files import RunDirectory
from fabgen.run.session import Session, Trained
from fabgen.run.streams import PLOT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fabgen.plot.sample import Samples

#: What the surrogates are called in pictures.
LABELS = {
    "flow": "trained flow",
    "small-flow": "trained flow",
    "vegas": "VEGAS+ grid",
    "grid": "VEGAS grid",
    "uniform": "untrained map",
}


def refuse_without_course(run: RunDirectory, records: Sequence[Mapping[str, Any]]) -> None:
    """Raises InputError if an unfinished training has not left a line to draw, either."""
    if not records:
        raise InputError(
            "there is nothing to draw: the run has no trained surrogate",
            file=run.path,
            allowed="a run that was trained",
            hint=f"fabgen generate {run.path} trains it",
        )


def draw_channels(session: Session, trained: Trained, n: int) -> Iterator[tuple[str, Figure]]:
    """The picture of a toy of several channels, from n points of each."""
    from fabgen.integrand.toys import ToyIntegrand
    from fabgen.plot.channels import channel_picture
    from fabgen.run.pictures.toys import channel_curves

    toy = session.integrand
    if isinstance(toy, ToyIntegrand):
        curves = channel_curves(toy, trained.surrogate, trained.params, session.key(PLOT), n)
        yield "channels", channel_picture(curves, session.card.process[0])


def process_title(session: Session) -> str:
    """All processes of the card in LaTeX, blanks where a line may end."""
    from fabgen.model import load_model
    from fabgen.plot.names import process_label, process_text

    card, topologies = session.card, session.integrand.topologies
    if not topologies:
        return card.process[0]
    if card.model in AMPLITUDE_MODELS:
        return process_label(topologies)
    model = load_model(card.model)

    def pdg_of(name: str) -> int | None:
        resolved = model.resolve(name)
        return None if resolved is None else model.particle(resolved).pdg

    return "; ".join(process_text(line, pdg_of) for line in card.process)


def counted(
    records: Sequence[Mapping[str, Any]], choice: Choice | None, total: int | None
) -> list[dict[str, Any]]:
    """The lines of training.jsonl with target evaluations as the report counts them.

    The lines count those of their own training. An automatic run has had its survey before, and
    measures the flow between rounds. Of a grid it is not known which part of them came before: all
    do. total: the report's, None while it is not known.
    """
    if choice is None or not records:
        return [dict(record) for record in records]
    if choice.chosen is not None and choice.chosen not in FLOWS and total is not None:
        before = [total - records[-1]["target_evaluations"]] * len(records)
    else:
        rounds = choice.rounds
        survey = choice.evaluations - sum(one.evaluations for one in rounds)
        before = [
            survey + sum(one.evaluations for one in rounds if one.step < record["step"])
            for record in records
        ]
    return [
        {**record, "target_evaluations": record["target_evaluations"] + more}
        for record, more in zip(records, before, strict=True)
    ]


def pictures(
    session: Session,
    records: Sequence[Mapping[str, Any]],
    samples: Samples | None,
    trained: Trained | None = None,
) -> Iterator[tuple[str, Figure]]:
    """Names and figures, one after the other. Without samples: the course of the training alone.

    records: the lines of training.jsonl. trained: what the samples are of.
    """
    from fabgen.metrics import summarize_log
    from fabgen.plot import binning, cube, dalitz, distributions, observables, training, weights

    card, topologies = session.card, session.integrand.topologies
    title = process_title(session)
    chosen = trained.choice["chosen"] if trained and trained.choice else card.surrogate.kind
    label = LABELS.get(chosen, "")
    unit = session.integrand.unit.replace("none", "")
    n_channels = session.integrand.n_channels
    after = None
    if samples is not None:
        weighted, flat = samples.surrogate.log_weights, samples.untrained
        after = training.After(
            trained.target_evaluations if trained else 0,
            summarize_log(weighted).sampling_efficiency,
            None if flat is None else summarize_log(flat).sampling_efficiency,
        )
    if training.has_curve(records):
        choice = read_choice(session.run) if is_automatic(card) else None
        course = counted(records, choice, trained.target_evaluations if trained else None)
        yield "training", training.training_curve(course, title, unit, after)
    if samples is None:
        return
    yield (
        "weights",
        weights.weight_picture(
            samples.surrogate.log_weights,
            samples.untrained,
            card.generation.max_overweight,
            title,
            label,
            several=n_channels > 1,
        ),
    )
    cubes, name = samples, title
    if n_channels > 1:  # each has a cube of its own
        largest = samples.largest_channel
        cubes, name = samples.of_channel(largest), f"{title}\nchannel {largest + 1} of {n_channels}"
    yield "hypercube", cube.corner_plot(cubes, name, label)
    if not topologies:
        return
    particles = binning.unstable(session.integrand.masses, session.integrand.widths)
    if dalitz.is_three_body_decay(topologies):
        yield "dalitz", dalitz.dalitz_plot(samples, topologies, unit, title, label, particles)
    for observable in observables.observables(topologies):
        yield from distributions.distribution(observable, samples, unit, title, label, particles)
