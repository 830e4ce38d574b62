"""What the events of subprocesses look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.integrand.near_shell import NearShell
from fabgen.model import Model
from fabgen.process.colour_flows import colour_lines
from fabgen.process.event_topology import EventTopology, Flow, Resonance
from fabgen.process.resonances import decayed_particles
from fabgen.process.subprocesses import Subprocess


def topology_of(
    model: Model,
    values: Mapping[str, float],
    sub: Subprocess,
    process: int,
    element: MatrixElement,
    near_shell: NearShell,
) -> EventTopology:
    """The topology of a subprocess. values: masses by name, GeV. process: its number in an event
    file. element, near_shell: of its diagrams."""
    particles = [model.particle(name) for name in sub.external]
    # Final legs have the same numbers in the subprocess and in its diagrams.
    near = [Resonance(found.pdg, found.legs) for found in near_shell.resonances]
    return EventTopology(
        pdg=tuple(particle.pdg for particle in particles),
        n_initial=len(sub.tree.initial),
        masses=tuple(values[particle.mass] for particle in particles),
        resonances=tuple(
            Resonance(model.particle(p.particle).pdg, p.legs) for p in decayed_particles(sub.tree)
        ),
        flows=tuple(_placed(flow, sub.legs) for flow in flows_of(element)),
        process=process,
        resonance_sets=tuple(
            tuple(near[number] for number in numbers) for numbers in near_shell.sets
        ),
    )


def flows_of(element: MatrixElement) -> tuple[Flow, ...]:
    """The colour flows of a matrix element, in the order of its legs."""
    graph, structures = element.graph, element.tables.structures
    return tuple(
        colour_lines(structures[number], len(graph.external), graph.n_initial)
        for number in element.flow_numbers
    )


def _placed(flow: Flow, legs: Sequence[int]) -> Flow:
    """A flow in the order of the legs of a subprocess."""
    return tuple(pair for _, pair in sorted(zip(legs, flow, strict=True)))
