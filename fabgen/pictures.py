"""The pictures of a run: which there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fabgen.errors import InputError
from fabgen.rundir import RunDirectory
from fabgen.session import PLOT, Session, Trained

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
    from fabgen.plot.channels import channel_picture
    from fabgen.toy_pictures import channel_curves
    from fabgen.toys import ToyIntegrand

    toy = session.integrand
    if isinstance(toy, ToyIntegrand):
        curves = channel_curves(toy, trained.surrogate, trained.params, session.key(PLOT), n)
        yield "channels", channel_picture(curves, session.card.process[0])


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
    from fabgen.plot import cube, dalitz, distributions, observables, training, weights
    from fabgen.plot.names import process_label

    card, topologies = session.card, session.integrand.topologies
    title = process_label(topologies) if topologies else card.process[0]
    chosen = trained.choice["chosen"] if trained and trained.choice else card.surrogate.kind
    label = LABELS.get(chosen, "")
    unit = session.integrand.unit.replace("none", "")
    n_channels = session.integrand.n_channels
    after = None
    if samples is not None:
        weighted, flat = samples.surrogate.log_weights, samples.untrained
        after = training.Efficiencies(
            summarize_log(weighted).sampling_efficiency,
            None if flat is None else summarize_log(flat).sampling_efficiency,
        )
    if training.has_curve(records):
        yield "training", training.training_curve(records, title, unit, after)
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
    if dalitz.is_three_body_decay(topologies):
        yield "dalitz", dalitz.dalitz_plot(samples, topologies, unit, title, label)
    for observable in observables.observables(topologies):
        figure = distributions.distribution(observable, samples, unit, title, label)
        if figure is not None:
            yield observable.file, figure
