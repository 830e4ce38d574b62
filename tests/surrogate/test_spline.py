from __future__ import annotations

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.surrogate.spline import (
    MIN_SLOPE,
    identity_with_fine_ends,
    min_bin,
    spline_forward,
    spline_inverse,
)

FORWARD, INVERSE = jax.jit(spline_forward), jax.jit(spline_inverse)


@jax.jit
def DISTRAX(raw, x):
    """Their forward and inverse, each with its log determinant."""
    bins = (raw.shape[0] - 1) // 3
    spline = distrax.RationalQuadraticSpline(
        jnp.moveaxis(raw, 0, -1), 0.0, 1.0, min_bin_size=min_bin(bins), min_knot_slope=MIN_SLOPE
    )
    return spline.forward_and_log_det(x), spline.inverse_and_log_det(x)


def raw_and_points(bins=8, splines=3, n=200, dtype=jnp.float64, scale=1.5):
    raw = scale * jax.random.normal(jax.random.key(3), (3 * bins + 1, splines, n), dtype)
    return raw, jax.random.uniform(jax.random.key(4), (splines, n), jnp.float64)


@pytest.mark.parametrize("bins", [1, 2, 10, 40])
def test_agrees_with_distrax(bins):
    raw, x = raw_and_points(bins)
    forward, inverse = DISTRAX(raw, x)
    for ours, expected in ((FORWARD(raw, x), forward), (INVERSE(raw, x), inverse)):
        np.testing.assert_allclose(ours[0], expected[0], rtol=0, atol=1e-11)
        np.testing.assert_allclose(ours[1], expected[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("direction", "spline"), [(0, spline_forward), (1, spline_inverse)], ids=["forward", "inverse"]
)
def test_gradients_agree_with_distrax(direction, spline):
    raw, x = raw_and_points()

    def gradient(f):
        def loss(raw, x):
            y, log_det = f(raw, x)
            return jnp.sum(jnp.sin(3.0 * y) + jnp.cos(log_det))

        return jax.jit(jax.grad(loss, (0, 1)))(raw, x)

    expected = gradient(lambda raw, x: DISTRAX(raw, x)[direction])
    for a, b in zip(gradient(spline), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max())


@pytest.mark.parametrize("spline", [FORWARD, INVERSE], ids=["forward", "inverse"])
def test_gradients_against_finite_differences(spline):
    raw, x = raw_and_points(bins=4, splines=2, n=50, scale=0.7)
    direction = jax.random.normal(jax.random.key(9), raw.shape)

    def f(t):
        y, log_det = spline(raw + t * direction, x + t * (x - 0.5))
        return jnp.sum(y * jnp.arange(50.0)) + jnp.sum(log_det)

    h = 1e-6
    slope = jax.jit(jax.grad(f))(0.0)
    np.testing.assert_allclose((f(h) - f(-h)) / (2 * h), slope, rtol=1e-5)


def test_second_derivatives_exist():
    raw, x = raw_and_points(bins=4, splines=1, n=10)
    slope = jax.jit(jax.grad(lambda x: spline_forward(raw, x)[1].sum()))
    curvature = jax.jit(jax.grad(lambda x: slope(x).sum()))(x)
    step = 1e-6
    np.testing.assert_allclose(
        curvature, (slope(x + step) - slope(x - step)) / (2 * step), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@given(seed=st.integers(0, 2**31), scale=st.floats(0.0, 30.0))
def test_both_directions_are_inverse_and_monotonic(dtype, seed, scale):
    key_raw, key_x = jax.random.split(jax.random.key(seed))
    raw = scale * jax.random.normal(key_raw, (31, 1, 1), dtype)
    raw = jnp.broadcast_to(raw, (31, 1, 64))
    x = jnp.sort(jax.random.uniform(key_x, (1, 64), jnp.float64))
    y, log_dy = FORWARD(raw, x)
    assert y.dtype == log_dy.dtype == jnp.float64
    assert np.all((y >= 0.0) & (y <= 1.0))
    assert np.all(np.diff(y) >= 0.0)
    back, log_dx = INVERSE(raw, y)
    # an error of rounding in y becomes one of eps / slope in x
    tolerance = 1e-14 / np.minimum(np.exp(log_dy), 1.0)
    assert np.all(np.abs(back - x) <= tolerance)
    # the logarithm of the slope changes by at most about 2 / (width of a bin * slope) per x
    np.testing.assert_allclose(log_dx, -log_dy, rtol=0, atol=float((1e-9 + 1e7 * tolerance).max()))


def test_zero_parameters_are_the_identity():
    _, x = raw_and_points()
    for spline in (FORWARD, INVERSE):
        y, log_det = spline(jnp.zeros((31, *x.shape), jnp.float32), x)
        np.testing.assert_allclose(y, x, rtol=0, atol=2e-7)
        np.testing.assert_allclose(log_det, 0.0, rtol=0, atol=2e-6)


@pytest.mark.parametrize("spline", [FORWARD, INVERSE], ids=["forward", "inverse"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_faces_are_fixed_and_free_of_nan(spline, dtype, scale):
    raw = scale * jax.random.normal(jax.random.key(0), (31, 1, 4), dtype)
    tiny, almost = np.finfo(float).tiny, 1.0 - 1e-16
    x = jnp.array([[0.0, 1.0, tiny, almost]])
    y, log_det = spline(raw, x)
    np.testing.assert_allclose(y, [[0.0, 1.0, 0.0, 1.0]], rtol=0, atol=1e-12)
    assert np.all((y >= 0.0) & (y <= 1.0))
    assert np.all(np.isfinite(log_det))
    total = jax.grad(lambda r, x: sum(jnp.sum(out) for out in spline(r, x)), (0, 1))
    grads = jax.jit(total)(raw, x)
    assert all(np.all(np.isfinite(g)) for g in grads)


def test_knots_belong_to_one_bin_in_both_directions():
    raw, _ = raw_and_points(bins=4, splines=1, n=3)
    raw = jnp.broadcast_to(raw[:, :, :1], raw.shape)
    widths = min_bin(4) + (1 - 4 * min_bin(4)) * jax.nn.softmax(raw[:4, 0, 0])
    x = jnp.cumsum(widths)[None, :3]
    y, log_dy = FORWARD(raw, x)
    back, log_dx = INVERSE(raw, y)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-14)
    np.testing.assert_allclose(log_dx, -log_dy, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bins", [1, 2, 10])
def test_the_identity_with_fine_ends(bins):
    raw = identity_with_fine_ends(bins)
    x = np.linspace(0.0, 1.0, 101)[None]
    y, log_slope = spline_forward(jnp.broadcast_to(raw[:, None, None], (len(raw), 1, 101)), x)
    np.testing.assert_allclose(y, x, atol=1e-14)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-12)
    widths = np.exp(raw[:bins]) / bins
    np.testing.assert_allclose(widths.sum(), 1.0)
    np.testing.assert_allclose(widths, widths[::-1])
    assert np.all(np.diff(widths[: (bins + 1) // 2]) > 0.0)
