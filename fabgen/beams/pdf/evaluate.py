"""x f(x, Q) of partons in JAX, interpolated and continued exactly as LHAPDF 6 does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Float

from fabgen.beams.pdf.continuation import continued, is_outside
from fabgen.beams.pdf.densities import Densities, pdg_of
from fabgen.beams.pdf.interpolation import interpolated


def xf(
    densities: Densities,
    x: Float[Array | np.ndarray, "*beams events"],
    q: Float[Array | np.ndarray, " events"],
    flavours: Sequence[int],
) -> Float[Array, "*beams {len(flavours)} events"]:
    """x f(x, Q) of flavours (PDG ids; 21 or 0: gluon) at momentum shares x and scales q in GeV.

    x: (events,); or (beams, events), for several beams at the same q (events,). Returns (flavours,
    events) or (beams, flavours, events): 0 for flavours that the densities do not have, and for x
    above the grid. Elsewhere outside of the grid it is continued, if any event needs that.
    Differentiable in x, in q, and in the values at the knots.
    """
    x, q = jnp.asarray(x), jnp.asarray(q)
    shares = x.reshape(-1, x.shape[-1])
    wanted = jnp.array([pdg_of(flavour) for flavour in flavours])
    is_wanted = wanted[:, None] == jnp.asarray(densities.flavours)
    found = _anywhere(densities, is_wanted.astype(densities.table.dtype), shares, q)
    least = jnp.where(jnp.any(is_wanted, axis=1), densities.least, -jnp.inf)[:, None, None]
    found = jnp.where(found < least, least, found)
    found = jnp.where(shares > densities.x[-1], 0.0, found)
    return jnp.moveaxis(found, 0, 1).reshape(*x.shape[:-1], len(flavours), -1)


@jax.custom_jvp
def _anywhere(
    densities: Densities,
    selection: Float[Array, "n_selected n_flavours"],
    x: Float[Array, "beams events"],
    q: Float[Array, " events"],
) -> Float[Array, "n_selected beams events"]:
    """x f of selected flavours, see `interpolated`."""
    outside = is_outside(densities, x, q)
    found: Array = jax.lax.cond(outside, *_WAYS, densities, selection, x, q)
    return found


def _anywhere_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The rule of derivatives. Without it, `cond` would keep what the derivatives of both of its
    branches need, and fill that of the one with zeros."""
    densities, selection, x, q = primals
    densities_dot, _, x_dot, q_dot = tangents
    outside = is_outside(densities, x, q)
    value, in_x, in_q = jax.lax.cond(outside, *map(_derived, _WAYS), densities, selection, x, q)
    tangent = jnp.zeros_like(value)
    if not isinstance(x_dot, SymbolicZero):
        tangent += in_x * x_dot
    if not isinstance(q_dot, SymbolicZero):
        tangent += in_q * q_dot
    if not isinstance(densities_dot.table, SymbolicZero):

        def of_table(table: Array) -> Array:
            moved = densities._replace(table=table)
            found: Array = jax.lax.cond(outside, *_WAYS, moved, selection, x, q)
            return found

        tangent += jax.jvp(of_table, (densities.table,), (densities_dot.table,))[1]
    return value, tangent


_anywhere.defjvp(_anywhere_jvp, symbolic_zeros=True)


def _inside(densities: Densities, selection: Array, x: Array, q: Array) -> Array:
    return interpolated(densities, selection, x, q[None])


#: What is done if any event is outside, and if none is.
_WAYS = (continued, _inside)


def _derived(function: Callable[..., Array]) -> Callable[..., tuple[Array, Array, Array]]:
    """x f with its derivatives in x and in q: (n_selected, beams, events) each."""

    def run(
        densities: Densities, selection: Array, x: Array, q: Array
    ) -> tuple[Array, Array, Array]:
        def at(x: Array, q: Array) -> Array:
            return function(densities, selection, x, q)

        value, in_x = jax.jvp(at, (x, q), (jnp.ones_like(x), jnp.zeros_like(q)))
        _, in_q = jax.jvp(at, (x, q), (jnp.zeros_like(x), jnp.ones_like(q)))
        return value, in_x, in_q

    return run
