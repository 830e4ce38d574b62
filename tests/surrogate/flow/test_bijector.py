from __future__ import annotations

import distrax
import jax
import jax.numpy as jnp
import numpy as np

from fabgen.surrogate.flow.bijector import RationalQuadraticSpline
from fabgen.surrogate.flow.spline import MIN_SLOPE, min_bin


def test_broadcasts_like_distrax():
    x = np.random.default_rng(0).uniform(size=(7, 3))
    theirs = jax.jit(
        lambda params, x: _both(
            distrax.RationalQuadraticSpline(
                params, 0.0, 1.0, min_bin_size=min_bin(5), min_knot_slope=MIN_SLOPE
            ),
            x,
        )
    )
    ours = jax.jit(lambda params, x: _both(RationalQuadraticSpline(params), x))
    for shape in ((16,), (3, 16), (7, 3, 16)):
        params = np.random.default_rng(1).normal(size=shape)
        for a, b in zip(ours(params, x), theirs(params, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def _both(bijector, x):
    return *bijector.forward_and_log_det(x), *bijector.inverse_and_log_det(x)


def test_is_a_bijector_for_distrax():
    params = np.random.default_rng(1).normal(size=16)

    @jax.jit
    def draw(params):
        chain = distrax.Chain([RationalQuadraticSpline(params), RationalQuadraticSpline(-params)])
        base = distrax.Uniform(jnp.zeros((), jnp.float64), jnp.ones((), jnp.float64))
        distribution = distrax.Transformed(base, chain)
        x, log_q = distribution.sample_and_log_prob(seed=jax.random.key(0), sample_shape=(5,))
        return distribution.log_prob(x), log_q

    again, log_q = draw(params)
    np.testing.assert_allclose(again, log_q, rtol=0, atol=1e-10)
