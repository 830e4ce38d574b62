"""The quantities that cuts bound, of a batch of events in the lab."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Masses, Number
from fabgen.phasespace.kinematics import (
    components,
    delta_phi,
    invariant_mass,
    light_cone,
    transverse_momentum,
)

from .bounds import Bound


class Event:
    """Quantities of a batch in the lab, each computed once.

    momenta (n_final, 4, events): in the frame that has the rapidity `boost` in the lab. In that of
    the beams they hold more digits than in the lab, where E - pz may be nothing beside E.
    """

    def __init__(
        self,
        momenta: Float[Array, "n_final 4 events"],
        masses: Masses,
        boost: Number = 0.0,
    ):
        self.momenta = momenta
        self.masses = masses
        self.boost = boost

    @functools.cached_property
    def pt(self) -> Float[Array, "n_final events"]:
        """(n_final, events) GeV."""
        return transverse_momentum(self.momenta)

    @functools.cached_property
    def light_cones(self) -> tuple[Float[Array, "n_final events"], Float[Array, "n_final events"]]:
        """E + pz and E - pz in the lab, (n_final, events) GeV."""
        energy, _, _, along = components(self.momenta)
        plus, minus = light_cone(energy, along, self.pt**2 + self.masses[:, None] ** 2)
        return plus * jnp.exp(self.boost), minus * jnp.exp(-self.boost)

    @functools.cached_property
    def energy(self) -> Float[Array, "n_final events"]:
        """(n_final, events) GeV."""
        plus, minus = self.light_cones
        return 0.5 * (plus + minus)

    @functools.cached_property
    def rapidity(self) -> Float[Array, "n_final events"]:
        """(n_final, events); +-inf for a massless particle along the beam."""
        plus, minus = self.light_cones
        return 0.5 * (jnp.log(plus) - jnp.log(minus))

    def sum(self, legs: tuple[int, ...]) -> Float[Array, "4 events"]:
        """Summed momentum of some legs, (4, events) GeV."""
        return functools.reduce(jnp.add, (self.momenta[leg] for leg in legs))

    def leading(self, legs: tuple[int, ...]) -> Float[Array, "legs events"]:
        """pT of some legs, the largest first, (len(legs), events) GeV."""
        return -jnp.sort(-jnp.stack([self.pt[leg] for leg in legs]), axis=0)

    def delta_r(self, first: int, second: int) -> Float[Array, " events"]:
        """Distance of two legs, (events,)."""
        angle = delta_phi(self.momenta[first], self.momenta[second])
        return jnp.hypot(self.rapidity[first] - self.rapidity[second], angle)


#: The quantities by name, each (events,): what a Bound holds between its minimum and maximum.
QUANTITIES: dict[str, Callable[[Event, Bound], Float[Array, " events"]]] = {
    "pt": lambda e, b: e.pt[b.legs[0]],
    "energy": lambda e, b: e.energy[b.legs[0]],
    "rapidity": lambda e, b: jnp.abs(e.rapidity[b.legs[0]]),
    "delta r": lambda e, b: e.delta_r(*b.legs),
    "mass": lambda e, b: invariant_mass(e.sum(b.legs)),
    "summed pt": lambda e, b: transverse_momentum(e.sum(b.legs)),
    "any pt": lambda e, b: e.leading(b.legs)[0],
    "ranked pt": lambda e, b: e.leading(b.legs)[b.rank - 1],
    "ht": lambda e, b: jnp.sum(e.leading(b.legs)[: b.rank or None], axis=0),
}
