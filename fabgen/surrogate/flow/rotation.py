"""Trainable rotations of the logits of all coordinates.

T. Heimel et al., MadNIS, SciPost Phys. 15 (2023) 141, section 3.4: generalized Euler angles, one
for each dimension of SO(d). Zero angles are the identity.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float64, Int

from fabgen.surrogate.flow.affine import logit, sigmoid
from fabgen.surrogate.flow.conditioner import Linear


class RotatedLayer(NamedTuple):
    """angles (dim (dim - 1) / 2,) of the rotation, the conditioner of the coupling behind it."""

    angles: Float[Array, " n_angles"]
    network: tuple[Linear, ...]


def no_rotation(dim: int) -> Float64[Array, " n_angles"]:
    """The angles of the identity."""
    return jnp.zeros(dim * (dim - 1) // 2, jnp.float64)


def rotation_matrix(
    angles: Float[Array, " {dim}*({dim}-1)//2"], dim: int
) -> Float[Array, "{dim} {dim}"]:
    """R (dim, dim) in SO(dim) of the angles theta_k^(l), ordered by l = 2..dim, then k = 1..l-1.

    The paper's A^(l) (eq. 33) is the product G_(l-1) ... G_1 of rotations by theta_k^(l) in the
    planes (k, l): its last column is that of eq. 30, and its others follow from the same product.
    With that, R = A^(d) ... A^(2) (eq. 39) is a chain of plane rotations, so it is orthogonal with
    determinant 1 to rounding whatever the angles are.
    """
    planes = np.array([(k, last) for last in range(1, dim) for k in range(last)], np.int32)

    def turn(
        matrix: Float[Array, "dim dim"], step: tuple[Int[Array, "2"], Float[Array, ""]]
    ) -> tuple[Float[Array, "dim dim"], None]:
        (k, last), angle = step
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        first, second = matrix[k], matrix[last]
        matrix = matrix.at[k].set(cos * first + sin * second)
        return matrix.at[last].set(cos * second - sin * first), None

    identity = jnp.eye(dim, dtype=angles.dtype)
    return jax.lax.scan(turn, identity, (jnp.asarray(planes), angles))[0]


def rotate(
    angles: Float[Array, " n_angles"], x: Float[Array, "dim n"], *, inverse: bool = False
) -> Float[Array, "dim n"]:
    """R x for x (dim, n); inverse: R^T x."""
    matrix = rotation_matrix(angles, x.shape[0])
    return (matrix.T if inverse else matrix) @ x


def rotate_in_cube(
    angles: Float[Array, " n_angles"], u: Float[Array, "dim n"], *, inverse: bool = False
) -> tuple[Float[Array, "dim n"], Float[Array, " n"]]:
    """v = sigmoid(R logit(u)) for u (dim, n) in [0, 1], and log|dv/du| (n,); inverse: R^T."""
    x, log_dx = logit(u)
    v, log_dv = sigmoid(rotate(angles, x, inverse=inverse))
    return v, (log_dx + log_dv).sum(axis=0)
