from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from fabgen.surrogate import Uniform


def test_samples_and_density():
    q = Uniform(3)
    params = q.init(jax.random.key(0))
    u, log_q = q.sample_and_log_prob(params, jax.random.key(1), 1000)
    assert u.shape == (1000, 3)
    assert u.dtype == log_q.dtype == jnp.float64
    np.testing.assert_array_equal(log_q, q.log_prob(params, u))
    np.testing.assert_allclose(u.mean(axis=0), 0.5, atol=0.05)
    assert q.sample(params, jax.random.key(1), 1000).tolist() == u.tolist()


def test_support_is_the_closed_cube():
    u = jnp.array([[0.0, 1.0], [-1e-9, 0.5], [0.5, 1.0 + 1e-9], [jnp.nan, 0.5]])
    log_q = Uniform(2).log_prob((), u)
    assert log_q.tolist() == [0.0, -jnp.inf, -jnp.inf, -jnp.inf]
