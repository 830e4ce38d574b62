"""x f outside of its grid: LHAPDF's "continuation", after G. Watt's code for MSTW.

Below the grid in x it is a straight line in ln x through the two lowest knots, above it in Q one in
ln Q^2 through the two highest: of ln(x f) where both are above 1e-3, else of x f. Below it in Q it
is x f(Q_min) (Q^2/Q_min^2)^p, where p goes from the logarithmic derivative at Q_min to 1.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from fabgen.beams.pdf.densities import Densities
from fabgen.beams.pdf.interpolation import interpolated

#: Lines are of logarithms where both ends are above this.
_SMALLEST_OF_LOG = 1e-3
#: The logarithmic derivative at Q_min: the quotient up to a Q^2 this much larger, at least
#: _LEAST_POWER, and 1 where |x f| is below _SMALLEST.
_STEP = 0.01
_LEAST_POWER = -2.5
_SMALLEST = 1e-5


def is_outside(
    densities: Densities, x: Float[Array, "beams events"], q: Float[Array, " events"]
) -> Bool[Array, ""]:
    """Whether there is a point at which x f has to be continued."""
    beyond_q = (q < densities.q[0]) | (q > densities.q[-1])
    return jnp.any(x < densities.x[0]) | jnp.any(beyond_q)


def continued(
    densities: Densities,
    selection: Float[Array, "n_selected n_flavours"],
    x: Float[Array, "beams events"],
    q: Float[Array, " events"],
) -> Float[Array, "n_selected beams events"]:
    """x f of selected flavours (see `interpolated`) anywhere below the highest knot in x.

    Where a point is not beyond an edge of the grid, its way from there is 0 and changes nothing.
    """
    knots_x, knots_q = jnp.asarray(densities.x), jnp.asarray(densities.q)
    is_left, is_below, is_above = x < knots_x[0], q < knots_q[0], q > knots_q[-1]
    first_x = jnp.where(is_left, knots_x[0], x)
    first_q = jnp.where(is_below, knots_q[0], jnp.where(is_above, knots_q[-1], q))
    second_q = jnp.where(is_below, math.sqrt(1.0 + _STEP) * knots_q[0], knots_q[-2])
    four = interpolated(
        densities,
        selection,
        jnp.stack([first_x, jnp.full_like(x, knots_x[1])])[:, None],
        jnp.stack([first_q, second_q])[:, None],
    )
    first, second = four[:, :, 0], four[:, :, 1]
    upwards = _way(q, knots_q[-1], knots_q[-2], is_above)
    to_left = _way(x, knots_x[0], knots_x[1], is_left)
    ratio = jnp.where(is_below, jnp.square(q / knots_q[0]), 1.0)
    along_q = _line(first, second, upwards)
    return _towards_zero(
        _line(along_q[:, 0], along_q[:, 1], to_left),
        _line(second[:, 0], second[:, 1], to_left),
        ratio,
    )


def _way(
    at: Float[Array, "*shape"],
    edge: Float[Array, ""],
    inner: Float[Array, ""],
    is_beyond: Bool[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """How far `at` is beyond the edge, logarithmically, in units of the way to the inner knot
    (so it is negative); 0 where it is not beyond."""
    beyond = jnp.where(is_beyond, at, edge)
    return jnp.where(is_beyond, jnp.log(beyond / edge) / jnp.log(inner / edge), 0.0)


def _line(
    first: Float[Array, "*shape events"],
    second: Float[Array, "*shape events"],
    way: Float[Array, "*#shape events"],
) -> Float[Array, "*shape events"]:
    """x f on the line from the first value (way 0) to the second (way 1)."""
    of_log = (first > _SMALLEST_OF_LOG) & (second > _SMALLEST_OF_LOG)
    ratio = jnp.where(of_log, second, 1.0) / jnp.where(of_log, first, 1.0)
    continued = jnp.where(
        of_log, first * jnp.exp(way * jnp.log(ratio)), first + way * (second - first)
    )
    return jnp.where(way == 0.0, first, continued)


def _towards_zero(
    lowest: Float[Array, "*shape events"],
    above: Float[Array, "*shape events"],
    ratio: Float[Array, " events"],
) -> Float[Array, "*shape events"]:
    """x f at Q^2 = ratio Q_min^2 from its values at Q_min^2 and 1.01 Q_min^2; ratio at most 1."""
    usable = jnp.abs(lowest) >= _SMALLEST
    growth = (above - lowest) / jnp.where(usable, lowest, 1.0) / _STEP
    power = jnp.where(usable, jnp.maximum(growth, _LEAST_POWER), 1.0)
    exponent = power * ratio + 1.0 - ratio
    return lowest * jnp.exp(exponent * jnp.log(ratio))
