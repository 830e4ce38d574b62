"""f(u) of an amplitude model of a three-body decay: its intensity on the unit square."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, PRNGKeyArray

from fabgen.amplitude.dalitz import AmplitudeModel, DalitzAmplitude
from fabgen.integrand.base import Integrand, one_line
from fabgen.integrand.point import (
    UNKNOWN_HELICITY,
    Channels,
    EventFields,
    PhaseSpacePoints,
    Point,
)
from fabgen.numerics import safe_log
from fabgen.phasespace.dalitz import DalitzMap, decay_plane, turn
from fabgen.phasespace.kinematics import pair_products, subset_mass_squared
from fabgen.phasespace.mapping import Kinematics, kinematics
from fabgen.process.event_topology import EventTopology

#: The Les Houches accord (hep-ph/0109068) writes what is not defined as -1.
_UNDEFINED = -1.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DalitzIntegrand(Integrand):
    """f(u) = intensity x |d sigma d sigma'/du|, in GeV^4 times what the couplings are in: no unit.

    No constants; the orientation of the decay is integrated out and drawn, isotropic, for events.
    resonance: names of the mass and the width that the map follows, () for none. order: numbers (1,
    2, 3) of the model's particles in the order of the process.
    """

    model: AmplitudeModel
    external: Mapping[str, float]
    mapping: DalitzMap
    resonance: tuple[str, ...]
    order: tuple[int, int, int]

    n_initial = 1

    def __repr__(self) -> str:
        return one_line(self, {p.pdg: p.name for p in self.model.particles})

    @property
    def dim(self) -> int:
        return self.mapping.dim

    @property
    def parameters(self) -> dict[str, float]:
        """External parameters by name."""
        return dict(self.external)

    @property
    def beam_particles(self) -> tuple[int, ...]:
        return (self.model.particles[0].pdg,)

    @property
    def masses(self) -> dict[int, float]:
        """Masses in GeV by PDG id (without a sign)."""
        return {abs(p.pdg): self.external[p.mass] for p in self.model.particles}

    @property
    def widths(self) -> dict[int, float]:
        """Widths in GeV by PDG id (without a sign)."""
        return {abs(p.pdg): p.width for p in self.model.particles}

    @functools.cached_property
    def topologies(self) -> tuple[EventTopology, ...]:
        """One; the resonances interfere, so that none of them is written into events."""
        legs = [self.model.particles[number] for number in (0, *self.order)]
        masses = tuple(self.external[p.mass] for p in legs)
        return (EventTopology(pdg=tuple(p.pdg for p in legs), n_initial=1, masses=masses),)

    @functools.cached_property
    def amplitude(self) -> DalitzAmplitude:
        return DalitzAmplitude(self.model)

    # -- points ---------------------------------------------------------------------------------

    def map(
        self,
        u: Float[Array, "events {self.dim}"],
        channel: Channels = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> PhaseSpacePoints:
        """Invariants (3, events) at u (events, 2).

        parameters: masses, widths, couplings and radii that replace those of the model; traced,
        scalars. Masses of the external particles move the border of the Dalitz plot, too.
        """
        del channel, map_parameters  # one fixed channel
        _, rows = self._rows(u)
        u = rows.T
        known = self._kinematics(self._with(parameters))
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=0)
        sigma, log_jacobian = self.mapping.forward(jnp.clip(u, 0.0, 1.0), known)
        log_jacobian = jnp.where(inside, log_jacobian, -jnp.inf)
        return PhaseSpacePoints(sigma, None, jnp.zeros(inside.shape, jnp.int32), log_jacobian)

    def evaluate(
        self, points: PhaseSpacePoints, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        """Momenta are in the orientation of `momenta`."""
        values, sigma = self._with(parameters), points.final
        known = self._kinematics(values)
        # Where the Jacobian vanishes the helicity angles are undefined: evaluated elsewhere.
        regular = ~jnp.isneginf(points.log_jacobian)
        elsewhere, _ = self.mapping.forward(jnp.full((2, regular.shape[0]), 0.5), known)
        at = jnp.where(regular, sigma, elsewhere)
        log_intensity = safe_log(self.amplitude.intensity(at, values))
        n_events = regular.shape[0]
        return Point(
            log_f=jnp.where(regular, log_intensity, -jnp.inf),
            sign=jnp.ones(n_events, jnp.int8),
            log_jacobian=jnp.where(regular, points.log_jacobian, 0.0),
            log_prior=jnp.zeros((1, n_events)),
            features=jnp.zeros((0, n_events)),
            momenta=self._momenta(sigma, known),
            subprocess=jnp.zeros(n_events, jnp.int32),
            scales=jnp.full((2, n_events), _UNDEFINED),
            alpha_s=jnp.full(n_events, _UNDEFINED),
        )

    def draw(
        self,
        points: PhaseSpacePoints,
        key: PRNGKeyArray,
        parameters: Mapping[str, Any] | None = None,
    ) -> EventFields:
        """Events whose orientation is drawn with the key."""
        known = self._kinematics(self._with(parameters))
        n_events = points.final.shape[-1]
        undefined = jnp.full(n_events, _UNDEFINED)
        momenta = self._momenta(points.final, known)
        return EventFields(
            momenta=turn(momenta, jax.random.uniform(key, (3, n_events))),
            subprocess=jnp.zeros(n_events, jnp.int32),
            flow=jnp.zeros(n_events, jnp.int32),
            resonances=jnp.zeros(n_events, jnp.int32),
            helicity=jnp.full(momenta.shape[::2], UNKNOWN_HELICITY, jnp.int8),
            scale=undefined,
            alpha_qed=undefined,
            alpha_s=undefined,
        )

    def invert(
        self,
        momenta: Float[Array, "events 4 4"],
        channel: Channels = 0,
        subprocess: int = 0,
    ) -> Float[Array, "events {self.dim}"]:
        """u (events, 2) of momenta (events, 4, 4), in any orientation."""
        del channel, subprocess
        legs = np.argsort(self.order) + 1
        final = jnp.moveaxis(jnp.asarray(momenta, dtype=jnp.float64), 0, -1)[legs]
        known = self._kinematics(self.external)
        products = pair_products(final, known.masses)
        sigma = jnp.stack(
            [subset_mass_squared(products, legs) for legs in ((1, 2), (0, 2), (0, 1))]
        )
        return self.mapping.inverse(sigma, known)[0].T

    def momenta(self, u: ArrayLike, channel: Channels = 0) -> Float[Array, "*shape 4 4"]:
        """Momenta (..., 4, 4) in GeV at u (..., 2) at rest, the decaying particle first.

        In one orientation: the model's first particle along +z, the second in the x-z plane.
        """
        shape, rows = self._rows(u)
        known = self._kinematics(self.external)
        momenta = self._momenta(self.map(rows).final, known)
        return jnp.moveaxis(momenta, -1, 0).reshape(*shape, *momenta.shape[:2])

    def incoming(self, subprocess: int = 0) -> Float[Array, "{self.n_initial} 4"]:
        """(1, 4): at rest."""
        del subprocess
        sqrt_s = jnp.asarray(self._kinematics(self.external).sqrt_s)
        return jnp.stack([sqrt_s, *[jnp.zeros_like(sqrt_s)] * 3])[None]

    def _with(self, parameters: Mapping[str, Any] | None) -> Mapping[str, Any]:
        self.model.parameters(parameters or {})  # refuses unknown names
        return {**self.external, **(parameters or {})}

    def _kinematics(self, values: Mapping[str, Any]) -> Kinematics:
        total, *masses = (jnp.asarray(values[p.mass]) for p in self.model.particles)
        resonance = [[jnp.asarray(values[name])] for name in self.resonance]
        return kinematics(total, jnp.stack(masses), *(jnp.stack(r) for r in resonance))

    def fit_fractions(self, points: int = 100) -> dict[str, float]:
        """The integral of each resonance alone over that of all, by its name.

        From the midpoints of points^2 cells of the unit square. They do not add up to 1:
        resonances interfere.
        """
        known = self._kinematics(self.external)
        line = (jnp.arange(points) + 0.5) / points
        u = jnp.stack([axis.ravel() for axis in jnp.meshgrid(line, line)])

        @jax.jit
        def sums(
            u: Float[Array, "2 events"],
        ) -> tuple[Float[Array, " resonances"], Float[Array, ""]]:
            sigma, log_jacobian = self.mapping.forward(u, known)
            jacobian = jnp.exp(log_jacobian)
            alone = self.amplitude.resonance_intensities(sigma, self.external)
            together = self.amplitude.intensity(sigma, self.external)
            return (alone * jacobian).sum(axis=-1), (together * jacobian).sum()

        alone, together = sums(u)
        names = [resonance.name for resonance in self.model.resonances]
        return dict(zip(names, (np.asarray(alone) / float(together)).tolist(), strict=True))

    def _momenta(
        self, sigma: Float[Array, "3 events"], known: Kinematics
    ) -> Float[Array, "4 4 events"]:
        """All momenta (4, 4, events) in the order of the process."""
        final = decay_plane(sigma, known)[np.array(self.order) - 1]
        zero = jnp.zeros_like(final[0, 0])
        incoming = jnp.stack([zero + known.sqrt_s, zero, zero, zero])
        return jnp.concatenate([incoming[None], final])
