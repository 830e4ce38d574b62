"""The quantities that cuts bound, of a batch of events in the lab."""

from __future__ import annotations

import functools
import math
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

from .bounds import Bound, Cone


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

    def each_pt(self, legs: tuple[int, ...]) -> Float[Array, "legs events"]:
        """pT of some legs, (len(legs), events) GeV."""
        return jnp.stack([self.pt[leg] for leg in legs])

    def leading(self, legs: tuple[int, ...]) -> Float[Array, "legs events"]:
        """pT of some legs, the largest first, (len(legs), events) GeV."""
        return -jnp.sort(-self.each_pt(legs), axis=0)

    def ht(self, legs: tuple[int, ...], rank: int) -> Float[Array, " events"]:
        """Summed pT of the `rank` hardest of some legs, of all for 0, (events,) GeV."""
        all_count = rank in (0, len(legs))
        return jnp.sum(self.each_pt(legs) if all_count else self.leading(legs)[:rank], axis=0)

    def delta_r(self, first: int, second: int) -> Float[Array, " events"]:
        """Distance of two legs, (events,)."""
        angle = delta_phi(self.momenta[first], self.momenta[second])
        return jnp.hypot(self.rapidity[first] - self.rapidity[second], angle)

    def hardest_rapidities(self, legs: tuple[int, ...]) -> Float[Array, "2 events"]:
        """y of the two hardest of some legs, (2, events)."""
        rapidity = jnp.stack([self.rapidity[leg] for leg in legs])
        if len(legs) == 2:
            return rapidity
        order = jnp.argsort(-self.each_pt(legs), axis=0)[:2]
        return jnp.take_along_axis(rapidity, order, axis=0)

    def apart(self, legs: tuple[int, ...]) -> Float[Array, " events"]:
        """The smaller |y| of the two hardest of some legs, (events,); less than 0 if both fly into
        the same hemisphere."""
        first, second = self.hardest_rapidities(legs)
        return jnp.maximum(jnp.minimum(first, -second), jnp.minimum(-first, second))

    def gap(self, legs: tuple[int, ...]) -> Float[Array, " events"]:
        """|y_1 - y_2| of the two hardest of some legs, (events,); less than 0 if both fly into the
        same hemisphere."""
        first, second = self.hardest_rapidities(legs)
        apart = self.apart(legs)
        return jnp.where(apart >= 0.0, jnp.abs(first - second), apart)

    def crowding(self, legs: tuple[int, ...], cone: Cone | None) -> Float[Array, " events"]:
        """The largest ratio of the pT around the first leg, up to any distance within its cone, to
        what is allowed there, (events,)."""
        if cone is None:
            raise ValueError("isolation needs a cone")
        first, others = legs[0], legs[1:]
        r = jnp.stack([self.delta_r(first, other) for other in others])
        inside = r <= cone.radius
        as_near = r[None] <= r[:, None]
        total = jnp.sum(jnp.where(as_near, self.each_pt(others), 0.0), axis=1)
        # (1 - cos r)/(1 - cos radius)
        opening = (jnp.sin(0.5 * r) / math.sin(0.5 * cone.radius)) ** 2
        opening = jnp.where(inside, opening, 1.0)
        allowed = cone.share * self.pt[first] * opening**cone.power
        return jnp.max(jnp.where(inside, total / allowed, 0.0), axis=0)


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
    "ht": lambda e, b: e.ht(b.legs, b.rank),
    "hemispheres": lambda e, b: e.apart(b.legs),
    "gap": lambda e, b: e.gap(b.legs),
    "crowding": lambda e, b: e.crowding(b.legs, b.cone),
}
