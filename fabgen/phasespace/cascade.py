"""Cascades of 1 -> 2 decays and 2 -> 2 scatterings along one diagram: `mapping = "channels"`.

F. James, CERN 68-15: dPhi_n = product over invariants ds/(2 pi) x product over decays dPhi_2, with
dPhi_2 = |p|/(4 pi M) d(cos theta)/2 d(phi)/(2 pi). Decays are isotropic; of a scattering (see
scattering.py) cos(theta) follows a power law in t.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .kinematics import (
    TWO_PI,
    Number,
    isotropic_angles,
    light_cone,
    safe_sqrt,
    unit_angles,
)
from .mapping import Kinematics, Mapping
from .ranges import Ranges, resonance
from .scattering import Pair, Span
from .tree import RANK, Branch, Exchange, Kind, Leaf, Node, Propagator, flat_tree

__all__ = [
    "Branch",
    "Cascade",
    "Exchange",
    "Kind",
    "Leaf",
    "Node",
    "Propagator",
    "flat_tree",
]


@dataclass(frozen=True)
class Cascade(Mapping):
    """Sequential decays along a binary tree.

    u (3 n - 4,): first the n - 2 invariants in the order of `drawn`; then for each branch, parents
    first, (1 + cos theta)/2 and azimuth/(2 pi) of its first child in its rest frame. The axes of
    that frame are those of its parent's after the rotation that takes z to the parent's first
    child (Jacob and Wick): with unpolarized beams f does not depend on the root's azimuth.

    A branch that is a scattering has, instead of (1 + cos theta)/2, the variable of the power law
    in t, and z is where its virtual particle comes from. from_second: the ladder of scatterings
    starts from the second beam, along -z; momenta are then mirrored in z.
    """

    tree: Branch
    n_final: int
    from_second: bool = False

    def __post_init__(self) -> None:
        scatterings = [b for b in self.branches if b.exchange is not None]
        if len(scatterings) > len(self.ladder):
            raise ValueError("a scattering is the root, or the second child of a scattering")
        if sorted(self.tree.legs) != list(range(self.n_final)):
            raise ValueError(f"legs {self.tree.legs} are not 0..{self.n_final - 1}, once each")

    @functools.cached_property
    def branches(self) -> tuple[Branch, ...]:
        """All branches, parents before children, the root first."""
        return tuple(self.tree.branches())

    @functools.cached_property
    def drawn(self) -> tuple[Branch, ...]:
        """All branches but the root in the order in which their invariants are drawn."""
        return tuple(sorted(self.branches[1:], key=lambda b: RANK[b.propagator.kind]))

    @functools.cached_property
    def ladder(self) -> tuple[tuple[Branch, Exchange], ...]:
        """The branches that are scatterings, the root first."""
        return tuple(self.tree.scatterings())

    def forward(self, u: Array, kinematics: Kinematics) -> tuple[Array, Array]:
        ranges = Ranges(self.tree, kinematics)
        jacobian = jnp.ones(u.shape[1:])
        for i, branch in enumerate(self.drawn):
            limits = ranges.limits(branch)
            x, ds_du = branch.block.forward(u[i], limits, *resonance(branch.propagator, kinematics))
            ranges.draw(branch, x, limits)
            jacobian = jacobian * ds_du
        sizes = {branch: ranges.momentum(branch) for branch in self.branches}
        for branch, size in sizes.items():
            jacobian = jacobian * size / ranges.masses[branch]
        angles, u_cos = isotropic_angles(u[len(self.drawn) :]), u[len(self.drawn) :: 2]
        turns = {b: (u_cos[i], *(a[i] for a in angles)) for i, b in enumerate(self.branches)}
        tilts: dict[Branch, tuple[Array, Array] | None] = {}
        for branch, w, dw_du, pair in self._scatter(turns, sizes, ranges):
            cos, sin = 1.0 - 2.0 * w, 2.0 * safe_sqrt(w * (1.0 - w))
            turns[branch] = (1.0 - w, cos, sin, *turns[branch][3:])
            tilts[branch] = pair.tilt
            jacobian = jacobian * dw_du
        momenta: dict[int, tuple] = {}
        for branch in reversed(self.branches):
            decayed = _decay(branch, ranges, sizes[branch], turns[branch], momenta)
            if self.ladder:
                decayed = _kept(_tilted(decayed, tilts.get(branch)), kinematics)
            momenta |= decayed
        final = [jnp.stack(jnp.broadcast_arrays(*momenta[i], u[0])[:4]) for i in sorted(momenta)]
        return self._mirrored(jnp.stack(final)), self._log(jacobian, ranges, u.shape[1:])

    def _scatter(
        self, turns: dict[Branch, tuple], sizes: dict[Branch, Array], ranges: Ranges
    ) -> Iterator[tuple[Branch, Array, Array, Pair]]:
        """For every scattering (1 - cos theta)/2, its derivative in u, and what meets there.

        turns: u is the first entry. sizes: momenta of the children, GeV.
        """
        pair = self._beams(ranges.masses[self.tree], ranges.kinematics)
        for branch, exchange in self.ladder:
            span = _span(pair, exchange, branch, ranges, sizes[branch])
            w, dw_du = span.forward(turns[branch][0], exchange.nu)
            yield branch, w, dw_du, pair
            if branch is not self.ladder[-1][0]:
                rest = ranges.mass(branch.children[1])
                pair = pair.next(w, span.t(w), sizes[branch], rest)

    def inverse(self, momenta: Array, kinematics: Kinematics) -> tuple[Array, Array]:
        undone = dict(self._undo(self._mirrored(momenta), kinematics))
        ranges = Ranges(self.tree, kinematics)
        jacobian = jnp.ones(momenta.shape[2:])
        reached = jnp.ones(momenta.shape[2:], dtype=bool)
        ranges.fill(
            {branch: undone[branch].mass for branch in self.drawn},
            {branch: undone[branch].size for branch in self.branches},
        )
        angles: list[Array] = []
        for branch in self.branches:
            jacobian = jacobian * undone[branch].size / ranges.masses[branch]
            polar, azimuth = undone[branch].angles
            scattered = undone[branch].scattered
            if branch.exchange is not None and scattered is not None:
                pair, w = scattered
                span = _span(pair, branch.exchange, branch, ranges, undone[branch].size)
                polar, dw_du = span.inverse(w, branch.exchange.nu)
                reached &= span.contains(w)
                jacobian = jacobian * dw_du
            angles.extend((polar, azimuth))
        # Undrawn in reverse, each invariant finds what was left to it as a sum of positive terms.
        invariants = []
        for branch in reversed(self.drawn):
            reached &= ranges.reaches(branch)
            x = ranges.undraw(branch)
            limits = ranges.limits(branch)
            x = jnp.clip(x, 0.0, limits.span)
            u, ds_du = branch.block.inverse(x, limits, *resonance(branch.propagator, kinematics))
            invariants.append(jnp.clip(u, 0.0, 1.0))
            jacobian = jacobian * ds_du
        log_jacobian = self._log(jacobian, ranges, momenta.shape[2:])
        reached &= log_jacobian > -jnp.inf
        return jnp.stack([*reversed(invariants), *angles]), jnp.where(
            reached, log_jacobian, jnp.inf
        )

    def _mirrored(self, momenta: Array) -> Array:
        """Momenta with the beam that the ladder starts from along +z."""
        return momenta.at[:, 3].multiply(-1.0) if self.from_second else momenta

    def _beams(self, mass: Array, kinematics: Kinematics) -> Pair:
        """The beams, of total mass `mass`, in the rest frame of both."""
        incoming = kinematics.incoming_masses
        if incoming.shape[0] == 0:
            return Pair.of(mass, 0.0, 0.0)
        first, second = incoming[::-1] if self.from_second else incoming
        return Pair.of(mass, first * first, second)

    def _undo(self, momenta: Array, kinematics: Kinematics) -> Iterator[tuple[Branch, _Undone]]:
        """Mass and decay of all branches, parents before children."""
        legs = {}
        for leg in range(self.n_final):
            x, y, z = momenta[leg, 1:]
            rest = x * x + y * y + kinematics.masses[leg] ** 2
            ahead, behind = light_cone(jnp.sqrt(rest + z * z), z, rest)
            legs[leg] = ahead, x, y, behind
        meet = functools.partial(self._beams, kinematics=kinematics)
        return _undo_decays(self.tree, 1.0, legs, kinematics.masses, meet)

    def _log(self, jacobian: Array, ranges: Ranges, events: tuple[int, ...]) -> Array:
        """log(dPhi/du), -inf where phase space is closed."""
        n = self.n_final
        constant = -(n - 2) * math.log(TWO_PI) - (n - 1) * math.log(4.0 * math.pi)
        positive = ranges.is_open & (jacobian > 0.0)
        value = jnp.log(jnp.where(positive, jacobian, 1.0)) + constant
        return jnp.broadcast_to(jnp.where(positive, value, -jnp.inf), events)


def _decay(branch, ranges, size, turn, momenta) -> dict[int, tuple]:
    """Momenta (E, x, y, z) of the legs below, in the rest frame of the branch.

    momenta: of the legs below the children, in their rest frames. turn: (1 + cos)/2, then cos and
    sin of the polar angle and of the azimuth. Legs that are children also carry E + z and E - z.
    """
    u, cos, sin, cos_phi, sin_phi = turn
    result = {}
    for child, sign in zip(branch.children, (1.0, -1.0), strict=True):
        mass = ranges.mass(child)
        energy = jnp.sqrt(size * size + mass * mass)
        total = energy + size
        if isinstance(child, Leaf):
            x = sign * size * sin
            slow = mass * mass / total
            cone = slow + 2.0 * size * u, slow + 2.0 * size * (1.0 - u)
            p = energy, x * cos_phi, x * sin_phi, sign * size * cos
            result[child.leg] = (*p, *(cone if sign > 0.0 else reversed(cone)))
            continue
        boost = sign, energy / mass, size / mass, 0.5 * total / mass, 0.5 * mass / total
        for leg in child.legs:
            e, x, y, z = _boost_along(momenta[leg], ranges.kinematics.masses[leg], *boost)
            x, z = cos * x + sin * z, cos * z - sin * x
            result[leg] = (e, cos_phi * x - sin_phi * y, sin_phi * x + cos_phi * y, z)
    return result


def _boost_along(momentum, mass, sign, gamma, gamma_beta, stretch, shrink):
    """(E, x, y, z) of a leg after a boost along sign x z; digits are kept where it slows down."""
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


def _tilted(momenta: dict[int, tuple], tilt: tuple[Array, Array] | None) -> dict[int, tuple]:
    """Momenta (E, x, y, z) after the rotation that takes z by an angle towards -x."""
    if tilt is None:
        return momenta
    cos, sin = tilt
    return {leg: (p[0], *_rotated(p[1], p[2], p[3], cos, sin)) for leg, p in momenta.items()}


def _kept(momenta: dict[int, tuple], kinematics: Kinematics) -> dict[int, tuple]:
    """The same momenta, as numbers that XLA computes once.

    Its fusion repeats sums and products at each place of their use, and of those places there are
    several more at every step of a ladder; it does not repeat divisions.
    """
    one = jax.lax.stop_gradient(kinematics.sqrt_s / kinematics.sqrt_s)
    return {leg: tuple(component / one for component in p) for leg, p in momenta.items()}


def _rotated(x: Array, y: Array, z: Array, cos: Array, sin: Array) -> tuple[Array, Array, Array]:
    return cos * x - sin * z, y, cos * z + sin * x


def _span(pair: Pair, exchange: Exchange, branch: Branch, ranges: Ranges, size: Array) -> Span:
    """The range of t of a scattering."""
    exchanged: Number = 0.0
    if exchange.mass is not None:
        exchanged = ranges.kinematics.exchanged_masses[exchange.mass]
    first, second = (ranges.mass(child) for child in branch.children)
    return pair.span(exchange, exchanged, (first, second), size)


class _Undone(NamedTuple):
    mass: Array  #: GeV
    size: Array  #: momentum of the children in the rest frame of the branch, GeV
    angles: tuple[Array, Array]  #: their direction, in [0, 1]
    #: of scatterings: what meets, and (1 - cos theta)/2 to relative precision
    scattered: tuple[Pair, Array] | None = None


def _undo_decays(
    branch: Branch,
    sign: float,
    below: dict[int, tuple],
    masses: Array,
    meet: Callable[[Array], Pair],
) -> Iterator[tuple[Branch, _Undone]]:
    """This branch and all below, parents first. meet(mass): the pair that a scattering starts from.

    below: E + p, x, y, E - p of the legs, with p = sign x z and z along the flight of the branch:
    in the rest frame of its parent, after the rotation that takes the parent's first child to z.

    The boost to the rest frame is one on the light cone: with f the leg's share of the sum of E +
    p, the sums of x and y are taken off as f (X, Y), E + p becomes f M, and E - p follows from the
    mass shell. Shares and what is left of x and y do not notice a small error in the direction of
    the branch, and of a hard and a soft leg the soft one sets the error of their relative momentum:
    for light, collinear legs that is all that their rounded momenta know.
    """
    ahead, x, y = (sum(parts) for parts in zip(*(p[:3] for p in below.values()), strict=True))
    legs = {}
    for leg, p in below.items():
        share = p[0] / ahead
        px, py = p[1] - share * x, p[2] - share * y
        rest = px * px + py * py + masses[leg] ** 2
        behind = jnp.where(p[0] > 0.0, rest / jnp.where(p[0] > 0.0, share, 1.0), p[3] * ahead)
        legs[leg] = share, px, py, behind
    mass = jnp.sqrt(sum(p[3] for p in legs.values()))
    vectors = {}
    for leg, (share, px, py, behind) in legs.items():
        ahead, behind = 0.5 * mass * share, 0.5 * behind / mass
        vectors[leg] = ahead + behind, px, py, sign * (ahead - behind)
    pair = meet(mass) if branch.exchange is not None else None
    if pair is not None and pair.tilt is not None:
        cos, sin = pair.tilt
        vectors = {leg: (p[0], *_rotated(*p[1:], cos, -sin)) for leg, p in vectors.items()}
    # From the child of lower energy: if both are slow the sum over the heavier one's legs is worse.
    first, second = (
        [sum(part) for part in zip(*(vectors[leg] for leg in child.legs), strict=True)]
        for child in branch.children
    )
    lighter = first[0] < second[0]
    x, y, z = (jnp.where(lighter, a, -b) for a, b in zip(first[1:], second[1:], strict=True))
    across = safe_sqrt(x * x + y * y)
    size = jnp.sqrt(across * across + z * z)
    cos, sin = _ratio(z, size, 1.0), _ratio(across, size, 0.0)
    scattered = None
    if pair is not None:
        w = jnp.where(z > 0.0, sin * sin / (1.0 + jnp.abs(cos)), 1.0 - cos) / 2.0
        t = pair.momentum_transfer(*_cones(branch, vectors, masses), across)
        meet = functools.partial(pair.next, w, t, size)
        scattered = pair, w
    yield branch, _Undone(mass, size, unit_angles(x, y, z), scattered)
    cos_phi, sin_phi = _ratio(x, across, 1.0), _ratio(y, across, 0.0)
    for child, side in zip(branch.children, (1.0, -1.0), strict=True):
        if isinstance(child, Leaf):
            continue
        moved = {}
        for leg in child.legs:
            e, px, py, pz = vectors[leg]
            px, py = cos_phi * px + sin_phi * py, cos_phi * py - sin_phi * px
            px, pz = cos * px - sin * pz, cos * pz + sin * px
            rest = px * px + py * py + masses[leg] ** 2
            ahead, behind = light_cone(e, side * pz, rest)
            moved[leg] = ahead, px, py, behind
        yield from _undo_decays(child, side, moved, masses, meet)


def _cones(branch: Branch, vectors: dict[int, tuple], masses: Array) -> tuple[Array, Array]:
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


def _ratio(numerator: Array, size: Array, otherwise: float) -> Array:
    """numerator / size, and a constant where size is 0."""
    positive = size > 0.0
    return jnp.where(positive, numerator / jnp.where(positive, size, 1.0), otherwise)
