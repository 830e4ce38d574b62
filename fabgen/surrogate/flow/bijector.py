"""The flow in distrax's vocabulary. Heavy to import; nothing in fabgen's own runs needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import distrax
import jax
import jax.numpy as jnp

from fabgen.surrogate.base import Params
from fabgen.surrogate.flow.spline import spline_forward, spline_inverse

if TYPE_CHECKING:
    from fabgen.surrogate.flow.flow import Flow


class RationalQuadraticSpline(distrax.Bijector):
    """Elementwise monotonic spline on [0, 1], a faster distrax.RationalQuadraticSpline.

    params (..., 3 bins + 1): unconstrained, in distrax's order; broadcast against x (...).
    """

    def __init__(self, params: jax.Array):
        super().__init__(event_ndims_in=0)
        self._params = params

    def forward_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y = g(x) and log dy/dx, each of the shape of x broadcast against the splines."""
        return self._apply(spline_forward, x)

    def inverse_and_log_det(self, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x = g^-1(y) and log dx/dy."""
        return self._apply(spline_inverse, y)

    def _apply(self, spline, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        shape = jnp.broadcast_shapes(x.shape, self._params.shape[:-1])
        n = self._params.shape[-1]
        raw = jnp.broadcast_to(self._params, (*shape, n)).reshape(-1, n).T[:, None, :]
        out, log_det = spline(raw, jnp.broadcast_to(x, shape).reshape(1, -1))
        return out.reshape(shape), log_det.reshape(shape)


class FlowBijector(distrax.Bijector):
    """z -> u of a `Flow` with its parameters, events (dim,)."""

    def __init__(self, flow: Flow, params: Params):
        super().__init__(event_ndims_in=1)
        self._flow = flow
        self._params = params

    def forward_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u = T(z) and log|du/dz|."""
        u, log_det = self._flow.from_base(self._params, x.reshape(-1, self._flow.dim))
        return u.reshape(x.shape), log_det.reshape(x.shape[:-1])

    def inverse_and_log_det(self, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = T^-1(u) and log|dz/du|."""
        z, log_det = self._flow.to_base(self._params, y.reshape(-1, self._flow.dim))
        return z.reshape(y.shape), log_det.reshape(y.shape[:-1])


def flow_distribution(flow: Flow, params: Params) -> distrax.Transformed:
    """Uniform base on the unit hypercube, transformed by the flow."""
    base = distrax.Independent(
        distrax.Uniform(jnp.zeros(flow.dim, jnp.float64), jnp.ones(flow.dim, jnp.float64)), 1
    )
    return distrax.Transformed(base, FlowBijector(flow, params))
