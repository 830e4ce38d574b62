"""What an event still needs when its momenta are known: its subprocess and its colour flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.integrand.component import Component, Sampled, Term


def draw_among(
    components: Sequence[Component],
    sampled: Sequence[Sampled],
    derived: Mapping[str, Array],
    key: Array,
) -> tuple[Array, Array, Array]:
    """Of what all components say at the same points one subprocess for each event, drawn in
    proportion to its part of f, and a colour flow of it.

    Returns the momenta (n_external, 4, events) in the lab, GeV, and both numbers (events,).
    """
    n_events = sampled[0].momenta.shape[-1]
    key_term, key_same, key_flow = jax.random.split(key, 3)
    terms = [term for component in components for term in component.terms]
    owner = np.repeat(np.arange(len(sampled)), [len(c.terms) for c in components])
    term = jnp.zeros(n_events, dtype=int)
    if len(terms) > 1:
        weights = jnp.concatenate([s.values * jnp.exp(s.log_jacobian) for s in sampled])
        term = jax.random.categorical(key_term, jnp.log(weights), axis=0)
    chosen = jnp.asarray(owner)[term]
    lab, momenta = sampled[0].lab, sampled[0].momenta
    for number, other in enumerate(sampled[1:], start=1):
        lab = jnp.where(chosen == number, other.lab, lab)
        momenta = jnp.where(chosen == number, other.momenta, momenta)
    subprocess = draw_subprocess(terms, term, key_same)
    return lab, subprocess, draw_flow(terms, term, momenta, derived, key_flow)


def draw_subprocess(terms: list[Term], term: Array, key: Array) -> Array:
    """One of the equal subprocesses of the drawn terms, with equal probability."""
    counts = np.array([len(t.subprocesses) for t in terms])
    table = np.zeros((len(terms), counts.max()), dtype=np.int64)
    for row, entry in zip(table, terms, strict=True):
        row[: len(entry.subprocesses)] = entry.subprocesses
    pick = jnp.floor(jax.random.uniform(key, term.shape) * jnp.asarray(counts)[term])
    return jnp.asarray(table)[term, pick.astype(int)]


def draw_flow(
    terms: list[Term], term: Array, momenta: Array, derived: Mapping[str, Array], key: Array
) -> Array:
    """The number of a colour flow of the matrix element of the drawn terms."""
    flow = jnp.zeros(term.shape, dtype=int)
    elements = list(dict.fromkeys(t.element for t in terms))
    for number, element in enumerate(elements):
        if len(element.flow_numbers) == 1:
            continue
        turned = momenta
        mine = jnp.zeros(term.shape, dtype=bool)
        for i, entry in enumerate(terms):
            if entry.element is element:
                mine |= term == i
                turned = jnp.where(term == i, momenta[np.array(entry.legs)], turned)
        weights = element.flow_weights(turned, derived)
        drawn = jax.random.categorical(jax.random.fold_in(key, number), jnp.log(weights), axis=0)
        flow = jnp.where(mine, drawn, flow)
    return flow
