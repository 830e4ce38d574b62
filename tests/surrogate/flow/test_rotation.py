"""Rotations by generalized Euler angles, affine couplings, and flows made of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.errors import InputError
from fabgen.surrogate import Flow
from fabgen.surrogate.flow.affine import affine_forward, affine_inverse
from fabgen.surrogate.flow.rotation import no_rotation, rotate_in_cube, rotation_matrix


def angles_of(dim, seed=0):
    return np.random.default_rng(seed).normal(size=dim * (dim - 1) // 2)


MATRIX = jax.jit(rotation_matrix, static_argnums=1)


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_matrices_are_rotations(dim):
    matrix = np.asarray(MATRIX(angles_of(dim), dim))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(dim), atol=1e-14)
    assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_array_equal(MATRIX(no_rotation(dim), dim), np.eye(dim))


def test_last_axis_follows_the_spherical_coordinates_of_the_paper():
    """Eq. 30 for d = 4: the last column of A^(4), which is R with the angles of l = 4 alone."""
    theta = np.array([0.3, -0.7, 1.1])
    sin, cos = np.sin(theta), np.cos(theta)
    expected = [
        sin[0],
        cos[0] * sin[1],
        cos[0] * cos[1] * sin[2],
        cos[0] * cos[1] * cos[2],
    ]
    matrix = MATRIX(np.concatenate([np.zeros(3), theta]), 4)
    np.testing.assert_allclose(matrix[:, 3], expected, atol=1e-15)
    # Eq. 33: zeros above the diagonal but for the last column, cosines on it.
    np.testing.assert_allclose(np.triu(matrix[:3, :3]), np.diag(cos), atol=1e-15)
    np.testing.assert_allclose(matrix[2, 0], -sin[0] * sin[2] * cos[1], atol=1e-15)


def test_rotating_and_back_and_its_jacobian():
    u = np.random.default_rng(1).uniform(0.01, 0.99, (3, 20))
    angles = jnp.asarray(angles_of(3))

    @jax.jit
    def there_and_back(u):
        v, log_slope = rotate_in_cube(angles, u)
        jacobian = jax.vmap(jax.jacfwd(lambda u: rotate_in_cube(angles, u[:, None])[0][:, 0]))(u.T)
        return log_slope, jacobian, *rotate_in_cube(angles, v, inverse=True)

    log_slope, jacobian, back, log_back = map(np.asarray, there_and_back(u))
    np.testing.assert_allclose(back, u, rtol=1e-9)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-9)
    np.testing.assert_allclose(log_slope, np.linalg.slogdet(jacobian)[1], atol=1e-9)


def test_affine_maps_invert_and_have_their_slope():
    raw = np.random.default_rng(2).normal(size=(2, 3, 20))
    x = np.random.default_rng(3).normal(size=(3, 20))

    @jax.jit
    def there_and_back(raw, x):
        y, log_slope = affine_forward(raw, x)
        slope = jax.grad(lambda x: affine_forward(raw, x)[0].sum())(x)
        return y, log_slope, slope, *affine_inverse(raw, y)

    _, log_slope, slope, back, log_back = map(np.asarray, there_and_back(raw, x))
    np.testing.assert_allclose(back, x, rtol=1e-9)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-9)
    np.testing.assert_allclose(log_slope, np.log(slope), atol=1e-9)
    np.testing.assert_allclose(there_and_back(0.0 * raw, x)[0], x, rtol=1e-14)


@pytest.mark.parametrize(
    ("coupling", "permutation"),
    [("spline", "rotation"), ("affine", "log"), ("affine", "rotation")],
)
def test_flows_are_normalized_and_invert(coupling, permutation):
    flow = Flow(2, 2, 5, (8,), permutation, coupling=coupling)
    rng = np.random.default_rng(4)
    start = jax.tree.map(np.asarray, flow.init(jax.random.key(0)))
    params = jax.tree.map(
        lambda leaf: leaf + 0.2 * rng.normal(size=leaf.shape).astype(leaf.dtype), start
    )
    sample = jax.jit(flow.sample_and_log_prob, static_argnums=2)

    @jax.jit
    def log_prob_and_slopes(params, u, weight):
        def total(u):
            log_q = flow.log_prob(params, u)
            return jnp.sum(weight * log_q, where=weight > 0.0), log_q

        slopes, log_q = jax.grad(total, has_aux=True)(u)
        return log_q, slopes

    def log_prob(params, u):
        return np.asarray(log_prob_and_slopes(params, u, np.ones(len(u)))[0])

    u, log_q = map(np.asarray, sample(params, jax.random.key(1), 5_000))
    inner = np.all((u > 1e-9) & (u < 1.0 - 1e-9), axis=1)
    assert np.mean(inner) > 0.999
    np.testing.assert_allclose(log_prob(params, u)[inner], log_q[inner], atol=1e-4)
    x = np.random.default_rng(5).uniform(size=u.shape)
    assert abs(np.mean(np.exp(log_prob(params, x))) - 1.0) < 0.1
    assert np.std(log_q) > 0.1
    np.testing.assert_allclose(log_prob(start, u), 0.0, atol=1e-6)
    x[:4] = [[0.0, 0.3], [1.0, 1.0], [0.5, 0.0], [0.5, 1.5]]
    on_faces, slopes = log_prob_and_slopes(params, x, np.where(np.arange(len(x)) < 3, 1.0, 0.0))
    assert not np.any(np.isnan(on_faces[:4]))
    assert np.all(np.isfinite(slopes))


def test_angles_are_trained(anywhere):
    flow = Flow(2, 1, 5, (4,), "rotation")
    u = jnp.asarray(np.random.default_rng(1).uniform(size=(50, 2)) ** 2)
    start = jax.tree.map(np.zeros_like, anywhere(flow))
    slope = jax.jit(jax.grad(lambda p: flow.log_prob(p, u).mean()))(start)
    assert all(np.abs(layer.angles).max() > 1e-3 for layer in slope[:1])


def test_unknown_coupling():
    with pytest.raises(InputError, match="unknown coupling"):
        Flow(2, coupling="cubic")
