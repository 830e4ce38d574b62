"""Cascades of 1 -> 2 decays and 2 -> 2 scatterings along one diagram: `mapping = "channels"`.

F. James, CERN 68-15: dPhi_n = product over invariants ds/(2 pi) x product over decays dPhi_2, with
dPhi_2 = |p|/(4 pi M) d(cos theta)/2 d(phi)/(2 pi). Decays are isotropic; of a scattering (see
scattering.py) cos(theta) follows a power law in t. Cuts on pT and rapidity of single particles
limit the angles.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Mask, Number, PerEvent
from fabgen.numerics import log_where_open, safe_sqrt

from .decays import (
    Momentum,
    Undone,
    along,
    boost_along,
    boost_of,
    decay,
    ends,
    tilted,
    undo_decays,
)
from .fusion import computed_once, rows
from .kinematics import TWO_PI, Turn, isotropic_angles, light_cone
from .mapping import Kinematics, Mapping
from .ranges import Ranges, resonance
from .reach import Products, reaches
from .scattering import Pair, Span
from .transverse import Flight, LightCone, summed, undo_flight
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

#: How far outside of its range (1 + cos theta)/2 may lie by rounding.
_ROUNDING = 1e-9


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

    With cuts on particles below, angles are taken from the range that these leave: in the root
    that of cos theta; in other scatterings also that of the azimuth (reach.py, scattering.py); and
    other decays, `cut`, have axes of their own (transverse.py).
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

    @functools.cached_property
    def cut(self) -> tuple[Branch, ...]:
        """The decays, but for the root's, into particles that cuts bound; parents first."""
        return tuple(b for b in self.branches[1:] if b.is_cut and b.exchange is None)

    def forward(
        self, u: Float[Array, " {self.dim} *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "{self.n_final} 4 *events"], Float[Array, "*events"]]:
        ranges = Ranges(self.tree, kinematics)
        jacobian = jnp.ones(u.shape[1:])
        for i, branch in enumerate(self.drawn):
            limits = ranges.limits(branch)
            x, ds_du = branch.block.forward(u[i], limits, *resonance(branch.propagator, kinematics))
            ranges.draw(branch, x, limits)
            jacobian = jacobian * ds_du
        sizes = {branch: ranges.momentum(branch) for branch in self.branches}
        products = self._products(ranges, sizes)
        for branch, size in sizes.items():
            jacobian = jacobian * size / ranges.masses[branch]
        variables = u[len(self.drawn) :]
        if self.tree.is_cut and not self.ladder:
            low, width = products[self.tree].polar_range(sizes[self.tree])
            variables = variables.at[0].set(1.0 - low - width * (1.0 - variables[0]))
            jacobian = jacobian * width
        u_cos, u_azimuth = variables[0::2], variables[1::2]
        angles = isotropic_angles(variables)
        turns = {
            branch: (u_cos[i], Turn(*(a[i] for a in angles)))
            for i, branch in enumerate(self.branches)
        }
        azimuths = dict(zip(self.branches, u_azimuth, strict=True))
        tilts: dict[Branch, tuple[PerEvent, PerEvent] | None] = {}
        for branch, turn, density, pair in self._scatter(turns, azimuths, sizes, products, ranges):
            turns[branch], tilts[branch] = turn, pair.tilt
            jacobian = jacobian * density
        momenta: dict[Node, Momentum] = {}
        for branch in reversed(self.branches):
            if branch in self.cut:
                continue
            decayed = decay(branch, ranges, sizes[branch], *turns[branch], momenta, self.cut)
            if self.ladder:
                like = turns[branch][1].cos_phi
                turned = tilted(decayed, tilts.get(branch))
                decayed = {end: computed_once(p, like) for end, p in turned.items()}
            momenta |= decayed
        for branch in self.cut:
            energy, x, y, z = momenta.pop(branch)[:4]
            mass = ranges.masses[branch]
            momentum = LightCone.of(energy, x, y, z, mass)
            flight = Flight(momentum, mass, sizes[branch], products[branch])
            pieces, density = flight.forward(turns[branch][0], azimuths[branch])
            jacobian = jacobian * density
            for child, momentum in zip(branch.children, pieces, strict=True):
                momenta |= self._in_beams_frame(child, momentum, momenta, ranges)
        legs = {end.leg: p for end, p in momenta.items() if isinstance(end, Leaf)}
        final = [jnp.stack(jnp.broadcast_arrays(*legs[i], u[0])[:4]) for i in sorted(legs)]
        return self._mirrored(jnp.stack(final)), self._log(jacobian, ranges, u.shape[1:])

    def _scatter(
        self,
        turns: dict[Branch, tuple[PerEvent, Turn]],
        azimuths: dict[Branch, PerEvent],
        sizes: dict[Branch, PerEvent],
        products: dict[Branch, Products],
        ranges: Ranges,
    ) -> Iterator[tuple[Branch, tuple[PerEvent, Turn], PerEvent, Pair]]:
        """For every scattering its direction, the density of that in its variables, and what meets.

        turns, azimuths: of both variables. sizes: momenta of the children, GeV. The direction comes
        with (1 + cos theta)/2.
        """
        pair = self._beams(ranges.masses[self.tree], ranges.kinematics)
        for branch, exchange in self.ladder:
            size = sizes[branch]
            span = _span(pair, exchange, products[branch], ranges, size)
            u, free = turns[branch]
            w, density = span.forward(u, exchange.nu)
            limited = pair.azimuths(w, size, products[branch])
            cos_phi, sin_phi = free.cos_phi, free.sin_phi
            if limited is not None:
                arc, (cos_axis, sin_axis) = limited
                azimuth = arc.forward(azimuths[branch])
                cos, sin = jnp.cos(azimuth), jnp.sin(azimuth)
                cos_phi, sin_phi = cos * cos_axis - sin * sin_axis, sin * cos_axis + cos * sin_axis
                density = density * arc.fraction
            turn = Turn(1.0 - 2.0 * w, 2.0 * safe_sqrt(w * (1.0 - w)), cos_phi, sin_phi)
            yield branch, (1.0 - w, turn), density, pair
            if branch is not self.ladder[-1][0]:
                rest = ranges.mass(branch.children[1])
                pair = pair.next(w, span.t(w), size, rest, turn)

    def _in_beams_frame(
        self, child: Node, momentum: LightCone, momenta: dict[Node, Momentum], ranges: Ranges
    ) -> dict[Node, Momentum]:
        """The ends of a product of a cut decay in the rest frame of the beams.

        momenta: of the ends of what is below, in its rest frame, with z along its flight.
        """
        energy, x, y, z = momentum.components
        if isinstance(child, Leaf) or child in self.cut:
            return {child: (energy, x, y, z)}
        (turn, size, _), mass = Turn.to(x, y, z), ranges.mass(child)
        boost = boost_of(1.0, energy, size, mass)
        result: dict[Node, Momentum] = {}
        for end in ends(child, self.cut):
            e, x, y, z = boost_along(momenta[end], ranges.mass(end), *boost)
            result[end] = e, *turn.forward(x, y, z)
        return result

    def inverse(
        self, momenta: Float[Array, "{self.n_final} 4 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " {self.dim} *events"], Float[Array, "*events"]]:
        momenta = self._mirrored(momenta)
        legs = self._legs(momenta, kinematics)
        meet = functools.partial(self._beams, kinematics=kinematics)
        masses, below = kinematics.masses, {leg: _upwards(p) for leg, p in legs.items()}
        undone = dict(undo_decays(self.tree, 1.0, below, masses, meet, self.cut))
        for branch in self.cut:
            undone[branch] = undo_flight(branch, legs, masses)
            for child in branch.children:
                if isinstance(child, Branch) and child not in self.cut:
                    _, *flight = summed(child, legs).components
                    vectors = {leg: legs[leg].components for leg in child.legs}
                    turn, _, _ = Turn.to(*flight)
                    below = along(turn, vectors, masses)
                    undone |= undo_decays(child, 1.0, below, masses, meet)
        ranges = Ranges(self.tree, kinematics)
        jacobian = jnp.ones(momenta.shape[2:])
        reached = jnp.ones(momenta.shape[2:], dtype=bool)
        sizes = {branch: undone[branch].size for branch in self.branches}
        ranges.fill({branch: undone[branch].mass for branch in self.drawn}, sizes)
        products = self._products(ranges, sizes)
        angles: list[PerEvent] = []
        for branch in self.branches:
            jacobian = jacobian * sizes[branch] / ranges.masses[branch]
            polar, azimuth, density, inside = self._undo_angles(
                branch, undone[branch], legs, products[branch], ranges
            )
            reached &= inside
            jacobian = jacobian * density
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

    def _undo_angles(
        self,
        branch: Branch,
        undone: Undone,
        legs: dict[int, LightCone],
        products: Products,
        ranges: Ranges,
    ) -> tuple[PerEvent, PerEvent, Number, Mask | bool]:
        """Both variables, the density of the angles in them, and whether these are reached."""
        polar, azimuth = undone.angles
        if branch in self.cut:
            flight = Flight(summed(branch, legs), undone.mass, undone.size, products)
            return flight.inverse(polar, azimuth)
        if branch.exchange is None or undone.scattered is None:
            if branch is not self.tree or not branch.is_cut:
                return polar, azimuth, 1.0, True
            low, width = products.polar_range(undone.size)
            u = 1.0 - (1.0 - polar - low) / width
            inside = (u >= -_ROUNDING) & (u <= 1.0 + _ROUNDING)
            return jnp.clip(u, 0.0, 1.0), azimuth, width, inside
        pair, w, turn = undone.scattered
        span = _span(pair, branch.exchange, products, ranges, undone.size)
        polar, density = span.inverse(w, branch.exchange.nu)
        inside = span.contains(w)
        limited = pair.azimuths(w, undone.size, products)
        if limited is not None:
            arc, (cos, sin) = limited
            x, y = turn.cos_phi, turn.sin_phi
            angle = jnp.arctan2(y * cos - x * sin, x * cos + y * sin)
            azimuth = arc.inverse(angle)
            density, inside = density * arc.fraction, inside & arc.contains(angle)
        return polar, azimuth, density, inside

    def _products(self, ranges: Ranges, sizes: dict[Branch, PerEvent]) -> dict[Branch, Products]:
        """What all branches become, with the bounds that cuts imply."""
        found = reaches(self.tree, ranges.mass, sizes)
        low, high = ranges.kinematics.boosts
        if self.from_second:
            low, high = -jnp.asarray(high), -jnp.asarray(low)
        boosts = jnp.exp(2.0 * jnp.asarray(low)), jnp.exp(2.0 * jnp.asarray(high))
        return {branch: Products.of(branch, found, boosts) for branch in self.branches}

    def _mirrored(
        self, momenta: Float[Array, "n_final 4 *events"]
    ) -> Float[Array, "n_final 4 *events"]:
        """Momenta with the beam that the ladder starts from along +z."""
        return momenta.at[:, 3].multiply(-1.0) if self.from_second else momenta

    def _beams(self, mass: PerEvent, kinematics: Kinematics) -> Pair:
        """The beams, of total mass `mass`, in the rest frame of both."""
        incoming = kinematics.incoming_masses
        if incoming.shape[0] == 0:
            return Pair.of_light_beams(mass) if self.tree.is_cut else Pair.of(mass, 0.0, 0.0)
        first, second = incoming[::-1] if self.from_second else incoming
        return Pair.of(mass, first * first, second)

    def _legs(
        self, momenta: Float[Array, "n_final 4 *events"], kinematics: Kinematics
    ) -> dict[int, LightCone]:
        legs = {}
        components = rows(momenta.reshape(4 * self.n_final, *momenta.shape[2:]))
        for leg in range(self.n_final):
            x, y, z = components[4 * leg + 1 : 4 * leg + 4]
            rest = x * x + y * y + kinematics.masses[leg] ** 2
            cone = light_cone(jnp.sqrt(rest + z * z), z, rest)
            legs[leg] = LightCone(*cone, x, y).gathered()
        return legs

    def _log(
        self, jacobian: PerEvent, ranges: Ranges, events: tuple[int, ...]
    ) -> Float[Array, "*events"]:
        """log(dPhi/du), -inf where phase space is closed."""
        n = self.n_final
        constant = -(n - 2) * math.log(TWO_PI) - (n - 1) * math.log(4.0 * math.pi)
        return jnp.broadcast_to(log_where_open(jacobian, ranges.is_open) + constant, events)


def _span(
    pair: Pair,
    exchange: Exchange,
    products: Products,
    ranges: Ranges,
    size: PerEvent,
) -> Span:
    """The range of t of a scattering."""
    exchanged: Number = 0.0
    if exchange.mass is not None:
        exchanged = ranges.kinematics.exchanged_masses[exchange.mass]
    return pair.span(exchange, exchanged, products, size)


def _upwards(p: LightCone) -> Momentum:
    """E + p, x, y, E - p with p along z."""
    return p.plus, p.x, p.y, p.minus
