"""The limits of the invariants along a tree, given those that are drawn already."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from fabgen.numerics import safe_sqrt

from .invariants import Limits
from .kinematics import Number
from .mapping import Kinematics
from .tree import Branch, Leaf, Node, Propagator

#: Where limits meet within rounding they are kept this far apart, relative to the upper one (to
#: the total s for resonances): the map stays finite on the faces of the cube. Energy conservation
#: is violated by as much there.
_RESOLUTION = 1e-15
#: Smallest invariant relative to the total s, for massless systems on the faces.
_SMALLEST = 1e-48
#: Invariants of given momenta are known to this, relative to the total s.
_ROUNDING = 1e-12


class Ranges:
    """Masses of the branches as far as they are drawn, and what they leave to the others."""

    def __init__(self, tree: Branch, kinematics: Kinematics):
        self.tree = tree
        self.kinematics = kinematics
        self.parent = {child: branch for branch in tree.branches() for child in branch.children}
        self.masses: dict[Branch, Array] = {}
        self.pt = tree.exchange.minimum_pt if tree.exchange else 0.0
        self.is_open = kinematics.sqrt_s > self._low(tree)
        if self.pt > 0.0:
            first, second = (jnp.hypot(self._low(child), self.pt) for child in tree.children)
            self.is_open &= kinematics.sqrt_s > first + second
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

    def reaches(self, branch: Branch, s: Array) -> Array | bool:
        """Whether windows and cuts let a branch have this s, up to rounding."""
        propagator = branch.propagator
        ok: Array | bool = True
        rounding = _ROUNDING * self.kinematics.sqrt_s**2
        if propagator.window is not None or propagator.minimum > 0.0:
            low = jnp.maximum(self._floor(branch), 0.0)
            ok = s >= low * low - rounding
        if propagator.window is not None or propagator.maximum < math.inf:
            cap = self._cap(branch)
            ok = ok & (s <= cap * cap + rounding)
        return ok

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
        high = jnp.minimum(self._high(parent) - others, self._cap(branch))
        if parent is self.tree and self.pt > 0.0:
            # Energy conservation with the transverse masses of both children; one is a leaf.
            left = self._high(parent) - jnp.hypot(others, self.pt)
            high = jnp.minimum(high, safe_sqrt((left - self.pt) * (left + self.pt)))
        return high

    def _floor(self, branch: Branch) -> Number:
        propagator = branch.propagator
        if branch is self.tree:
            return 0.0
        if propagator.window is None:
            return propagator.minimum
        mass, width = resonance(propagator, self.kinematics)
        return jnp.maximum(mass - propagator.window * width, propagator.minimum)

    def _cap(self, branch: Branch) -> Number:
        propagator = branch.propagator
        if propagator.window is None:
            return propagator.maximum
        mass, width = resonance(propagator, self.kinematics)
        return jnp.minimum(mass + propagator.window * width, propagator.maximum)


def resonance(propagator: Propagator, kinematics: Kinematics) -> tuple[Number, Number]:
    """Mass and width of a propagator, 0 without a resonance."""
    if propagator.resonance is None:
        return 0.0, 0.0
    index = propagator.resonance
    return kinematics.resonance_masses[index], kinematics.resonance_widths[index]
