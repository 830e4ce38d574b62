"""The limits of the invariants of a row, given those that are drawn already.

Where drawn masses leave others next to nothing of the energy, differences of masses do not know how
much that is. So it is kept as a quantity of its own: what a split may spare, its mass minus the
smallest masses of what it makes, of which every mass that is drawn below takes its part. Once all
are drawn it is the kinetic energy of both in the rest frame of the split, which momenta hold to
relative precision; from there the inverse finds what each mass was left by adding up.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int, Shaped

from fabgen.arrays import Elementwise, Number, PerEvent, Table
from fabgen.numerics import safe_divide, safe_sqrt

from .invariants import Limits, Shape
from .mapping import Kinematics
from .row import Row

#: Smallest mass and range of a mass, relative to the total energy, and smallest kinetic energy,
#: relative to the mass: the map stays finite on the faces of the cube. Energy conservation is
#: violated by as much there.
_SMALLEST = 1e-24
#: Smallest range of a resonance's s relative to the total s: the arctan tells its ends apart.
_RESOLUTION = 1e-15
#: Invariants of given momenta are known to this, relative to the total s.
_ROUNDING = 1e-12

#: A number for each node, or for each split.
OfNodes = Float[Array, " nodes #events"]
OfSplits = Float[Array, " splits #events"]


def at(values: Shaped[Array, " n *rest"], index: Int[Array, ""] | int) -> Shaped[Array, " *rest"]:
    """values[index] of an index inside."""
    found: Array = lax.dynamic_index_in_dim(values, index, 0, keepdims=False)
    return found


def put(
    values: Shaped[Array, " n *rest"], index: Int[Array, ""] | int, value: Shaped[Array, " *rest"]
) -> Shaped[Array, " n *rest"]:
    """values with values[index] replaced."""
    found: Array = lax.dynamic_update_index_in_dim(values, value, index, 0)
    return found


class Lowest(NamedTuple):
    """Smallest masses that are still possible, GeV: drawn ones have theirs."""

    of_nodes: OfNodes
    of_children: OfSplits  #: the sum for both nodes that a split makes


class Ranges:
    """What does not depend on what is drawn: bounds of all splits of a row. GeV, s in GeV^2."""

    def __init__(self, row: Row, kinematics: Kinematics):
        self.row, self.kinematics = row, kinematics
        self.n = row.n_final
        self.total = jnp.atleast_1d(jnp.asarray(kinematics.sqrt_s))
        self.leaves = jnp.asarray(kinematics.masses)[:, None]
        self.resonant = jnp.asarray(row.resonance) >= 0
        self.masses = _chosen(kinematics.resonance_masses, row.resonance)
        self.widths = _chosen(kinematics.resonance_widths, row.resonance)
        floor, cap = floor_and_cap(row, self.masses, self.widths)
        self.floor, cap = floor[:, None], cap[:, None]
        #: whether the momenta can violate what windows and cuts ask for
        self.bounded = cap[:, 0] < jnp.inf
        drawn = jnp.broadcast_to(self.total, (self.n - 1, *self.total.shape))
        lowest = self.lowest(drawn, 0)
        self.cap = jnp.minimum(cap, self._left_by_pt(lowest))
        is_open = self.total > lowest.of_children[0]
        is_open &= self.total > self._least_energy(lowest)
        if self.n > 2:
            is_open &= jnp.all(self.cap[1:] > lowest.of_nodes[self.n + 1 :], axis=0)
        self.is_open: Bool[Array, " #events"] = is_open
        self.spare = jnp.zeros_like(drawn).at[0].set(self.total - lowest.of_children[0])
        rooms = self._rooms(drawn, self.spare, lowest, 0)
        low, span = self._interval(lowest.of_nodes[self.n :], rooms, self.resonant[:, None])
        #: limits of s before anything is drawn
        self.overall = low, low + span

    def lowest(self, drawn: OfSplits, stage: int | Int[Array, " stages"]) -> Lowest:
        """With the masses of those splits that come before a stage in the order of drawing."""
        n, row = self.n, self.row
        nodes = jnp.concatenate([jnp.broadcast_to(self.leaves, (n, drawn.shape[-1])), drawn])
        children = jnp.zeros_like(drawn)
        for split in reversed(range(n - 1)):
            first, second = row.children[split]
            least = at(nodes, first) + at(nodes, second)
            value = jnp.maximum(least, self.floor[split])
            known = row.rank[split] < stage
            nodes = nodes.at[n + split].set(jnp.where(known, drawn[split], value))
            children = children.at[split].set(least)
        return Lowest(nodes, children)

    def left(self, drawn: OfSplits, spare: OfSplits, lowest: Lowest) -> OfSplits:
        """What drawn splits may spare; derivatives are left to the difference of masses."""
        plain = drawn - lowest.of_children
        return plain + lax.stop_gradient(spare - plain)

    def excess(self, lowest: Lowest) -> OfSplits:
        """By how much cuts and windows keep splits that are not drawn above what they make."""
        return jnp.maximum(self.floor - lowest.of_children, 0.0)

    def limits(self, split: Int[Array, ""], lowest: Lowest, rooms: OfSplits) -> Limits:
        """Of s of one split."""
        low = at(lowest.of_nodes, self.n + split)
        square, span = self._interval(low, at(rooms, split), at(self.resonant, split))
        ends = at(self.overall[0], split), at(self.overall[1], split)
        return Limits(square, span, ends)

    def shape(self, split: Int[Array, ""]) -> Shape:
        """How s of one split is distributed."""
        return shape_of(self.row, split, at(self.masses, split), at(self.widths, split))

    def momenta(self, drawn: OfSplits, spare: OfSplits, lowest: Lowest) -> OfSplits:
        """Momenta of both nodes that each split makes in its rest frame, GeV; all are drawn."""
        first, second = (lowest.of_nodes[self.row.children[:, k]] for k in (0, 1))
        gap = jnp.maximum(self.left(drawn, spare, lowest), _SMALLEST * drawn)
        kallen = gap * (gap + 2.0 * first) * (gap + 2.0 * second) * (drawn + first + second)
        return jnp.sqrt(kallen) / (2.0 * drawn)

    def draw_all(self, u: Float[Array, "drawn events"]) -> tuple[OfSplits, OfSplits, PerEvent]:
        """Masses of all splits, what each may spare, and the product of all ds/du."""
        shape = self.n - 1, u.shape[-1]
        drawn = jnp.broadcast_to(self.total, shape)
        spare = jnp.broadcast_to(self.spare, shape)
        jacobian = jnp.ones(u.shape[-1])
        smallest = (_SMALLEST * self.total) ** 2
        for stage in range(self.n - 2):
            split = jnp.asarray(self.row.order)[stage]
            lowest = self.lowest(drawn, stage)
            rooms = self._rooms(drawn, spare, lowest, stage)
            limits = self.limits(split, lowest, rooms)
            x, ds_du = self.shape(split).forward(u[stage], limits)
            jacobian = jacobian * ds_du
            # Not jnp.clip: it compares x with its result to find the derivative, which is lost
            # where XLA computes x again and rounds it another way.
            x = jnp.where(x < limits.span, x, limits.span)
            x = jnp.where(x > smallest, x, smallest)
            mass = jnp.sqrt(limits.low + x)
            low = at(lowest.of_nodes, self.n + split)
            gap = lax.stop_gradient(x / (mass + low))
            excess = lax.stop_gradient(self.excess(lowest))
            payer = jnp.asarray(self.row.payer)[split]
            left = at(spare, payer) - self._price(split, gap, excess)
            spare = put(spare, payer, left)
            spare = put(spare, split, gap + at(excess, split))
            drawn = put(drawn, split, mass)
        return drawn, spare, jacobian

    def undraw_all(
        self, drawn: OfSplits, sizes: OfSplits
    ) -> tuple[Float[Array, "drawn events"], PerEvent, Bool[Array, " events"]]:
        """u of all invariants, the product of all ds/du, and what windows and cuts let through.

        drawn: masses; sizes: momenta of what they make, GeV. Undrawn in reverse, each invariant
        finds what was left to it as a sum of positive terms.
        """
        n, row = self.n, self.row
        final = self.lowest(drawn, n)
        children = final.of_nodes[jnp.asarray(row.children)]
        spare = _kinetic(sizes, children[:, 0]) + _kinetic(sizes, children[:, 1])
        s, rounding = drawn**2, _ROUNDING * self.total**2
        high = jnp.where(self.bounded[:, None], self.cap, jnp.inf)
        reached = jnp.all((s >= self.floor**2 - rounding) & (s <= high**2 + rounding), axis=0)
        jacobian = jnp.ones(drawn.shape[-1])
        found = []
        for stage in reversed(range(n - 2)):
            split = jnp.asarray(row.order)[stage]
            lowest = self.lowest(drawn, stage)
            excess = self.excess(lowest)
            gap = at(spare, split) - at(excess, split)
            payer = jnp.asarray(row.payer)[split]
            spare = put(spare, payer, at(spare, payer) + self._price(split, gap, excess))
            x = gap * (at(drawn, split) + at(lowest.of_nodes, n + split))
            limits = self.limits(split, lowest, self._rooms(drawn, spare, lowest, stage))
            u, ds_du = self.shape(split).inverse(jnp.clip(x, 0.0, limits.span), limits)
            found.append(jnp.clip(u, 0.0, 1.0))
            jacobian = jacobian * ds_du
        u = jnp.stack(found[::-1]) if found else jnp.zeros((0, drawn.shape[-1]))
        return u, jacobian, reached

    def _rooms(self, drawn: OfSplits, spare: OfSplits, lowest: Lowest, stage: int) -> OfSplits:
        """By how much splits may be heavier than their smallest masses."""
        n, row = self.n, self.row
        known = (jnp.asarray(row.rank) < stage)[:, None]
        left, excess = self.left(drawn, spare, lowest), self.excess(lowest)
        above = self.cap - lowest.of_nodes[n:]
        rooms = jnp.broadcast_to(left, (n - 1, *drawn.shape[1:]))
        for split in range(1, n - 1):
            mother = row.parent[split]
            open_ = at(rooms, mother) + at(excess, mother)
            given = jnp.where(at(known, mother), at(left, mother), open_)
            rooms = rooms.at[split].set(jnp.minimum(given, above[split]))
        return rooms

    def _interval(
        self, low: Elementwise, room: Elementwise, resonant: Bool[Array, "..."]
    ) -> tuple[Elementwise, Elementwise]:
        """The lower limit of s and its range."""
        room = jnp.maximum(room, _SMALLEST * self.total)
        span = room * (room + 2.0 * low)
        least = jnp.where(resonant, _RESOLUTION * self.total * self.total, 0.0)
        return low * low, jnp.maximum(span, least)

    def _price(self, split: Int[Array, ""], gap: PerEvent, excess: OfSplits) -> PerEvent:
        """What the payer gives for a gap above the smallest mass."""
        between = jnp.asarray(self.row.between)[split]
        spared = jnp.sum(jnp.where(between[:, None], excess, 0.0), axis=0)
        return jnp.where(jnp.any(between), jnp.maximum(gap - spared, 0.0), gap)

    def _root_pt(self) -> tuple[Bool[Array, ""], Number]:
        """Whether a particle that the root makes has a bound on pT, and this, or any number."""
        pt = jnp.asarray(self.row.root_pt)
        limited = pt > 0.0
        return limited, jnp.where(limited, pt, 1.0)

    def _least_energy(self, lowest: Lowest) -> PerEvent:
        """Of both nodes that the root makes, with that pT."""
        limited, pt = self._root_pt()
        first, second = (jnp.sqrt(at(lowest.of_nodes, k) ** 2 + pt * pt) for k in self._root)
        return jnp.where(limited, first + second, 0.0)

    def _left_by_pt(self, lowest: Lowest) -> OfSplits:
        """Energy conservation with the transverse masses of both nodes of the root, one of which is
        a particle with a bound on pT; inf for all that it says nothing about."""
        limited, pt = self._root_pt()
        masses = [at(lowest.of_nodes, k) for k in self._root]
        number = jnp.arange(self.n - 1)[:, None] + self.n
        caps = jnp.full((self.n - 1, masses[0].shape[-1]), jnp.inf)
        for own, other in (self._root, masses[1]), (self._root[::-1], masses[0]):
            left = self.total - jnp.sqrt(other * other + pt * pt)
            cap = safe_sqrt((left - pt) * (left + pt))
            caps = jnp.where(limited & (number == own[0]), cap, caps)
        return caps

    @property
    def _root(self) -> tuple[Int[Array, ""], Int[Array, ""]]:
        first, second = self.row.children[0]
        return first, second


def floor_and_cap(
    row: Row, masses: Float[Table, " splits"], widths: Float[Table, " splits"]
) -> tuple[Float[Array, " splits"], Float[Array, " splits"]]:
    """What windows and cuts ask of the masses of all splits at least and at most, GeV."""
    window, low, high = map(jnp.asarray, (row.window, row.minimum, row.maximum))
    has_window = jnp.isfinite(window)
    reach = jnp.where(has_window, window, 0.0) * widths
    floor = jnp.where(has_window, jnp.maximum(masses - reach, low), low)
    return floor, jnp.where(has_window, jnp.minimum(masses + reach, high), high)


def least_mass(
    row: Row, masses: Float[Table, " n_final"], floor: Float[Table, " splits"]
) -> Float[Array, ""]:
    """The smallest mass of all final particles together, GeV; masses: of each of them, floor: of
    all splits, see `floor_and_cap`. What decays in a window has more than its products need."""
    n = row.n_final
    nodes = jnp.concatenate([jnp.asarray(masses), jnp.asarray(floor)])
    for split in reversed(range(n - 1)):
        first, second = row.children[split]
        nodes = nodes.at[n + split].max(at(nodes, first) + at(nodes, second))
    return nodes[n]


def shape_of(row: Row, split: Int[Array, ""] | int, mass: Number, width: Number) -> Shape:
    """How s of one split is distributed; mass and width (GeV): of its resonance."""
    columns = row.shape, row.power, row.bodies, row.tails
    number, power, bodies, tails = (jnp.asarray(column)[split] for column in columns)
    return Shape(number, mass, width, power, bodies, tails)


def _chosen(values: Float[Table, " k"], index: Int[Table, " splits"]) -> Float[Array, " splits"]:
    """values[index], 0 where the index is -1."""
    found: Array = jnp.append(jnp.asarray(values, float), 0.0)[jnp.asarray(index)]
    return found


def _kinetic(size: OfSplits, mass: OfSplits) -> OfSplits:
    """Kinetic energy for a momentum, to relative precision."""
    square = size * size
    return safe_divide(square, jnp.sqrt(square + mass * mass) + mass)
