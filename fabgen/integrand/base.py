"""Interface of every integrand, whatever it is made of.

Training, sampling, events and runs rely on this and on nothing else. A point goes through three
steps, each a pure function of JAX: `map` places points of the unit cube in phase space, `evaluate`
tells f there, `draw` makes events of those that were accepted.
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Int, PRNGKeyArray

from fabgen.errors import InputError
from fabgen.integrand.point import (
    Channels,
    EventFields,
    MapPrograms,
    PhaseSpacePoints,
    Point,
)
from fabgen.process.event_topology import EventTopology


class Integrand(abc.ABC):
    """f(u) on the unit hypercube: zero, log f = -inf, outside of it and outside of the cuts.

    Every channel has a cube and an f of its own; its points belong to the component of the
    channel. The integral of f is the sum over all channels of those of alpha_i f_i.
    """

    @property
    def n_initial(self) -> int:
        """Incoming particles: 2, 1 for a decay at rest, 0 where there are none."""
        return 0

    @property
    def unit(self) -> str:
        """Of f and its integral: "pb", "GeV" or "none"."""
        return "none"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what f is, beyond its card, for whoever reads its integral."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what sampling may miss, for whoever reads the integral; known without it."""
        return ()

    @property
    def unmapped_widths(self) -> tuple[str, ...]:
        """Names of the widths of resonances in phase space that no map follows."""
        return ()

    @property
    def beam_energies(self) -> tuple[float, ...]:
        """GeV per beam; () for a decay."""
        return ()

    @property
    def densities(self) -> Mapping[str, Any]:
        """What a report says of the densities of partons in the beams; {} without any: "set",
        "member", "id" (LHAPDF's number), "alpha_s" and "alpha_s_mz"."""
        return {}

    @property
    def n_features(self) -> int:
        """Numbers that trained channel weights look at."""
        return 0

    @property
    def draw_needs_amplitudes(self) -> bool:
        """Whether `draw` evaluates |M|^2."""
        return False

    def __repr__(self) -> str:
        return one_line(self, {})

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Variables of the unit hypercube: those of the beams and those of phase space."""

    @property
    def beam_dim(self) -> int:
        """Those of the beams, which come first."""
        return 0

    @property
    def component_of_channel(self) -> tuple[int, ...]:
        """For each channel the number of its component; those of one follow each other."""
        return (0,)

    @property
    def n_channels(self) -> int:
        return len(self.component_of_channel)

    @property
    def bytes_per_point(self) -> int:
        """Memory that f at one point takes, about: what decides how many are evaluated at once."""
        return 8 * (self.dim + self.n_channels + 500)

    @property
    def compile_seconds(self) -> float:
        """How long a core takes to trace and compile f, about."""
        return 3.0

    @property
    def n_matrix_elements(self) -> int:
        """How many distinct |M|^2 there are, of which a point evaluates one."""
        return 1

    @property
    def channel_prior(self) -> str:
        """How the channels are weighted before training, "" for one channel."""
        return ""

    @property
    def representative_channel(self) -> tuple[int, ...]:
        """For each channel the first one that it is equal to, up to names of identical legs."""
        return tuple(range(self.n_channels))

    @property
    def density_of_channel(self) -> tuple[int, ...]:
        """For each channel the number of its grid and its flow, from 0 without gaps; channels that
        are equal up to names of identical legs share one, and others with the same map may."""
        return numbered(self.representative_channel)

    @property
    def parameters(self) -> Mapping[str, float]:
        """External parameters by name."""
        return {}

    @property
    def masses(self) -> Mapping[int, float]:
        """Masses in GeV by PDG id."""
        return {}

    @property
    def widths(self) -> Mapping[int, float]:
        """Widths in GeV by PDG id."""
        return {}

    @property
    def beam_particles(self) -> tuple[int, ...]:
        """PDG ids of the beams, or of the decaying particle."""
        return ()

    @property
    def topologies(self) -> tuple[EventTopology, ...]:
        """The subprocesses as they appear in an event file."""
        return ()

    # -- points ---------------------------------------------------------------------------------

    @abc.abstractmethod
    def map(
        self,
        u: Float[Array, "events {self.dim}"],
        channel: Channels = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> PhaseSpacePoints:
        """Where the points u (events, dim) of channels (events,), or one for all, lie.

        parameters: external ones that replace those of the card; traced, so that all that follows
        can be differentiated in them. Couplings (aS) may have one value for each event.
        map_parameters: of trainable maps; () for fixed ones.
        """

    @abc.abstractmethod
    def evaluate(
        self, points: PhaseSpacePoints, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        """f and all that belongs to it at points in phase space."""

    def evaluate_with(
        self, points: PhaseSpacePoints, log_densities: Float[Array, "channels events"] | None
    ) -> Point:
        """`evaluate` where `map_programs.densities` have been found already."""
        del log_densities
        return self.evaluate(points)

    @property
    def map_programs(self) -> MapPrograms:
        """`map` and densities as programs that integrands of the same kind share."""
        return MapPrograms(lambda u, channel, _: self.map(u, channel), None, ())

    @property
    def needs_densities(self) -> bool:
        """Whether `evaluate` needs the densities of the channels, for their weights."""
        return False

    @abc.abstractmethod
    def draw(
        self,
        points: PhaseSpacePoints,
        key: PRNGKeyArray,
        parameters: Mapping[str, Any] | None = None,
    ) -> EventFields:
        """Events at accepted points; the key draws what they leave open."""

    @abc.abstractmethod
    def invert(
        self,
        momenta: Float[Array, "events n_external 4"],
        channel: Channels = 0,
        subprocess: int = 0,
    ) -> Float[Array, "events {self.dim}"]:
        """u (events, dim) of lab momenta (events, n_external, 4) of a subprocess: undoes `map`.

        Outside of the cube, or not finite, for momenta that the map does not reach.
        """

    def point(
        self,
        u: Float[Array | np.ndarray, "events {self.dim}"],
        channel: Channels | Int[np.ndarray, " events"] = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> Point:
        """f and all that belongs to it at the points u (events, dim) of channels (events,)."""
        u, channel = jnp.asarray(u), channel if isinstance(channel, int) else jnp.asarray(channel)
        return self.evaluate(self.map(u, channel, parameters, map_parameters), parameters)

    def log_density(
        self, u: ArrayLike, parameters: Mapping[str, Any] | None = None
    ) -> Float[Array, "*shape"]:
        """log |f| at u (..., dim) of the only channel; f in the unit of the integrand.

        Several channels have no common cube: InputError.
        """
        if self.n_channels > 1:
            raise InputError(
                f"the integrand has {self.n_channels} channels, each with an f of its own",
                key="channels.use",
                hint="point(u, channel) evaluates them",
            )
        shape, rows = self._rows(u)
        point = self.point(rows, 0, parameters)
        return (point.log_f + point.log_jacobian).reshape(shape)

    def momenta(self, u: ArrayLike, channel: Channels = 0) -> Float[Array, "*shape n_external 4"]:
        """Momenta (..., n_external, 4) in GeV at u (..., dim), lab frame, first beam along +z."""
        shape, rows = self._rows(u)
        momenta = jnp.moveaxis(self.point(rows, channel).momenta, -1, 0)
        return momenta.reshape(*shape, *momenta.shape[1:])

    def unit_cube(
        self, momenta: ArrayLike, channel: Channels = 0, subprocess: int = 0
    ) -> Float[Array, "*shape {self.dim}"]:
        """u (..., dim) of lab momenta (..., n_external, 4): the inverse map.

        channel: one for each of the momenta (events, n_external, 4), or one number for all.
        """
        momenta = jnp.asarray(momenta, dtype=jnp.float64)
        rows = momenta.reshape(-1, *momenta.shape[-2:])
        return self.invert(rows, channel, subprocess).reshape(*momenta.shape[:-2], self.dim)

    def _rows(self, u: ArrayLike) -> tuple[tuple[int, ...], Float[Array, "events {self.dim}"]]:
        """The shape of the points u (..., dim), and them as (events, dim)."""
        u = jnp.asarray(u, dtype=jnp.float64)
        if u.ndim == 0 or u.shape[-1] != self.dim:
            raise InputError("u has the wrong shape", found=u.shape, allowed=f"(..., {self.dim})")
        return u.shape[:-1], u.reshape(-1, self.dim)

    # -- what a file of events needs ------------------------------------------------------------

    def incoming(self, subprocess: int = 0) -> Float[Array, "{self.n_initial} 4"]:
        """Lab momenta (n_initial, 4) in GeV of the incoming particles, the same for all events."""
        raise InputError(f"{self!r} has no incoming particles")

    def log_prior(
        self, momenta: Float[Array, "events n_external 4"], subprocess: int = 0
    ) -> Float[Array, "{self.n_channels} events"]:
        """log alpha (n_channels, events) before training at lab momenta (events, n_external, 4).

        -inf for the channels of other components than that of the subprocess.
        """
        del subprocess
        return jnp.zeros((self.n_channels, momenta.shape[0]))


def numbered(keys: Iterable[Hashable]) -> tuple[int, ...]:
    """Numbers from 0 for equal keys, in the order in which they first occur."""
    known: dict[Hashable, int] = {}
    return tuple(known.setdefault(key, len(known)) for key in keys)


def prior_width(component_of_channel: tuple[int, ...]) -> int:
    """Channels of the widest component."""
    return max(component_of_channel.count(k) for k in set(component_of_channel))


def one_line(integrand: Integrand, names: Mapping[int, str], title: str = "") -> str:
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
