"""Refusal of resonances that are too narrow for momenta in double precision.

|M|^2 takes p^2 of a propagator from the momenta of the final particles, in the rest frame of the
beams. Their rounding leaves p^2 an error of about 0.3 eps s (eps = 2^-52, s the total p^2; measured
at 235 GeV to 14 TeV, with two to four final particles), which must be small against M Gamma. It is
partly the same for all events, so it does not average out: scans of sigma x Gamma against Gamma for
decays of h, w+ and t show a bias of up to 2e-3 at eps s/(M Gamma) = 0.1, 6e-4 at 0.05, 2.4e-4 at
0.03 and less than 1e-4 at 0.01.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping

from fabgen.build.poles import Pole
from fabgen.build.small_widths import WIDEST
from fabgen.card.phase_space import LARGEST, PhaseSpace
from fabgen.errors import InputError
from fabgen.integrand.small_widths import SmallWidths

#: Smallest |p^2 - m^2 + i m Gamma| in eps s: of a resonance that is integrated over the bias of the
#: cross section stays below 6e-4; where the beams fix p^2, |M|^2 is right to 1e-3.
_INTEGRATED, _FIXED = 40.0, 4000.0


def refuse_narrow(
    poles: Iterable[Pole],
    small: SmallWidths,
    values: Mapping[str, float],
    sqrt_s: float,
    options: PhaseSpace,
    names: tuple[str, ...],
) -> None:
    """Raise InputError, with the smallest width that works, where rounding exceeds a width.

    poles: of a subprocess, with `names` of the final particles. values: masses and widths by name,
    GeV. sqrt_s: total energy in the rest frame, GeV.
    """
    used = small.used(values)
    for pole in poles:
        mass, width = values[pole.mass], used[pole.width]
        if width == 0.0:
            continue  # divergences.py
        least = (_FIXED if pole.fixed else _INTEGRATED) * sys.float_info.epsilon * sqrt_s**2
        away = max(-pole.depth, 0.0)
        scale = _scale(pole, options.bw_cutoff) * mass
        if math.hypot(away, scale * width) >= least:
            continue
        enough = math.sqrt(least**2 - away**2) / scale
        products = " ".join(names[leg] for leg in pole.legs)
        raise InputError(
            f"{pole.particle} ({products}) is too narrow: p^2 is not known that well in double "
            "precision",
            key=f"parameters.{pole.width}",
            found=f"{values[pole.width]:g} GeV",
            allowed=f"at least {_rounded_up(enough)} GeV at these energies ({sqrt_s:.6g} GeV)",
            hint=_hint(pole, small, options, enough / mass),
        )


def _scale(pole: Pole, cutoff: float) -> float:
    """The scale to be resolved, in widths: of a window also its edges, to 3e-4."""
    if pole.vetoed:
        return cutoff / 5.0
    return min(1.0, cutoff / 5.0) if pole.decayed else 1.0


def _hint(pole: Pole, small: SmallWidths, options: PhaseSpace, share: float) -> str | None:
    """How a larger width could stand for this one; share: what is enough, in masses."""
    if pole.fixed:
        return None
    if pole.width in dict(small.decayed).values():
        return f"or phase_space.small_width = {_rounded_up(share)}" if share < LARGEST else None
    if not pole.decayed:
        return "phase_space.small_width covers narrow particles that a decay chain decays"
    if options.small_width == 0.0:
        return "phase_space.small_width = 1e-6 generates it with a larger width"
    if options.small_width * options.bw_cutoff > WIDEST:
        largest = WIDEST / options.small_width
        return f"phase_space.bw_cutoff up to {largest:g}: then phase_space.small_width applies"
    return None


def _rounded_up(width: float) -> str:
    """With two digits."""
    unit = 10.0 ** (math.floor(math.log10(width)) - 1)
    return f"{math.ceil(width / unit) * unit:.2g}"
