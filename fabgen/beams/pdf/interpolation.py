"""x f inside of its grid: cubic in ln x, then in ln Q^2 (Buckley et al., arXiv:1412.7420).

An event reads the four corners of its cell, for all flavours of the table at once: sixteen rows,
added up with their weights in one loop. XLA keeps it one loop only as long as nothing else wants
these rows. So the derivatives are no sums of their own, but further weights of the same sum; and
what comes behind it is a product of matrices, into which no loop is drawn.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Float, Int

from fabgen.beams.pdf.densities import Densities
from fabgen.beams.pdf.hermite import Place, Weights, derivative_weights, place, value_weights


def interpolated(
    densities: Densities,
    selection: Float[Array, "n_selected n_flavours"],
    x: Float[Array, "*#shape events"],
    q: Float[Array, "*#shape events"],
) -> Float[Array, "n_selected *shape events"]:
    """x f of selected flavours at points of the grid; x and q are broadcast to one shape.

    selection: a row for each of the flavours, 1 in its column, 0 elsewhere.
    """
    shape = jnp.broadcast_shapes(x.shape, q.shape)

    def everywhere(own: Array, array: Array) -> Array:
        return jnp.broadcast_to(array.reshape(own.shape), shape).reshape(-1)

    at_x, at_q = place(x.reshape(-1), densities.x, 1.0), place(q.reshape(-1), densities.q, 2.0)
    found: Array = _polynomial(
        densities,
        selection,
        Place(*(everywhere(x, array) for array in at_x)),
        Place(*(everywhere(q, array) for array in at_q)),
    )
    return found.reshape(-1, *shape)


@jax.custom_jvp
def _polynomial(
    densities: Densities,
    selection: Float[Array, "n_selected n_flavours"],
    at_x: Place,
    at_q: Place,
) -> Float[Array, "n_selected events"]:
    linear = jnp.asarray(densities.linear)[at_q.knot]
    in_x, in_q = value_weights(at_x, linear), value_weights(at_q, linear)
    return selection @ _sums(densities, _corner(densities, at_x, at_q), in_x, in_q).T


def _polynomial_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The rule of derivatives in the places, and in the table where anybody asks."""
    densities, selection, at_x, at_q = primals
    table_dot, fractions_dot = tangents[0].table, [tangents[2].fraction, tangents[3].fraction]
    linear, corner = jnp.asarray(densities.linear)[at_q.knot], _corner(densities, at_x, at_q)

    def weights(place: Place, order: int) -> Weights:
        """For the value, the derivative in x, and that in q, one behind the other."""
        is_order = (np.arange(3) == order)[:, None]
        value, derivative = value_weights(place, linear), derivative_weights(place, linear)
        found: Weights = jax.tree.map(
            lambda own, other: jnp.where(is_order, other, own).reshape(-1), value, derivative
        )
        return found

    corners = jnp.broadcast_to(corner, (3, *corner.shape)).reshape(-1)
    sums = selection @ _sums(densities, corners, weights(at_x, 1), weights(at_q, 2)).T
    value, *derivatives = jnp.moveaxis(sums.reshape(len(selection), 3, -1), 1, 0)
    tangent = jnp.zeros_like(value)
    for derivative, dot in zip(derivatives, fractions_dot, strict=True):
        if not isinstance(dot, SymbolicZero):
            tangent += derivative * dot
    if not isinstance(table_dot, SymbolicZero):
        moved = densities._replace(table=table_dot)
        tangent += _polynomial(moved, selection, at_x, at_q)
    return value, tangent


_polynomial.defjvp(_polynomial_jvp, symbolic_zeros=True)


def _corner(densities: Densities, at_x: Place, at_q: Place) -> Int[Array, " events"]:
    """The row of the knot below in both directions."""
    return at_x.knot * densities.q.shape[0] + at_q.knot


def _sums(
    densities: Densities, corner: Int[Array, " n"], in_x: Weights, in_q: Weights
) -> Float[Array, "n n_flavours"]:
    """The weighted sums of the sixteen rows at the corners of cells."""
    n_q, n_flavours = densities.q.shape[0], densities.flavours.shape[0]
    table = jnp.asarray(densities.table)
    total = jnp.zeros((corner.shape[0], n_flavours))
    for up in (0, 1):
        for slope_q in (0, 1):
            along_x = jnp.zeros_like(total)
            for right in (0, 1):
                for slope_x in (0, 1):
                    start = (2 * slope_x + slope_q) * n_flavours
                    row = _rows(table, corner + right * n_q + up, start, n_flavours)
                    along_x += in_x[right][slope_x][:, None] * row
            total += in_q[up][slope_q][:, None] * along_x
    return total


_OF_ROWS = jax.lax.GatherDimensionNumbers(
    offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0, 1)
)


def _rows(
    table: Float[Array, "n_knots n_columns"], row: Int[Array, " n"], start: int, width: int
) -> Float[Array, "n {width}"]:
    """`width` columns of rows of the table, from `start` on."""
    places = jnp.stack([row, jnp.full_like(row, start)], axis=1)
    inside = jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return jax.lax.gather(table, places, _OF_ROWS, (1, width), mode=inside)
