"""How heavy the tail of a sample of weights is: the index k of a generalized Pareto distribution.

The largest weights are fitted by the quasi-Bayesian estimator of J. Zhang and M.A. Stephens,
Technometrics 51 (2009) 316, as A. Vehtari et al., Pareto smoothed importance sampling, JMLR 25
(2024) 72, do. Weights with k > 1/2 have no variance, those with k > 1 no mean; a sample of usual
size is not to be trusted from about 0.7 on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Weights above the others that a fit needs.
FEWEST = 20
#: Parts of the tail that are fitted, too.
_PARTS = (1, 4, 16)


def tail_index(log_weights: NDArray[np.float64], n_positive: int) -> float | None:
    """k of the largest of n_positive weights; None where they are too few or all alike.

    log_weights: natural logarithms, the largest of them at least, in any order. The tail is the
    smaller of a fifth of the weights and three times the root of their number. A heavy tail is one
    at every scale, so the smallest k of it, a quarter and a sixteenth counts: weights in steps, as
    those of a grid are, look heavy where a step lies within the tail.
    """
    size = min(int(0.2 * n_positive), int(3.0 * np.sqrt(n_positive)), len(log_weights) - 1)
    fits = [_fit(log_weights, size // part) for part in _PARTS if size // part >= FEWEST]
    found = [k for k in fits if k is not None]
    return min(found, default=None)


def _fit(log_weights: NDArray[np.float64], size: int) -> float | None:
    """k of so many of the largest weights."""
    tail = np.sort(np.partition(log_weights, len(log_weights) - size - 1)[-size - 1 :])
    scaled = np.exp(tail - tail[-1])
    above = scaled[1:] - scaled[0]
    quarter = above[size // 4]
    if quarter <= 1e-12 * above[-1] or above[-1] <= 1e-9:
        return None
    return _pareto_index(above, quarter)


def _pareto_index(x: NDArray[np.float64], quarter: float) -> float:
    """k of sorted values x > 0; quarter: their first quartile."""
    n = len(x)
    m = 30 + int(np.sqrt(n))
    steps = np.arange(1, m + 1) - 0.5
    theta = 1.0 / x[-1] + (1.0 - np.sqrt(m / steps)) / (3.0 * quarter)
    k = np.mean(np.log1p(-theta[:, None] * x), axis=1)
    log_likelihood = n * (np.log(-theta / k) - k - 1.0)
    weight = np.exp(log_likelihood - log_likelihood.max())
    mean = np.sum(theta * weight) / np.sum(weight)
    found = float(np.mean(np.log1p(-mean * x)))
    # Drawn a little towards 1/2, as for ten more values: few values say little.
    return (n * found + 5.0) / (n + 10.0)
