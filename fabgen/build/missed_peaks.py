"""Resonances within reach of beams and cuts that no channel follows, told before any sampling.

Sampling cannot tell of a peak that it has never met: the error of the integral is that of a sample
without it. What the diagrams can put on shell, and which propagators the maps of the channels draw
as resonances, is known beforehand.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from fabgen.build.poles import Pole
from fabgen.phasespace.channels import Channel
from fabgen.phasespace.topology import REACH
from fabgen.phasespace.tree_map import TreeMap

#: Names of a mass and of a width.
Resonance = tuple[str, str]
#: A resonance with the final legs that it decays into, by position behind the beams.
Followed = tuple[Resonance, frozenset[int]]
#: Places of one resonance that a sentence names.
_MOST = 6


@dataclasses.dataclass(frozen=True)
class MissedPeak:
    """A resonance that no channel follows. place: "zp (mu+ mu-)"; mass and width in GeV."""

    place: str
    mass: float
    width: float


def missed_peaks(
    poles: Iterable[Pole],
    channels: Sequence[Channel],
    values: Mapping[str, float],
    names: Sequence[str],
) -> tuple[MissedPeak, ...]:
    """The poles within reach that none of the channels of a component draws as resonances.

    Within reach is a mass at most `REACH` widths outside of what beams and cuts leave to the legs.
    A propagator whose p^2 the beams fix is no peak, nor is one that `$` vetoes. values: masses and
    widths by name, GeV. names: of the final particles.
    """
    followed = {place for channel in channels for place in _followed(channel)}
    return tuple(
        MissedPeak(
            f"{pole.particle} ({' '.join(names[leg] for leg in pole.legs)})",
            values[pole.mass],
            values[pole.width],
        )
        for pole in poles
        if _is_within_reach(pole, values)
        and not (pole.fixed or pole.vetoed)
        and ((pole.mass, pole.width), frozenset(pole.legs)) not in followed
    )


def told(missed: Iterable[MissedPeak], *, mapped: bool) -> tuple[str, ...]:
    """A sentence for every resonance that is missed. mapped: whether there are maps of diagrams."""
    places: dict[tuple[float, float], dict[str, None]] = defaultdict(dict)
    for peak in missed:
        places[peak.mass, peak.width][peak.place] = None
    what = "no channel follows" if mapped else "no map follows"
    return tuple(
        f"{what} {_listed(list(where))}: a peak at {mass:.6g} GeV, {width:.6g} GeV wide, which "
        "sampling may miss without a sign of it in the error"
        for (mass, width), where in places.items()
    )


def _followed(channel: Channel) -> Iterable[Followed]:
    """The invariants that the map of a channel, or of its beams, draws as resonances."""
    if not isinstance(channel.mapping, TreeMap):
        return
    for branch in channel.mapping.tree.branches():
        number = branch.propagator.resonance
        if number is not None:
            yield channel.resonances[number], frozenset(branch.legs)


def _is_within_reach(pole: Pole, values: Mapping[str, float]) -> bool:
    reach = REACH * values[pole.width]
    return pole.decayed or pole.depth > -reach * (2.0 * values[pole.mass] - reach)


def _listed(places: Sequence[str]) -> str:
    more = [f"{len(places) - _MOST} more"] if len(places) > _MOST else []
    *first, last = [*places[:_MOST], *more]
    return f"{', '.join(first)} and {last}" if first else last
