from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.surrogate.flow.conditioner import Linear, apply_conditioner, init_conditioner


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_output_at_the_start_in_the_asked_dtype(dtype, hidden):
    @jax.jit
    def start(key, x):
        layers = init_conditioner(key, 3, np.arange(5.0), hidden, dtype)
        return layers, apply_conditioner(layers, x)

    layers, out = start(jax.random.key(0), np.random.default_rng(1).uniform(size=(3, 7)))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, np.repeat(np.arange(5.0)[:, None], 7, axis=1))
    assert {leaf.dtype for leaf in jax.tree.leaves(layers)} == {jnp.dtype(dtype)}


def test_hidden_layers_differ_and_keep_the_scale():
    first, second, _ = jax.jit(
        lambda key: init_conditioner(key, 4, np.zeros(5), (256, 256), jnp.float32)
    )(jax.random.key(0))
    assert np.std(first.weight) == pytest.approx(1 / np.sqrt(3 * 4), rel=0.1)
    assert np.std(second.weight) == pytest.approx(1 / np.sqrt(256), rel=0.05)


def test_both_ends_of_a_period_differ_in_one_feature_only():
    rng = np.random.default_rng(0)
    first = Linear(rng.normal(size=(16, 3)) / np.sqrt(3), np.zeros((16, 1)))
    last = Linear(np.ones((5, 16)), np.zeros((5, 1)))
    blind = first._replace(weight=first.weight * [0.0, 1.0, 1.0])
    ends, output = np.array([[0.0, 1.0]]), jax.jit(apply_conditioner)
    full, periodic = (np.asarray(output((layer, last), ends)) for layer in (first, blind))
    assert np.all(np.abs(full[:, 0] - full[:, 1]) > 1e-3)
    np.testing.assert_allclose(periodic[:, 0], periodic[:, 1], atol=1e-12)


def test_without_inputs_the_bias_is_the_output():
    (layer,) = init_conditioner(jax.random.key(0), 0, np.zeros(5), (16, 16), jnp.float32)
    layer = layer._replace(bias=jnp.arange(5.0, dtype=jnp.float32)[:, None])
    out = apply_conditioner((layer,), jnp.zeros((0, 3)))
    np.testing.assert_array_equal(out, np.repeat(np.arange(5.0)[:, None], 3, axis=1))
