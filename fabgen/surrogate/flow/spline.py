"""Monotonic rational-quadratic splines on [0, 1] (Durkan et al., arXiv:1906.04032, section 3.1).

Everything is elementwise over (splines, events), the raw parameters come first on the first axis:
raw (3 bins + 1, splines, events) holds bins logits of widths, bins logits of heights and bins + 1
raw slopes, as in distrax.RationalQuadraticSpline; raw = 0 is the identity.

Precision: the knots have the precision of `raw` (float32 for a float32 network), everything behind
the search of the bin is done in the precision of the coordinate (float64). Any strictly increasing
knots define an exact spline, so rounding them costs nothing as long as both directions see the same
ones: they do, since both call `_locate`.

Speed: only the knots of the bin that holds the point are carried on, and only their two slopes are
normalized. The derivatives are written in closed form (the softmax of all bins is differentiated
through the two selected knots only), which is 3 to 4 times faster than differentiating the search.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int32

MIN_SLOPE = 1e-3
"""Smallest slope at a knot."""

_SLOPE_OFFSET = math.log(math.expm1(1.0 - MIN_SLOPE))  # raw slope 0 -> slope 1

#: Logit of the first and last knot of `identity_with_fine_ends` before they are moved to 0 and 1.
_ENDS = 5.0


_Raw = Float[Array, "raw splines n"]
_Each = Float[Array, "splines n"]
#: Rules of derivatives get constants as arrays of a kind of JAX's own.
_RawOrConstant = Float[Any, "raw splines n"]
_EachOrConstant = Float[Any, "splines n"]


class _Knots(NamedTuple):
    """The two knots around a point, each (splines, events): positions and raw slopes."""

    x_left: _Each
    x_right: _Each
    y_left: _Each
    y_right: _Each
    slope_left: _Each
    slope_right: _Each


class _Bins(NamedTuple):
    """Softmax of the logits (2, bins, splines, events), widths first, and the point's bin."""

    softmax: Float[Array, "2 bins splines n"]
    bin: Int32[Array, "splines n"]


@jax.custom_vjp
def spline_forward(raw: _Raw, x: _Each) -> tuple[_Each, _Each]:
    """y = g(x) and log dy/dx, each (splines, events), for x (splines, events) in [0, 1]."""
    return _forward(raw, x)[0]


@jax.custom_vjp
def spline_inverse(raw: _Raw, y: _Each) -> tuple[_Each, _Each]:
    """x = g^-1(y) and log dx/dy, each (splines, events), for y (splines, events) in [0, 1]."""
    return _inverse(raw, y)[0]


def identity_with_fine_ends(bins: int) -> Float[np.ndarray, " 3*{bins}+1"]:
    """Raw parameters (3 bins + 1,) of the identity whose knots get closer toward 0 and 1.

    The knots are evenly spaced in their logit, from -5 to 5. Integrands change fast close to the
    faces of the cube, where kinematic limits and the tails of resonances are, and even knots find
    them slowly. (Tops without a window, one training each: sampling efficiency 0.986 with even
    knots, 0.995 with these after the same 1.2 million evaluations.)
    """
    knots = 1.0 / (1.0 + np.exp(-_ENDS * np.linspace(-1.0, 1.0, bins + 1)))
    logits = np.log(bins * np.diff(knots) / (knots[-1] - knots[0]))
    return np.concatenate([logits, logits, np.zeros(bins + 1)])


def min_bin(bins: int) -> float:
    """Smallest width and height of a bin; slopes of one spline stay below about its inverse."""
    return min(1e-3, 0.1 / bins)


def _locate(raw: _Raw, point: _Each, *, along_x: bool) -> tuple[_Bins, _Knots]:
    """Find the bin that holds the point and gather its knots.

    Only the inner knots are compared with, so points on the faces, or beyond them by rounding, fall
    into the first or last bin, whose formula continues smoothly. The outer knots are exactly 0, 1.
    """
    n = (raw.shape[0] - 1) // 3
    logits = raw[: 2 * n].reshape(2, n, *raw.shape[1:])
    softmax = jax.nn.softmax(logits, axis=1)
    sizes = min_bin(n) + (1.0 - n * min_bin(n)) * softmax
    inner = jnp.cumsum(sizes[:, :-1], axis=1)
    zero = jnp.zeros((2, 1, *raw.shape[1:]), raw.dtype)
    knots = jnp.concatenate([zero, inner, zero + 1.0], axis=1)
    index = jnp.sum(point >= inner[0 if along_x else 1], axis=0, dtype=jnp.int32)
    sides = jnp.stack([index, index + 1])
    pick = functools.partial(jnp.take_along_axis, mode="promise_in_bounds")
    x, y = pick(knots, sides[None], axis=1)
    slopes = pick(raw[2 * n :], sides, axis=0)
    return _Bins(softmax, index), _Knots(x[0], x[1], y[0], y[1], slopes[0], slopes[1])


def _normalize(knots: _Knots, dtype: jnp.dtype) -> _Knots:
    """Slopes from raw slopes; then everything in the precision of the coordinate."""
    left = jax.nn.softplus(knots.slope_left + _SLOPE_OFFSET) + MIN_SLOPE
    right = jax.nn.softplus(knots.slope_right + _SLOPE_OFFSET) + MIN_SLOPE
    knots = knots._replace(slope_left=left, slope_right=right)
    return _Knots(*(k.astype(dtype) for k in knots))


def _rational_quadratic(knots: _Knots, x: _Each) -> tuple[_Each, _Each]:
    """Equations (4) and (5): y and log dy/dx inside one bin; `knots` with raw slopes.

    The denominator is at least s / 2 and the terms of the numerator of the slope are positive, so
    the logarithm is safe on the whole bin.
    """
    x_left, x_right, y_left, y_right, d_left, d_right = _normalize(knots, x.dtype)
    height = y_right - y_left
    inv_width = 1.0 / (x_right - x_left)
    s = height * inv_width
    t = (x - x_left) * inv_width
    t1 = 1.0 - t
    tt = t * t1
    inv = 1.0 / (s + (d_left + d_right - 2.0 * s) * tt)
    y = y_left + height * (s * t * t + d_left * tt) * inv
    ratio = s * inv
    slope = ratio * ratio * (d_right * t * t + 2.0 * s * tt + d_left * t1 * t1)
    return y, jnp.log(slope)


def _rational_quadratic_transposed(
    knots: _Knots, x: _Each, y_bar: _Each, log_bar: _Each
) -> tuple[_Knots, _Each]:
    """Cotangents of `knots` and x from those of y and log dy/dx: the chain rule through
    y = y_left + h a / D and log dy/dx = 2 log s + log N - 2 log D, with the variables t, s, h and
    the two slopes; with few divisions, which autodiff would not find.
    """
    x_left, x_right, y_left, y_right, d_left, d_right = _normalize(knots, x.dtype)
    h, w = y_right - y_left, x_right - x_left
    inv_w = 1.0 / w
    s = h * inv_w
    t = (x - x_left) * inv_w
    t1 = 1.0 - t
    t_t, tt, t1_t1 = t * t, t * t1, t1 * t1
    curl = d_left + d_right - 2.0 * s
    inv_d = 1.0 / (s + curl * tt)
    n = d_right * t_t + 2.0 * s * tt + d_left * t1_t1
    inv_n = 1.0 / n
    a = (s * t_t + d_left * tt) * inv_d  # a / D
    rest = t1_t1 + t_t  # 1 - 2 t (1 - t)

    h_d = y_bar * h * inv_d
    log_n, log_d = log_bar * inv_n, 2.0 * log_bar * inv_d
    t_bar = (
        h_d * s * n * inv_d
        + log_n * 2.0 * (d_right * t + s * (t1 - t) - d_left * t1)
        - log_d * curl * (t1 - t)
    )
    s_bar = h_d * (t_t - a * rest) + 2.0 * log_bar * w / h + log_n * 2.0 * tt - log_d * rest
    left_bar = h_d * tt * (1.0 - a) + log_n * t1_t1 - log_d * tt
    right_bar = -h_d * tt * a + log_n * t_t - log_d * tt

    x_bar = t_bar * inv_w
    w_bar = -inv_w * (t * t_bar + s * s_bar)
    h_bar = y_bar * a + s_bar * inv_w
    dtype = knots.x_left.dtype
    bars = (-x_bar - w_bar, w_bar, y_bar - h_bar, h_bar, left_bar, right_bar)
    x0, x1, y0, y1, left, right = (bar.astype(dtype) for bar in bars)
    left = left * jax.nn.sigmoid(knots.slope_left + _SLOPE_OFFSET)
    right = right * jax.nn.sigmoid(knots.slope_right + _SLOPE_OFFSET)
    return _Knots(x0, x1, y0, y1, left, right), x_bar


def _solve(knots: _Knots, y: _Each) -> _Each:
    """Equations (6) to (8): the x of a bin at which the spline takes the value y.

    Of the two forms of the root the one without cancellation is taken, as in distrax.
    """
    x_left, x_right, y_left, y_right, d_left, d_right = _normalize(knots, y.dtype)
    width, height = x_right - x_left, y_right - y_left
    s = height / width
    v = (y - y_left) / height
    b = d_left - (d_left + d_right - 2.0 * s) * v
    a = s - b
    c = -s * v
    root = jnp.sqrt(jnp.maximum(b * b - 4.0 * a * c, 0.0))
    positive = b >= 0.0
    numerator = jnp.where(positive, -2.0 * c, root - b)
    denominator = jnp.where(positive, b + root, 2.0 * a)
    return x_left + width * numerator / denominator


def _clip(x: _Each) -> _Each:
    """Take back what rounding carried beyond [0, 1]; the derivatives ignore it."""
    return jnp.clip(x, 0.0, 1.0)


def _forward(
    raw: _RawOrConstant, x: _EachOrConstant
) -> tuple[tuple[_Each, _Each], tuple[_Bins, _Knots, _Each]]:
    raw, x = jnp.asarray(raw), jnp.asarray(x)
    bins, knots = _locate(raw, x, along_x=True)
    y, log_slope = _rational_quadratic(knots, x)
    return (_clip(y), log_slope), (bins, knots, x)


def _forward_transposed(
    residuals: tuple[_Bins, _Knots, _Each], cotangents: tuple[_Each, _Each]
) -> tuple[_Raw, _Each]:
    bins, knots, x = residuals
    knots_bar, x_bar = _rational_quadratic_transposed(knots, x, *cotangents)
    return _raw_cotangent(bins, knots, knots_bar), x_bar


def _inverse(
    raw: _RawOrConstant, y: _EachOrConstant
) -> tuple[tuple[_Each, _Each], tuple[_Bins, _Knots, _Each, _Each]]:
    raw, y = jnp.asarray(raw), jnp.asarray(y)
    bins, knots = _locate(raw, y, along_x=False)
    x = _clip(_solve(knots, y))
    _, log_slope = _rational_quadratic(knots, x)
    return (x, -log_slope), (bins, knots, x, log_slope)


def _inverse_transposed(
    residuals: tuple[_Bins, _Knots, _Each, _Each], cotangents: tuple[_Each, _Each]
) -> tuple[_Raw, _Each]:
    """Implicit function theorem: g(x; knots) = y at fixed y."""
    bins, knots, x, log_slope = residuals
    x_bar, log_bar = cotangents
    _, from_log = _rational_quadratic_transposed(knots, x, jnp.zeros_like(x), -log_bar)
    y_bar = (x_bar + from_log) * jnp.exp(-log_slope)
    knots_bar, _ = _rational_quadratic_transposed(knots, x, -y_bar, -log_bar)
    return _raw_cotangent(bins, knots, knots_bar), y_bar


def _raw_cotangent(bins: _Bins, knots: _Knots, bar: _Knots) -> _Raw:
    """Cotangent of `raw` from the cotangents of the two selected knots (raw slopes).

    With m = min_bin and p = softmax(logits) a knot is c_k = k m + (1 - n m) sum_(j<k) p_j, so
    dc_k/dlogit_j = (1 - n m) p_j ([j < k] - sum_(i<k) p_i): the sum is known from the knot itself,
    and both outer knots get an exact zero.
    """
    n = bins.softmax.shape[1]
    m = min_bin(n)
    j = jnp.arange(n + 1, dtype=jnp.int32)[:, None, None]
    below_left, below_right = j[:n] < bins.bin, j[:n] <= bins.bin
    k = bins.bin.astype(bins.softmax.dtype)

    def logits(
        p: Float[Array, "bins splines n"],
        left: _Each,
        right: _Each,
        left_bar: _Each,
        right_bar: _Each,
    ) -> Float[Array, "bins splines n"]:
        mean = left_bar * (left - k * m) + right_bar * (right - (k + 1.0) * m)
        terms = jnp.where(below_left, left_bar, 0.0) + jnp.where(below_right, right_bar, 0.0)
        return p * ((1.0 - n * m) * terms - mean)

    return jnp.concatenate(
        [
            logits(bins.softmax[0], knots.x_left, knots.x_right, bar.x_left, bar.x_right),
            logits(bins.softmax[1], knots.y_left, knots.y_right, bar.y_left, bar.y_right),
            jnp.where(j == bins.bin, bar.slope_left, 0.0)
            + jnp.where(j == bins.bin + 1, bar.slope_right, 0.0),
        ]
    )


spline_forward.defvjp(_forward, _forward_transposed)
spline_inverse.defvjp(_inverse, _inverse_transposed)
