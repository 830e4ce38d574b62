"""Points of other maps than a surrogate's own, and what they tell of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fabgen.run.samplers import compiled_sampler, equal_shares
from fabgen.run.session import Session

if TYPE_CHECKING:
    import jax

    from fabgen.sampling.reference import Points, Witness
    from fabgen.sampling.sampler import WeightedSampler


def untrained_sampler(
    session: Session, key: jax.Array, surrogate: Any, params: Any, shares: tuple[float, ...]
) -> WeightedSampler:
    """The sampler of the untrained map, whose points tell of a surrogate with its parameters.

    shares (n_channels,): of the channels in the sample of the surrogate. key: of the untrained
    parameters.
    """
    from fabgen.surrogate import untrained_surrogate

    flat = untrained_surrogate(session.integrand.dim, session.integrand.n_channels)
    return _telling_sampler(session, flat, flat.init(key), surrogate, params, shares)


def wide_sampler(
    session: Session, key: jax.Array, sampler: WeightedSampler, surrogate: Any, params: Any
) -> WeightedSampler:
    """The sampler of a map wider than a surrogate, and around it: borders at even parts of the
    points that the surrogate draws where f > 0, a share of them spread (`wide_map`).

    sampler, key: of the surrogate, and of the points. All channels that it draws have the same
    share here.
    """
    import jax.numpy as jnp
    import numpy as np

    from fabgen.surrogate import Gridded, Uniform, gridded_channels
    from fabgen.surrogate.vegas.edges import WIDE_BINS, wide_map

    drawn = sampler(key, 0)
    u, channel = np.asarray(drawn.u), np.asarray(drawn.channel)
    inside = np.isfinite(np.asarray(drawn.log_w))
    dim, n = session.integrand.dim, session.integrand.n_channels
    borders = jnp.stack([jnp.asarray(wide_map(u[inside & (channel == k)])) for k in range(n)])
    if n == 1:
        wide: Any = Gridded(dim, Uniform(dim), WIDE_BINS)
        given = wide.init(key)._replace(grid=borders[0])
    else:
        wide = gridded_channels(dim, n, WIDE_BINS)
        drawn_ones = jnp.asarray(np.array(sampler.shares) > 0.0, jnp.float64)
        given = wide.init(key)._replace(grid=borders, factors=drawn_ones)
    return _telling_sampler(session, wide, given, surrogate, params, sampler.shares)


def search_sampler(
    session: Session,
    key: jax.Array,
    starts: Points,
    surrogate: Any,
    params: Any,
    shares: tuple[float, ...],
) -> tuple[WeightedSampler, int]:
    """The sampler of Gaussians that have climbed f (`sampling.population`); calls of f they took.

    starts: of the untrained map, so that nothing of the surrogate decides where they end. shares
    (n_channels,): of the channels in the sample of the surrogate. key: of the climb.
    """
    import dataclasses

    import jax

    from fabgen.sampling.population import adapted, mixture
    from fabgen.surrogate import untrained_surrogate
    from fabgen.surrogate.channels import ChannelValues, as_multichannel, select_channel

    integrand, f = session.integrand, session.channel_values
    flat = untrained_surrogate(integrand.dim, integrand.n_channels)
    view: Any = as_multichannel(flat)
    flat_params = flat.init(key)

    @jax.jit
    def weigh(values: ChannelValues, channel: jax.Array) -> jax.Array:
        log_alpha = view.log_alpha(flat_params, values.log_prior, values.features)
        return values.log_f + select_channel(log_alpha, channel)

    def log_f(u: jax.Array, channel: jax.Array) -> jax.Array:
        return weigh(f(u, channel), channel)

    population, calls = adapted(log_f, starts, key)
    found, found_params, found_shares = mixture(population, integrand.n_channels)
    sampler = _telling_sampler(session, found, found_params, surrogate, params, shares)
    return dataclasses.replace(sampler, shares=found_shares), calls


def _telling_sampler(
    session: Session,
    other: Any,
    other_params: Any,
    surrogate: Any,
    params: Any,
    shares: tuple[float, ...],
) -> WeightedSampler:
    """The sampler of another surrogate, with a Witness of this one."""
    import jax
    import jax.numpy as jnp

    from fabgen.sampling.reference import Witness
    from fabgen.sampling.sampler import DEFAULT_BLOCK, WeightedSampler
    from fabgen.surrogate.channels import ChannelValues, as_multichannel, select_channel
    from fabgen.surrogate.floor import log_above_floor

    integrand, block = session.integrand, DEFAULT_BLOCK
    view, seen, floor = (
        as_multichannel(other),
        as_multichannel(surrogate),
        session.card.evaluation.floor,
    )
    log_shares = jnp.array([math.log(a) if a > 0.0 else -math.inf for a in shares])

    def weigh(
        params: Any, u: jax.Array, log_p: jax.Array, values: ChannelValues, channel: jax.Array
    ) -> tuple[jax.Array, Witness]:
        log_q = seen.log_prob(params, u, channel)
        if floor > 0.0:
            log_q = log_above_floor(log_q, floor)
        told = values.log_prior, values.features
        log_f = values.log_f + select_channel(seen.log_alpha(params, *told), channel)
        log_w = values.log_f + select_channel(view.log_alpha(other_params, *told), channel) - log_p
        return log_w, Witness(log_f - log_p, log_f - log_q - log_shares[channel])

    def zeros(*shape: int) -> jax.Array:
        return jnp.zeros(shape)

    several = integrand.n_channels > 1
    n_features = integrand.n_features if several else 0
    with session.watch("compile"):
        values = ChannelValues(
            zeros(block), zeros(integrand.n_channels, block), zeros(n_features, block)
        )
        channels = jnp.zeros(block, jnp.int32)
        like = params, zeros(block, integrand.dim), zeros(block), values, channels
        compiled = jax.jit(weigh).lower(*like).compile()
    draw, f = compiled_sampler(session, other, other_params), session.channel_values

    def step(other_params: Any, key: jax.Array, channel: Any) -> Any:
        channel = channel if several else jnp.zeros(block, jnp.int32)
        u, log_p = draw(other_params, key, *((channel,) if several else ()))
        return u, *compiled(params, u, log_p, f(u, channel), channel)

    return WeightedSampler(step, other_params, integrand.dim, block, equal_shares(other_params))
