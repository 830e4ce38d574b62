"""The limits of the invariants along a tree, given those that are drawn already.

Where drawn masses leave others next to nothing of the energy, differences of masses do not know how
much that is. So it is kept as a quantity of its own: what a branch may spare, its mass minus the
smallest masses of its children, of which every mass that is drawn below takes its part. Once all
are drawn it is the kinetic energy of the children in the rest frame of the branch, which momenta
hold to relative precision; from there the inverse finds what each mass was left by adding up.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax

from fabgen.arrays import Mask, Number, PerEvent
from fabgen.numerics import safe_divide, safe_sqrt

from .invariants import Limits
from .mapping import Kinematics
from .tree import Branch, Leaf, Node, Propagator

#: Smallest mass and range of a mass, relative to the total energy, and smallest kinetic energy,
#: relative to the mass: the map stays finite on the faces of the cube. Energy conservation is
#: violated by as much there.
_SMALLEST = 1e-24
#: Smallest range of a resonance's s relative to the total s: the arctan tells its ends apart.
_RESOLUTION = 1e-15
#: Invariants of given momenta are known to this, relative to the total s.
_ROUNDING = 1e-12


class Ranges:
    """Masses of the branches as far as they are drawn, and what they leave to the others.

    All in GeV, s in GeV^2.
    """

    def __init__(self, tree: Branch, kinematics: Kinematics):
        self.tree = tree
        self.kinematics = kinematics
        self.parent = {child: branch for branch in tree.branches() for child in branch.children}
        self.masses: dict[Branch, PerEvent] = {}
        self.spare: dict[Branch, Number] = {}
        self.pt = max((c.minimum_pt for c in tree.children if isinstance(c, Leaf)), default=0.0)
        self.is_open = kinematics.sqrt_s > self._low(tree)
        if self.pt > 0.0:
            first, second = (jnp.hypot(self._low(child), self.pt) for child in tree.children)
            self.is_open &= kinematics.sqrt_s > first + second
        for branch in tree.branches():
            if branch is not tree:
                self.is_open &= self._cap(branch) > self._low(branch)
        self.spare[tree] = kinematics.sqrt_s - self._least(tree)
        self.masses[tree] = jnp.asarray(kinematics.sqrt_s)
        self.overall = {b: self._limits(b).ends for b in tree.branches() if b is not tree}

    def mass(self, node: Node) -> Number:
        """Mass of a leaf or of a drawn branch, GeV."""
        return self.kinematics.masses[node.leg] if isinstance(node, Leaf) else self.masses[node]

    def momentum(self, branch: Branch) -> PerEvent:
        """Momentum of the two children in the rest frame of the branch, GeV."""
        mass, first, second = (self.mass(b) for b in (branch, *branch.children))
        gap = jnp.maximum(self._left(branch), _SMALLEST * mass)
        kallen = gap * (gap + 2.0 * first) * (gap + 2.0 * second) * (mass + first + second)
        return jnp.sqrt(kallen) / (2.0 * mass)

    def limits(self, branch: Branch) -> Limits:
        """Limits of s given what is drawn; exact, since bounds only ever add up along the tree."""
        return self._limits(branch)._replace(overall=self.overall[branch])

    def draw(self, branch: Branch, x: PerEvent, limits: Limits) -> None:
        """Gives a branch s = x + the lower limit, within its limits and > 0."""
        smallest = (_SMALLEST * self.kinematics.sqrt_s) ** 2
        # Not jnp.clip: it compares x with its result to find the derivative, which is lost where
        # XLA computes x again and rounds it another way.
        x = jnp.where(x < limits.span, x, limits.span)
        x = jnp.where(x > smallest, x, smallest)
        low, mass = self._low(branch), jnp.sqrt(limits.low + x)
        gap = lax.stop_gradient(x / (mass + low))
        payer, price = self._price(branch, gap)
        self.spare[payer] = self.spare[payer] - price
        self.spare[branch] = gap + self._excess(branch)
        self.masses[branch] = mass

    def undraw(self, branch: Branch) -> PerEvent:
        """Undoes draw, of the last branch first, and returns x."""
        mass = self.masses.pop(branch)
        gap = self.spare.pop(branch) - self._excess(branch)
        payer, price = self._price(branch, gap)
        self.spare[payer] = self.spare[payer] + price
        return gap * (mass + self._low(branch))

    def fill(self, masses: dict[Branch, PerEvent], sizes: dict[Branch, PerEvent]) -> None:
        """Takes all masses, and momenta of the children in the rest frames, as drawn."""
        self.masses |= masses
        for branch, size in sizes.items():
            first, second = (_kinetic(size, self.mass(child)) for child in branch.children)
            self.spare[branch] = first + second

    def reaches(self, branch: Branch) -> Mask | bool:
        """Whether windows and cuts let a branch have its mass, up to rounding."""
        propagator = branch.propagator
        s = self.masses[branch] ** 2
        ok: Mask | bool = True
        rounding = _ROUNDING * self.kinematics.sqrt_s**2
        floor = self._floor(branch)
        if floor is not None:
            low = jnp.maximum(floor, 0.0)
            ok = s >= low * low - rounding
        if propagator.window is not None or propagator.maximum < math.inf:
            cap = self._cap(branch)
            ok = ok & (s <= cap * cap + rounding)
        return ok

    def _limits(self, branch: Branch) -> Limits:
        """Those given what is drawn, which are the overall ones before anything is."""
        low = self._low(branch)
        total = self.kinematics.sqrt_s
        room = jnp.maximum(self._room(branch), _SMALLEST * total)
        span = room * (room + 2.0 * low)
        if branch.propagator.resonance is not None:
            span = jnp.maximum(span, _RESOLUTION * total * total)
        return Limits(low * low, span)

    def _left(self, branch: Branch) -> Number:
        """What a drawn branch may spare; derivatives are left to the difference of masses."""
        plain = self.masses[branch] - self._least(branch)
        return plain + lax.stop_gradient(self.spare[branch] - plain)

    def _low(self, node: Node) -> Number:
        """Smallest mass that is still possible."""
        if isinstance(node, Leaf) or node in self.masses:
            return self.mass(node)
        least, floor = self._least(node), self._floor(node)
        return least if floor is None else jnp.maximum(least, floor)

    def _least(self, branch: Branch) -> Number:
        """Sum of the smallest masses of the children that are still possible."""
        first, second = branch.children
        return self._low(first) + self._low(second)

    def _excess(self, branch: Branch) -> Number:
        """By how much cuts and windows keep a branch that is not drawn above its children."""
        floor = self._floor(branch)
        return 0.0 if floor is None else jnp.maximum(floor - self._least(branch), 0.0)

    def _room(self, branch: Branch) -> PerEvent:
        """By how much a branch may be heavier than its smallest mass."""
        parent = self.parent[branch]
        if parent in self.masses:
            left = self._left(parent)
        else:
            left = self._room(parent) + self._excess(parent)
        return jnp.minimum(left, self._cap(branch) - self._low(branch))

    def _price(self, branch: Branch, gap: Number) -> tuple[Branch, Number]:
        """The drawn branch that a gap above the smallest mass is taken from, and how much of it."""
        parent = self.parent[branch]
        if parent in self.masses:
            return parent, gap
        if self._floor(parent) is not None:
            gap = jnp.maximum(gap - self._excess(parent), 0.0)
        return self._price(parent, gap)

    def _floor(self, branch: Branch) -> Number | None:
        """Bound from cuts and windows."""
        propagator = branch.propagator
        if branch is self.tree:
            return None
        if propagator.window is None:
            return propagator.minimum or None
        mass, width = resonance(propagator, self.kinematics)
        return jnp.maximum(mass - propagator.window * width, propagator.minimum)

    def _cap(self, branch: Branch) -> Number:
        propagator = branch.propagator
        cap: Number = propagator.maximum
        if propagator.window is not None:
            mass, width = resonance(propagator, self.kinematics)
            cap = jnp.minimum(mass + propagator.window * width, cap)
        if self.parent[branch] is self.tree and self.pt > 0.0:
            # Energy conservation with the transverse masses of both children; one is a leaf.
            others = sum(self._low(child) for child in self.tree.children if child is not branch)
            left = self.kinematics.sqrt_s - jnp.hypot(others, self.pt)
            cap = jnp.minimum(cap, safe_sqrt((left - self.pt) * (left + self.pt)))
        return cap


def resonance(propagator: Propagator, kinematics: Kinematics) -> tuple[Number, Number]:
    """Mass and width of a propagator, 0 without a resonance."""
    if propagator.resonance is None:
        return 0.0, 0.0
    index = propagator.resonance
    return kinematics.resonance_masses[index], kinematics.resonance_widths[index]


def _kinetic(size: PerEvent, mass: Number) -> PerEvent:
    """Kinetic energy for a momentum, to relative precision."""
    square = size * size
    return safe_divide(square, jnp.sqrt(square + mass * mass) + mass)
