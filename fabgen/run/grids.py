"""VEGAS grids of a run: found in it or adapted now; a surrogate, or what a flow starts from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fabgen.errors import FabgenError
from fabgen.run.auto.record import GRID, VEGAS
from fabgen.run.session import Session, Trained
from fabgen.run.streams import GRID as GRID_STREAM
from fabgen.run.surrogate import describe_training

if TYPE_CHECKING:
    from fabgen.surrogate.vegas.adapt import CompiledDensity
    from fabgen.training.pretraining import Pretrained


def planned_evaluations(session: Session) -> int:
    """How many evaluations of f the grids of all channels take, at most."""
    from fabgen.surrogate.vegas.axes import n_evaluations
    from fabgen.training.pretraining import grid_groups

    integrand = session.integrand
    groups = grid_groups(integrand.representative_channel, integrand.density_of_channel)
    return n_evaluations(session.card.surrogate.vegas, groups)


def adapted_grids(session: Session) -> Pretrained:
    """The grids and factors of all channels, see `training.pretraining.adapted_channels`."""
    from fabgen.surrogate.vegas.axes import n_iterations
    from fabgen.training.pretraining import adapted_channels

    integrand, options = session.integrand, session.card.surrogate.vegas
    with session.reporter.stage("vegas", n_iterations(options), "iterations") as show:
        return adapted_channels(
            session.values,
            integrand.dim,
            session.layout,
            integrand.representative_channel,
            integrand.density_of_channel,
            options,
            session.card.training.seed,
            lambda iteration, evaluations: show(iteration, evaluations=evaluations),
            beam_dim=integrand.beam_dim,
            block=session.block,
            compiler=session.compiler,
        )


def density_of(session: Session) -> CompiledDensity:
    """f of the only channel of an integrand."""
    import numpy as np

    from fabgen.surrogate.vegas.adapt import CompiledDensity

    values, size = session.values, session.block
    channel = np.zeros(size, np.int32)
    return CompiledDensity(lambda u: np.exp(np.asarray(values(u, channel).log_f)), size)


def _figures(made: Pretrained, session: Session) -> dict[str, int]:
    """The figures of the grids of several channels for a report."""
    return {
        "steps": session.card.surrogate.vegas.iterations,
        "zero_values": int(made.zero_values),
        "nonfinite_values": int(made.nonfinite_values),
    }


def trained_grids(session: Session, *, store: bool) -> Trained:
    """The grid of the run's only channel, or those of all channels; `store` keeps them there."""
    several = session.integrand.n_channels > 1
    return _trained_channels(session, store) if several else _trained_grid(session, store)


def _trained_grid(session: Session, store: bool) -> Trained:
    """A VEGAS+ grid: of the run if it has one, else adapted now (and stored with `store`)."""
    with session.watch("import"):
        from fabgen.surrogate.vegas.adapt import VegasIteration, train_vegas, vegas_grid
    card, run, watch, dim = session.card, session.run, session.watch, session.integrand.dim
    options = card.surrogate.vegas
    if store and (found := _stored_grid(session, vegas_grid(dim, options))):
        return found
    start = watch.clock()
    with watch("train"), session.reporter.stage("vegas", options.iterations, "iterations") as show:

        def log(iteration: VegasIteration) -> None:
            if store:
                run.append_log(iteration.line(watch.clock() - start))
            error = abs(iteration.average_error / iteration.average) if iteration.average else None
            show(iteration.iteration, error=error, evaluations=iteration.evaluations)

        grid, params, result = train_vegas(
            density_of(session), dim, options, card.training.seed, log
        )
    if store:
        _store_grid(session, params, result.evaluations)
    return Trained(grid, params, result.evaluations, 0, {"method": "vegas", **result.figures()})


def _trained_channels(session: Session, store: bool) -> Trained:
    """The VEGAS grids of several channels, with the weights that they have before training."""
    with session.watch("import"):
        from fabgen.surrogate import gridded_channels
    integrand, options = session.integrand, session.card.surrogate.vegas
    surrogate = gridded_channels(integrand.dim, session.layout, options.bins)
    if store and (found := _stored_grid(session, surrogate)):
        return found
    with session.watch("train"):
        made = adapted_grids(session)
    params = surrogate.init(session.key(GRID_STREAM))._replace(grid=made.grid, factors=made.factors)
    calls = int(made.target_evaluations)
    if store:
        _store_grid(session, params, calls)
    return Trained(surrogate, params, calls, 0, {"method": "vegas", **_figures(made, session)})


def _stored_grid(session: Session, surrogate: Any) -> Trained | None:
    """The grid of the run; without one its logs are emptied for that which comes."""
    import numpy as np

    from fabgen.training import Checkpointer, load_surrogate

    run, description = session.run, describe_training(session.card)
    if not Checkpointer(run.surrogate, description).finished:
        run.truncate_logs(None)
        return None
    session.reporter.note("using the finished surrogate of the run")
    template = {"grid": surrogate.init(session.key(GRID_STREAM)), "evaluations": np.int64(0)}
    stored = load_surrogate(run.surrogate, template, description)
    return Trained(surrogate, stored["grid"], int(stored["evaluations"]), 0, {"method": "vegas"})


def _store_grid(session: Session, params: Any, evaluations: int) -> None:
    import numpy as np

    from fabgen.training import save_surrogate

    stored = {"grid": params, "evaluations": np.int64(evaluations)}
    save_surrogate(session.run.surrogate, stored, describe_training(session.card))


@dataclasses.dataclass(frozen=True)
class Grids:
    """The results of one adaptation: surrogates with their parameters, by name.

    One channel: the map of the axes alone (GRID), and with the strata of VEGAS+ (VEGAS), which take
    up more of what the axes do not factorize, and in many dimensions more of the noise. Several
    channels: a map of the axes each. pretrained: these maps for a flow behind them. figures: of the
    package's own estimate; log: lines of its iterations for training.jsonl.
    """

    surrogates: dict[str, tuple[Any, Any]]
    pretrained: Pretrained
    figures: dict[str, Any]
    log: tuple[dict[str, Any], ...] = ()

    @property
    def evaluations(self) -> int:
        return int(self.pretrained.target_evaluations)


def survey_grids(session: Session) -> Grids:
    """Adapts the grids; the same card gives the same ones. FabgenError if f was zero everywhere."""
    if session.integrand.n_channels > 1:
        return _of_channels(session)
    return _of_one_channel(session)


def template(session: Session, name: str) -> tuple[Any, Any]:
    """The surrogate GRID or VEGAS, and parameters of its shapes."""
    import jax

    from fabgen.surrogate import Gridded, Uniform, gridded_channels

    dim, n = session.integrand.dim, session.integrand.n_channels
    options = session.card.surrogate.vegas
    surrogate: Any
    if name == VEGAS:
        from fabgen.surrogate.vegas.adapt import vegas_grid

        surrogate = vegas_grid(dim, options)
    elif n > 1:
        surrogate = gridded_channels(dim, session.layout, options.bins)
    else:
        surrogate = Gridded(dim, Uniform(dim), options.bins)
    return surrogate, surrogate.init(jax.random.key(0))


def _of_one_channel(session: Session) -> Grids:
    import jax.numpy as jnp

    from fabgen.surrogate.vegas.adapt import VegasIteration, axis_borders, train_vegas
    from fabgen.training.pretraining import Pretrained

    options, watch = session.card.surrogate.vegas, session.watch
    start, log = watch.clock(), list[dict[str, Any]]()
    with session.reporter.stage("vegas", options.iterations, "iterations") as show:

        def report(iteration: VegasIteration) -> None:
            log.append(iteration.line(watch.clock() - start))
            show(iteration.iteration, evaluations=iteration.evaluations)

        strata, params, result = train_vegas(
            density_of(session),
            session.integrand.dim,
            options,
            session.card.training.seed,
            report,
        )
    borders = jnp.asarray(axis_borders(strata, params, options.bins))
    grid, axes = template(session, GRID)
    return Grids(
        {GRID: (grid, axes._replace(grid=borders)), VEGAS: (strata, params)},
        Pretrained(
            borders[None],
            jnp.ones(1),
            target_evaluations=result.evaluations,
            nonfinite_values=result.nonfinite,
        ),
        result.figures(),
        tuple(log),
    )


def _of_channels(session: Session) -> Grids:
    made = adapted_grids(session)
    grid, params = template(session, GRID)
    surrogates = {GRID: (grid, params._replace(grid=made.grid, factors=made.factors))}
    return Grids(surrogates, made, _figures(made, session))


def survey_grids_if_possible(session: Session) -> Grids | None:
    """The grids; None if f was zero wherever VEGAS tried."""
    try:
        return survey_grids(session)
    except FabgenError:
        return None
