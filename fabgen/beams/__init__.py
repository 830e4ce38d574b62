"""Beams or a decaying particle, collisions event by event, and the scales of an event."""

from fabgen.beams.collision import (
    AtRest,
    Beams,
    Collision,
    FixedBeams,
    Limits,
    boost_z,
    decay_at_rest,
    energy_and_rapidity,
    exchanged,
    fixed_beams,
    in_lab,
    rotated,
    with_beams,
)
from fabgen.beams.scales import FixedScales, Scales

__all__ = [
    "AtRest",
    "Beams",
    "Collision",
    "FixedBeams",
    "FixedScales",
    "Limits",
    "Scales",
    "boost_z",
    "decay_at_rest",
    "energy_and_rapidity",
    "exchanged",
    "fixed_beams",
    "in_lab",
    "rotated",
    "with_beams",
]
