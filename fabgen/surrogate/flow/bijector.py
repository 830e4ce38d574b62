"""The flow in distrax's vocabulary. Heavy to import; nothing in fabgen's own runs needs it."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.surrogate.flow.spline import spline_forward, spline_inverse

Transform = Callable[[Float[Array, "n dim"]], tuple[Float[Array, "n dim"], Float[Array, " n"]]]
"""Points (n, dim) -> their images (n, dim) and log|d image/d point| (n,)."""


class RationalQuadraticSpline(distrax.Bijector):
    """Elementwise monotonic spline on [0, 1], a faster distrax.RationalQuadraticSpline.

    params (..., 3 bins + 1): unconstrained, in distrax's order; broadcast against x (...).
    """

    def __init__(self, params: Float[Array, "*splines raw"]):
        super().__init__(event_ndims_in=0)
        self._params = params

    def forward_and_log_det(
        self, x: Float[Array, "*points"]
    ) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """y = g(x) and log dy/dx, each of the shape of x broadcast against the splines."""
        return self._apply(spline_forward, x)

    def inverse_and_log_det(
        self, y: Float[Array, "*points"]
    ) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """x = g^-1(y) and log dx/dy."""
        return self._apply(spline_inverse, y)

    def _apply(
        self,
        spline: Callable[..., tuple[Array, Array]],
        x: Float[Array, "*points"],
    ) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        shape = jnp.broadcast_shapes(x.shape, self._params.shape[:-1])
        n = self._params.shape[-1]
        raw = jnp.broadcast_to(self._params, (*shape, n)).reshape(-1, n).T[:, None, :]
        out, log_det = spline(raw, jnp.broadcast_to(x, shape).reshape(1, -1))
        return out.reshape(shape), log_det.reshape(shape)


class CubeBijector(distrax.Bijector):
    """z -> u of the unit hypercube, events (dim,): a pair of inverse transforms."""

    def __init__(self, forward: Transform, inverse: Transform):
        super().__init__(event_ndims_in=1)
        self._forward = forward
        self._inverse = inverse

    def forward_and_log_det(
        self, x: Float[Array, "*n dim"]
    ) -> tuple[Float[Array, "*n dim"], Float[Array, "*n"]]:
        """u = T(z) and log|du/dz|."""
        return _of_any_shape(self._forward, x)

    def inverse_and_log_det(
        self, y: Float[Array, "*n dim"]
    ) -> tuple[Float[Array, "*n dim"], Float[Array, "*n"]]:
        """z = T^-1(u) and log|dz/du|."""
        return _of_any_shape(self._inverse, y)


def _of_any_shape(
    transform: Transform, x: Float[Array, "*n dim"]
) -> tuple[Float[Array, "*n dim"], Float[Array, "*n"]]:
    image, log_det = transform(x.reshape(-1, x.shape[-1]))
    return image.reshape(x.shape), log_det.reshape(x.shape[:-1])


def cube_distribution(dim: int, forward: Transform, inverse: Transform) -> distrax.Transformed:
    """Uniform on [0, 1]^dim, transformed by z -> u, which `inverse` undoes."""
    zeros, ones = jnp.zeros(dim, jnp.float64), jnp.ones(dim, jnp.float64)
    base = distrax.Independent(distrax.Uniform(zeros, ones), 1)
    return distrax.Transformed(base, CubeBijector(forward, inverse))
