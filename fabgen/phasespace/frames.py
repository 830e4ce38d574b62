"""From the rest frame of every split up to that of the beams, and down again.

The axes of a rest frame are those of the frame of what made it after the rotation that takes z to
the first node there (Jacob and Wick). A scattering has the same frame, turned by the tilt of its
pair. Momenta are arrays over nodes or particles, of which a split moves those that come of it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from fabgen.arrays import PerEvent

from .fusion import gradient_once
from .kinematics import Turn, light_cone

#: A number for each final particle, or for each node.
OfLegs = Float[Array, " n #events"]
#: Truths for each of them, or one for all.
Marks = Bool[Array, " n #events"] | Bool[Array, ""]


class Momenta(NamedTuple):
    """Momenta in GeV, (n, events) each."""

    energy: OfLegs
    x: OfLegs
    y: OfLegs
    z: OfLegs

    def cones(self, masses: OfLegs, sign: OfLegs | float = 1.0) -> Cones:
        """The same by E +- sign x z, to relative precision."""
        rest = self.x * self.x + self.y * self.y + masses * masses
        ahead, behind = light_cone(self.energy, sign * self.z, rest)
        return Cones(ahead, self.x, self.y, behind)


class Cones(NamedTuple):
    """Momenta: E + p, x, y, E - p with p = z or -z, GeV, (n, events) each."""

    ahead: OfLegs
    x: OfLegs
    y: OfLegs
    behind: OfLegs

    def replaced(self, where: Marks, others: Cones) -> Cones:
        """Others in some places."""
        return Cones(*(jnp.where(where, b, a) for a, b in zip(self, others, strict=True)))

    @property
    def momenta(self) -> Momenta:
        """Of E + z and E - z."""
        along = 0.5 * (self.ahead - self.behind)
        return Momenta(0.5 * (self.ahead + self.behind), self.x, self.y, along)


def boosted(cones: Cones, sign: OfLegs, stretch: OfLegs, turn: Turn) -> Momenta:
    """Momenta in the rest frame of a split, from the rest frames of the nodes that it makes.

    cones: E + z, x, y, E - z there; sign: 1 for what comes of the first node, -1 of the second.
    stretch: (E + p)/m of the node. turn: to the first one.
    """
    first = sign > 0.0
    ahead = stretch * jnp.where(first, cones.ahead, cones.behind)
    behind = jnp.where(first, cones.behind, cones.ahead) / stretch
    along = 0.5 * sign * (ahead - behind)
    return Momenta(0.5 * (ahead + behind), *turn.forward(cones.x, cones.y, along))


def along(turn: Turn, momenta: Momenta, masses: OfLegs, sign: OfLegs | float) -> Cones:
    """Momenta with z along what turns there."""
    x, y, z = turn.back(momenta.x, momenta.y, momenta.z)
    return Momenta(momenta.energy, x, y, z).cones(masses, sign)


def to_rest_frame(
    cones: Cones, inside: Bool[Array, "n 1"], masses: OfLegs, sign: PerEvent
) -> tuple[PerEvent, Momenta]:
    """The mass of a system of the particles `inside`, and their momenta in its rest frame, GeV.

    cones: with z along the flight of the system. The boost is one on the light cone: with f the
    particle's share of the sum of E + p, the sums of x and y are taken off as f (X, Y), E + p
    becomes f M, and E - p follows from the mass shell. Shares and what is left of x and y do not
    notice a small error in the direction of the flight, and of a hard and a soft particle the soft
    one sets the error of their relative momentum: for light, collinear particles that is all that
    their rounded momenta know.
    """
    ahead, x, y = (summed(part, inside) for part in cones[:3])
    share = cones.ahead / ahead
    px, py = cones.x - share * x, cones.y - share * y
    rest = px * px + py * py + masses * masses
    behind = jnp.where(
        cones.ahead > 0.0, rest / jnp.where(cones.ahead > 0.0, share, 1.0), cones.behind * ahead
    )
    mass = gradient_once(jnp.sqrt(summed(behind, inside)))
    plus, minus = 0.5 * mass * share, 0.5 * behind / mass
    return mass, Momenta(plus + minus, px, py, sign * (plus - minus))


def direction(
    momenta: Momenta, first: Bool[Array, "n 1"], second: Bool[Array, "n 1"]
) -> tuple[PerEvent, PerEvent, PerEvent]:
    """The momentum of a first node from those of both nodes' particles in their rest frame."""
    # From the one of lower energy: if both are slow the sum over the heavier one's is worse.
    lighter = summed(momenta.energy, first) < summed(momenta.energy, second)
    x, y, z = (
        jnp.where(lighter, summed(part, first), -summed(part, second)) for part in momenta[1:]
    )
    return x, y, z


def edges(
    momenta: Momenta, masses: OfLegs, first: Bool[Array, "n 1"], second: Bool[Array, "n 1"]
) -> tuple[PerEvent, PerEvent]:
    """E - z of a first node and E + z of the second, to relative precision."""
    cones = momenta.cones(masses)
    return summed(cones.behind, first), summed(cones.ahead, second)


def summed(values: OfLegs, inside: Bool[Array, "n 1"]) -> PerEvent:
    """The sum over some particles."""
    return jnp.sum(jnp.where(inside, values, 0.0), axis=0)
