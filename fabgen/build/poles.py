"""The poles of a subprocess: propagators with a width, and where they lie in phase space."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from fabgen.build.invariant_ranges import InvariantRanges, Resonance
from fabgen.card.phase_space import PhaseSpace
from fabgen.model import ZERO, Model
from fabgen.phasespace.cuts import Cuts
from fabgen.process.resonances import Propagator, decayed_particles, on_shell_vetoes, s_channel
from fabgen.process.subprocesses import Diagrams


@dataclasses.dataclass(frozen=True)
class Pole:
    """A time-like propagator with a width.

    legs: final particles by position behind the beams. mass, width: names of parameters. depth: how
    far (GeV^2) m^2 lies inside the range of p^2, negative: outside of it; narrow: the same if all
    decayed particles with this width had only the smallest one that is used. decayed: of a decay
    chain; vetoed: by `$`; fixed: p^2 is that of the beams.
    """

    particle: str
    legs: tuple[int, ...]
    mass: str
    width: str
    depth: float
    narrow: float
    decayed: bool
    vetoed: bool
    fixed: bool


def find_poles(
    model: Model,
    diagrams: Diagrams,
    cuts: Cuts,
    values: Mapping[str, float],
    sqrt_s: float,
    options: PhaseSpace,
    least: float | None = None,
) -> tuple[Pole, ...]:
    """All poles of the diagrams. values: masses and widths by name. sqrt_s: in the rest frame, GeV;
    where it is variable the largest one, and `least` the smallest.

    Decayed particles are in the window of their width, or of the smallest one that is used if it is
    larger, see small_widths.py.
    """
    graph, tree = diagrams.graph, diagrams.tree
    n_initial = graph.n_initial

    def behind(propagator: Propagator) -> tuple[int, ...]:
        return tuple(leg - n_initial for leg in propagator.legs)

    decayed = {(p.particle, p.legs) for p in decayed_particles(tree)}
    vetoed = {(p.particle, p.legs) for p in on_shell_vetoes(model, graph, tree)}
    chain = [(model.particle(p.particle), behind(p)) for p in decayed_particles(tree)]
    masses = [values[model.particle(name).mass] for name in tree.final]

    def ranges(narrow: str = "") -> InvariantRanges:
        """narrow: the name of a width that is the smallest one."""
        windows = []
        for particle, legs in chain:
            width = options.small_width * values[particle.mass]
            if particle.width != narrow:
                width = max(width, values[particle.width])
            reach = options.bw_cutoff * width if width > 0.0 else 0.0
            windows.append(Resonance(frozenset(legs), values[particle.mass], reach))
        return InvariantRanges(cuts, masses, sqrt_s, tuple(windows), least)

    actual = ranges()
    narrow = {particle.width: ranges(particle.width) for particle, _ in chain}

    def poles() -> Iterator[Pole]:
        for current in graph.currents:
            particle = model.particle(current.particle)
            if not current.propagator or current.t_channel or particle.width == ZERO:
                continue
            found = Propagator(*s_channel(model, graph, current))
            name, mass = (found.particle, found.legs), values[particle.mass]
            yield Pole(
                found.particle,
                behind(found),
                particle.mass,
                particle.width,
                actual.depth(behind(found), mass),
                narrow.get(particle.width, actual).depth(behind(found), mass),
                name in decayed,
                name in vetoed,
                len(found.legs) == len(masses) and least is None,
            )

    return tuple(dict.fromkeys(poles()))
