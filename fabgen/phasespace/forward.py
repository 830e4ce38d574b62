"""From the unit cube to momenta along a row (splits.py)."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import PerEvent
from fabgen.numerics import safe_sqrt

from .frames import Cones, Momenta, OfLegs, boosted
from .fusion import computed_once
from .kinematics import TWO_PI, Turn
from .mapping import Kinematics
from .ranges import Ranges, at
from .row import Role, Row
from .scattering import rotated
from .splits import (
    Kind,
    Last,
    Numbers,
    beams_pair,
    before_any,
    by_role,
    circle,
    is_cut,
    isotropic,
    mirrored,
    phase_space,
    reach_of,
    span_of,
)
from .transverse import Flight, LightCone


class Angles(NamedTuple):
    """The direction of the first node that a split makes, in its rest frame."""

    ahead: PerEvent  #: (1 + cos theta)/2
    behind: PerEvent  #: (1 - cos theta)/2
    turn: Turn
    tilt: tuple[PerEvent, PerEvent]  #: of the axes, cos and sin
    density: PerEvent  #: of the angles in their variables


def forward(
    kind: Kind, u: Float[Array, "dim events"], row: Row, kinematics: Kinematics
) -> tuple[Float[Array, "n_final 4 events"], Float[Array, " events"]]:
    """u (dim, events) -> final momenta (n_final, 4, events) and log(dPhi/du) (events,).

    Momenta are (E, px, py, pz) in GeV in the rest frame of the total momentum.
    """
    n = kind.n_final
    ranges = Ranges(row, kinematics)
    drawn, spare, density = ranges.draw_all(u[: n - 2])
    lowest = ranges.lowest(drawn, n)
    masses, sizes = lowest.of_nodes, ranges.momenta(drawn, spare, lowest)
    numbers = Numbers(masses, sizes, reach_of(kind, row, kinematics, masses, sizes))
    angles = _angles(kind, row, kinematics, u[n - 2 :], numbers)
    for split in range(n - 1):
        density = density * angles[split].density
    momenta = _up(kind, row, numbers, angles)
    if kind.cut:
        momenta, flown = _flown(kind, row, numbers, u[n - 2 :], momenta)
        density = density * flown
    final = jnp.stack([part[:n] for part in momenta], axis=1)
    return mirrored(final, row), phase_space(ranges, drawn, sizes, density)


def _angles(
    kind: Kind, row: Row, kinematics: Kinematics, u: Float[Array, "angles events"], numbers: Numbers
) -> list[Angles]:
    """Of all splits but those that fly, which have any."""
    total = numbers.masses[kind.n_final]
    last = before_any(row, kinematics, total) if kind.ladder else None
    found: list[Angles] = []
    for split in range(kind.n_final - 1):
        variables = u[2 * split], u[2 * split + 1]
        angles, last = _angles_of(kind, row, kinematics, split, variables, numbers, last)
        found.append(angles)
    return found


def _angles_of(
    kind: Kind,
    row: Row,
    kinematics: Kinematics,
    split: int,
    variables: tuple[PerEvent, PerEvent],
    numbers: Numbers,
    last: Last | None,
) -> tuple[Angles, Last | None]:
    """Of one split, and the last scattering that has been."""
    u_polar, u_azimuth = variables
    one, zero = jnp.ones_like(u_polar), jnp.zeros_like(u_polar)
    products = numbers.products(split)

    def decay(last: Last | None) -> tuple[Angles, Last | None]:
        ahead, density = u_polar, one
        if split == 0 and products is not None:
            low, width = products.polar_range(numbers.sizes[0])
            ahead = jnp.where(is_cut(row, 0), 1.0 - low - width * (1.0 - ahead), ahead)
            density = jnp.where(is_cut(row, 0), width, one)
        turn = isotropic(ahead, u_azimuth)
        return Angles(ahead, 1.0 - ahead, turn, (one, zero), density), last

    def flight(last: Last | None) -> tuple[Angles, Last | None]:
        return Angles(u_polar, u_polar, Turn(one, zero, one, zero), (one, zero), one), last

    def scattering(last: Last | None) -> tuple[Angles, Last]:
        mass, size = numbers.masses[kind.n_final + split], numbers.sizes[split]
        if split == 0 or last is None:
            pair = beams_pair(row, kinematics, mass)
        else:
            pair = last.pair_of_rest(mass)
        span, nu = span_of(row, kinematics, split, pair, numbers)
        w, density = span.forward(u_polar, nu)
        if split > 0 and products is not None:
            arc, (cos_axis, sin_axis) = pair.azimuths(w, size, products)
            c, s = circle(arc.forward(u_azimuth))
            cos_phi, sin_phi = c * cos_axis - s * sin_axis, s * cos_axis + c * sin_axis
            density = density * arc.fraction
        else:
            cos_phi, sin_phi = circle(TWO_PI * u_azimuth)
        turn = Turn(1.0 - 2.0 * w, 2.0 * safe_sqrt(w * (1.0 - w)), cos_phi, sin_phi)
        return Angles(1.0 - w, w, turn, pair.tilt, density), Last(pair, w, span.t(w), size, turn)

    functions = {
        Role.DECAY: decay,
        Role.SCATTERING: scattering,
        Role.FLIGHT: flight,
        Role.RENEWED: decay,
    }
    found: tuple[Angles, Last | None] = by_role(kind, row, split, functions, one, last)
    return found


def _up(kind: Kind, row: Row, numbers: Numbers, angles: list[Angles]) -> Momenta:
    """Momenta of nodes in the rest frame of the beams, from the last split to the first.

    Without cuts of the particles alone. Splits that fly are left out: what comes of them stays in
    the frames of the nodes that they make.
    """
    n = kind.n_final
    none = jnp.zeros((2 * n - 1 if kind.cut else n, numbers.sizes.shape[-1]))
    cones = Cones(none, none, none, none)
    for split in reversed(range(1, n - 1)):
        step = functools.partial(_cones_of, row, split, numbers, angles[split])
        functions = {role: _left_alone if role == Role.FLIGHT else step for role in Role}
        cones = by_role(kind, row, split, functions, numbers.sizes[0], cones)
    return _step(row, 0, numbers, angles[0], cones).momenta


def _cones_of(row: Row, split: int, numbers: Numbers, angles: Angles, cones: Cones) -> Cones:
    return _step(row, split, numbers, angles, cones).cones


def _left_alone(cones: Cones) -> Cones:
    return cones


class Step(NamedTuple):
    """Momenta in the rest frame of a split."""

    momenta: Momenta
    cones: Cones


def _step(row: Row, split: int, numbers: Numbers, angles: Angles, cones: Cones) -> Step:
    """The nodes that a split makes, and what comes of them, in its rest frame."""
    n, n_nodes = row.n_final, cones.x.shape[0]
    number, sign = jnp.arange(n_nodes)[:, None], jnp.asarray(row.frame)[split][:n_nodes, None]
    first, second = row.children[split]
    is_made = (number == first) | (number == second)
    size, turn = numbers.sizes[split], angles.turn
    masses = [at(numbers.masses, node) for node in (first, second)]
    energies = [jnp.sqrt(size * size + mass * mass) for mass in masses]
    slow = [mass * mass / (e + size) for mass, e in zip(masses, energies, strict=True)]
    x, y, z = size * turn.sin * turn.cos_phi, size * turn.sin * turn.sin_phi, size * turn.cos
    x, y, z = rotated(x, y, z, *angles.tilt)
    ahead, behind = 2.0 * size * angles.ahead, 2.0 * size * angles.behind
    fast = slow[0] + ahead, slow[1] + behind
    back = slow[0] + behind, slow[1] + ahead
    x, y, z = computed_once((x, y, z), size)
    fast, back, turn = computed_once((fast, back, turn), size)
    is_first = sign > 0

    def made(one: PerEvent, other: PerEvent) -> OfLegs:
        return jnp.where(is_first, one, other)

    momenta = Momenta(made(*energies), made(x, -x), made(y, -y), made(z, -z))
    own = Cones(made(*fast), *momenta[1:3], made(*back))
    if split > 0:
        # The tilt of the axes leaves what is known of E + z and E - z behind.
        is_tilted = jnp.asarray(row.role)[split] == Role.SCATTERING
        own = own.replaced(is_tilted, momenta.cones(numbers.masses[:n_nodes]))
    if split == n - 2:
        marks = jnp.broadcast_to(is_made, momenta.x.shape)
        none = jnp.zeros_like(momenta.x)
        return Step(
            Momenta(*(jnp.where(marks, p, none) for p in momenta)),
            Cones(*(jnp.where(marks, p, none) for p in own)),
        )
    # A particle has nothing below it.
    ends = zip((first, second), masses, strict=True)
    frames = [jnp.where(node < n, 1.0, mass) for node, mass in ends]
    stretch = made(*((e + size) / m for e, m in zip(energies, frames, strict=True)))
    tilt = computed_once(angles.tilt, size)
    moved = boosted(cones, jnp.where(is_first, 1.0, -1.0), stretch, turn)
    moved = Momenta(moved.energy, *rotated(*moved[1:], *tilt))
    moves = (sign != 0) & ~is_made
    new = moved.cones(numbers.masses[:n_nodes])

    def joined(moved: OfLegs, made: OfLegs, kept: OfLegs) -> OfLegs:
        return jnp.where(moves, moved, jnp.where(is_made, made, kept))

    return Step(
        Momenta(*map(joined, moved, momenta, cones.momenta)), Cones(*map(joined, new, own, cones))
    )


def _flown(
    kind: Kind,
    row: Row,
    numbers: Numbers,
    u: Float[Array, "angles events"],
    momenta: Momenta,
) -> tuple[Momenta, PerEvent]:
    """What comes of splits that fly, in the rest frame of the beams, and the density of their
    angles."""
    like = numbers.sizes[0]
    density = jnp.ones_like(like)
    for split in range(1, kind.n_final - 1):
        variables = u[2 * split], u[2 * split + 1]
        flight = functools.partial(_flight, row, split, numbers, variables)
        functions = {role: flight if role == Role.FLIGHT else _not_flown for role in Role}
        momenta, own = by_role(kind, row, split, functions, like, momenta)
        density = density * own
    return momenta, density


def _not_flown(momenta: Momenta) -> tuple[Momenta, PerEvent]:
    return momenta, jnp.ones(momenta.x.shape[-1])


def _flight(
    row: Row,
    split: int,
    numbers: Numbers,
    variables: tuple[PerEvent, PerEvent],
    momenta: Momenta,
) -> tuple[Momenta, PerEvent]:
    n, masses, size = row.n_final, numbers.masses, numbers.sizes[split]
    products = numbers.products(split)
    assert products is not None
    mass, node = masses[n + split], Momenta(*(part[n + split] for part in momenta))
    cone = LightCone.of(node.energy, node.x, node.y, node.z, mass)
    flight = Flight(cone, mass, size, products)
    pieces, density = flight.forward(*variables)
    number, sign = jnp.arange(2 * n - 1)[:, None], jnp.asarray(row.frame)[split][:, None]
    first, second = row.children[split]
    is_made, is_first = (number == first) | (number == second), sign > 0
    # Of every node the momentum of that which it is or comes of, in the rest frame of the beams.
    made = Momenta(
        *(
            jnp.where(is_first, a, b)
            for a, b in zip(pieces[0].components, pieces[1].components, strict=True)
        )
    )
    turns = [Turn.to(*piece.components[1:]) for piece in pieces]
    stretch = []
    for child, piece, (_, along, _) in zip((first, second), pieces, turns, strict=True):
        mass = jnp.where(child < n, 1.0, at(masses, child))
        stretch.append((piece.components[0] + along) / mass)
    turn = Turn(*(jnp.where(is_first, a, b) for a, b in zip(turns[0][0], turns[1][0], strict=True)))
    own = momenta.cones(masses)
    moved = boosted(own, jnp.ones_like(own.x), jnp.where(is_first, stretch[0], stretch[1]), turn)
    moves = (sign != 0) & ~is_made
    return Momenta(
        *(
            jnp.where(is_made, a, jnp.where(moves, b, c))
            for a, b, c in zip(made, moved, momenta, strict=True)
        )
    ), density
