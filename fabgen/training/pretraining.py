"""VEGAS pre-training: the grids that the flows of all channels start from.

T. Heimel et al., The MadNIS reloaded, SciPost Phys. 17 (2024) 023: VEGAS is quick to learn what
factorizes, and the flows need to learn the rest only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from fabgen.surrogate.build import VegasSettings
from fabgen.surrogate.multichannel import numbered
from fabgen.training.madnis import Pretrained
from fabgen.training.target import density_of


def pretrain(
    target: Any,
    options: VegasSettings,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> Pretrained:
    """Adapts a grid to alpha_i f_i of every channel, alpha_i the prior weights; imports `vegas`.

    Channels that mirror an earlier one have the grid of that. `report` gets the number of each
    channel that is done, and the evaluations so far.
    """
    from fabgen.surrogate.vegas import vegas_borders

    @jax.jit
    def density(u: jax.Array, channel: Any) -> jax.Array:
        return jnp.exp(density_of(target, channel)(u))

    distinct, number = numbered(target.mirrors)
    grid, evaluations, nonfinite = vegas_borders(
        density, distinct, target.dim, options, seed, report
    )
    return Pretrained(jnp.asarray(grid)[jnp.asarray(number)], evaluations, nonfinite)
