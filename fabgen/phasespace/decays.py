"""A branch and what it decays into: from its rest frame up to the root's, and down again.

The axes of a rest frame are those of the parent's after the rotation that takes z to the parent's
first child (Jacob and Wick). A scattering has the same frame, turned by the tilt of its pair.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from fabgen.arrays import Masses, Number, PerEvent

from .fusion import computed_once, gradient_once
from .kinematics import Turn, light_cone, unit_angles
from .ranges import Ranges
from .scattering import Pair, rotated
from .tree import Branch, Leaf, Node

#: E, x, y, z in GeV, in some cases followed by E + z and E - z.
Momentum = tuple[PerEvent, ...]


def ends(node: Node, stops: Collection[Branch] = ()) -> list[Node]:
    """The final particles below a node, or the branches among `stops` that are met before them."""
    if isinstance(node, Leaf) or node in stops:
        return [node]
    return [end for child in node.children for end in ends(child, stops)]


def decay(
    branch: Branch,
    ranges: Ranges,
    size: PerEvent,
    u: PerEvent,
    turn: Turn,
    momenta: dict[Node, Momentum],
    stops: Collection[Branch] = (),
) -> dict[Node, Momentum]:
    """Momenta of the ends of a branch, in its rest frame.

    momenta: of the ends below the children, in their rest frames. turn: to the first child, u =
    (1 + cos)/2 of its polar angle. Ends that are children also carry E + z and E - z.
    """
    result: dict[Node, Momentum] = {}
    for child, sign in zip(branch.children, (1.0, -1.0), strict=True):
        mass = ranges.mass(child)
        energy = jnp.sqrt(size * size + mass * mass)
        if isinstance(child, Leaf) or child in stops:
            x = sign * size * turn.sin
            slow = mass * mass / (energy + size)
            cone = slow + 2.0 * size * u, slow + 2.0 * size * (1.0 - u)
            p = energy, x * turn.cos_phi, x * turn.sin_phi, sign * size * turn.cos
            result[child] = (*p, *(cone if sign > 0.0 else reversed(cone)))
            continue
        boost = boost_of(sign, energy, size, mass)
        for end in ends(child, stops):
            e, x, y, z = boost_along(momenta[end], ranges.mass(end), *boost)
            result[end] = (e, *turn.forward(x, y, z))
    return result


def boost_of(
    sign: float, energy: PerEvent, size: PerEvent, mass: Number
) -> tuple[float, Number, Number, Number, Number]:
    """The boost along sign x z of a frame of this energy, momentum and mass, for `boost_along`."""
    total = energy + size
    return sign, energy / mass, size / mass, 0.5 * total / mass, 0.5 * mass / total


def boost_along(
    momentum: Momentum,
    mass: Number,
    sign: float,
    gamma: Number,
    gamma_beta: Number,
    stretch: Number,
    shrink: Number,
) -> Momentum:
    """(E, x, y, z) after a boost along sign x z; digits are kept where it slows down.

    mass: of the momentum, GeV. stretch and shrink: half of gamma (1 + beta), and of its inverse.
    """
    e, x, y, z = momentum[:4]
    if len(momentum) > 4:
        plus, minus = momentum[4:] if sign > 0.0 else momentum[:3:-1]
        plus, minus = stretch * plus, shrink * minus
        return plus + minus, x, y, sign * (plus - minus)
    # Derivatives are left to the textbook's formulas: the light cone's would take twice as long.
    ahead, behind = light_cone(e, sign * z, x * x + y * y + mass * mass)
    ahead, behind = stretch * ahead, shrink * behind
    plain = gamma * e + sign * gamma_beta * z, gamma * z + sign * gamma_beta * e
    better = ahead + behind, sign * (ahead - behind)
    e, z = (a + jax.lax.stop_gradient(b - a) for a, b in zip(plain, better, strict=True))
    return e, x, y, z


def tilted(
    momenta: dict[Node, Momentum], tilt: tuple[PerEvent, PerEvent] | None
) -> dict[Node, Momentum]:
    """Momenta (E, x, y, z) after the rotation that takes z by an angle towards -x."""
    if tilt is None:
        return momenta
    return {end: (p[0], *rotated(p[1], p[2], p[3], *tilt)) for end, p in momenta.items()}


class Undone(NamedTuple):
    """What the momenta below a branch say about it."""

    mass: PerEvent  #: GeV
    size: PerEvent  #: momentum of the children in the rest frame of the branch, GeV
    angles: tuple[PerEvent, PerEvent]  #: their direction, in [0, 1]
    #: of scatterings: what meets, (1 - cos theta)/2 to relative precision, the direction
    scattered: tuple[Pair, PerEvent, Turn] | None = None


def undo_decays(
    branch: Branch,
    sign: float,
    below: dict[int, Momentum],
    masses: Masses,
    meet: Callable[[PerEvent], Pair],
    stops: Collection[Branch] = (),
) -> Iterator[tuple[Branch, Undone]]:
    """This branch and all below, parents first, without `stops` and what is below these.

    below: E + p, x, y, E - p of the legs, with p = sign x z and z along the flight of the branch:
    in the rest frame of its parent, after the rotation that takes the parent's first child to z.
    meet(mass): the pair that a scattering starts from.
    """
    mass, vectors = to_rest_frame(sign, below, masses)
    pair = meet(mass) if branch.exchange is not None else None
    if pair is not None and pair.tilt is not None:
        cos, sin = pair.tilt
        vectors = {leg: (e, *rotated(x, y, z, cos, -sin)) for leg, (e, x, y, z) in vectors.items()}
    x, y, z = direction(branch, vectors)
    turn, size, across = Turn.to(x, y, z)
    scattered = None
    if pair is not None:
        cos, sin = turn.cos, turn.sin
        w = jnp.where(z > 0.0, sin * sin / (1.0 + jnp.abs(cos)), 1.0 - cos) / 2.0
        t = pair.momentum_transfer(*_cones(branch, vectors, masses), across)
        meet = functools.partial(pair.next, w, t, size, turn=turn)
        scattered = pair, w, turn
    yield branch, Undone(mass, size, unit_angles(x, y, z), scattered)
    for child, side in zip(branch.children, (1.0, -1.0), strict=True):
        if isinstance(child, Leaf) or child in stops:
            continue
        legs = {leg: vectors[leg] for leg in child.legs}
        moved = along(turn, legs, masses, side)
        yield from undo_decays(child, side, moved, masses, meet, stops)


def along(
    turn: Turn, vectors: Mapping[int, Momentum], masses: Masses, sign: float = 1.0
) -> dict[int, Momentum]:
    """E + p, x, y, E - p with p = sign x z of momenta (E, x, y, z), z being what turns there."""
    result: dict[int, Momentum] = {}
    for leg, (energy, *vector) in vectors.items():
        x, y, z = turn.back(*vector)
        ahead, behind = light_cone(energy, sign * z, x * x + y * y + masses[leg] ** 2)
        result[leg] = computed_once((ahead, x, y, behind), turn.cos)
    return result


def to_rest_frame(
    sign: float, below: dict[int, Momentum], masses: Masses
) -> tuple[PerEvent, dict[int, Momentum]]:
    """The mass of a system, and the momenta (E, x, y, z) of its legs in its rest frame, GeV.

    below: as in undo_decays. The boost is one on the light cone: with f the leg's share of the sum
    of E + p, the sums of x and y are taken off as f (X, Y), E + p becomes f M, and E - p follows
    from the mass shell. Shares and what is left of x and y do not notice a small error in the
    direction of the flight, and of a hard and a soft leg the soft one sets the error of their
    relative momentum: for light, collinear legs that is all that their rounded momenta know.
    """
    ahead, x, y = (sum(parts) for parts in zip(*(p[:3] for p in below.values()), strict=True))
    legs = {}
    for leg, p in below.items():
        share = p[0] / ahead
        px, py = p[1] - share * x, p[2] - share * y
        rest = px * px + py * py + masses[leg] ** 2
        behind = jnp.where(p[0] > 0.0, rest / jnp.where(p[0] > 0.0, share, 1.0), p[3] * ahead)
        legs[leg] = share, px, py, behind
    mass = gradient_once(jnp.sqrt(sum(p[3] for p in legs.values())))
    vectors: dict[int, Momentum] = {}
    for leg, (share, px, py, behind) in legs.items():
        ahead, behind = 0.5 * mass * share, 0.5 * behind / mass
        vector = ahead + behind, px, py, sign * (ahead - behind)
        vectors[leg] = computed_once(vector, mass)
    return mass, vectors


def direction(branch: Branch, vectors: dict[int, Momentum]) -> tuple[PerEvent, PerEvent, PerEvent]:
    """The momentum of the first child from those of the legs in the rest frame of the branch."""
    # From the child of lower energy: if both are slow the sum over the heavier one's legs is worse.
    first, second = (
        [sum(part) for part in zip(*(vectors[leg] for leg in child.legs), strict=True)]
        for child in branch.children
    )
    lighter = first[0] < second[0]
    x, y, z = (jnp.where(lighter, a, -b) for a, b in zip(first[1:], second[1:], strict=True))
    return x, y, z


def _cones(
    branch: Branch, vectors: dict[int, Momentum], masses: Masses
) -> tuple[PerEvent, PerEvent]:
    """E - z of the first child and E + z of the second, to relative precision."""
    first, second = (
        [
            light_cone(e, z, x * x + y * y + masses[leg] ** 2)
            for leg, (e, x, y, z) in ((leg, vectors[leg]) for leg in child.legs)
        ]
        for child in branch.children
    )
    behind, ahead = [p[1] for p in first], [p[0] for p in second]
    return functools.reduce(jnp.add, behind), functools.reduce(jnp.add, ahead)
