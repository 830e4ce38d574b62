"""The sample that the forward divergence learns from: weighted points of p, split in two."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

#: The split has a stream of numbers of its own below the seed of the training.
_SPLIT = 0x464B4C00


class Points(NamedTuple):
    """u (n, dim) in the unit cube and weights (n,) > 0 with mean 1: a sample of p."""

    u: Array
    weight: Array


class Sample(NamedTuple):
    """Points to train on and points to validate with; the calls of f that they took, and of these
    those that gave zero or a value that is not finite (integers)."""

    training: Points
    validation: Points
    target_evaluations: Array | int = 0
    zero_values: Array | int = 0
    nonfinite_values: Array | int = 0


def split_sample(
    u: ArrayLike,
    weight: ArrayLike,
    validation: float,
    seed: int,
    *,
    target_evaluations: int = 0,
    zero_values: int = 0,
    nonfinite_values: int = 0,
) -> Sample:
    """Points u (n, dim) with weights (n,) in an order drawn from the seed, split in two.

    The share `validation` of them (rounded) is kept for validation. Both parts get mean weight 1.
    """
    u, weight = np.asarray(u, np.float64), np.asarray(weight, np.float64)
    n = len(weight)
    order = np.asarray(jax.random.permutation(jax.random.fold_in(jax.random.key(seed), _SPLIT), n))
    n_validation = min(round(validation * n), n - 1)

    def points(chosen: np.ndarray) -> Points:
        w = weight[chosen]
        return Points(jnp.asarray(u[chosen]), jnp.asarray(w / w.mean() if w.size else w))

    return Sample(
        points(order[n_validation:]),
        points(order[:n_validation]),
        target_evaluations,
        zero_values,
        nonfinite_values,
    )
