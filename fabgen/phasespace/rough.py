"""Densities of many channels, roughly: each propagator and each angle by itself, once for all.

A row draws invariants in limits that depend on those drawn before, so that its density is that of
the whole row. Here every invariant has the loosest limits that masses and cuts leave, and the
density of a channel is a product of factors that most channels share:

    drawn invariants    du/ds of the distribution that the row draws s with
    decays              8 pi / beta, beta = sqrt(lambda(s, s_1, s_2))/s, isotropic
    scatterings         8 pi sqrt(lambda(s, q^2, p^2)) du/dt, from the power law in t in the range
                        that masses and cuts on both products leave

and a point costs each factor once: the 116 channels of g g > t t~ g g have 109 of them, all short.
What cuts do to the angles of decays is left out. For weights of channels this is good enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from fabgen.arrays import Number, PerEvent, Table

from .invariants import Limits, Shape, regulated, undo_power_law
from .mapping import Kinematics

#: Smallest lambda(s, a, b) relative to s^2, and smallest range of w.
_SMALLEST = 1e-12
_LEFT = 1e-9

Squares = Float[Array, "nodes events"]


class Drawn(NamedTuple):
    """Invariants with their distributions; GeV."""

    node: Int[Table, "*rows"]
    shape: Int[Table, "*rows"]
    resonance: Int[Table, "*rows"]  #: its number, or -1
    mass: Float[Table, "*rows"]  #: of the resonance
    width: Float[Table, "*rows"]
    power: Float[Table, "*rows"]
    bodies: Float[Table, "*rows"]
    tails: Float[Table, "*rows 2"]
    low: Float[Table, "*rows"]  #: smallest mass
    cap: Float[Table, "*rows"]  #: largest mass, from cuts and windows
    others: Float[Table, "*rows"]  #: masses of all other final particles together


class Scatterings(NamedTuple):
    """Of q off the beam p into two nodes, GeV; t = (q - first)^2."""

    node: Int[Table, "*rows"]  #: (q + p)^2
    virtual: Int[Table, "*rows"]  #: q^2
    transfer: Int[Table, "*rows"]  #: t
    products: Int[Table, "*rows 2"]
    from_second: Int[Table, "*rows"]  #: whether q comes of the second beam, and p is the first
    exchanged: Int[Table, "*rows"]  #: the number of what is exchanged, or -1
    mass: Float[Table, "*rows"]  #: of that
    power: Float[Table, "*rows"]
    pt: Float[Table, "*rows 2"]
    shrink: Float[Table, "*rows 2"]
    is_first: Int[Table, "*rows"]  #: whether q is a beam


class RoughTable(NamedTuple):
    """The factors of all channels of a component, or of several (the first axis).

    sums (sums, 2 + n_final): signs of beams and final particles in momenta. Nodes are numbers of
    squares: of the final particles and the beams alone, of all together, then of the sums. splits:
    a node and both that it decays to. terms (terms, channels): the numbers of the factors of each
    channel: drawn invariants, then decays, then scatterings; beyond them all, none. first: the
    number of the first channel of a component, n_channels: how many it has.
    """

    sums: Float[Table, "*components sums legs"]
    drawn: Drawn
    splits: Int[Table, "*components rows 3"]
    scatterings: Scatterings
    terms: Int[Table, "*components terms channels"]
    first: Int[Table, "*components"]
    n_channels: Int[Table, "*components"]

    def component(self, number: Int[Array, ""] | int) -> RoughTable:
        """One of them."""
        found: RoughTable = jax.tree.map(lambda column: jnp.asarray(column)[number], self)
        return found


def rough_densities(
    table: RoughTable, final: Float[Array, "n_final 4 events"], kinematics: Kinematics
) -> Float[Array, "channels events"]:
    """log g_i (channels, events) up to a constant, -inf beyond the last channel.

    table: of one component. final (n_final, 4, events): in the rest frame of the beams, GeV.
    """
    squares = _squares(table, final, kinematics)

    def drawn(row: Drawn) -> PerEvent:
        return _of_drawn(row, squares, kinematics)

    def split(row: Int[Array, " 3"]) -> PerEvent:
        s, a, b = squares[row[0]], squares[row[1]], squares[row[2]]
        return jnp.log(s) - 0.5 * jnp.log(_kallen(s, a, b))

    def scattering(row: Scatterings) -> PerEvent:
        return _of_scattering(row, squares, kinematics)

    rows: list[tuple[Any, Any]] = [
        *((drawn, table.drawn), (split, table.splits), (scattering, table.scatterings))
    ]
    found = [jax.lax.map(jax.checkpoint(own), jax.tree.map(jnp.asarray, of)) for own, of in rows]
    logs = jnp.concatenate([*found, jnp.zeros((1, final.shape[-1]))])

    def add(total: Array, term: Int[Array, " channels"]) -> tuple[Array, None]:
        return total + logs[term], None

    start = jnp.zeros((table.terms.shape[-1], final.shape[-1]))
    total = jax.lax.scan(add, start, jnp.asarray(table.terms))[0]
    known = jnp.arange(len(total)) < table.n_channels
    return jnp.where(known[:, None], total, -jnp.inf)


def _squares(
    table: RoughTable, final: Float[Array, "n_final 4 events"], kinematics: Kinematics
) -> Squares:
    """p^2 of all nodes, GeV^2."""
    n = final.shape[-1]
    masses = jnp.asarray(kinematics.masses, float)
    total = jnp.broadcast_to(jnp.asarray(kinematics.sqrt_s), (n,))
    incoming = jnp.asarray(kinematics.incoming_masses, float)
    first, second = incoming if incoming.shape[0] == 2 else jnp.zeros(2)
    ahead = 0.5 * (total + (first - second) * (first + second) / total)
    z = jnp.sqrt(jnp.maximum((ahead - first) * (ahead + first), 0.0))
    zero = jnp.zeros(n)
    beams = jnp.stack([
        jnp.stack([ahead, zero, zero, z]), jnp.stack([total - ahead, zero, zero, -z])
    ])  # fmt: skip
    momenta = jnp.concatenate([beams, final])
    sums = jnp.tensordot(jnp.asarray(table.sums), momenta, axes=1)
    energy, x, y, z = (sums[:, k] for k in range(4))
    alone = jnp.concatenate([masses, jnp.stack([first, second])]) ** 2
    return jnp.concatenate([
        jnp.broadcast_to(alone[:, None], (len(alone), n)),
        (total * total)[None],
        (energy - z) * (energy + z) - x * x - y * y,
    ])  # fmt: skip


def _of_drawn(row: Drawn, squares: Squares, kinematics: Kinematics) -> PerEvent:
    """log(du/ds) in the loosest limits."""
    total = jnp.asarray(kinematics.sqrt_s)
    low = row.low * row.low
    high = jnp.minimum(total - row.others, row.cap)
    span = jnp.maximum(high * high - low, _SMALLEST * total * total)
    x = jnp.clip(squares[row.node] - low, 0.0, span)
    numbers = map(jnp.asarray, (row.mass, row.width, row.power, row.bodies, row.tails))
    shape = Shape(jnp.asarray(row.shape), *numbers)
    return -jnp.log(shape.inverse(x, Limits(jnp.asarray(low), span))[1])


def _of_scattering(row: Scatterings, squares: Squares, kinematics: Kinematics) -> PerEvent:
    """log(sqrt(lambda) du/dt) in the range that masses and cuts leave (`Pair.span`)."""
    s, virtual, t = squares[row.node], squares[row.virtual], squares[row.transfer]
    products = squares[row.products]
    incoming = jnp.asarray(kinematics.incoming_masses, float)
    beam = incoming[1 - row.from_second] ** 2
    mass = jnp.asarray(row.mass)
    before, after = _kallen(s, virtual, beam), _kallen(s, products[0], products[1])
    full = jnp.sqrt(before * after) / s
    across = (s + virtual - beam) * (s + products[0] - products[1]) / (2.0 * s)
    nearest = across - 0.5 * full - virtual - products[0]
    low, width = _range(row, s, virtual, beam, products, nearest, full, kinematics)
    start, span = mass * mass + nearest + full * low, full * width
    lowest, power = regulated(start, jnp.maximum(start, 0.0) + span), jnp.asarray(row.power)
    x = jnp.clip(mass * mass - t - start, 0.0, span)
    return 0.5 * jnp.log(before) - jnp.log(undo_power_law(x, lowest, span, power)[1])


def _range(
    row: Scatterings,
    s: PerEvent,
    virtual: PerEvent,
    beam: Number,
    products: Float[Array, "2 events"],
    nearest: PerEvent,
    full: PerEvent,
    kinematics: Kinematics,
) -> tuple[PerEvent, PerEvent]:
    """The smallest w = (1 - cos theta)/2 and the width of its range (`Products.polar_range`,
    `Pair._range`)."""
    total, energy = jnp.asarray(kinematics.sqrt_s), jnp.sqrt(s)
    size = jnp.sqrt(_kallen(s, products[0], products[1])) / (2.0 * energy)
    slow = products / (jnp.sqrt(size * size + products) + size)
    lowest, highest = (jnp.asarray(boost) for boost in kinematics.boosts)
    turned = row.from_second == 1
    lowest, highest = jnp.where(turned, -highest, lowest), jnp.where(turned, -lowest, highest)
    front = row.shrink[:, None] * jnp.exp(2.0 * lowest)
    back = row.shrink[:, None] * jnp.exp(-2.0 * highest)
    # of beams in their rest frame: pT and rapidity limit the angle itself
    ratio = jnp.minimum(jnp.max(row.pt) / size, 1.0)
    by_pt = 0.5 * ratio * ratio / (1.0 + jnp.sqrt((1.0 - ratio) * (1.0 + ratio)))
    by_front, by_back = (
        jnp.clip((shrink - 0.5 * (slow / size) * (1.0 - shrink)) / (1.0 + shrink), 0.0, 1.0)
        for shrink in (front, back)
    )
    first = jnp.maximum(by_pt, jnp.maximum(by_front[0], by_back[1]))
    last = jnp.maximum(by_pt, jnp.maximum(by_back[0], by_front[1]))
    # elsewhere: what each product takes from the beam p at least
    least = jnp.sqrt(products + row.pt[:, None] ** 2)
    taken = total * jnp.maximum(least * jnp.sqrt(back), least * least / total)
    low = (taken[1] - beam - products[1] - nearest) / full
    slowest = (s + beam - virtual) / energy * slow[0]
    high = 1.0 - jnp.maximum((taken[0] - slowest) / full, 0.0)
    at_beams, is_cut = row.is_first == 1, jnp.any(row.pt > 0.0) | jnp.any(row.shrink > 0.0)
    low = jnp.where(at_beams, first, jnp.clip(low, 0.0, 1.0 - _LEFT))
    high = jnp.where(at_beams, 1.0 - last, high)
    # Masses alone bound nothing that is not zero anyway.
    low, high = jnp.where(is_cut, low, 0.0), jnp.where(is_cut, high, 1.0)
    return low, jnp.maximum(high - low, _LEFT * (1.0 - low))


def _kallen(s: PerEvent, a: PerEvent, b: Number) -> PerEvent:
    return jnp.maximum((s - a - b) ** 2 - 4.0 * a * b, _SMALLEST * s * s)
