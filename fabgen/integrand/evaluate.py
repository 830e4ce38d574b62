"""f and all that belongs to it at points of several channels.

The channels of all components are counted in one row. A point of a channel is a phase-space point
of its component only; the channel weights of a component's channels add up to 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.beams import Collision
from fabgen.beams.frames import in_lab, with_beams
from fabgen.dispatch import dispatch
from fabgen.integrand.component import Component
from fabgen.phasespace.classes import Members, class_of
from fabgen.phasespace.features import event_features
from fabgen.phasespace.mapping import Kinematics, forward, inverse
from fabgen.phasespace.mapping import Mapping as PhaseSpaceMap


class Setup(NamedTuple):
    """The components with their kinematics, for one set of parameters."""

    components: tuple[Component, ...]
    collisions: Sequence[Collision]
    derived: Mapping[str, Any]
    n_initial: int
    n_subprocesses: int


class Values(NamedTuple):
    """What f says at some events; events are the last axis.

    momenta, lab (n_external, 4, events): GeV, in the rest frame of the beams and in the lab. total
    (events,): d sigma / d Phi. log_prior (n_channels, events). shares (n_subprocesses, events):
    their parts of the total. features (n_features, events).
    """

    momenta: Array
    lab: Array
    total: Array
    log_prior: Array
    shares: Array
    features: Array


class Row(NamedTuple):
    """One channel in the row of all: its component, and its number there."""

    component: int
    local: int


def rows(components: Sequence[Component]) -> tuple[Row, ...]:
    """All channels, component by component."""
    return tuple(
        Row(number, local)
        for number, component in enumerate(components)
        for local in range(len(component.channels))
    )


def momenta_of(u: Array, channel: Array | int, setup: Setup) -> tuple[Array, Array]:
    """Final momenta (n_final, 4, events) in the rest frame and log(dPhi/du) at u (dim, events)."""

    def run(
        mapping: PhaseSpaceMap, kinematics: Kinematics, v: Array, member: Members
    ) -> tuple[Array, Array]:
        final, log_jacobian = forward(mapping, v.T, member.of_class(kinematics))
        return jnp.moveaxis(final[member.order], -1, 0), log_jacobian

    final, log_jacobian = _in_classes(run, u.T, channel, setup)
    return jnp.moveaxis(final, 0, -1), log_jacobian


def points_of(final: Array, channel: Array | int, setup: Setup) -> tuple[Array, Array]:
    """u (dim, events) and log(dPhi/du) of final momenta (n_final, 4, events): the inverse."""

    def run(
        mapping: PhaseSpaceMap, kinematics: Kinematics, p: Array, member: Members
    ) -> tuple[Array, Array]:
        legs = jnp.moveaxis(p, 0, -1)[member.legs]
        u, log_jacobian = inverse(mapping, legs, member.of_class(kinematics))
        return u.T, log_jacobian

    u, log_jacobian = _in_classes(run, jnp.moveaxis(final, -1, 0), channel, setup)
    return u.T, log_jacobian


def _in_classes(
    function: Callable[[PhaseSpaceMap, Kinematics, Array, Members], tuple[Array, Array]],
    points: Array,
    channel: Array | int,
    setup: Setup,
) -> tuple[Array, Array]:
    """function(map, kinematics, points, member) with the maps of the channels, events first.

    It is compiled once for every class of maps.
    """
    table = rows(setup.components)
    kinematics = [_kinematics(setup, k) for k in range(len(setup.components))]
    found = [class_of(setup.components[k].channels[local].mapping) for k, local in table]
    classes = [(row.component, mapping) for row, (mapping, _) in zip(table, found, strict=True)]
    distinct = list(dict.fromkeys(classes))
    number = np.array([distinct.index(key) for key in classes])
    members = Members.of([member for _, member in found])
    # What a branch would keep for its gradient, a switch would make room for in every other.
    branches = [
        jax.checkpoint(functools.partial(function, mapping, kinematics[k]))
        for k, mapping in distinct
    ]

    def one(i: Array | int, block: Array) -> tuple[Array, Array]:
        member = jax.tree.map(lambda array: array[i], members)
        if isinstance(i, int):
            return branches[number[i]](block, member)
        return jax.lax.switch(jnp.asarray(number)[i], branches, block, member)

    if isinstance(channel, int):
        return one(channel, points)
    return dispatch(one, channel, len(table), points)


def values_at(final: Array, channel: Array | int, setup: Setup) -> Values:
    """f at final momenta (n_final, 4, events) of the components of the given channels."""
    n = len(setup.components)
    owner = np.array([row.component for row in rows(setup.components)])
    if n == 1:
        return _values(0, setup, final)
    if isinstance(channel, int):
        return _values(int(owner[channel]), setup, final)
    # Parameters with a value for each event go where their events go.
    by_event = {name: value for name, value in setup.derived.items() if jnp.ndim(value) > 0}

    def events_first(k: int) -> Callable[[Array, Mapping[str, Array]], Values]:
        def values(p: Array, own: Mapping[str, Array]) -> Values:
            mixed = setup._replace(derived={**setup.derived, **own})
            found = _values(k, mixed, jnp.moveaxis(p, 0, -1))
            return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0), found)

        return values

    branches = [events_first(k) for k in range(n)]

    def one(k: Array | int, p: Array, own: Mapping[str, Array]) -> Any:
        return jax.lax.switch(k, branches, p, own)

    made = dispatch(one, jnp.asarray(owner)[channel], n, jnp.moveaxis(final, -1, 0), by_event)
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1), made)


def _kinematics(setup: Setup, k: int) -> Any:
    return setup.components[k].kinematics(setup.collisions[k], setup.derived, setup.n_initial)


def _values(k: int, setup: Setup, final: Array) -> Values:
    component, collision = setup.components[k], setup.collisions[k]
    momenta = with_beams(collision.incoming, final)
    frame = component.frame(collision, setup.derived, setup.n_initial)
    n_events, n_own = final.shape[-1], len(component.channels)
    single: Array | None = None
    total = jnp.zeros(n_events)
    shares = [jnp.zeros(n_events)] * setup.n_subprocesses
    for term in component.terms:
        if term.diagrams is None:
            value = term.value(momenta, frame, setup.derived)
        else:
            value, own = term.values(momenta, frame, setup.derived, n_own)
            single = own if single is None else single + own
        value = collision.factor * value
        total = total + value
        for number in term.subprocesses:
            shares[number] = value / len(term.subprocesses)
    prior = component.log_prior(momenta, single, _kinematics(setup, k), setup.derived)
    before = sum(len(c.channels) for c in setup.components[:k])
    after = sum(len(c.channels) for c in setup.components[k + 1 :])
    log_prior = jnp.pad(prior, ((before, after), (0, 0)), constant_values=-jnp.inf)
    features = event_features(momenta, setup.n_initial)
    lab = in_lab(collision, final, frame.masses)
    return Values(momenta, lab, total, log_prior, jnp.stack(shares), features)
