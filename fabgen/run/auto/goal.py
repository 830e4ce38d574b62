"""The goal of a run, the measured efficiencies of a surrogate, and the seconds that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fabgen.card import Card


@dataclass(frozen=True)
class Measured:
    """A surrogate on `samples` fresh points.

    acceptance: mean of min(1, w/w_max), the share of the points that unweighting keeps, w_max that
    of the unweighting (`sampling.integrate.Survey`). A largest weight grows with the sample;
    w_max, above which lies a stated share of the cross section, hardly does: efficiencies of few
    points are as good as those of many. All zero if f was zero at every point.
    seconds_per_point: of a point drawn and evaluated, compilation left out; nominal or measured, as
    the card says (training.auto.costs).
    """

    sampling_efficiency: float
    unweighting_efficiency: float
    acceptance: float
    seconds_per_point: float
    samples: int


@dataclass(frozen=True)
class Goal:
    """An integral from `samples` points, then `events` unweighted events, in the least time.

    efficiency: a sampling efficiency to be reached whatever time that takes; 0 for none.
    """

    samples: int
    events: int
    efficiency: float = 0.0

    @classmethod
    def of(cls, card: Card, *, events: bool, share: float = 1.0) -> Goal:
        """That of a card: with its events, or for its integral alone. share: of the events, those
        of one of several numbers of final particles."""
        n = math.ceil(share * card.generation.events) if events else 0
        return cls(card.evaluation.samples, n, card.training.auto.efficiency)

    def rate(self, measured: Measured) -> float:
        """The efficiency that sets the number of points: acceptance, or for an integral that
        of sampling, since 1/eps points have the error of one of constant weight."""
        return measured.acceptance if self.events else measured.sampling_efficiency

    def points(self, rate: float) -> float:
        """samples + events / acceptance; for an integral samples / eps."""
        if rate <= 0.0:
            return math.inf
        return self.samples + self.events / rate if self.events else self.samples / rate

    def seconds(self, measured: Measured) -> float:
        """Expected seconds to the goal with a finished surrogate."""
        return self.points(self.rate(measured)) * measured.seconds_per_point

    def reached(self, measured: Measured) -> bool:
        return measured.sampling_efficiency >= self.efficiency

    @property
    def name(self) -> str:
        """In a sentence."""
        if self.events:
            return f"evaluation and {self.events:,} events"
        return f"an integral as precise as from {self.samples:,} points of equal weights"
