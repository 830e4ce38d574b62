"""|M|^2 of one component with all that f has besides: collision -> lab -> scales -> alpha_s ->
couplings -> |M|^2 x luminosities x cuts -> channel weights.

A point belongs to one component and evaluates the |M|^2 of that alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


class InFrame(NamedTuple):
    """Events as the |M|^2 of their component sees them; events are the last axis.

    momenta (n_external, 4, events): in the rest frame of what collides, GeV, its first leg along
    +z. collision: as |M|^2 sees it. scales (2, events): GeV. derived: all parameters.
    """

    momenta: Float[Array, "n_external 4 events"]
    collision: Collision
    scales: Float[Array, "2 events"]
    derived: Mapping[str, Any]


class ComponentValues(NamedTuple):
    """f and what belongs to it at points of a component; events are the last axis. See `Point`."""

    value: Float[Array, " events"]
    log_prior: Float[Array, "width events"]
    features: Float[Array, "n_features events"]
    momenta: Float[Array, "n_external 4 events"]
    scales: Float[Array, "2 events"]
    alpha_s: Float[Array, " events"]


def in_frame(
    component: Component,
    final: Float[Array, "n_final 4 events"],
    collision: Collision,
    bound: BoundComponents,
) -> InFrame:
    """Events of final momenta (n_final, 4, events), with their scales and parameters.

    collision: in the order of the beams.
    """
    seen = component.own_view(collision)
    lab = lab_momenta(component, final, collision, bound.derived)
    scales, derived = bound.scales(lab, component.n_initial), bound.derived
    if bound.alpha_s is not None:
        derived = bound.derive({"aS": bound.alpha_s(scales[0])})
    return InFrame(with_beams(seen.incoming, final), seen, scales, derived)


def lab_momenta(
    component: Component,
    final: Float[Array, "n_final 4 events"],
    collision: Collision,
    derived: Mapping[str, Any],
    exchanged: bool | None = None,
) -> Float[Array, "{component.n_initial}+n_final 4 events"]:
    """(n_external, 4, events) in the lab, incoming ones in the order of the beams.

    exchanged: of the subprocess; by default the first order that the component has. Scales do not
    depend on it: R keeps every pT and every invariant.
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
        each = bound.beams.luminosity(tuple(counts), _of_beams(component, events), events.scales[1])
        own = jnp.tensordot(jnp.array(list(counts.values()), float), each, axes=1)
        total += jnp.where(_passes(component, events, order), own, 0.0)
    return total


def luminosities(
    component: Component, events: InFrame, bound: BoundComponents
) -> Float[Array, "{len(component.subprocesses)} events"]:
    """The luminosity of each subprocess in cuts, (subprocesses of the component, events)."""
    flavours = list(dict.fromkeys(sub.flavours for sub in component.subprocesses))
    each = bound.beams.luminosity(flavours, _of_beams(component, events), events.scales[1])
    inside = {order: _passes(component, events, order) for order in component.orders}
    return jnp.stack(
        [
            jnp.where(inside[sub.exchanged], each[flavours.index(sub.flavours)], 0.0)
            for sub in component.subprocesses
        ]
    )


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
    events = in_frame(component, final, collision, bound)
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
        event_features(momenta, component.n_initial),
        lab_momenta(component, final, collision, events.derived),
        events.scales,
        jnp.broadcast_to(jnp.asarray(events.derived["aS"], float), final.shape[-1:]),
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
