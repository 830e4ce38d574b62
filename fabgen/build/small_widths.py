"""Decayed particles that are so narrow that they are generated with a larger width.

In the limit of a narrow width the cross section of a decay chain is one over the width of each
decayed particle. So what is narrower than a share of its mass (`phase_space.small_width`) is
generated with that width, and the cross section is multiplied by the ratio of both widths: exact up
to about that share (MadGraph's small_width_treatment). Maps, windows and propagators all take the
larger width. Without this the momenta of double precision do not resolve such a resonance
(narrow_widths.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from fabgen.build.poles import Pole
from fabgen.card.phase_space import PhaseSpace
from fabgen.errors import InputError
from fabgen.integrand.small_widths import NONE_SMALL, SmallWidths
from fabgen.model import Model

#: The widest window, in masses, in which one width may stand for another at any energy: the
#: tails do not grow with the peak, as the factor wants them to.
WIDEST = 1e-2
#: Without such a window the tails are up to 0.05 share s/m^2 (e+ e- > t t~, t > w+ b, to 100 TeV).
_TAILS = 1e-3
#: A mass stays away from the edges of phase space by so many M Gamma of the larger width, and by
#: twice the window: thresholds then change the ratio by less than 1e-4, and other propagators of
#: the particle do not notice the larger width.
_EDGE = 300.0


def small_widths(
    options: PhaseSpace,
    poles: Sequence[Sequence[Pole]],
    values: Mapping[str, float],
    sqrt_s: float,
) -> SmallWidths:
    """The widths for the subprocesses of a component, from the poles of each of them.

    values: masses by name, GeV. sqrt_s: in the rest frame, GeV. A width may stand for a smaller one
    if the mass of the particle, wherever it is decayed, is well inside of phase space, its other
    propagators are far from their pole, and its tails are small.
    """
    share = options.small_width
    if share == 0.0:
        return NONE_SMALL
    window = share * options.bw_cutoff

    def is_free(pole: Pole) -> bool:
        square = values[pole.mass] ** 2
        if window > WIDEST and share * sqrt_s**2 > _TAILS * square:
            return False
        margin = max(_EDGE * share, 4.0 * min(window, WIDEST)) * square
        return pole.narrow > margin if pole.decayed else pole.narrow < -margin

    kept = {pole.width for own in poles for pole in own if not is_free(pole)}
    decayed = [pole for pole in poles[0] if pole.decayed]  # the same for all
    return SmallWidths(share, tuple((p.mass, p.width) for p in decayed if p.width not in kept))


def width_notes(
    model: Model, found: Iterable[SmallWidths], values: Mapping[str, float]
) -> list[str]:
    """Sentences for readers of the cross section on the widths of the components.

    Raises InputError where the cross section would be no number.
    """
    names = {p.width: p.name for p in model.particles.values() if p.pdg > 0}
    sentences = []
    for small in found:
        used = small.used(values)
        ratios = [(width, float(used[width]) / values[width]) for _, width in small.decayed]
        replaced = [(width, ratio) for width, ratio in ratios if ratio > 1.0]
        if not math.isfinite(math.prod(ratio for _, ratio in replaced)):
            width = replaced[0][0]
            raise InputError(
                "the cross section overflows: it goes like 1/width of each decayed particle",
                key=f"parameters.{width}",
                found=f"{values[width]:g}",
                allowed="a larger width",
            )
        for width, ratio in replaced:
            name = names[width]
            sentences.append(
                f"{name} decays with a width of {used[width]:.6g} GeV, {small.share:g} of its mass "
                f"(phase_space.small_width), instead of {values[width]:.6g} GeV; the cross section "
                f"and all weights are multiplied by {ratio:.6g} for each decayed {name}"
            )
    return list(dict.fromkeys(sentences))
