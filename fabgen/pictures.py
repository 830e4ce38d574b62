"""The pictures of a run: which there are, and the samples they are made of.

Points of the surrogate and, independent of them, a reference: more points of the surrogate, and
points of the untrained map. Their streams follow from the seed of the generation and nothing else
uses them; report.json does not count these evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fabgen.errors import FabgenError, InputError
from fabgen.rundir import RunDirectory
from fabgen.stages import PLOT, PLOT_EVENTS, PLOT_REFERENCE, PLOT_UNTRAINED, Session, Trained

if TYPE_CHECKING:
    import jax
    from matplotlib.figure import Figure

    from fabgen.plot.sample import Sample, Samples

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


def draw_samples(session: Session, trained: Trained, n: int) -> Samples:
    """n points each of the surrogate, of the surrogate again, and of the untrained map.

    FabgenError if f vanishes at all points of the surrogate.
    """
    import numpy as np

    from fabgen.plot.sample import Samples
    from fabgen.surrogate import Uniform

    if session.integrand.n_channels > 1:
        return Samples(_sample_of_channels(session, trained, n))
    flat = Uniform(session.integrand.dim)
    draw = _drawer(session, trained)
    surrogate = draw("surrogate", trained, n, PLOT)
    if not np.any(surrogate.weights > 0.0):
        raise FabgenError(f"the integrand vanishes at all {n} points of the surrogate")
    if trained.surrogate == flat:
        return Samples(surrogate)
    again = draw("reference", trained, n, PLOT_REFERENCE)
    return Samples(surrogate, (again, draw("untrained", Trained(flat, ()), n, PLOT_UNTRAINED)))


def _sample_of_channels(session: Session, trained: Trained, n: int) -> Sample:
    """n points of the mixture of several channels; the cubes of the channels are not one space."""
    import jax
    import numpy as np

    from fabgen.evaluation import balanced_sampler
    from fabgen.plot.sample import Sample

    integrand = session.integrand
    sampler, _ = balanced_sampler(session, trained, PLOT_REFERENCE)
    with session.watch("compile"):
        events = jax.jit(lambda u, key, channel: integrand.draw_events(u, key, channel)["momenta"])
    key, key_events = session.key(PLOT), session.key(PLOT_EVENTS)
    blocks = []
    with session.watch("evaluate"), session.reporter.stage("surrogate", n, "points") as show:
        for i in range(-(-n // sampler.block)):
            points = sampler(key, i)
            drawn = events(points.u, jax.random.fold_in(key_events, i), points.channel)
            blocks.append([np.asarray(part) for part in (points.u, points.log_w, drawn)])
            show(min((i + 1) * sampler.block, n))
    cube, log_w, momenta = (np.concatenate(part)[:n] for part in zip(*blocks, strict=True))
    if not np.any(np.isfinite(log_w)):
        raise FabgenError(f"the integrand vanishes at all {n} points of the surrogate")
    return Sample(cube, log_w, np.zeros(n), np.zeros(n), momenta)


def draw_channels(session: Session, trained: Trained, n: int) -> Iterator[tuple[str, Figure]]:
    """The picture of a toy of several channels, from n points of each."""
    from fabgen.plot.channels import channel_picture
    from fabgen.toy_pictures import channel_curves
    from fabgen.toys import ToyIntegrand

    toy = session.integrand
    if isinstance(toy, ToyIntegrand):
        curves = channel_curves(toy, trained.surrogate, trained.params, session.key(PLOT), n)
        yield "channels", channel_picture(curves, session.card.process[0])


def _drawer(session: Session, trained: Trained) -> Callable[[str, Trained, int, int], Sample]:
    """draw(name, density, n, stream) -> Sample; f is compiled once for all of them."""
    import jax
    import numpy as np

    from fabgen.plot.sample import Sample
    from fabgen.sampling.sampler import DEFAULT_BLOCK

    integrand, block = session.integrand, DEFAULT_BLOCK
    with session.watch("compile"):
        points = jax.ShapeDtypeStruct((block, integrand.dim), "float64")
        log_density = jax.jit(integrand.log_density).lower(points).compile()
        momenta_of = jax.jit(_momenta(session))
        log_prob = jax.jit(trained.surrogate.log_prob)

    def draw(name: str, density: Trained, n: int, stream: int) -> Sample:
        sample = jax.jit(lambda p, key: density.surrogate.sample_and_log_prob(p, key, block))
        key, key_events = session.key(stream), jax.random.fold_in(session.key(PLOT_EVENTS), stream)
        blocks = []
        with session.watch("evaluate"), session.reporter.stage(name, n, "points") as show:
            for i in range(-(-n // block)):
                u, log_q = sample(density.params, jax.random.fold_in(key, i))
                own = density.surrogate is trained.surrogate
                log_surrogate = log_q if own else log_prob(trained.params, u)
                momenta = momenta_of(u, jax.random.fold_in(key_events, i))
                parts = (u, log_density(u), log_q, log_surrogate, momenta)
                blocks.append([np.asarray(part) for part in parts])
                show(min((i + 1) * block, n))
        return Sample(*(np.concatenate(part)[:n] for part in zip(*blocks, strict=True)))

    return draw


def _momenta(session: Session) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Momenta (n, n_external, 4) at u (n, dim); the key draws the subprocess if there are more."""
    integrand = session.integrand
    if not integrand.topologies:
        import jax.numpy as jnp

        return lambda u, key: jnp.zeros((u.shape[0], 0, 4))
    if len(integrand.topologies) == 1:
        return lambda u, key: integrand.momenta(u)
    return lambda u, key: integrand.draw_events(u, key)["momenta"]


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
    after = None
    if samples is not None:
        parts = (samples.surrogate, samples.untrained)
        eps = [summarize_log(s.log_weights).sampling_efficiency if s else None for s in parts]
        after = training.Efficiencies(eps[0] or 0.0, eps[1])
    if training.has_curve(records):
        yield "training", training.training_curve(records, title, unit, after)
    if samples is None:
        return
    flat = samples.untrained
    yield (
        "weights",
        weights.weight_picture(
            samples.surrogate.log_weights,
            flat.log_weights if flat else None,
            card.generation.max_overweight,
            title,
            label,
        ),
    )
    if session.integrand.n_channels == 1:
        yield "hypercube", cube.corner_plot(samples, title, label)
    if not topologies:
        return
    if dalitz.is_three_body_decay(topologies):
        yield "dalitz", dalitz.dalitz_plot(samples, topologies, unit, title, label)
    for observable in observables.observables(topologies):
        figure = distributions.distribution(observable, samples, unit, title, label)
        if figure is not None:
            yield observable.file, figure
