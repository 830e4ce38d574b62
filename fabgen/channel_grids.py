"""The VEGAS grids of all channels: a surrogate by themselves, and what flows start from.

T. Heimel et al., The MadNIS reloaded, SciPost Phys. 17 (2024) 023: VEGAS is quick to learn what
factorizes, and the flows need to learn the rest only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fabgen.session import Session
    from fabgen.training.madnis import Pretrained


def channel_grids(session: Session) -> Pretrained:
    """A grid adapted to alpha_i f_i of every channel, alpha_i the prior weights.

    Channels that mirror an earlier one have the grid of that.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from fabgen.sampling.blocks import in_blocks
    from fabgen.surrogate.multichannel import ChannelValues, numbered, own
    from fabgen.surrogate.vegas_axes import adapt_axes, n_iterations
    from fabgen.training.madnis import Pretrained

    values, integrand = session.channel_values, session.integrand
    options = session.card.surrogate.vegas

    @jax.jit
    def f_of(values: ChannelValues, channel: jax.Array) -> jax.Array:
        return jnp.exp(values.log_f + own(values.log_prior, channel))

    def density(u: NDArray[np.float64], channel: NDArray[np.int32]) -> NDArray[np.float64]:
        f = np.empty(len(u))
        for part, filled in in_blocks(len(u)):
            own_channel = channel[filled]
            found = f_of(values(u[filled], own_channel), own_channel)
            f[part] = np.asarray(found)[: part.stop - part.start]
        return f

    distinct, number = numbered(integrand.mirrors)
    with session.reporter.stage("vegas", n_iterations(options), "iterations") as show:
        axes = adapt_axes(
            density,
            distinct,
            integrand.dim,
            options,
            session.card.training.seed,
            lambda iteration, evaluations: show(iteration, evaluations=evaluations),
        )
    return Pretrained(jnp.asarray(axes.borders[list(number)]), axes.evaluations, axes.nonfinite)
