"""From the unit cubes of all channels to phase space, and back.

A map is compiled once for its class (`phasespace.classes`), and runs in blocks of points of one
channel.
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

from fabgen.beams import Collision
from fabgen.dispatch import dispatch
from fabgen.integrand.component import BoundComponents, Component
from fabgen.integrand.kinematics import ComponentNumbers, has_massive_beams
from fabgen.integrand.point import Channels, PhaseSpacePoints
from fabgen.phasespace.classes import Members, class_of
from fabgen.phasespace.mapping import Mapping as PhaseSpaceMap
from fabgen.phasespace.mapping import forward, inverse


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


def place(
    u: Float[Array, "dim events"], channel: Channels, bound: BoundComponents
) -> PhaseSpacePoints:
    """The points u (dim, events) of channels (events,), or one for all, in phase space."""
    n_beams = bound.beams.dim

    def run(
        mapping: MapClass,
        v: Float[Array, "dim events"],
        member: Members,
        numbers: ComponentNumbers,
    ) -> tuple[Float[Array, "n_final 4 events"], Collision, Float[Array, " events"]]:
        collision, log_beams = numbers.collide(bound.beams, v[:n_beams])
        kinematics = member.of_class(numbers.kinematics(collision, mapping.massive_beams))
        final, log_jacobian = forward(mapping.mapping, v[n_beams:], kinematics)
        log_jacobian = jnp.broadcast_to(log_jacobian + log_beams, v.shape[1:])
        return final[member.order], collision.of_events(v.shape[1]), log_jacobian

    inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=0)
    final, collision, log_jacobian = _in_classes(run, channel, bound, jnp.clip(u, 0.0, 1.0))
    channel = jnp.broadcast_to(jnp.asarray(channel, jnp.int32), inside.shape)
    return PhaseSpacePoints(final, collision, channel, jnp.where(inside, log_jacobian, -jnp.inf))


def undo(
    final: Float[Array, "n_final 4 events"],
    collision: Collision,
    channel: Channels,
    bound: BoundComponents,
) -> tuple[Float[Array, "dim events"], Float[Array, " events"]]:
    """u (dim, events) and log(dPhi/du) of final momenta (n_final, 4, events): undoes `place`."""

    def run(
        mapping: MapClass,
        points: tuple[Float[Array, "n_final 4 events"], Collision],
        member: Members,
        numbers: ComponentNumbers,
    ) -> tuple[Float[Array, "dim events"], Float[Array, " events"]]:
        final, collision = points
        u_beams, log_beams = bound.beams.separate(collision, numbers.limits)
        kinematics = member.of_class(numbers.kinematics(collision, mapping.massive_beams))
        u, log_jacobian = inverse(mapping.mapping, final[member.legs], kinematics)
        return jnp.concatenate([u_beams, u]), log_jacobian + log_beams

    points = final, collision.of_events(final.shape[-1])
    found: tuple[Array, Array] = _in_classes(run, channel, bound, points)
    return found


class MapClass(NamedTuple):
    """The key of a compiled map: the class of the map, and whether beams have masses."""

    mapping: PhaseSpaceMap
    massive_beams: bool


def _in_classes(
    function: Callable[[MapClass, Any, Members, ComponentNumbers], Any],
    channel: Channels,
    bound: BoundComponents,
    points: Any,
) -> Any:
    """function(class, points, member, numbers) with the maps of the channels, events last.

    It is compiled once for every class of maps, whatever the component.
    """
    components = bound.components
    ids = channel_ids(components)
    found = [class_of(components[k].channels[local].mapping) for k, local in ids]
    classes = [
        MapClass(mapping, has_massive_beams(components[id_.component]))
        for id_, (mapping, _) in zip(ids, found, strict=True)
    ]
    distinct = list(dict.fromkeys(classes))
    number = np.array([distinct.index(key) for key in classes])
    owner = np.array([id_.component for id_ in ids])
    members = Members.of([member for _, member in found])
    numbers = ComponentNumbers.of(components, bound.derived)
    # What a branch would keep for its gradient, a switch would make room for in every other.
    branches = [jax.checkpoint(functools.partial(function, key)) for key in distinct]

    def one(i: Int[Array, ""] | int, block: Any) -> Any:
        member = jax.tree.map(lambda array: array[i], members)
        if isinstance(i, int):
            return branches[number[i]](block, member, numbers.row(int(owner[i])))
        own = numbers.row(jnp.asarray(owner)[i])
        return jax.lax.switch(jnp.asarray(number)[i], branches, block, member, own)

    if isinstance(channel, int):
        return one(channel, points)
    return dispatch(one, channel, len(ids), points, events_last=True)
