"""The resonances that events may be written with beside decayed particles, and their sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from fabgen.integrand.near_shell import NONE_NEAR, NearResonance, NearShell
from fabgen.model import Model
from fabgen.process.event_topology import Flow, open_lines
from fabgen.process.resonance_sets import largest_sets, parts_of, s_channel_propagators, within
from fabgen.process.resonances import Propagator, decayed_particles
from fabgen.process.subprocesses import Diagrams

#: What is wider, in masses, has no mass that a shower could keep (as in MadGraph).
WIDEST = 0.1


def near_shell_of(
    model: Model,
    values: Mapping[str, float],
    cutoff: float,
    diagrams: Diagrams,
    flows: Sequence[Flow],
) -> NearShell:
    """Those of a matrix element. values: masses and widths by name, GeV. cutoff: in widths; nothing
    is near if it is infinite. flows: the colour flows."""
    if not math.isfinite(cutoff):
        return NONE_NEAR
    found = tuple(_candidates(model, values, diagrams))
    sets = parts_of(largest_sets(model, diagrams.graph, found))
    number = {propagator: k for k, propagator in enumerate(found)}
    return NearShell(
        resonances=tuple(_resonance(model, propagator, flows) for propagator in found),
        sets=tuple(tuple(sorted(number[p] for p in resonances)) for resonances in sets),
        cutoff=cutoff,
    )


def _candidates(
    model: Model, values: Mapping[str, float], diagrams: Diagrams
) -> Iterator[Propagator]:
    """Unstable particles that can decay into what is below them, and that no decayed particle of
    their kind contains, or is among the products of."""
    graph = diagrams.graph
    decayed = decayed_particles(diagrams.tree)
    of_chain = {(p.particle, p.legs) for p in decayed}
    for propagator in s_channel_propagators(model, graph):
        particle = model.particle(propagator.particle)
        mass, width = values[particle.mass], values[particle.width]
        products = [model.particle(graph.external[leg]).mass for leg in propagator.legs]
        related = any(within(p, propagator) or within(propagator, p) for p in decayed)
        if (propagator.particle, propagator.legs) in of_chain or related:
            continue
        # An external particle that has radiated is none: t* > t g.
        if 0.0 < width < WIDEST * mass and sum(values[name] for name in products) < mass:
            yield propagator


def _resonance(model: Model, propagator: Propagator, flows: Sequence[Flow]) -> NearResonance:
    particle = model.particle(propagator.particle)
    return NearResonance(
        pdg=particle.pdg,
        legs=propagator.legs,
        mass=particle.mass,
        width=particle.width,
        in_flows=tuple(_may_carry(particle.colour, propagator.legs, flow) for flow in flows),
    )


def _may_carry(colour: int, legs: Sequence[int], flow: Flow) -> bool:
    """Whether the lines that leave the legs are those of a particle in a representation."""
    colours, anticolours = open_lines(legs, flow)
    return (len(colours), len(anticolours)) == _N_LINES[colour]


#: Lines of colour and of anticolour by the representation.
_N_LINES = {1: (0, 0), 3: (1, 0), -3: (0, 1), 8: (1, 1)}
