"""Points with what the pictures need to know of them."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Points of the surrogate, and a reference independent of them.

    reference: new points of the surrogate and points of the untrained map, or None if that is the
    surrogate itself.
    """

    surrogate: Sample
    reference: tuple[Sample, Sample] | None = None

    @property
    def parts(self) -> tuple[Sample, ...]:
        """All samples: the surrogate's first, then those of the reference."""
        return (self.surrogate, *(self.reference or ()))

    @property
    def untrained(self) -> Sample | None:
        """The points of the untrained map; None also where f vanishes at all of them."""
        if self.reference is None or not np.any(self.reference[1].weights > 0.0):
            return None
        return self.reference[1]

    def reference_weights(self) -> tuple[Floats, ...]:
        """Weights (n,) of each part of the reference, of the two taken as one sample.

        Each part counts by its size in the density of the mixture (balance heuristic: E. Veach, L.
        Guibas, SIGGRAPH 95; defensive: A. Owen, Y. Zhou, JASA 95 (2000) 135), w = f/(a q + 1 - a):
        with two parts of one size at most 2 f/q and at most 2 f. So what the surrogate leaves out
        is there, and peaks that flat points hardly ever hit do no harm.
        """
        if self.reference is None:
            return ()
        return _mixed(self.reference, len(self.reference[0]))

    def target(self) -> tuple[Floats, ...]:
        """Weights (n,) of each of the parts that distribute all their points together as f."""
        if self.reference is None:
            return (self.surrogate.weights,)
        return _mixed(self.parts, len(self.surrogate) + len(self.reference[0]))


def _mixed(parts: Sequence[Sample], of_surrogate: int) -> tuple[Floats, ...]:
    share = of_surrogate / sum(len(part) for part in parts)
    return tuple(mixture_weights(part, share) for part in parts)


def mixture_weights(sample: Sample, share: float) -> Floats:
    """f / (share q + 1 - share) at the points of a sample, q the surrogate: (n,)."""
    with np.errstate(divide="ignore"):
        mixture = np.logaddexp(np.log(share) + sample.log_surrogate, np.log1p(-share))
    log_w = sample.log_f - mixture
    return np.exp(np.where(np.isfinite(log_w), log_w, -np.inf))
