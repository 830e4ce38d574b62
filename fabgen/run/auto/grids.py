"""VEGAS grids of the integrand, as surrogates and as what a flow starts from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fabgen.errors import FabgenError
from fabgen.run.auto.record import GRID, VEGAS
from fabgen.run.channel_grids import channel_grids, figures_of
from fabgen.run.session import Session

if TYPE_CHECKING:
    from fabgen.training.pretraining import Pretrained


@dataclasses.dataclass(frozen=True)
class Grids:
    """What one adaptation gives: surrogates with their parameters, by name.

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


def adapt(session: Session) -> Grids:
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
        surrogate = gridded_channels(dim, n, options.bins)
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
            session.integrand.log_density,
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
    made = channel_grids(session)
    grid, params = template(session, GRID)
    surrogates = {GRID: (grid, params._replace(grid=made.grid, factors=made.factors))}
    return Grids(surrogates, made, figures_of(made, session))


def adapt_if_possible(session: Session) -> Grids | None:
    """The grids; None if f was zero wherever VEGAS tried."""
    try:
        return adapt(session)
    except FabgenError:
        return None
