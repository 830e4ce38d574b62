"""Points of the untrained map, and what they tell of a trained surrogate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fabgen.samplers import drawing, equal_shares
from fabgen.session import Session

if TYPE_CHECKING:
    import jax

    from fabgen.sampling.reference import Witness
    from fabgen.sampling.sampler import WeightedSampler


def untrained_sampler(
    session: Session, key: jax.Array, surrogate: Any, params: Any, shares: tuple[float, ...]
) -> WeightedSampler:
    """The sampler of the untrained map, whose points tell of a surrogate with its parameters.

    shares (n_channels,): of the channels in the sample of the surrogate. key: of the untrained
    parameters.
    """
    import jax
    import jax.numpy as jnp

    from fabgen.sampling.reference import Witness
    from fabgen.sampling.sampler import DEFAULT_BLOCK, WeightedSampler
    from fabgen.surrogate import untrained_surrogate
    from fabgen.surrogate.floor import log_above_floor
    from fabgen.surrogate.multichannel import ChannelValues, in_channels, own

    integrand, block = session.integrand, DEFAULT_BLOCK
    flat = untrained_surrogate(integrand.dim, integrand.n_channels)
    flat_params = flat.init(key)
    view, seen, floor = in_channels(flat), in_channels(surrogate), session.card.evaluation.floor
    log_shares = jnp.array([math.log(a) if a > 0.0 else -math.inf for a in shares])

    def weigh(
        params: Any, u: jax.Array, log_p: jax.Array, values: ChannelValues, channel: jax.Array
    ) -> tuple[jax.Array, Witness]:
        log_q = seen.log_prob(params, u, channel)
        if floor > 0.0:
            log_q = log_above_floor(log_q, floor)
        told = values.log_prior, values.features
        log_f = values.log_f + own(seen.log_alpha(params, *told), channel)
        log_w = values.log_f + own(view.log_alpha(flat_params, *told), channel) - log_p
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
    draw, f = drawing(session, flat, flat_params), session.channel_values

    def step(flat_params: Any, key: jax.Array, channel: Any) -> Any:
        channel = channel if several else jnp.zeros(block, jnp.int32)
        u, log_p = draw(flat_params, key, *((channel,) if several else ()))
        return u, *compiled(params, u, log_p, f(u, channel), channel)

    return WeightedSampler(step, flat_params, integrand.dim, block, equal_shares(flat_params))
