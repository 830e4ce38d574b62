"""Where the events of a run come from, and which they are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fabgen.card import Card
from fabgen.run.session import Session

if TYPE_CHECKING:
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.sampler import WeightedSampler


@dataclasses.dataclass(frozen=True)
class Place:
    """Which events: the number of their file and of their piece of it, both from 1, and the card
    that stands in the head of the file."""

    number: int
    piece: int
    card: Card


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the events of one part of a run come from: its session, the sampler of its surrogate
    and the survey that says how to unweight."""

    session: Session
    sampler: WeightedSampler
    survey: Survey
