"""The channels of all components as one table: the arguments of the programs that map them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.arrays import PerEvent, Table, array_module
from fabgen.beams import Beams, Collision, Limits
from fabgen.integrand.component import Component, first_channels
from fabgen.model import ZERO
from fabgen.phasespace.mapping import Kinematics
from fabgen.phasespace.mapping import Mapping as PhaseSpaceMap
from fabgen.phasespace.ranges import floor_and_cap, least_mass, shape_of
from fabgen.phasespace.row import Row, padded
from fabgen.phasespace.splits import Kind
from fabgen.phasespace.tree_map import TreeMap

#: The static part of the maps: the kind of rows, or the one map of all channels.
StaticMap = Kind | PhaseSpaceMap


class ChannelTable(NamedTuple):
    """All channels (the first axis), or one. GeV.

    rows: None where the map has none. incoming: masses of the incoming legs of |M|^2; final: of the
    others. resonances, widths, exchanged: of the propagators by number of the split. turned:
    whether |M|^2 has the beams in the other order; both: whether some of its subprocesses have one
    order and some the other. least_energy, most_energy, rapidity: see `Component`. first,
    siblings: the number of the first channel of the same component, and how many that has.
    """

    rows: Row | None
    incoming: Float[Table, "*channels n_initial"]
    final: Float[Table, "*channels n_final"]
    resonances: Float[Table, "*channels splits"]
    widths: Float[Table, "*channels splits"]
    exchanged: Float[Table, "*channels splits"]
    turned: Bool[Table, "*channels"]
    both: Bool[Table, "*channels"]
    least_energy: Float[Table, "*channels"]
    most_energy: Float[Table, "*channels"]
    rapidity: Float[Table, "*channels"]
    first: Int[Table, "*channels"]
    siblings: Int[Table, "*channels"]

    @classmethod
    def of(cls, components: Sequence[Component], derived: Mapping[str, Any]) -> ChannelTable:
        """That of the components at one set of the model's parameters: in NumPy's arrays where
        these are numbers."""
        firsts = first_channels(components)
        parts = [_of_component(*part, derived) for part in zip(components, firsts, strict=True)]
        leaves = [jax.tree.leaves(part) for part in parts]
        columns = zip(*leaves, strict=True)
        joined = [padded(array_module(column).concatenate(column)) for column in columns]
        table: ChannelTable = jax.tree.unflatten(jax.tree.structure(parts[0]), joined)
        return table

    def channel(self, number: Int[Array, ""] | int) -> ChannelTable:
        """One of them."""
        found: ChannelTable = jax.tree.map(lambda column: jnp.asarray(column)[number], self)
        return found

    @property
    def beam_masses(self) -> Float[Array, " n_initial"]:
        """Of one channel: masses in the order of the beams, (n_initial,)."""
        return jnp.where(self.turned, self.incoming[::-1], self.incoming)

    @property
    def limits(self) -> Limits:
        """Of one channel: what the beams need to know of it."""
        columns = self.least_energy, self.most_energy, self.rapidity, self.final
        least, most, rapidity, final = map(jnp.asarray, columns)
        if len(final) == 1:  # on its mass shell
            return Limits(final[0], rapidity=rapidity)
        if self.rows is None:
            return Limits(least, most, rapidity)
        masses, widths = jnp.asarray(self.resonances), jnp.asarray(self.widths)
        floor, cap = floor_and_cap(self.rows, masses, widths)
        least = jnp.maximum(least, least_mass(self.rows, final, floor))
        most = jnp.minimum(most, cap[0])
        return Limits(least, most, rapidity, shape_of(self.rows, 0, masses[0], widths[0]))

    def collide(
        self, beams: Beams, u: Float[Array, "{beams.dim} events"]
    ) -> tuple[Collision, PerEvent]:
        """Of one channel: collisions at u (beams.dim, events), log of their Jacobian."""
        return beams.collide(u, tuple(self.beam_masses), self.limits)

    def kinematics(self, collision: Collision) -> Kinematics:
        """Of one channel, what its map needs; collision: in the order of the beams."""
        boost = _of_all(collision.rapidity)
        boost = jnp.where(self.turned, -boost, boost)
        size = jnp.abs(boost)
        return Kinematics(
            _of_all(collision.sqrt_s),
            jnp.asarray(self.final),
            jnp.asarray(self.resonances),
            jnp.asarray(self.widths),
            self.exchanged,
            self.incoming,
            (jnp.where(self.both, -size, boost), jnp.where(self.both, size, boost)),
        )


def map_keys(table: ChannelTable, n_channels: int) -> list[Hashable]:
    """Of each channel what its map is, but for the collision: equal where points u of the cube
    stand for the same momenta, up to the order of the beams. table: of numbers."""
    columns: Any = table.incoming, table.final, table.resonances, table.widths, table.exchanged
    columns += table.least_energy, table.most_energy, table.rapidity, *(table.rows or ())
    return [tuple(np.asarray(c[k]).tobytes() for c in columns) for k in range(n_channels)]


def static_map(components: Sequence[Component]) -> StaticMap:
    """The one program that maps all channels."""
    maps = [channel.mapping for component in components for channel in component.channels]
    kinds = [mapping.kind for mapping in maps if isinstance(mapping, TreeMap)]
    if not kinds:
        return maps[0]
    return Kind(
        kinds[0].n_final, any(kind.ladder for kind in kinds), any(kind.cut for kind in kinds)
    )


def _of_component(component: Component, number: int, derived: Mapping[str, Any]) -> ChannelTable:
    used = component.widths.used(derived)
    first, n = component.channels[0], len(component.channels)
    maps = [channel.mapping for channel in component.channels]
    trees = [mapping.row for mapping in maps if isinstance(mapping, TreeMap)]
    rows = Row(*map(np.stack, zip(*trees, strict=True))) if trees else None

    def of_splits(names: Sequence[str], index: Table | None) -> Any:
        if index is None:
            return np.zeros((n, 0))
        values = values_by_name(used, [*names, ZERO])
        return values[index]  # -1: the last one, a zero

    def of_all(names: Sequence[str]) -> Any:
        values = values_by_name(used, names)
        return array_module([values]).broadcast_to(values, (n, len(names)))

    resonance, exchanged = (rows.resonance, rows.exchanged) if rows else (None, None)
    return ChannelTable(
        _by_split(rows) if rows else None,
        of_all(component.masses[: component.n_initial]),
        of_all(component.masses[component.n_initial :]),
        of_splits([mass for mass, _ in first.resonances], resonance),
        of_splits([width for _, width in first.resonances], resonance),
        of_splits(first.exchanged, exchanged),
        np.full(n, component.orders == (True,)),
        np.full(n, len(component.orders) == 2),
        np.full(n, component.least_energy),
        np.full(n, component.most_energy),
        np.full(n, component.rapidity),
        np.full(n, number),
        np.full(n, n),
    )


def _by_split(rows: Row) -> Row:
    """Rows whose propagators have the numbers of their splits."""
    number = np.arange(rows.parent.shape[-1])
    return rows._replace(
        resonance=np.where(rows.resonance < 0, -1, number),
        exchanged=np.where(rows.exchanged < 0, -1, number),
    )


def values_by_name(derived: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Real parameters by their names, (n,), ZERO included."""
    values = [0.0 if name == ZERO else derived[name] for name in names]
    xp = array_module(values)
    return xp.stack([xp.asarray(value, dtype=float) for value in values]) if values else np.zeros(0)


def _of_all(values: Float[Array, " #events"]) -> PerEvent:
    """(events,), or one number that holds for all of them."""
    return values[0] if values.shape[-1] == 1 else values
