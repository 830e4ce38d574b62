"""What several channels start from: factors of their weights, and a VEGAS grid for each.

A surrogate by themselves, and the start of flows. T. Heimel et al., The MadNIS reloaded, SciPost
Phys. 17 (2024) 023: VEGAS is quick to learn what factorizes, and flows need to learn the rest only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fabgen.session import Session
    from fabgen.surrogate.multichannel import ChannelValues
    from fabgen.surrogate.vegas_axes import Channels, Density, Floats
    from fabgen.training.madnis import Pretrained

#: A stream of random numbers below the seed of the training.
_STREAM = 0x46414240


def n_pilot_points(session: Session) -> int:
    """Evaluations of f that the factors take: as many as an iteration of the grids; none for one
    channel."""
    from fabgen.surrogate.vegas_axes import points_of_each

    n = session.integrand.n_channels
    return n * points_of_each(session.card.surrogate.vegas.evaluations, n) if n > 1 else 0


def channel_grids(session: Session) -> Pretrained:
    """Factors beta_i of the prior weights, and grids adapted to alpha_i f_i with these weights.

    Channels that mirror an earlier one have the factor and the grid of that.
    """
    import jax.numpy as jnp

    from fabgen.surrogate.multichannel import numbered
    from fabgen.surrogate.vegas_axes import adapt_axes, n_iterations
    from fabgen.training.madnis import Pretrained

    integrand, options = session.integrand, session.card.surrogate.vegas
    factors, pilot_nonfinite = _factors(session)
    n_pilot = n_pilot_points(session)
    distinct, number = numbered(integrand.mirrors)
    with session.reporter.stage("vegas", n_iterations(options), "iterations") as show:
        axes = adapt_axes(
            _density(session, factors),
            distinct,
            integrand.dim,
            options,
            session.card.training.seed,
            lambda iteration, evaluations: show(iteration, evaluations=n_pilot + evaluations),
        )
    return Pretrained(
        jnp.asarray(axes.borders[list(number)]),
        jnp.asarray(factors),
        n_pilot + axes.evaluations,
        pilot_nonfinite + axes.nonfinite,
    )


def _factors(session: Session) -> tuple[Floats, int]:
    """The factors of all channels from even points, and how often f was not finite there."""
    import numpy as np

    from fabgen.surrogate.channel_factors import adapt_factors

    integrand = session.integrand
    n, n_channels = n_pilot_points(session), integrand.n_channels
    if n == 0:
        return np.ones(1), 0
    u = np.random.default_rng((session.card.training.seed, _STREAM)).random((n, integrand.dim))
    channel = np.arange(n, dtype=np.int32) % n_channels
    log_f, log_prior = np.empty(n), np.empty((n_channels, n))
    for part, values, _ in _evaluated(session, u, channel):
        size = part.stop - part.start
        log_f[part] = np.asarray(values.log_f)[:size]
        log_prior[:, part] = np.asarray(values.log_prior)[:, :size]
    faulty = np.isnan(log_f) | np.isposinf(log_f)
    log_f[faulty] = -np.inf
    return adapt_factors(log_f, log_prior, channel, integrand.mirrors), int(np.sum(faulty))


def _density(session: Session, factors: Floats) -> Density:
    """alpha_i f_i of the channels, for any number of points."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from fabgen.surrogate.channel_weights import log_alpha
    from fabgen.surrogate.multichannel import own

    beta = jnp.asarray(factors)

    @jax.jit
    def f_of(values: ChannelValues, channel: jax.Array) -> jax.Array:
        return jnp.exp(values.log_f + own(log_alpha(values.log_prior, beta), channel))

    def density(u: Floats, channel: Channels) -> Floats:
        f = np.empty(len(u))
        for part, values, own_channel in _evaluated(session, u, channel):
            f[part] = np.asarray(f_of(values, own_channel))[: part.stop - part.start]
        return f

    return density


def _evaluated(
    session: Session, u: Floats, channel: Channels
) -> Iterator[tuple[slice, ChannelValues, Channels]]:
    """f at u (n, dim) of channels (n,), block by block; blocks are filled up."""
    from fabgen.sampling.blocks import in_blocks

    for part, filled in in_blocks(len(u)):
        yield part, session.channel_values(u[filled], channel[filled]), channel[filled]
