"""Objectives whose flows may start from VEGAS grids, and that may drop channels on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.errors import InputError
from fabgen.surrogate.channels import MultiChannel
from fabgen.training.counters import Counters
from fabgen.training.objectives.base import Objective
from fabgen.training.pretraining import Pretrained
from fabgen.training.target import Params

if TYPE_CHECKING:
    from fabgen.card import TrainingOptions


class FromGrids(Objective):
    """Starts from `Pretrained` data, if there are any."""

    @property
    def _n_channels(self) -> int:
        return self.target.n_channels

    @classmethod
    def resolve(cls, options: TrainingOptions, data: Any) -> TrainingOptions:
        if not (data is None or isinstance(data, Pretrained)):
            raise InputError(
                "this method evaluates f, it does not learn from a sample",
                key="training.method",
                found=options.method,
            )
        return options

    def counters(self) -> Counters:
        zero = Counters.zero()
        if self.data is None:
            return zero
        return zero._replace(
            target_evaluations=jnp.asarray(self.data.target_evaluations, jnp.int64),
            zero_values=jnp.asarray(self.data.zero_values, jnp.int64),
            nonfinite_values=jnp.asarray(self.data.nonfinite_values, jnp.int64),
        )

    def start(self, params: Params) -> Params:
        """With the VEGAS grids and the factors in their places."""
        if self.data is None:
            return params
        grid, factors = jnp.asarray(self.data.grid), jnp.asarray(self.data.factors)
        if not isinstance(self.surrogate, MultiChannel):
            return params._replace(grid=grid[0])
        return params._replace(grid=grid, factors=factors)

    def active(self, params: Params) -> Array:
        """(n_channels,), 1 or 0: of dropped channels."""
        if isinstance(self.surrogate, MultiChannel):
            return (params.factors > 0.0).astype(float)
        return jnp.ones(1)

    def without_small_channels(self, params: Params, parts: Array, steps: Array) -> Params:
        """Drops channels: from half of the training on those with too small a part of the whole.

        parts (n_channels,), in any unit. The largest one of each component stays. A channel that is
        dropped stays dropped; the others of its component take its weight over
        (`channel_weights.log_alpha`), so that the integral is the same.
        """
        if not isinstance(self.surrogate, MultiChannel) or not self.surrogate.drop_below:
            return params
        parts = parts * self.active(params)
        share = parts / jnp.maximum(jnp.sum(parts), jnp.finfo(parts.dtype).tiny)
        owner = np.array(self.target.component_of_channel)
        largest = jax.ops.segment_max(share, owner, int(owner.max()) + 1)[owner]
        small = (share < self.surrogate.drop_below) & (share < largest)
        late = 2 * steps > self.options.steps
        return params._replace(factors=jnp.where(late & small, 0.0, params.factors))
