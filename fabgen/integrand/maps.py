"""From the unit cubes of all channels to phase space, and back.

Channels are rows of one table (`integrand.table`) and arguments of one program, which runs in
blocks of points of one channel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from fabgen.arrays import PerEvent
from fabgen.beams import Beams, Collision
from fabgen.blocks import in_blocks
from fabgen.dispatch import dispatch
from fabgen.integrand.component import Component
from fabgen.integrand.point import Channels, MapPrograms, PhaseSpacePoints
from fabgen.integrand.table import ChannelTable, StaticMap
from fabgen.phasespace.forward import forward
from fabgen.phasespace.inverse import inverse
from fabgen.phasespace.mapping import Kinematics
from fabgen.phasespace.rough import RoughTable, rough_densities
from fabgen.phasespace.splits import Kind

#: Events of a block of densities, whose numbers stay in the cache of a core.
BLOCK = 512


class ChannelId(NamedTuple):
    """A channel: the number of its component, and its own there."""

    component: int
    local: int


def channel_ids(components: tuple[Component, ...]) -> tuple[ChannelId, ...]:
    """All channels, component by component."""
    return tuple(
        ChannelId(number, local)
        for number, component in enumerate(components)
        for local in range(len(component.channels))
    )


class Maps(NamedTuple):
    """The maps of all channels: what is static, how many there are, and their table."""

    static: StaticMap
    n_channels: int
    table: ChannelTable
    beams: Beams
    #: whether all channels are of one component
    single: bool = False
    #: what densities are found from roughly, or None: as they are
    rough: RoughTable | None = None
    #: whether blocks of channels without any point are left out: not where gradients are asked for
    used_only: bool = False

    def place(self, u: Float[Array, "dim events"], channel: Channels) -> PhaseSpacePoints:
        """The points u (dim, events) of channels (events,), or one for all, in phase space."""
        n_beams = self.beams.dim

        def run(
            own: ChannelTable, v: Float[Array, "dim events"]
        ) -> tuple[Float[Array, "n_final 4 events"], Collision, Float[Array, " events"]]:
            collision, log_beams = own.collide(self.beams, v[:n_beams])
            final, log_jacobian = self._forward(own, v[n_beams:], own.kinematics(collision))
            log_jacobian = jnp.broadcast_to(log_jacobian + log_beams, v.shape[1:])
            return final, collision.of_events(v.shape[1]), log_jacobian

        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=0)
        final, collision, log_jacobian = self._by_channel(run, channel, jnp.clip(u, 0.0, 1.0))
        channel = jnp.broadcast_to(jnp.asarray(channel, jnp.int32), inside.shape)
        return PhaseSpacePoints(
            final, collision, channel, jnp.where(inside, log_jacobian, -jnp.inf)
        )

    def undo(
        self,
        final: Float[Array, "n_final 4 events"],
        collision: Collision,
        channel: Channels,
    ) -> tuple[Float[Array, "dim events"], Float[Array, " events"]]:
        """u (dim, events) and log(dPhi/du) of final momenta (n_final, 4, events)."""

        def run(
            own: ChannelTable, points: tuple[Float[Array, "n_final 4 events"], Collision]
        ) -> tuple[Float[Array, "dim events"], Float[Array, " events"]]:
            final, collision = points
            u_beams, log_beams = self._separate(own, collision)
            kinematics = own.kinematics(self._seen(own, collision))
            u, log_jacobian = self._inverse(own, final, kinematics)
            return jnp.concatenate([u_beams, u]), log_jacobian + log_beams

        points = final, collision.of_events(final.shape[-1])
        found: tuple[Array, Array] = self._by_channel(run, channel, points)
        return found

    def log_densities(
        self,
        final: Float[Array, "n_final 4 events"],
        collision: Collision,
        first: int,
        n: int,
    ) -> Float[Array, "channels events"]:
        """log g_i (n, events) in GeV^(4 - 2 n_final) of n channels at final momenta (n_final, 4,
        events); -inf where a channel does not reach. collision: in the order of the beams."""
        given = final, collision.of_events(final.shape[-1])
        if self.rough is not None:
            (number,) = np.flatnonzero(np.asarray(self.rough.first) == first)
            roughly: Array = in_blocks(
                lambda block: self._roughly(int(number), *block), BLOCK, given
            )
            return roughly[:n]

        def of_block(
            points: tuple[Float[Array, "n_final 4 events"], Collision],
        ) -> Float[Array, "channels events"]:
            def log_density(number: Int[Array, ""]) -> Float[Array, " events"]:
                return self._log_density(number, *points)

            rows: Array = jax.lax.map(jax.checkpoint(log_density), first + jnp.arange(n))
            return rows

        found: Array = in_blocks(of_block, BLOCK, given)
        return found

    def log_densities_of_siblings(
        self, points: PhaseSpacePoints
    ) -> Float[Array, "channels events"]:
        """log g_i of the channels of the component of each point, -inf beyond; no derivatives."""
        assert points.collision is not None

        def of_block(
            first: Int[Array, ""] | int, final: Float[Array, "n_final 4 events"], given: Collision
        ) -> Float[Array, "channels events"]:
            if self.rough is not None:
                firsts = jnp.asarray(self.rough.first)
                number = jnp.searchsorted(firsts, first, side="right") - 1
                return self._roughly(number, final, given)

            def step(k: Int[Array, ""], found: Array) -> Array:
                return found.at[k].set(self._log_density(first + k, final, given))

            start = jnp.full((self.n_channels, final.shape[-1]), -jnp.inf)
            siblings = self.table.channel(first).siblings
            found: Array = jax.lax.fori_loop(0, siblings, step, start)
            return found

        if self.single:
            given = points.final, points.collision
            found: Array = in_blocks(lambda block: of_block(0, *block), BLOCK, given)
            return found
        first = jnp.asarray(self.table.first)[points.channel]
        found = dispatch(
            of_block,
            first,
            self.n_channels,
            points.final,
            points.collision,
            block=BLOCK,
            events_last=True,
            used_only=True,
            by_event=True,
        )
        return found

    def _log_density(
        self, number: Int[Array, ""], final: Float[Array, "n_final 4 events"], given: Collision
    ) -> Float[Array, " events"]:
        own = self.table.channel(number)
        log_jacobian = self._inverse(own, final, own.kinematics(self._seen(own, given)))[1]
        if self.beams.dim:
            log_jacobian += self._separate(own, given)[1]
        return jnp.broadcast_to(-log_jacobian, final.shape[-1:])

    def _separate(
        self, own: ChannelTable, collision: Collision
    ) -> tuple[Float[Array, "{self.beams.dim} events"], PerEvent]:
        """Variables of the beams and the log of their Jacobian; +inf where a channel has none."""
        u, log_jacobian = self.beams.separate(collision, own.limits)
        return u, jnp.where(log_jacobian == -jnp.inf, jnp.inf, log_jacobian)

    def _roughly(
        self,
        component: Int[Array, ""] | int,
        final: Float[Array, "n_final 4 events"],
        given: Collision,
    ) -> Float[Array, "channels events"]:
        """Rough log g_i of the channels of a component, up to a constant."""
        assert self.rough is not None
        table = self.rough.component(component)
        own = self.table.channel(jnp.asarray(table.first))
        return rough_densities(table, final, own.kinematics(self._seen(own, given)))

    def _seen(self, own: ChannelTable, collision: Collision) -> Collision:
        """Collisions of one channel; of fixed beams one for all events."""
        if self.beams.dim:
            return collision
        return own.collide(self.beams, jnp.zeros((0, 1)))[0]

    def _forward(
        self, own: ChannelTable, u: Float[Array, "dim events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "n_final 4 events"], PerEvent]:
        if isinstance(self.static, Kind):
            assert own.rows is not None
            return forward(self.static, u, own.rows, kinematics)
        return self.static.forward(u, kinematics)

    def _inverse(
        self, own: ChannelTable, final: Float[Array, "n_final 4 events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "dim events"], PerEvent]:
        if isinstance(self.static, Kind):
            assert own.rows is not None
            return inverse(self.static, final, own.rows, kinematics)
        return self.static.inverse(final, kinematics)

    def _by_channel(
        self, function: Callable[[ChannelTable, Any], Any], channel: Channels, points: Any
    ) -> Any:
        """function(channel, points) with the channels of points, events last."""

        @jax.checkpoint  # else all that a block computes is kept for the gradient of the loop
        def one(number: Int[Array, ""] | int, block: Any) -> Any:
            return function(self.table.channel(number), block)

        if isinstance(channel, int):
            return one(channel, points)
        used = self.used_only
        if self.n_channels == 1:
            return in_blocks(functools.partial(one, 0), BLOCK, points)
        return dispatch(
            one,
            channel,
            self.n_channels,
            points,
            events_last=True,
            used_only=used,
            by_event=True,
        )


def map_programs(maps: Maps) -> MapPrograms:
    """The maps of a process; all that is its own are the table of channels and the beams."""
    static, single, n_rows = maps.static, maps.single, len(maps.table.first)
    beams = maps.beams.with_numbers((0.0,) * len(maps.beams.numbers))

    def bound(arguments: Any) -> Maps:
        table, numbers, rough = arguments
        own = beams.with_numbers(numbers)
        return Maps(static, n_rows, table, own, single, rough, used_only=True)

    def place(u: Array, channel: Array, arguments: Any) -> PhaseSpacePoints:
        return bound(arguments).place(u.T, channel)

    def densities(points: PhaseSpacePoints, arguments: Any) -> Array:
        return bound(arguments).log_densities_of_siblings(points)

    return MapPrograms(place, densities, (maps.table, maps.beams.numbers, maps.rough))
