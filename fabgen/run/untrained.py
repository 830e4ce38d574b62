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

    flat = untrained_surrogate(session.integrand.dim, session.layout)
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
        wide = gridded_channels(dim, session.layout, WIDE_BINS)
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
    from fabgen.surrogate.channels import ChannelValues, as_multichannel

    integrand, f = session.integrand, session.values
    flat = untrained_surrogate(integrand.dim, session.layout)
    view: Any = as_multichannel(flat)
    flat_params = flat.init(key)

    @jax.jit
    def weigh(values: ChannelValues, channel: jax.Array) -> jax.Array:
        given = values.log_prior, values.features, channel
        log_alpha: jax.Array = view.log_alpha(flat_params, *given)
        return values.log_f + log_alpha

    def log_f(u: jax.Array, channel: jax.Array) -> jax.Array:
        weighed: jax.Array = weigh(f(u, channel), channel)
        return weighed

    population, calls = adapted(log_f, starts, key, block=session.block)
    found, found_params, found_shares = mixture(population, session.layout)
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
    from fabgen.sampling.sampler import Step, WeightedSampler
    from fabgen.surrogate.channels import ChannelValues, as_multichannel
    from fabgen.surrogate.floor import log_above_floor

    integrand, block = session.integrand, session.block
    view, seen, floor = (
        as_multichannel(other),
        as_multichannel(surrogate),
        session.card.evaluation.floor,
    )
    log_shares = jnp.array([math.log(a) if a > 0.0 else -math.inf for a in shares])

    def weigh(
        given: tuple[Any, Any, jax.Array],
        u: jax.Array,
        log_p: jax.Array,
        values: ChannelValues,
        channel: jax.Array,
    ) -> tuple[jax.Array, Witness]:
        params, other_params, log_shares = given
        log_q = seen.log_prob(params, u, channel)
        if floor > 0.0:
            log_q = log_above_floor(log_q, floor)
        told = values.log_prior, values.features, channel
        log_f = values.log_f + seen.log_alpha(params, *told)
        log_w = values.log_f + view.log_alpha(other_params, *told) - log_p
        return log_w, Witness(log_f - log_p, log_f - log_q - log_shares[channel])

    draw, f = compiled_sampler(session, other, other_params), session.values
    given = params, other_params, log_shares
    with session.compiling():
        u = jax.ShapeDtypeStruct((block, integrand.dim), "float64")
        numbers = jax.ShapeDtypeStruct((block,), "float64")
        channels = jax.ShapeDtypeStruct((block,), "int32")
        like = given, u, numbers, session.compiled.values_like, channels
        compiled = session.compiler.compile(weigh, *like)

    def step(other_params: Any, key: jax.Array, channel: jax.Array) -> Step:
        u, log_p = draw(other_params, key, channel)
        values = f(u, channel)
        log_w, witness = compiled(given, u, log_p, values, channel)
        return Step(u, log_w, values.sign, witness)

    return WeightedSampler(step, other_params, integrand.dim, block, equal_shares(other_params))
