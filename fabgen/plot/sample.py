"""Points with what the pictures need to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Sample:
    """n independent points of one density, zeros of f included.

    u (n, dim); log_f (n,): natural log of f, -inf (or not finite) where it vanishes; log_drawn
    (n,): of the density that the points were drawn from; log_surrogate (n,): of the surrogate;
    momenta (n, n_external, 4): lab frame, GeV, not finite where phase space is closed; channel
    (n,): the number of the channel whose cube u is in.

    Several channels: f is alpha_i f_i; it and the densities are divided by the probability a_i of
    the point's channel, the same for all samples.
    """

    u: Floats
    log_f: Floats
    log_drawn: Floats
    log_surrogate: Floats
    momenta: Floats
    channel: Ints

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

    def of_channel(self, number: int) -> Sample:
        """The points of one channel; its f is then in units of a_i."""
        chosen = self.channel == number
        return Sample(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Samples:
    """Points of the surrogate, and a reference independent of them.

    reference: new points of the surrogate and flat ones, or None if the surrogate is flat itself.
    untrained_log_weights (n,): those of the untrained map; by default of the flat points. Several
    channels have other weights alpha_i before the training, so that f is not the same there.
    """

    surrogate: Sample
    reference: tuple[Sample, Sample] | None = None
    untrained_log_weights: Floats | None = None

    @property
    def parts(self) -> tuple[Sample, ...]:
        """All samples: the surrogate's first, then those of the reference."""
        return (self.surrogate, *(self.reference or ()))

    @property
    def untrained(self) -> Floats | None:
        """log of the weights (n,) of the untrained map; None also where all of them are zero."""
        log_w = self.untrained_log_weights
        if log_w is None and self.reference is not None:
            log_w = self.reference[1].log_weights
        return log_w if log_w is not None and np.any(np.isfinite(log_w)) else None

    @property
    def largest_channel(self) -> int:
        """The number of the channel with the largest part of the integral of f."""
        channel = np.concatenate([part.channel for part in self.parts])
        return int(np.argmax(np.bincount(channel, np.concatenate(self.target()))))

    def of_channel(self, number: int) -> Samples:
        """The points of one channel alone."""
        surrogate, *reference = (part.of_channel(number) for part in self.parts)
        return Samples(surrogate, (reference[0], reference[1]) if reference else None)

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
