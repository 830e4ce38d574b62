"""Rotations by generalized Euler angles, affine couplings, and flows made of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.errors import InputError
from fabgen.surrogate import Flow
from fabgen.surrogate.affine import affine_forward, affine_inverse
from fabgen.surrogate.rotation import no_rotation, rotate, rotation_matrix


def angles_of(dim, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=dim * (dim - 1) // 2))


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_matrices_are_rotations(dim):
    matrix = rotation_matrix(angles_of(dim), dim)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(dim), atol=1e-14)
    assert float(jnp.linalg.det(matrix)) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_array_equal(rotation_matrix(no_rotation(dim), dim), np.eye(dim))


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
    matrix = rotation_matrix(jnp.concatenate([jnp.zeros(3), jnp.asarray(theta)]), 4)
    np.testing.assert_allclose(matrix[:, 3], expected, atol=1e-15)
    # Eq. 33: zeros above the diagonal but for the last column, cosines on it.
    np.testing.assert_allclose(np.triu(matrix[:3, :3]), np.diag(cos), atol=1e-15)
    np.testing.assert_allclose(matrix[2, 0], -sin[0] * sin[2] * cos[1], atol=1e-15)


def test_rotating_and_back_and_its_jacobian():
    u = jnp.asarray(np.random.default_rng(1).uniform(0.01, 0.99, (3, 20)))
    angles = angles_of(3)
    v, log_slope = jax.jit(rotate)(angles, u)
    back, log_back = jax.jit(lambda v: rotate(angles, v, inverse=True))(v)
    np.testing.assert_allclose(back, u, rtol=1e-9)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-9)
    jacobian = jax.jit(jax.vmap(jax.jacfwd(lambda u: rotate(angles, u[:, None])[0][:, 0])))(u.T)
    np.testing.assert_allclose(log_slope, jnp.linalg.slogdet(jacobian)[1], atol=1e-9)


def test_affine_maps_invert_and_have_their_slope():
    raw = jnp.asarray(np.random.default_rng(2).normal(size=(2, 3, 20)))
    u = jnp.asarray(np.random.default_rng(3).uniform(0.01, 0.99, (3, 20)))
    v, log_slope = affine_forward(raw, u)
    back, log_back = affine_inverse(raw, v)
    np.testing.assert_allclose(back, u, rtol=1e-9)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-9)
    slope = jax.grad(lambda u: affine_forward(raw, u)[0].sum())(u)
    np.testing.assert_allclose(log_slope, jnp.log(slope), atol=1e-9)
    np.testing.assert_allclose(affine_forward(0.0 * raw, u)[0], u, rtol=1e-14)


@pytest.mark.parametrize(("coupling", "permutation"), [("spline", "rotation"), ("affine", "log")])
def test_flows_are_normalized_and_invert(coupling, permutation):
    flow = Flow(2, 2, 5, (8,), permutation, coupling=coupling)
    start = jax.jit(flow.init)(jax.random.key(0))
    leaves, tree = jax.tree.flatten(start)
    rng = np.random.default_rng(4)
    params = tree.unflatten(
        [leaf + 0.2 * rng.normal(size=leaf.shape).astype(leaf.dtype) for leaf in leaves]
    )
    sample, log_prob = jax.jit(flow.sample_and_log_prob, static_argnums=2), jax.jit(flow.log_prob)
    u, log_q = sample(params, jax.random.key(1), 5_000)
    inner = np.all((u > 1e-9) & (u < 1.0 - 1e-9), axis=1)
    assert np.mean(inner) > 0.999
    np.testing.assert_allclose(log_prob(params, u)[inner], log_q[inner], atol=1e-4)
    x = jnp.asarray(np.random.default_rng(5).uniform(size=u.shape))
    assert abs(float(jnp.mean(jnp.exp(log_prob(params, x)))) - 1.0) < 0.1
    assert float(jnp.std(log_q)) > 0.1
    faces = jnp.asarray([[0.0, 0.3], [1.0, 1.0], [0.5, 0.0], [0.5, 1.5]])
    slopes = jax.jit(jax.grad(lambda u: flow.log_prob(params, u)[:3].sum()))(faces)
    assert not np.any(np.isnan(log_prob(params, faces)))
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(log_prob(start, u), 0.0, atol=1e-6)


def test_angles_are_trained():
    flow = Flow(2, 1, 5, (4,), "rotation")
    params = flow.init(jax.random.key(0))
    u = jax.random.uniform(jax.random.key(1), (50, 2)) ** 2
    slope = jax.jit(jax.grad(lambda p: flow.log_prob(p, u).mean()))(params)
    assert all(float(jnp.abs(layer.angles).max()) > 1e-3 for layer in slope[:1])


def test_unknown_coupling():
    with pytest.raises(InputError, match="unknown coupling"):
        Flow(2, coupling="cubic")
