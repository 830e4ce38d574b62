"""Channel weights, densities of several channels, and their fixed grids."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.card.schema import Channels, SurrogateOptions
from fabgen.surrogate import ChannelWeights, Flow, Gridded, MultiChannel, Uniform, build_channels
from fabgen.surrogate.axis_grid import GriddedParams, from_grid, to_grid, uniform_grid
from fabgen.surrogate.channel_weights import log_alpha


def moved(params, seed=0, size=0.3):
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    noise = [size * rng.normal(size=leaf.shape).astype(leaf.dtype) for leaf in leaves]
    return tree.unflatten([leaf + n for leaf, n in zip(leaves, noise, strict=True)])


def test_weights_start_from_the_prior_and_add_up_to_one():
    weights = ChannelWeights(3, 2, (5,))
    params = weights.init(jax.random.key(0))
    features = jnp.asarray(np.random.default_rng(0).normal(size=(2, 7)))
    prior = jnp.log(jnp.asarray([0.5, 0.0, 0.5]))[:, None] * jnp.ones(7)
    active = jnp.ones(3)
    start = log_alpha(prior, active, weights.correction(params, features))
    np.testing.assert_allclose(jnp.exp(start), jnp.exp(prior), rtol=1e-12)
    trained = log_alpha(prior, active, weights.correction(moved(params), features))
    np.testing.assert_allclose(jnp.exp(trained).sum(axis=0), 1.0, rtol=1e-12)
    assert np.all(np.isneginf(trained[1]))
    assert float(jnp.std(trained[0])) > 0.0

    def total(params):
        alpha = jnp.exp(log_alpha(prior, active, weights.correction(params, features)))
        return jnp.sum(alpha[0] ** 2)

    slopes = jax.tree.leaves(jax.jit(jax.grad(total))(moved(params)))
    assert all(np.all(np.isfinite(slope)) for slope in slopes)


def test_dropped_channels_pass_their_weight_on():
    prior = jnp.log(jnp.asarray([[0.5, 0.0, 1.0], [0.25, 0.5, 0.0], [0.25, 0.5, 0.0]]))
    alpha = jnp.exp(log_alpha(prior, jnp.asarray([1.0, 1.0, 0.0]), 0.0))
    np.testing.assert_allclose(alpha[:, 0], [2 / 3, 1 / 3, 0.0], rtol=1e-12)
    np.testing.assert_allclose(alpha[:, 1], [0.0, 1.0, 0.0], rtol=1e-12)
    # Nothing but the dropped channel reaches the last point: the others share it.
    alpha = jnp.exp(log_alpha(prior, jnp.asarray([0.0, 1.0, 1.0]), 0.0))
    np.testing.assert_allclose(alpha[:, 2], [0.0, 0.5, 0.5], rtol=1e-12)


FLOW = Flow(2, 2, 4, (6,))


@pytest.mark.parametrize("conditioned", [False, True])
def test_each_channel_has_a_density_of_its_own(conditioned):
    flow = Flow(2, 2, 4, (6,), n_context=3) if conditioned else FLOW
    surrogate = MultiChannel(flow, 3, (0, 1, 0), conditioned, grid_bins=0 if conditioned else 4)
    start = jax.jit(surrogate.init)(jax.random.key(0))
    params = start._replace(density=moved(start.density))
    n = 6000
    channel = jnp.arange(n) % 3
    sample, log_prob = jax.jit(surrogate.sample_and_log_prob), jax.jit(surrogate.log_prob)
    u, log_q = sample(params, jax.random.key(1), channel)
    np.testing.assert_allclose(log_prob(params, u, channel), log_q, atol=1e-5)
    for number in range(3):
        assert abs(float(jnp.mean(jnp.exp(-log_q[channel == number]))) - 1.0) < 0.1
    point = jnp.full((3, 2), 0.3)
    densities = log_prob(params, point, jnp.arange(3))
    assert densities[0] != densities[1]
    assert (densities[0] == densities[2]) == (not conditioned)  # flow_of = (0, 1, 0)
    if not conditioned:
        alone = jax.jit(FLOW.log_prob)(
            jax.tree.map(lambda leaf: leaf[1], params.density), point[:1]
        )
        np.testing.assert_allclose(densities[1], alone[0], atol=1e-6)
    outside = log_prob(params, point.at[1].set(1.2), jnp.arange(3))
    assert np.isneginf(outside[1])


def test_grids_map_and_invert():
    borders = jnp.asarray([[0.0, 0.1, 0.5, 1.0], [0.0, 0.5, 0.6, 1.0]])
    v = jnp.asarray(np.random.default_rng(0).uniform(size=(50, 2))).at[0].set(0.0).at[1].set(1.0)
    u, log_slope = jax.jit(from_grid)(borders, v)
    back, log_back = jax.jit(to_grid)(borders, u)
    np.testing.assert_allclose(back, v, atol=1e-12)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-12)
    np.testing.assert_allclose(u[:2], [[0.0, 0.0], [1.0, 1.0]], atol=1e-15)
    np.testing.assert_allclose(from_grid(uniform_grid(2, 3), v)[0], v, atol=1e-15)
    surrogate = Gridded(2, Uniform(2), 3)
    u, log_q = surrogate.sample_and_log_prob(GriddedParams(borders, ()), jax.random.key(0), 1000)
    np.testing.assert_allclose(surrogate.log_prob(GriddedParams(borders, ()), u), log_q, atol=1e-12)
    assert abs(float(jnp.mean(u[:, 0] < 0.1)) - 1 / 3) < 0.05


def test_what_the_card_asks_for():
    def build(n_channels, options=None, channels=None, **how):
        options, channels = options or SurrogateOptions(kind="flow"), channels or Channels()
        how = {"trained_weights": True, "grids": False} | how
        return build_channels(2, tuple(range(n_channels)), 5, options, channels, **how)

    assert build(1) == Flow(2)
    assert build(1, grids=True) == Gridded(2, Flow(2), 64)
    both = build(2, grids=True)
    assert both == MultiChannel(Flow(2), 2, (0, 1), False, ChannelWeights(2, 5), 64)
    assert build(2, trained_weights=False).weights is None
    assert build(2, channels=Channels(trained_weights=False)).weights is None
    conditioned = build(2, channels=Channels(flows="conditioned", drop_below=0.1))
    assert conditioned.density == Flow(2, n_context=2)
    assert (conditioned.conditioned, conditioned.drop_below) == (True, 0.1)
    assert build(2, SurrogateOptions(kind="uniform")).density == Uniform(2)
    grids = build(2, SurrogateOptions(kind="vegas"))
    assert (grids.density, grids.grid_bins, grids.weights) == (Uniform(2), 64, None)
    mirrored = build_channels(
        *(2, (0, 1, 0, 1), 5, SurrogateOptions(kind="flow"), Channels()),
        trained_weights=False,
        grids=False,
    )
    assert mirrored.flow_of == (0, 1, 0, 1)
