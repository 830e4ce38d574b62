"""From momenta to the unit cube along a row: undoes forward.py."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Mask, PerEvent

from .frames import Cones, Momenta, along, direction, edges, summed, to_rest_frame
from .fusion import gradient_once
from .kinematics import Turn, light_cone, unit_angles
from .mapping import Kinematics
from .ranges import Ranges
from .row import Role, Row
from .scattering import rotated
from .splits import (
    Kind,
    Last,
    Numbers,
    beams_pair,
    before_any,
    by_role,
    is_cut,
    mirrored,
    phase_space,
    reach_of,
    span_of,
)
from .transverse import Flight, LightCone

#: How far outside of its range (1 + cos theta)/2 may lie by rounding.
_ROUNDING = 1e-9


class Undone(NamedTuple):
    """What the momenta say about a split."""

    mass: PerEvent  #: GeV
    size: PerEvent  #: momentum of both nodes in its rest frame, GeV
    turn: Turn  #: to the first node
    angles: tuple[PerEvent, PerEvent]  #: (1 + cos theta)/2 and azimuth/(2 pi) of that
    below: Cones  #: what comes of it, with z along the flight of the node that it comes of
    scattered: Last | None  #: of a ladder


class Angles(NamedTuple):
    """Both variables, the density of the angles in them, and whether these are reached."""

    polar: PerEvent
    azimuth: PerEvent
    density: PerEvent
    reached: Mask


class BeamsFrame(NamedTuple):
    """Final particles in the rest frame of the beams, GeV; masses: (n_final, 1)."""

    cones: Cones
    masses: Float[Array, "n_final 1"]

    def summed(self, inside: Array) -> LightCone:
        """The momentum of some of them together."""
        parts = self.cones.ahead, self.cones.behind, self.cones.x, self.cones.y
        return LightCone(*(gradient_once(summed(part, inside)) for part in parts))


def inverse(
    kind: Kind, momenta: Float[Array, "n_final 4 events"], row: Row, kinematics: Kinematics
) -> tuple[Float[Array, "dim events"], Float[Array, " events"]]:
    """Final momenta (n_final, 4, events) -> u (dim, events) and the same log(dPhi/du).

    +inf where windows and cuts keep the map from reaching the momenta: u is some point of the cube.
    """
    n = kind.n_final
    momenta = mirrored(momenta, row)
    leaves = jnp.asarray(kinematics.masses)[:, None]
    x, y, z = (momenta[:, k] for k in (1, 2, 3))
    rest = x * x + y * y + leaves * leaves
    plus, minus = light_cone(jnp.sqrt(rest + z * z), z, rest)
    frame = BeamsFrame(Cones(plus, x, y, minus), leaves)
    undone = _down(kind, row, kinematics, frame)
    sizes = jnp.stack([found.size for found in undone])
    ranges = Ranges(row, kinematics)
    total = jnp.broadcast_to(ranges.total, sizes.shape[1:])
    drawn = jnp.stack([total, *(found.mass for found in undone[1:])])
    masses = ranges.lowest(drawn, n).of_nodes
    numbers = Numbers(masses, sizes, reach_of(kind, row, kinematics, masses, sizes))
    invariants, density, reached = ranges.undraw_all(drawn, sizes)
    columns: list[PerEvent] = []
    for split, found in enumerate(undone):
        own = _angles(kind, row, kinematics, split, found, numbers, frame)
        density, reached = density * own.density, reached & own.reached
        columns += own.polar, own.azimuth
    log_jacobian = phase_space(ranges, drawn, sizes, density)
    reached &= log_jacobian > -jnp.inf
    u = jnp.concatenate([invariants, jnp.stack(columns)])
    return u, jnp.where(reached, log_jacobian, jnp.inf)


def _down(kind: Kind, row: Row, kinematics: Kinematics, frame: BeamsFrame) -> list[Undone]:
    """All splits, from the rest frame of the beams on."""
    total = kinematics.sqrt_s * jnp.ones(frame.cones.x.shape[-1])
    last = before_any(row, kinematics, total) if kind.ladder else None
    cones, found = frame.cones, list[Undone]()
    for split in range(kind.n_final - 1):
        own = _undo(kind, row, kinematics, frame, split, cones, last)
        found.append(own)
        last = own.scattered
        inside = jnp.asarray(row.below)[split][: kind.n_final, None] != 0
        cones = cones.replaced(inside, own.below)
    return found


def _undo(
    kind: Kind,
    row: Row,
    kinematics: Kinematics,
    frame: BeamsFrame,
    split: int,
    cones: Cones,
    last: Last | None,
) -> Undone:
    """One split from the momenta of what comes of it, with z along its flight."""
    n, leaves = kind.n_final, frame.masses
    signs = jnp.asarray(row.below)[split][:n, None]
    first, second, inside = signs > 0, signs < 0, signs != 0
    forwards = jnp.ones(())
    side = forwards
    if split > 0:
        side = jnp.asarray(row.below)[row.parent[split], n + split].astype(float)

    def undone(mass: PerEvent, vectors: Momenta, last: Last | None) -> Undone:
        x, y, z = direction(vectors, first, second)
        turn, size, _ = Turn.to(x, y, z)
        below = along(turn, vectors, leaves, signs.astype(float))
        return Undone(mass, size, turn, unit_angles(x, y, z), below, last)

    def decay(cones: Cones, last: Last | None) -> Undone:
        return undone(*to_rest_frame(cones, inside, leaves, side), last)

    def scattering(cones: Cones, last: Last | None) -> Undone:
        mass, vectors = to_rest_frame(cones, inside, leaves, side)
        if split == 0 or last is None:
            pair = beams_pair(row, kinematics, mass)
        else:
            pair = last.pair_of_rest(mass)
            cos, sin = pair.tilt
            vectors = Momenta(vectors.energy, *rotated(*vectors[1:], cos, -sin))
        found = undone(mass, vectors, None)
        cos, sin, _, _ = found.turn
        w = jnp.where(cos > 0.0, sin * sin / (1.0 + jnp.abs(cos)), 1.0 - cos) / 2.0
        ends = edges(vectors, leaves, first, second)
        t = pair.momentum_transfer(*ends, found.size * sin)
        return found._replace(scattered=Last(pair, w, t, found.size, found.turn))

    def flight(cones: Cones, last: Last | None) -> Undone:
        own = frame.summed(inside).across_beams(frame.cones, leaves)
        return undone(*to_rest_frame(own, inside, leaves, forwards), last)

    def renewed(cones: Cones, last: Last | None) -> Undone:
        turn, _, _ = Turn.to(*frame.summed(inside).components[1:])
        own = along(turn, frame.cones.momenta, leaves, 1.0)
        return undone(*to_rest_frame(own, inside, leaves, forwards), last)

    functions = {
        Role.DECAY: decay,
        Role.SCATTERING: scattering,
        Role.FLIGHT: flight,
        Role.RENEWED: renewed,
    }
    like = jnp.ones(cones.x.shape[-1])
    found: Undone = by_role(kind, row, split, functions, like, cones, last)
    return found


def _angles(
    kind: Kind,
    row: Row,
    kinematics: Kinematics,
    split: int,
    undone: Undone,
    numbers: Numbers,
    frame: BeamsFrame,
) -> Angles:
    size = numbers.sizes[split]
    inside = (jnp.asarray(row.below)[split][: kind.n_final] != 0)[:, None]
    one, always = jnp.ones(()), jnp.ones((), bool)

    def decay(undone: Undone) -> Angles:
        polar, azimuth = undone.angles
        products = numbers.products(split)
        if split > 0 or products is None:
            return Angles(polar, azimuth, one, always)
        limited = is_cut(row, 0)
        low, width = products.polar_range(size)
        u = 1.0 - (1.0 - polar - low) / width
        contained = ~limited | ((u >= -_ROUNDING) & (u <= 1.0 + _ROUNDING))
        u = jnp.where(limited, jnp.clip(u, 0.0, 1.0), polar)
        return Angles(u, azimuth, jnp.where(limited, width, 1.0), contained)

    def flight(undone: Undone) -> Angles:
        products = numbers.products(split)
        assert products is not None
        own = Flight(frame.summed(inside), undone.mass, size, products)
        return Angles(*own.inverse(undone.angles, undone.turn))

    def scattering(undone: Undone) -> Angles:
        assert undone.scattered is not None
        pair, w = undone.scattered[:2]
        span, nu = span_of(row, kinematics, split, pair, numbers)
        polar, density = span.inverse(w, nu)
        contained, (_, azimuth) = span.contains(w), undone.angles
        products = numbers.products(split)
        if split > 0 and products is not None:
            arc, (cos, sin) = pair.azimuths(w, size, products)
            x, y = undone.turn.cos_phi, undone.turn.sin_phi
            cos, sin = x * cos + y * sin, y * cos - x * sin
            azimuth = arc.inverse(jnp.arctan2(sin, cos))
            density, contained = density * arc.fraction, contained & arc.contains(cos, sin)
        return Angles(polar, azimuth, density, contained)

    functions = {
        Role.DECAY: decay,
        Role.SCATTERING: scattering,
        Role.FLIGHT: flight,
        Role.RENEWED: decay,
    }
    found: Angles = by_role(kind, row, split, functions, size, undone)
    return found
