"""What an event still needs when its momenta are known: its subprocess and its colour flow."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.components import Term


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
