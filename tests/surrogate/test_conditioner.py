from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.surrogate.conditioner import apply_conditioner, init_conditioner


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_output_at_the_start_in_the_asked_dtype(dtype, hidden):
    layers = init_conditioner(jax.random.key(0), 3, np.arange(5.0), hidden, dtype)
    out = apply_conditioner(layers, jax.random.uniform(jax.random.key(1), (3, 7), jnp.float64))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, np.repeat(np.arange(5.0)[:, None], 7, axis=1))
    assert {leaf.dtype for leaf in jax.tree.leaves(layers)} == {jnp.dtype(dtype)}


def test_hidden_layers_differ_and_keep_the_scale():
    layers = init_conditioner(jax.random.key(0), 4, np.zeros(5), (256, 256), jnp.float32)
    first, second, _ = layers
    assert np.std(first.weight) == pytest.approx(1 / np.sqrt(3 * 4), rel=0.1)
    assert np.std(second.weight) == pytest.approx(1 / np.sqrt(256), rel=0.05)


def test_both_ends_of_a_period_differ_in_one_feature_only():
    layers = init_conditioner(jax.random.key(0), 1, np.zeros(5), (16,), jnp.float64)
    last = layers[-1]._replace(weight=jnp.ones_like(layers[-1].weight))
    blind = layers[0]._replace(weight=layers[0].weight.at[:, 0].set(0.0))
    ends = jnp.array([[0.0, 1.0]])
    full, periodic = (apply_conditioner((first, last), ends) for first in (layers[0], blind))
    assert np.all(np.abs(full[:, 0] - full[:, 1]) > 1e-3)
    np.testing.assert_allclose(periodic[:, 0], periodic[:, 1], atol=1e-12)


def test_without_inputs_the_bias_is_the_output():
    (layer,) = init_conditioner(jax.random.key(0), 0, np.zeros(5), (16, 16), jnp.float32)
    layer = layer._replace(bias=jnp.arange(5.0, dtype=jnp.float32)[:, None])
    out = apply_conditioner((layer,), jnp.zeros((0, 3)))
    np.testing.assert_array_equal(out, np.repeat(np.arange(5.0)[:, None], 3, axis=1))
