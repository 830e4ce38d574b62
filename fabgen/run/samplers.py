"""Samplers of the weights of a surrogate, compiled once for a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fabgen.run.session import Session

if TYPE_CHECKING:
    import jax

    from fabgen.sampling.sampler import WeightedSampler
    from fabgen.surrogate.base import Surrogate
    from fabgen.surrogate.channels import MultiChannel


def samplers(
    session: Session, surrogates: Mapping[Any, Any], floor: float = 0.0
) -> list[WeightedSampler]:
    """Samplers of w = f/q that share one compiled f; several channels all have the same share.

    floor: share of the points that are uniform instead; none of a surrogate that is.
    """
    several = session.integrand.n_channels > 1
    make = _sampler_of_channels if several else _sampler
    return [make(session, surrogate, params, floor) for surrogate, params in surrogates.items()]


def compiled_sampler(
    session: Session, surrogate: Any, params: Any, floor: float = 0.0
) -> Callable[..., Any]:
    """The compiled drawing of a block of points: (params, key) -> u (block, dim) and log q (block,)
    for one channel, (params, key, channel (block,)) for several; compiled once for a session."""
    import jax

    from fabgen.sampling.sampler import DEFAULT_BLOCK
    from fabgen.surrogate.channels import as_multichannel
    from fabgen.surrogate.floor import sample_above_floor

    view = as_multichannel(surrogate)
    floor = 0.0 if view.is_flat else floor

    def draw(params: Any, key: jax.Array, channel: Any) -> Any:
        if floor > 0.0:
            return sample_above_floor(view, floor, params, key, channel)
        return view.sample_and_log_prob(params, key, channel)

    def draw_one(params: Any, key: jax.Array) -> Any:
        return draw(params, key, jax.numpy.zeros(DEFAULT_BLOCK, "int32"))

    if (surrogate, floor) not in session.programs:
        key = jax.random.key(0)
        with session.watch("compile"):
            if session.integrand.n_channels > 1:
                channels = jax.ShapeDtypeStruct((DEFAULT_BLOCK,), "int32")
                lowered = jax.jit(draw).lower(params, key, channels)
            else:
                lowered = jax.jit(draw_one).lower(params, key)
            session.programs[surrogate, floor] = lowered.compile()
    return session.programs[surrogate, floor]


def _sampler(session: Session, surrogate: Surrogate, params: Any, floor: float) -> WeightedSampler:
    from fabgen.sampling.sampler import DEFAULT_BLOCK, WeightedSampler

    block, dim, density = DEFAULT_BLOCK, session.integrand.dim, session.log_density
    compiled = compiled_sampler(session, surrogate, params, floor)

    def step(params: Any, key: jax.Array, channel: Any) -> tuple[jax.Array, jax.Array]:
        u, log_q = compiled(params, key)
        return u, density(u) - log_q

    return WeightedSampler(step, params, dim, block)


def _sampler_of_channels(
    session: Session, surrogate: MultiChannel, params: Any, floor: float
) -> WeightedSampler:
    import jax

    from fabgen.sampling.sampler import DEFAULT_BLOCK, WeightedSampler
    from fabgen.surrogate.channels import ChannelValues, select_channel

    block, dim, f = DEFAULT_BLOCK, session.integrand.dim, session.channel_values
    sample = compiled_sampler(session, surrogate, params, floor)

    @jax.jit
    def weigh(params: Any, values: ChannelValues, log_q: jax.Array, channel: jax.Array):
        log_alpha = surrogate.log_alpha(params, values.log_prior, values.features)
        return values.log_f + select_channel(log_alpha, channel) - log_q

    def step(params: Any, key: jax.Array, channel: Any) -> tuple[jax.Array, jax.Array]:
        u, log_q = sample(params, key, channel)
        return u, weigh(params, f(u, channel), log_q, channel)

    return WeightedSampler(step, params, dim, block, equal_shares(params))


def equal_shares(params: Any) -> tuple[float, ...]:
    """The same share for each channel that the parameters of a surrogate have not dropped."""
    import numpy as np

    from fabgen.surrogate.channels import MultiChannelParams

    if not isinstance(params, MultiChannelParams):
        return (1.0,)
    active = np.asarray(params.factors > 0.0, float)
    return tuple((active / active.sum()).tolist())
