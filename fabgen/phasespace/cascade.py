"""Cascades of isotropic 1 -> 2 decays along one diagram: the map `mapping = "channels"`.

F. James, CERN 68-15: dPhi_n = product over invariants ds/(2 pi) x product over decays dPhi_2, with
dPhi_2 = |p|/(4 pi M) d(cos theta)/2 d(phi)/(2 pi).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .invariants import Block, BreitWigner, BreitWignerTail, Flat, Limits, Power
from .kinematics import (
    TWO_PI,
    Number,
    isotropic_angles,
    light_cone,
    safe_sqrt,
    unit_angles,
)
from .mapping import Kinematics, Mapping

#: Where limits meet within rounding they are kept this far apart, relative to the upper one (to
#: the total s for resonances): the map stays finite on the faces of the cube. Energy conservation
#: is violated by as much there.
_RESOLUTION = 1e-15
#: Smallest invariant relative to the total s, for massless systems on the faces.
_SMALLEST = 1e-48

Kind = Literal["breit-wigner", "breit-wigner-tail", "power", "flat"]
#: Invariants are drawn in this order (and from the root to the leaves within one rank): the shape
#: of a resonance is then never cut short by what a shapeless invariant happened to be.
_RANK = {"breit-wigner": 0, "breit-wigner-tail": 0, "power": 1, "flat": 2}


@dataclass(frozen=True)
class Propagator:
    """How the invariant mass of a branch is distributed, and its bounds."""

    kind: Kind = "flat"
    resonance: int | None = None  #: index into Kinematics.resonance_masses and _widths
    nu: float = 1.4  #: of kind "power"
    window: float | None = None  #: |sqrt(s) - M| < window x Gamma
    minimum: float = 0.0  #: lower bound on sqrt(s) in GeV, from cuts
    maximum: float = math.inf  #: upper bound on sqrt(s) in GeV, from cuts

    def __post_init__(self) -> None:
        if self.kind not in _RANK:
            raise ValueError(f"unknown kind of propagator {self.kind!r}")
        resonant = self.kind.startswith("breit-wigner") or self.window is not None
        if resonant and self.resonance is None:
            raise ValueError(f"a {self.kind} propagator with a width needs a resonance")


@dataclass(frozen=True)
class Leaf:
    """A final particle, by its index."""

    leg: int

    @property
    def legs(self) -> tuple[int, ...]:
        """Indices of the final particles below."""
        return (self.leg,)


@dataclass(frozen=True)
class Branch:
    """What decays into two children; the propagator of the root is not used (its s is fixed)."""

    children: tuple[Leaf | Branch, Leaf | Branch]
    propagator: Propagator = Propagator()

    @functools.cached_property
    def legs(self) -> tuple[int, ...]:
        """Indices of the final particles below."""
        return self.children[0].legs + self.children[1].legs

    @functools.cached_property
    def block(self) -> Block:
        """The map of one variable onto the invariant."""
        propagator = self.propagator
        if propagator.kind == "breit-wigner":
            return BreitWigner()
        if propagator.kind == "breit-wigner-tail":
            return BreitWignerTail()
        if propagator.kind == "power":
            return Power(propagator.nu)
        return Flat(self.bodies)

    @functools.cached_property
    def bodies(self) -> int:
        """How many particles or propagators this pseudo-particle consists of."""
        return sum(
            child.bodies if isinstance(child, Branch) and child.propagator.kind == "flat" else 1
            for child in self.children
        )

    def branches(self) -> Iterator[Branch]:
        """This branch and all below, parents before children."""
        yield self
        for child in self.children:
            if isinstance(child, Branch):
                yield from child.branches()


Node = Leaf | Branch


def flat_tree(nodes: Sequence[Node | int], propagator: Propagator = Propagator()) -> Branch:
    """Joins two or more nodes (or legs) into a tree whose new invariants are flat."""
    joined = [Leaf(node) if isinstance(node, int) else node for node in nodes]
    if len(joined) < 2:
        raise ValueError("a tree needs at least two nodes")
    tree = joined[-1]
    for node in reversed(joined[1:-1]):
        tree = Branch((node, tree))
    return Branch((joined[0], tree), propagator)


@dataclass(frozen=True)
class Cascade(Mapping):
    """Sequential decays along a binary tree.

    u (3 n - 4,): first the n - 2 invariants in the order of `drawn`; then for each branch, parents
    first, (1 + cos theta)/2 and azimuth/(2 pi) of its first child in its rest frame. The axes of
    that frame are those of its parent's after the rotation that takes z to the parent's first
    child (Jacob and Wick): with unpolarized beams f does not depend on the root's azimuth.
    """

    tree: Branch
    n_final: int

    def __post_init__(self) -> None:
        if sorted(self.tree.legs) != list(range(self.n_final)):
            raise ValueError(f"legs {self.tree.legs} are not 0..{self.n_final - 1}, once each")

    @functools.cached_property
    def branches(self) -> tuple[Branch, ...]:
        """All branches, parents before children, the root first."""
        return tuple(self.tree.branches())

    @functools.cached_property
    def drawn(self) -> tuple[Branch, ...]:
        """All branches but the root in the order in which their invariants are drawn."""
        return tuple(sorted(self.branches[1:], key=lambda b: _RANK[b.propagator.kind]))

    def forward(self, u: Array, kinematics: Kinematics) -> tuple[Array, Array]:
        ranges = _Ranges(self.tree, kinematics)
        jacobian = jnp.ones(u.shape[1:])
        for i, branch in enumerate(self.drawn):
            limits = ranges.limits(branch)
            resonance = _resonance(branch.propagator, kinematics)
            s, ds_du = branch.block.forward(u[i], limits, *resonance)
            ranges.masses[branch] = ranges.root(s, limits)
            jacobian = jacobian * ds_du
        sizes = [ranges.momentum(branch) for branch in self.branches]
        for branch, size in zip(self.branches, sizes, strict=True):
            jacobian = jacobian * size / ranges.masses[branch]
        angles, u_cos = isotropic_angles(u[len(self.drawn) :]), u[len(self.drawn) :: 2]
        momenta: dict[int, tuple] = {}
        for i in reversed(range(len(self.branches))):
            turn = u_cos[i], *(a[i] for a in angles)
            momenta |= _decay(self.branches[i], ranges, sizes[i], turn, momenta)
        final = [jnp.stack(jnp.broadcast_arrays(*momenta[i], u[0])[:4]) for i in sorted(momenta)]
        return jnp.stack(final), self._log(jacobian, ranges, u.shape[1:])

    def inverse(self, momenta: Array, kinematics: Kinematics) -> tuple[Array, Array]:
        undone = dict(self._undo(momenta, kinematics))
        ranges = _Ranges(self.tree, kinematics)
        jacobian = jnp.ones(momenta.shape[2:])
        coordinates = []
        for branch in self.drawn:
            limits = ranges.limits(branch)
            s = jnp.clip(undone[branch].mass ** 2, limits.low, limits.high)
            u, ds_du = branch.block.inverse(s, limits, *_resonance(branch.propagator, kinematics))
            coordinates.append(jnp.clip(u, 0.0, 1.0))
            ranges.masses[branch] = ranges.root(s, limits)
            jacobian = jacobian * ds_du
        for branch in self.branches:
            jacobian = jacobian * undone[branch].size / ranges.masses[branch]
            coordinates.extend(undone[branch].angles)
        return jnp.stack(coordinates), self._log(jacobian, ranges, momenta.shape[2:])

    def _undo(self, momenta: Array, kinematics: Kinematics) -> Iterator[tuple[Branch, _Undone]]:
        """Mass and decay of all branches, parents before children."""
        legs = {}
        for leg in range(self.n_final):
            x, y, z = momenta[leg, 1:]
            rest = x * x + y * y + kinematics.masses[leg] ** 2
            ahead, behind = light_cone(jnp.sqrt(rest + z * z), z, rest)
            legs[leg] = ahead, x, y, behind
        return _undo_decays(self.tree, 1.0, legs, kinematics.masses)

    def _log(self, jacobian: Array, ranges: _Ranges, events: tuple[int, ...]) -> Array:
        """log(dPhi/du), -inf where phase space is closed."""
        n = self.n_final
        constant = -(n - 2) * math.log(TWO_PI) - (n - 1) * math.log(4.0 * math.pi)
        positive = ranges.is_open & (jacobian > 0.0)
        value = jnp.log(jnp.where(positive, jacobian, 1.0)) + constant
        return jnp.broadcast_to(jnp.where(positive, value, -jnp.inf), events)


class _Ranges:
    """Masses of the branches as far as they are drawn, and what they leave to the others."""

    def __init__(self, tree: Branch, kinematics: Kinematics):
        self.tree = tree
        self.kinematics = kinematics
        self.parent = {child: branch for branch in tree.branches() for child in branch.children}
        self.masses: dict[Branch, Array] = {}
        self.is_open = kinematics.sqrt_s > self._low(tree)
        for branch in tree.branches():
            if branch is not tree:
                self.is_open &= self._cap(branch) > self._low(branch)
        self.masses[tree] = jnp.asarray(kinematics.sqrt_s)
        self.overall = {b: self._squares(b) for b in tree.branches() if b is not tree}

    def mass(self, node: Node) -> Array:
        """Mass of a leaf or of a drawn branch, GeV."""
        return self.kinematics.masses[node.leg] if isinstance(node, Leaf) else self.masses[node]

    def momentum(self, branch: Branch) -> Array:
        """Momentum of the two children in the rest frame of the branch, GeV."""
        mass, first, second = (self.mass(b) for b in (branch, *branch.children))
        gap = jnp.maximum(mass - first - second, _RESOLUTION * mass)
        kallen = gap * (gap + 2.0 * first) * (gap + 2.0 * second) * (mass + first + second)
        return jnp.sqrt(kallen) / (2.0 * mass)

    def limits(self, branch: Branch) -> Limits:
        """Limits of s given what is drawn; exact, since bounds only ever add up along the tree."""
        return Limits(*self._squares(branch), self.overall[branch])

    def _squares(self, branch: Branch) -> tuple[Array, Array]:
        low = self._low(branch)
        high = self._high(branch)
        square = low * low
        # the arctan of a resonance needs a wider range to tell its ends apart
        scale = high if branch.propagator.resonance is None else self.kinematics.sqrt_s
        span = jnp.maximum((high - low) * (high + low), _RESOLUTION * scale * scale)
        return square, square + span

    def root(self, s: Array, limits: Limits) -> Array:
        """Mass of a branch within its limits, > 0."""
        smallest = _SMALLEST * self.kinematics.sqrt_s**2
        return jnp.sqrt(jnp.maximum(jnp.clip(s, limits.low, limits.high), smallest))

    def _low(self, node: Node) -> Array:
        """Smallest mass that is still possible."""
        if isinstance(node, Leaf) or node in self.masses:
            return self.mass(node)
        return jnp.maximum(sum(self._low(child) for child in node.children), self._floor(node))

    def _high(self, branch: Branch) -> Array:
        """Largest mass that is still possible."""
        if branch in self.masses:
            return self.masses[branch]
        parent = self.parent[branch]
        others = sum(self._low(child) for child in parent.children if child is not branch)
        return jnp.minimum(self._high(parent) - others, self._cap(branch))

    def _floor(self, branch: Branch) -> Number:
        propagator = branch.propagator
        if branch is self.tree:
            return 0.0
        if propagator.window is None:
            return propagator.minimum
        mass, width = _resonance(propagator, self.kinematics)
        return jnp.maximum(mass - propagator.window * width, propagator.minimum)

    def _cap(self, branch: Branch) -> Number:
        propagator = branch.propagator
        if propagator.window is None:
            return propagator.maximum
        mass, width = _resonance(propagator, self.kinematics)
        return jnp.minimum(mass + propagator.window * width, propagator.maximum)


def _resonance(propagator: Propagator, kinematics: Kinematics) -> tuple[Number, Number]:
    """Mass and width of a propagator, 0 without a resonance."""
    if propagator.resonance is None:
        return 0.0, 0.0
    index = propagator.resonance
    return kinematics.resonance_masses[index], kinematics.resonance_widths[index]


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


class _Undone(NamedTuple):
    mass: Array  #: GeV
    size: Array  #: momentum of the children in the rest frame of the branch, GeV
    angles: tuple[Array, Array]  #: their direction, in [0, 1]


def _undo_decays(
    branch: Branch, sign: float, below: dict[int, tuple], masses: Array
) -> Iterator[tuple[Branch, _Undone]]:
    """This branch and all below, parents first.

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
    # From the child of lower energy: if both are slow the sum over the heavier one's legs is worse.
    first, second = (
        [sum(part) for part in zip(*(vectors[leg] for leg in child.legs), strict=True)]
        for child in branch.children
    )
    lighter = first[0] < second[0]
    x, y, z = (jnp.where(lighter, a, -b) for a, b in zip(first[1:], second[1:], strict=True))
    across = safe_sqrt(x * x + y * y)
    size = jnp.sqrt(across * across + z * z)
    yield branch, _Undone(mass, size, unit_angles(x, y, z))
    cos, sin = _ratio(z, size, 1.0), _ratio(across, size, 0.0)
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
        yield from _undo_decays(child, side, moved, masses)


def _ratio(numerator: Array, size: Array, otherwise: float) -> Array:
    """numerator / size, and a constant where size is 0."""
    positive = size > 0.0
    return jnp.where(positive, numerator / jnp.where(positive, size, 1.0), otherwise)
