"""What every integrand offers, whatever it is made of.

Training, sampling, events and the pipeline rely on this and on nothing else; each of them states
the part of it that it needs as a protocol of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jax import Array

from fabgen.process.event_topology import EventTopology

if TYPE_CHECKING:
    from fabgen.integrand.point import Placed, Point


class AnyIntegrand(Protocol):
    """f(u) on the unit hypercube: zero, log f = -inf, outside of it and outside of the cuts."""

    @property
    def dim(self) -> int: ...

    @property
    def n_channels(self) -> int: ...

    @property
    def n_features(self) -> int:
        """Numbers that trained channel weights look at."""

    @property
    def representative_channel(self) -> tuple[int, ...]:
        """For each channel the first one that it is equal to, up to names of identical legs."""

    @property
    def component_of_channel(self) -> tuple[int, ...]:
        """For each channel the number of its component: of what its points are points of."""

    @property
    def n_initial(self) -> int:
        """Incoming particles: 2, or 1 for a decay at rest."""

    @property
    def unit(self) -> str:
        """Of f and its integral: "pb", "GeV" or "none"."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what f is, beyond its card, for whoever reads its integral."""

    @property
    def parameters(self) -> Mapping[str, float]:
        """External parameters by name."""

    @property
    def masses(self) -> Mapping[int, float]:
        """Masses in GeV by PDG id."""

    @property
    def widths(self) -> Mapping[int, float]:
        """Widths in GeV by PDG id."""

    @property
    def beam_particles(self) -> tuple[int, ...]:
        """PDG ids of the incoming particles."""

    @property
    def beam_energies(self) -> tuple[float, ...]:
        """GeV per beam; () for a decay."""

    @property
    def topologies(self) -> tuple[EventTopology, ...]:
        """The subprocesses as they appear in an event file."""

    def log_density(self, u: Array, parameters: Mapping[str, Any] | None = None) -> Array:
        """log f (...) at u (..., dim); parameters replace external ones and are traced."""

    def point(
        self,
        u: Array,
        channel: Array | int = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> Point:
        """Everything about the points u (events, dim) drawn with the channels `channel`."""

    def incoming(self, subprocess: int = 0) -> Array:
        """Lab momenta (n_initial, 4) in GeV of the incoming particles."""

    def momenta(self, u: Array, channel: int = 0, subprocess: int = 0) -> Array:
        """Lab momenta (..., n_external, 4) in GeV at u (..., dim)."""

    def unit_cube(self, momenta: Array, channel: Array | int = 0, subprocess: int = 0) -> Array:
        """u (..., dim) of lab momenta (..., n_external, 4): the inverse map.

        Of several channels one for all momenta, or one for each (events, n_external, 4).
        """

    @property
    def draw_needs_amplitudes(self) -> bool:
        """Whether draw_events evaluates f."""

    def draw_events(self, u: Array, key: Array, channel: Array | int = 0) -> Mapping[str, Array]:
        """The events at u (events, dim) of channels; the key draws what u leaves open."""


class InChannels(AnyIntegrand, Protocol):
    """What an integrand of several channels offers besides: its points in two steps.

    The maps of all channels are most of the program: with what follows apart, sampling, VEGAS and
    the drawing of events share them compiled.
    """

    def place(self, u: Array, channel: Array | int) -> Placed:
        """Where the points u (events, dim) of the channels lie."""

    def log_prior(self, momenta: Array, subprocess: int = 0) -> Array:
        """log alpha (n_channels, ...) before training at lab momenta (..., n_external, 4)."""

    def point_at(self, placed: Placed, channel: Array | int) -> Point:
        """`point` of what `place` has placed."""

    def draw_at(self, placed: Placed, key: Array, channel: Array | int) -> Mapping[str, Array]:
        """`draw_events` of what `place` has placed."""


def one_line(integrand: AnyIntegrand, names: Mapping[int, str], title: str = "") -> str:
    """`repr` of an integrand: its process (names by PDG id) or title, and its size."""
    subprocesses = integrand.topologies
    if subprocesses:
        particles = [names[pdg] for pdg in subprocesses[0].pdg]
        n = integrand.n_initial
        title = f"{' '.join(particles[:n])} > {' '.join(particles[n:])}"
        if len(subprocesses) > 1:
            title += f" and {len(subprocesses) - 1} more"
    channels = f"{integrand.n_channels} channel{'s' if integrand.n_channels > 1 else ''}"
    unit = "no unit" if integrand.unit == "none" else f"in {integrand.unit}"
    kind = type(integrand).__name__
    return f"<{kind} {title}: {integrand.dim} dimensions, {channels}, {unit}>"
