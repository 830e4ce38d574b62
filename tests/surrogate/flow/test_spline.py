from __future__ import annotations

import functools

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.surrogate.flow.spline import (
    MIN_SLOPE,
    identity_with_fine_ends,
    min_bin,
    spline_forward,
    spline_inverse,
)

# One program for each direction, number of bins and dtype: all tests take points of one shape.
SHAPE = (2, 100)
FORWARD, INVERSE = jax.jit(spline_forward), jax.jit(spline_inverse)


def distrax_forward(raw, x):
    return _distrax(raw).forward_and_log_det(x)


def distrax_inverse(raw, x):
    return _distrax(raw).inverse_and_log_det(x)


def _distrax(raw):
    bins = (raw.shape[0] - 1) // 3
    return distrax.RationalQuadraticSpline(
        jnp.moveaxis(raw, 0, -1), 0.0, 1.0, min_bin_size=min_bin(bins), min_knot_slope=MIN_SLOPE
    )


DISTRAX = jax.jit(lambda raw, x: (distrax_forward(raw, x), distrax_inverse(raw, x)))


def random_raw(bins=10, dtype=float, scale=1.5, seed=3):
    return (scale * np.random.default_rng(seed).normal(size=(3 * bins + 1, *SHAPE))).astype(dtype)


def random_points(seed=4):
    return np.random.default_rng(seed).uniform(size=SHAPE)


def assert_agree(ours, expected):
    np.testing.assert_allclose(ours[0], expected[0], rtol=0, atol=1e-11)
    np.testing.assert_allclose(ours[1], expected[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("bins", [1, 2, 40])
def test_agrees_with_distrax(bins):
    raw, x = random_raw(bins), random_points()
    forward, inverse = DISTRAX(raw, x)
    assert_agree(FORWARD(raw, x), forward)
    assert_agree(INVERSE(raw, x), inverse)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(spline_forward, distrax_forward), (spline_inverse, distrax_inverse)],
    ids=["forward", "inverse"],
)
def test_values_and_gradients_agree_with_distrax(ours, theirs):
    def loss(spline, raw, x):
        y, log_det = spline(raw, x)
        return jnp.sum(jnp.sin(3.0 * y) + jnp.cos(log_det)), (y, log_det)

    @jax.jit
    def both(raw, x):
        return [
            jax.grad(functools.partial(loss, spline), (0, 1), has_aux=True)(raw, x)
            for spline in (ours, theirs)
        ]

    (gradients, values), (expected_gradients, expected) = both(random_raw(), random_points())
    assert_agree(values, expected)
    for a, b in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max())


def test_gradients_against_finite_differences():
    raw, x = random_raw(bins=4, scale=0.7), random_points()
    direction = np.random.default_rng(9).normal(size=raw.shape)

    def along(spline, t):
        y, log_det = spline(raw + t * direction, x + t * (x - 0.5))
        return jnp.sum(y * jnp.arange(100.0)) + jnp.sum(log_det)

    @jax.jit
    def both(t):
        return [
            jax.value_and_grad(functools.partial(along, spline))(t)
            for spline in (spline_forward, spline_inverse)
        ]

    h = 1e-6
    for below, at, above in zip(both(-h), both(0.0), both(h), strict=True):
        np.testing.assert_allclose((above[0] - below[0]) / (2 * h), at[1], rtol=1e-5)


def test_second_derivatives_exist():
    raw, x = random_raw(bins=4)[:, :1, :10], random_points()[:1, :10]

    def slope(x):
        return jax.grad(lambda x: spline_forward(raw, x)[1].sum())(x)

    @jax.jit
    def slope_and_curvature(x):
        value, pull = jax.vjp(slope, x)
        return value, pull(jnp.ones_like(value))[0]

    step = 1e-6
    below, (_, curvature), above = (slope_and_curvature(x + t) for t in (-step, 0.0, step))
    np.testing.assert_allclose(curvature, (above[0] - below[0]) / (2 * step), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 2**31), scale=st.floats(0.0, 30.0))
def test_both_directions_are_inverse_and_monotonic(dtype, seed, scale):
    # each row is one spline
    raw = np.broadcast_to(random_raw(10, dtype, scale, seed)[:, :, :1], (31, *SHAPE))
    x = np.sort(random_points(seed))
    y, log_dy = FORWARD(raw, x)
    assert y.dtype == log_dy.dtype == jnp.float64
    back, log_dx = map(np.asarray, INVERSE(raw, y))
    y, log_dy = np.asarray(y), np.asarray(log_dy)
    assert np.all((y >= 0.0) & (y <= 1.0))
    assert np.all(np.diff(y) >= 0.0)
    # an error of rounding in y becomes one of eps / slope in x
    tolerance = 1e-14 / np.minimum(np.exp(log_dy), 1.0)
    assert np.all(np.abs(back - x) <= tolerance)
    # the logarithm of the slope changes by at most about 2 / (width of a bin * slope) per x
    np.testing.assert_allclose(log_dx, -log_dy, rtol=0, atol=float((1e-9 + 1e7 * tolerance).max()))


def test_zero_parameters_are_the_identity():
    x = random_points()
    for spline in (FORWARD, INVERSE):
        y, log_det = spline(np.zeros((31, *SHAPE), np.float32), x)
        np.testing.assert_allclose(y, x, rtol=0, atol=2e-7)
        np.testing.assert_allclose(log_det, 0.0, rtol=0, atol=2e-6)


@jax.jit
def values_and_slopes(raw, x):
    """Of both directions, each with the gradients of the sum of its values."""

    def total(spline, raw, x):
        found = spline(raw, x)
        return sum(jnp.sum(out) for out in found), found

    return [
        jax.grad(functools.partial(total, spline), (0, 1), has_aux=True)(raw, x)
        for spline in (spline_forward, spline_inverse)
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_faces_are_fixed_and_free_of_nan(dtype, scale):
    tiny, almost = np.finfo(float).tiny, 1.0 - 1e-16
    x = np.resize([0.0, 1.0, tiny, almost], SHAPE)
    for gradients, (y, log_det) in values_and_slopes(random_raw(10, dtype, scale), x):
        np.testing.assert_allclose(y, np.resize([0.0, 1.0, 0.0, 1.0], SHAPE), rtol=0, atol=1e-12)
        assert np.all((y >= 0.0) & (y <= 1.0))
        assert np.all(np.isfinite(log_det))
        assert all(np.all(np.isfinite(g)) for g in gradients)


def test_knots_belong_to_one_bin_in_both_directions():
    raw = random_raw()
    raw = np.broadcast_to(raw[:, :1, :1], raw.shape)
    exponentials = np.exp(raw[:10, 0, 0])
    widths = min_bin(10) + (1 - 10 * min_bin(10)) * exponentials / exponentials.sum()
    x = np.resize(np.cumsum(widths)[:9], SHAPE)
    y, log_dy = FORWARD(raw, x)
    back, log_dx = INVERSE(raw, y)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-14)
    np.testing.assert_allclose(log_dx, -np.asarray(log_dy), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bins", [1, 2, 10])
def test_the_identity_with_fine_ends(bins):
    raw = identity_with_fine_ends(bins)
    x = np.linspace(0.0, 1.0, 200).reshape(SHAPE)
    y, log_slope = FORWARD(np.broadcast_to(raw[:, None, None], (len(raw), *SHAPE)), x)
    np.testing.assert_allclose(y, x, atol=1e-14)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-12)
    widths = np.exp(raw[:bins]) / bins
    np.testing.assert_allclose(widths.sum(), 1.0)
    np.testing.assert_allclose(widths, widths[::-1])
    assert np.all(np.diff(widths[: (bins + 1) // 2]) > 0.0)
