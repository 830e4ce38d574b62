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
from fabgen.beams.protons import LEAST_ENERGY, PROTON, ProtonBeams
from fabgen.beams.scales import EventScales, FixedScales, Scales

__all__ = [
    "LEAST_ENERGY",
    "PROTON",
    "AtRest",
    "Beams",
    "Collision",
    "EventScales",
    "FixedBeams",
    "FixedScales",
    "Limits",
    "ProtonBeams",
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
