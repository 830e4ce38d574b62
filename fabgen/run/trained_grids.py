"""VEGAS grids as surrogates of a run: found in it, or adapted now."""

from __future__ import annotations

from typing import Any

from fabgen.run.channel_grids import channel_grids, figures_of
from fabgen.run.session import GRID, Session, Trained
from fabgen.run.surrogate import describe_training


def trained_grids(session: Session, *, store: bool) -> Trained:
    """The grid of the run's only channel, or those of all channels; `store` keeps them there."""
    several = session.integrand.n_channels > 1
    return _of_channels(session, store) if several else _of_one_channel(session, store)


def _of_one_channel(session: Session, store: bool) -> Trained:
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
            session.integrand.log_density, dim, options, card.training.seed, log
        )
    if store:
        _store_grid(session, params, result.evaluations)
    return Trained(grid, params, result.evaluations, 0, {"method": "vegas", **result.figures()})


def _of_channels(session: Session, store: bool) -> Trained:
    """The VEGAS grids of several channels, with the weights that they have before training."""
    with session.watch("import"):
        from fabgen.surrogate import gridded_channels
    integrand, options = session.integrand, session.card.surrogate.vegas
    surrogate = gridded_channels(integrand.dim, integrand.n_channels, options.bins)
    if store and (found := _stored_grid(session, surrogate)):
        return found
    with session.watch("train"):
        made = channel_grids(session)
    params = surrogate.init(session.key(GRID))._replace(grid=made.grid, factors=made.factors)
    calls = int(made.target_evaluations)
    if store:
        _store_grid(session, params, calls)
    return Trained(surrogate, params, calls, 0, {"method": "vegas", **figures_of(made, session)})


def _stored_grid(session: Session, surrogate: Any) -> Trained | None:
    """The grid of the run; without one its logs are emptied for that which comes."""
    import numpy as np

    from fabgen.training import Checkpointer, load_surrogate

    run, description = session.run, describe_training(session.card)
    if not Checkpointer(run.surrogate, description).finished:
        run.truncate_logs(None)
        return None
    session.reporter.note("using the finished surrogate of the run")
    template = {"grid": surrogate.init(session.key(GRID)), "evaluations": np.int64(0)}
    stored = load_surrogate(run.surrogate, template, description)
    return Trained(surrogate, stored["grid"], int(stored["evaluations"]), 0, {"method": "vegas"})


def _store_grid(session: Session, params: Any, evaluations: int) -> None:
    import numpy as np

    from fabgen.training import save_surrogate

    stored = {"grid": params, "evaluations": np.int64(evaluations)}
    save_surrogate(session.run.surrogate, stored, describe_training(session.card))
