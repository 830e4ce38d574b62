"""Points with what the pictures need to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """n independent points of one density, zeros of f included.

    u (n, dim); log_f (n,): natural log of f, -inf (or not finite) where it vanishes; log_drawn
    (n,): of the density that the points were drawn from; log_surrogate (n,): of the surrogate;
    momenta (n, n_external, 4): lab frame, GeV, not finite where phase space is closed.
    """

    u: Floats
    log_f: Floats
    log_drawn: Floats
    log_surrogate: Floats
    momenta: Floats

    def __len__(self) -> int:
        return len(self.u)

    @cached_property
    def log_weights(self) -> Floats:
        """log of w = f/q, -inf where f vanishes or is not finite."""
        log_w = self.log_f - self.log_drawn
        return np.where(np.isfinite(log_w), log_w, -np.inf)

    @cached_property
    def weights(self) -> Floats:
        """w = f/q (n,) in the unit of f."""
        return np.exp(self.log_weights)


@dataclass(frozen=True)
class Samples:
    """Points of the surrogate, and of the untrained map unless that is the surrogate itself."""

    surrogate: Sample
    untrained: Sample | None

    def target(self) -> tuple[Floats, Floats]:
        """Points u (n, dim) of both samples and weights (n,) that distribute them as f.

        Each sample counts by its size in the density of the mixture (balance heuristic, E. Veach
        and L. Guibas, SIGGRAPH 95), so that w = f / (a q + 1 - a) stays below 2 f/q with samples of
        one size, and what the surrogate does not reach is there all the same.
        """
        if self.untrained is None:
            return self.surrogate.u, self.surrogate.weights
        both = (self.surrogate, self.untrained)
        weights = [mixture_weights(s, len(both[0]) / sum(map(len, both))) for s in both]
        return np.concatenate([s.u for s in both]), np.concatenate(weights)


def mixture_weights(sample: Sample, share: float) -> Floats:
    """f / (share q + (1 - share)) at the points of a sample, q the surrogate: (n,)."""
    with np.errstate(divide="ignore"):
        mixture = np.logaddexp(np.log(share) + sample.log_surrogate, np.log1p(-share))
    log_w = sample.log_f - mixture
    return np.where(np.isfinite(log_w), np.exp(np.where(np.isfinite(log_w), log_w, 0.0)), 0.0)
