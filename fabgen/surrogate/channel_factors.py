"""Factors beta_i of the channel weights before training, alpha_i -> beta_i alpha_i / norm.

R. Kleiss and R. Pittau, Weight optimization in multichannel Monte Carlo, Comput. Phys. Commun. 83
(1994) 141. Before that all channels count alike, however much of f they describe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

LEAST = 1e-3
"""The smallest factor, where the largest is 1: a channel may be the only one that reaches some
corner of phase space."""


def improved(
    factors: Float64[np.ndarray, " n_channels"],
    moments: Float64[np.ndarray, "n_channels n_channels"],
    points: Float64[np.ndarray, " n_channels"],
    representative_channel: Sequence[int],
) -> Float64[np.ndarray, " n_channels"]:
    """One step towards the factors (n_channels,) with the largest sampling efficiency.

    moments (n_channels, n_channels): sum over the points of channel i of w_i^2 alpha_j with the old
    factors, w_i = alpha_i f_i/q_i; points (n_channels,): how many these are, none for channels that
    mirror an earlier one (`representative_channel`) and share its factor. A channel without a
    weight keeps its own.

    A mixture with the best shares has the sampling efficiency (I / S)^2, S = sum_i S_i with
    S_i^2 = <w_i^2>. The derivative of S in log beta_j vanishes where S_j = sum_i <w_i^2 alpha_j> /
    S_i; a step multiplies beta_j with the ratio of both sides.
    """
    group = np.asarray(representative_channel)
    alike = np.bincount(group, minlength=len(group))
    mean = moments / np.maximum(points, 1.0)[:, None]
    size = np.sqrt(mean.sum(axis=1))  # the alpha_j add up to 1
    known = size > 0.0
    demand = (alike * known / np.where(known, size, 1.0)) @ mean
    wanted = np.bincount(group, demand, len(group))
    ratio = np.where(known, wanted / np.where(known, alike * size, 1.0), 1.0)[group]
    found = factors * ratio
    result: Float64[np.ndarray, " n_channels"] = np.maximum(found / found.max(), LEAST)
    return result
