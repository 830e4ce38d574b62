"""The sample that the forward divergence learns from: weighted points of p, split in two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

Arrays = Array | NDArray[Any]

#: The split has a stream of numbers of its own below the seed of the training.
_SPLIT = 0x464B4C00


class WeightedPoints(NamedTuple):
    """A sample of p: u (n, dim) in the unit cubes of channels (n,), with weights (n,) > 0."""

    u: Arrays
    channel: Arrays
    weight: Arrays


@dataclass(frozen=True)
class SampledPoints:
    """Points with f > 0, the calls of f that they took (of these, zeros and values that are not
    finite), and what the report tells of them."""

    points: WeightedPoints
    target_evaluations: int
    zero_values: int
    nonfinite_values: int
    figures: dict[str, Any]


@dataclass(frozen=True)
class FilePoints:
    """Points of an event file before f is asked: those inside the maps of their channels.

    read: events of the file; zero_weight, outside_map: those left out. sha256: of the file.
    """

    points: WeightedPoints
    read: int
    zero_weight: int
    outside_map: int
    sha256: str


class Sample(NamedTuple):
    """Points to train on and points to validate with, both of mean weight 1; the calls of f that
    they took, and of these those that gave zero or a value that is not finite (integers)."""

    training: WeightedPoints
    validation: WeightedPoints
    target_evaluations: Array | int = 0
    zero_values: Array | int = 0
    nonfinite_values: Array | int = 0


def split_sample(
    u: ArrayLike,
    weight: ArrayLike,
    validation: float,
    seed: int,
    *,
    channel: ArrayLike = 0,
    target_evaluations: int = 0,
    zero_values: int = 0,
    nonfinite_values: int = 0,
) -> Sample:
    """Points u (n, dim) with weights (n,) in an order drawn from the seed, split in two.

    channel (n,), or one for all: the channel of each point. Of events x ~ f they are drawn with the
    probabilities alpha_i(x): u is then a sample of alpha_i f_i. The share `validation` of the
    points (rounded) is kept for validation. Both parts get mean weight 1.
    """
    u, weight = np.asarray(u, np.float64), np.asarray(weight, np.float64)
    n = len(weight)
    channels = np.broadcast_to(np.asarray(channel, np.int32), (n,))
    order = np.asarray(jax.random.permutation(jax.random.fold_in(jax.random.key(seed), _SPLIT), n))
    n_validation = min(round(validation * n), n - 1)

    def points(chosen: np.ndarray) -> WeightedPoints:
        w = weight[chosen]
        mean_one = jnp.asarray(w / w.mean() if w.size else w)
        return WeightedPoints(jnp.asarray(u[chosen]), jnp.asarray(channels[chosen]), mean_one)

    return Sample(
        points(order[n_validation:]),
        points(order[:n_validation]),
        target_evaluations,
        zero_values,
        nonfinite_values,
    )
