"""Samplers of the weights of a surrogate, compiled once for a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fabgen.run.session import Session

if TYPE_CHECKING:
    import jax

    from fabgen.sampling.sampler import Weigh, WeightedSampler


def samplers(
    session: Session, surrogates: Mapping[Any, Any], floor: float = 0.0
) -> list[WeightedSampler]:
    """Samplers of w = f/q that share one compiled f; several channels all have the same share.

    floor: share of the points that are uniform instead; none of a surrogate that is.
    """
    from fabgen.sampling.sampler import weighted_sampler

    values = session.values
    return [
        weighted_sampler(
            values,
            surrogate,
            params,
            equal_shares(params),
            block=session.block,
            draw=compiled_sampler(session, surrogate, params, floor),
            weigh=_compiled_weights(session, surrogate, params),
        )
        for surrogate, params in surrogates.items()
    ]


def compiled_sampler(
    session: Session, surrogate: Any, params: Any, floor: float = 0.0
) -> Callable[..., Any]:
    """The compiled drawing of a block of points: (params, key, channel (block,)) -> u (block, dim)
    and log q (block,); compiled once for a session."""
    import jax

    from fabgen.surrogate.channels import as_multichannel
    from fabgen.surrogate.floor import sample_above_floor

    view = as_multichannel(surrogate)
    floor = 0.0 if view.is_flat else floor

    def draw(params: Any, key: jax.Array, channel: Any) -> Any:
        if floor > 0.0:
            return sample_above_floor(view, floor, params, key, channel)
        return view.sample_and_log_prob(params, key, channel)

    like = params, jax.random.key(0), jax.ShapeDtypeStruct((session.block,), "int32")
    return session.program((surrogate, floor), draw, *like, quickly=not _has_network(surrogate))


def _compiled_weights(session: Session, surrogate: Any, params: Any) -> Weigh:
    import jax

    from fabgen.sampling.sampler import weights
    from fabgen.surrogate.channels import as_multichannel

    block = (session.block,)
    numbers, channels = (jax.ShapeDtypeStruct(block, kind) for kind in ("float64", "int32"))
    like = params, session.compiled.values_like, numbers, channels
    weigh, quickly = weights(as_multichannel(surrogate)), not _has_network(surrogate)
    return session.program((surrogate, "weights"), weigh, *like, quickly=quickly)


def _has_network(surrogate: Any) -> bool:
    """Whether drawing and weighing is more than a few operations for each point."""
    from fabgen.surrogate.channel_weights import ChannelWeights
    from fabgen.surrogate.flow.flow import Flow

    parts = surrogate, *(getattr(surrogate, name, None) for name in ("density", "weights"))
    return any(isinstance(part, Flow | ChannelWeights) for part in parts)


def equal_shares(params: Any) -> tuple[float, ...]:
    """The same share for each channel that the parameters of a surrogate have not dropped."""
    import numpy as np

    from fabgen.surrogate.channels import MultiChannelParams

    if not isinstance(params, MultiChannelParams):
        return (1.0,)
    active = np.asarray(params.factors > 0.0, float)
    return tuple((active / active.sum()).tolist())
