"""The table [phase_space] of a card."""

from __future__ import annotations

import dataclasses

from fabgen.card.option import option

#: The largest small_width: results are exact to about as much.
LARGEST = 1e-4


@dataclasses.dataclass(frozen=True)
class PhaseSpace:
    """The mapping of the unit hypercube onto phase space."""

    mapping: str = option(
        "channels",
        doc="rambo (flat), channels (along propagators), dalitz (of an amplitude model)",
        choices=("rambo", "channels", "dalitz"),
    )
    bw_cutoff: float = option(
        15.0,
        doc="decayed particles of a chain stay within this many widths, vetoed ones ($) beyond; "
        "other resonances within it are written to event files; inf: off",
        unit="widths",
        above=0.0,
        infinite=True,
    )
    small_width: float = option(
        1e-6,
        doc="decayed particles of a chain that are narrower are generated with this width, and the "
        "cross section is rescaled; 0: off",
        unit="of the mass",
        at_least=0.0,
        at_most=LARGEST,
    )
    nu: float = option(
        1.4,
        doc="power of propagators that cannot be on shell, and of those in t",
        at_least=0.0,
        at_most=5.0,
    )
