"""|M|^2 of one component with all that f has besides: collision -> lab -> scales -> alpha_s ->
couplings -> |M|^2 x luminosities x cuts -> channel weights.

A point belongs to one component and evaluates the |M|^2 of that alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.beams import Collision, boost_z, rotated, with_beams
from fabgen.dispatch import dispatch
from fabgen.integrand.component import BoundComponents, Component
from fabgen.integrand.maps import Maps, channel_ids
from fabgen.integrand.prior import log_prior
from fabgen.phasespace.features import event_features


class Surroundings(NamedTuple):
    """What an event has besides its momenta, whatever its component; events are the last axis.

    scales (2, events): of renormalization and factorization, GeV. alpha_s (events,): at the first
    one, or that of the parameters. densities (flavours, 2, events): of the partons in both beams.
    """

    scales: Float[Array, "2 events"]
    alpha_s: Float[Array, " events"]
    densities: Float[Array, "flavours 2 events"]


def surroundings(
    final: Float[Array, "n_final 4 events"], collision: Collision, bound: BoundComponents
) -> Surroundings:
    """Those of final momenta (n_final, 4, events) in the rest frame of what collides.

    Scales look at this frame: pT and invariants are the same in the lab, and for exchanged beams.
    """
    n = final.shape[-1]
    momenta = with_beams(collision.incoming, final)
    scales = bound.scales(momenta, collision.incoming.shape[0])
    alpha_s = jnp.asarray(bound.derived["aS"], float)
    if bound.alpha_s is not None:
        alpha_s = bound.alpha_s(scales[0])
    densities = bound.beams.densities(collision.of_events(n), scales[1])
    return Surroundings(scales, jnp.broadcast_to(alpha_s, (n,)), densities)


class InFrame(NamedTuple):
    """Events as the |M|^2 of their component sees them; events are the last axis.

    momenta (n_external, 4, events): in the rest frame of what collides, GeV, its first leg along
    +z. collision: as |M|^2 sees it. around: see there. derived: all parameters. strength: times
    |M|^2 at the parameters, whose strong coupling is another one.
    """

    momenta: Float[Array, "n_external 4 events"]
    collision: Collision
    around: Surroundings
    derived: Mapping[str, Any]
    strength: Float[Array, " #events"]


class ComponentValues(NamedTuple):
    """f and what belongs to it at points of a component; events are the last axis. See `Point`."""

    value: Float[Array, " events"]
    log_prior: Float[Array, "width events"]
    features: Float[Array, "n_features events"]
    momenta: Float[Array, "n_external 4 events"]


def in_frame(
    component: Component,
    final: Float[Array, "n_final 4 events"],
    collision: Collision,
    around: Surroundings,
    bound: BoundComponents,
) -> InFrame:
    """Events of final momenta (n_final, 4, events), with their parameters.

    collision: in the order of the beams.
    """
    seen = component.own_view(collision)
    derived, strength = bound.derived, jnp.ones(1)
    if bound.alpha_s is not None:
        if component.qcd_order is None:
            derived = bound.derive({"aS": around.alpha_s})
        else:
            nominal = jnp.asarray(derived["aS"], float)
            strength = (around.alpha_s / nominal) ** component.qcd_order
    return InFrame(with_beams(seen.incoming, final), seen, around, derived, strength)


def lab_momenta(
    component: Component,
    final: Float[Array, "n_final 4 events"],
    collision: Collision,
    derived: Mapping[str, Any],
    exchanged: bool | None = None,
) -> Float[Array, "{component.n_initial}+n_final 4 events"]:
    """(n_external, 4, events) in the lab, incoming ones in the order of the beams.

    exchanged: of the subprocess; by default the first order that the component has.
    """
    exchanged = component.orders[0] if exchanged is None else exchanged
    turned = rotated(final) if exchanged else final
    boosted = boost_z(turned, component.final_masses(derived), collision.rapidity)
    return with_beams(collision.lab, boosted)


def luminosity(
    component: Component, events: InFrame, bound: BoundComponents
) -> Float[Array, " events"]:
    """The summed luminosity of all subprocesses in cuts, (events,)."""
    total = jnp.zeros(events.momenta.shape[-1])
    for order, counts in component.flavours.items():
        each = _products(tuple(counts), events, bound)
        own = jnp.tensordot(jnp.array(list(counts.values()), float), each, axes=1)
        total += jnp.where(_passes(component, events, order), own, 0.0)
    return total


def luminosities(
    component: Component, events: InFrame, bound: BoundComponents
) -> Float[Array, "{len(component.subprocesses)} events"]:
    """The luminosity of each subprocess in cuts, (subprocesses of the component, events)."""
    flavours = list(dict.fromkeys(sub.flavours for sub in component.subprocesses))
    each = _products(flavours, events, bound)
    inside = {order: _passes(component, events, order) for order in component.orders}
    return jnp.stack(
        [
            jnp.where(inside[sub.exchanged], each[flavours.index(sub.flavours)], 0.0)
            for sub in component.subprocesses
        ]
    )


def _products(
    flavours: Sequence[tuple[int, ...]], events: InFrame, bound: BoundComponents
) -> Float[Array, "{len(flavours)} events"]:
    """Of the densities of incoming flavours in the order of the beams; 1 where beams have none."""
    if not bound.beams.flavours:
        return jnp.ones((len(flavours), events.momenta.shape[-1]))
    first, second = jnp.swapaxes(events.around.densities, 0, 1)
    place = {pdg: k for k, pdg in enumerate(bound.beams.flavours)}
    return jnp.stack([first[place[a]] * second[place[b]] for a, b in flavours])


def _of_beams(component: Component, events: InFrame) -> Collision:
    """The collision in the order of the beams again: turning it twice changes nothing."""
    return component.own_view(events.collision)


def _passes(component: Component, events: InFrame, order: bool) -> Bool[Array, " events"]:
    """Whether events of one order of the beams are in the cuts, bool (events,)."""
    final = events.momenta[component.n_initial :]
    boost = component.boost(events.collision, order)
    return component.cuts.passes(final, component.final_masses(events.derived), boost)


def evaluate_component(
    component: Component,
    final: Float[Array, "n_final 4 events"],
    collision: Collision,
    around: Surroundings,
    bound: BoundComponents,
    width: int,
    maps: Maps,
    log_densities: Float[Array, "channels events"] | None = None,
) -> ComponentValues:
    """The component at final momenta (n_final, 4, events) in the rest frame of what collides.

    collision: in the order of the beams. width: rows of log_prior, as many as the widest component
    has channels. maps: of all components. log_densities: log g_i of all channels, and perhaps more
    rows, where they are known.
    """
    events = in_frame(component, final, collision, around, bound)
    derived = component.widths.used(events.derived)
    momenta = events.momenta
    single: Array | None = None
    if component.diagrams is None:
        squared = component.element.evaluate(momenta, derived)
    else:
        groups = np.eye(len(component.channels))[:, list(component.diagrams)]
        squared, single = component.element.evaluate_diagrams(momenta, derived, groups)
    density = luminosity(component, events, bound)
    inside = jnp.ones(final.shape[-1], dtype=bool)
    for window in component.windows:
        inside &= window.passes(momenta, derived)
    factor = events.collision.flux_factor * component.widths.factor(events.derived)
    factor = factor * events.strength
    density = jnp.where(inside, density, 0.0)
    value = jnp.where(density == 0.0, 0.0, factor * density * squared)
    # NaN of a map is an error, to be counted, and no point outside of the cuts.
    value = jnp.where(jnp.isnan(momenta.sum(axis=(0, 1))), jnp.nan, value)
    n_own = len(component.channels)
    prior = log_prior(
        *(component.prior, n_own, momenta, single),
        lambda: (
            maps.log_densities(final, collision, bound.first_channel(component), n_own)
            if log_densities is None
            else log_densities[:n_own]
        ),
        *(events.collision.sqrt_s, derived),
    )
    return ComponentValues(
        value,
        jnp.pad(prior, ((0, width - n_own), (0, 0)), constant_values=-jnp.inf),
        event_features(
            momenta,
            component.n_initial,
            _of_beams(component, events).x if bound.beams.dim else None,
        ),
        lab_momenta(component, final, collision, events.derived),
    )


def over_components(
    function: Callable[[Component, Any, BoundComponents], Any],
    channel: Int[Array, " events"],
    bound: BoundComponents,
    points: Any,
) -> Any:
    """function(component, points, bound) of the component that the channel of each event belongs
    to, in blocks of one component; points and results have the events last.

    Parameters with a value for each event go where their events go.
    """
    components = bound.components
    if len(components) == 1:
        return function(components[0], points, bound)
    owner = np.array([id_.component for id_ in channel_ids(components)])
    by_event = {name: value for name, value in bound.derived.items() if jnp.ndim(value) > 0}

    def branch(component: Component) -> Callable[[Any, Mapping[str, Array]], Any]:
        def run(block: Any, own: Mapping[str, Array]) -> Any:
            mixed = bound._replace(derived={**bound.derived, **own})
            return function(component, block, mixed)

        return run

    branches = [branch(component) for component in components]

    def one(k: Int[Array, ""] | int, block: Any, own: Mapping[str, Array]) -> Any:
        return jax.lax.switch(k, branches, block, own)

    number = jnp.asarray(owner)[channel]
    return dispatch(one, number, len(components), points, by_event, events_last=True)
