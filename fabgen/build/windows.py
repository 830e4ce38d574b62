"""The windows in the masses of resonances that a process puts into its integrand."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fabgen.errors import InputError
from fabgen.integrand.component import ResonanceWindow
from fabgen.model import ZERO, Model
from fabgen.process import resonances
from fabgen.process.subprocesses import Diagrams, Subprocess


def mass_windows(
    model: Model, values: Mapping[str, float], cutoff: float, sub: Subprocess, diagrams: Diagrams
) -> tuple[ResonanceWindow, ...]:
    """Those of decayed particles, and the vetoes of `$`, of `cutoff` widths (bw_cutoff).

    values: widths by name, GeV. Raises InputError where there is no width.
    """
    windows = []
    for propagator in resonances.decayed_particles(sub.tree):
        particle = model.particle(propagator.particle)
        if not values[particle.width] > 0:
            raise InputError(
                "a particle that decays needs a width",
                key="process",
                found=f"{propagator.particle} (width {values[particle.width]:g} GeV)",
                hint="write its decay products into the process itself",
            )
        if math.isfinite(cutoff):
            windows.append(
                ResonanceWindow(propagator.legs, particle.mass, particle.width, cutoff, inside=True)
            )
    # Swapped beams leave final legs as they are, so the vetoes of equal diagrams are the same.
    for propagator in resonances.on_shell_vetoes(model, diagrams.graph, diagrams.tree):
        particle = model.particle(propagator.particle)
        if not math.isfinite(cutoff):
            raise InputError(
                "`$` vetoes particles near their mass shell, which needs a width of the veto",
                key="phase_space.bw_cutoff",
                found="inf",
                allowed="a number of widths",
            )
        if particle.width != ZERO:
            windows.append(
                ResonanceWindow(
                    propagator.legs, particle.mass, particle.width, cutoff, inside=False
                )
            )
    return tuple(windows)
