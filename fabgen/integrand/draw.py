"""Subprocess, colour flow, helicities and resonances of events whose momenta are known, drawn."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Num, PRNGKeyArray

from fabgen.beams import Collision
from fabgen.integrand.choice import choose
from fabgen.integrand.component import BoundComponents, Component
from fabgen.integrand.evaluate import Surroundings, in_frame, lab_momenta, luminosities
from fabgen.integrand.point import EventFields

#: Random numbers that an event needs: for its subprocess, its colour flow, its helicities; with a
#: key of its own one for its resonances.
_N_RANDOM = 3
_OF_RESONANCES = 1


class Undecided(NamedTuple):
    """Points of one component, events last: final momenta (n_final, 4, events), what comes in and
    is around, and their `random_numbers`."""

    final: Float[Array, "n_final 4 events"]
    collision: Collision
    around: Surroundings
    random: Float[Array, "n_random events"]


def random_numbers(key: PRNGKeyArray, n: int) -> Float[Array, "n_random {n}"]:
    """Those of n events."""
    last = jax.random.uniform(jax.random.fold_in(key, _OF_RESONANCES), (1, n))
    return jnp.concatenate([jax.random.uniform(key, (_N_RANDOM, n)), last])


def draw_component(component: Component, points: Undecided, bound: BoundComponents) -> EventFields:
    """Events of one component: subprocesses are drawn in proportion to their luminosity in cuts,
    colour flows to their squared partial amplitudes, helicities to their |M|^2; resonances see
    `near_shell`."""
    events = in_frame(component, points.final, points.collision, points.around, bound)
    served = component.subprocesses
    pick = choose(jnp.abs(luminosities(component, events, bound)), points.random[0])
    numbers = jnp.array([sub.number for sub in served])[pick]
    turned = jnp.array([sub.exchanged for sub in served])[pick]

    derived = component.widths.used(events.derived)
    element = component.element
    flow_weights, helicity_weights = element.weights(events.momenta, derived)
    flow = choose(flow_weights, points.random[1])
    state = choose(helicity_weights, points.random[2])
    helicity = jnp.asarray(np.asarray(element.helicities, np.int8).T)[:, state]
    return EventFields(
        momenta=_by_order(
            component,
            turned,
            *(
                lab_momenta(component, points.final, points.collision, events.derived, order)
                for order in component.orders
            ),
        ),
        subprocess=numbers,
        flow=flow,
        resonances=component.near_shell.draw(events.momenta, flow, derived, points.random[3]),
        helicity=_by_order(
            component,
            turned,
            *(
                helicity[np.array([1, 0, *range(2, len(helicity))])] if order else helicity
                for order in component.orders
            ),
        ),
        scale=events.around.scales[1],
        alpha_qed=jnp.broadcast_to(1.0 / jnp.asarray(events.derived["aEWM1"]), pick.shape),
        alpha_s=events.around.alpha_s,
    )


def _by_order(
    component: Component,
    turned: Bool[Array, " events"],
    *values: Num[Array, "n_external *four events"],
) -> Num[Array, "n_external *four events"]:
    """Of values for each order of the beams that a component has, that of each event."""
    if len(values) == 1:
        return values[0]
    return jnp.where(turned, values[1], values[0])
