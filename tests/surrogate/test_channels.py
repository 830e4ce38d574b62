"""Channel weights, densities of several channels, and their fixed grids."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.card.schema import Channels, SurrogateOptions
from fabgen.surrogate import ChannelWeights, Flow, Gridded, MultiChannel, Uniform, build_channels
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.vegas.axis_grid import GriddedParams, from_grid, to_grid, uniform_grid

#: Of one component.
THREE = ChannelLayout((0, 0, 0))


def moved(params, seed=0, size=0.3):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: np.asarray(leaf) + size * rng.normal(size=leaf.shape).astype(leaf.dtype),
        params,
    )


def test_weights_start_from_the_prior_and_add_up_to_one():
    weights = ChannelWeights(3, 2, (5,))
    params = jax.tree.map(np.asarray, jax.jit(weights.init)(jax.random.key(0)))
    features = jnp.asarray(np.random.default_rng(0).normal(size=(2, 7)))
    alpha = np.asarray([0.5, 0.0, 0.5])[:, None] * np.ones(7)

    @jax.jit
    def with_slopes(params):
        def total(params):
            correction = weights.correction(params, features)
            found = THREE.log_alpha(jnp.log(alpha), jnp.ones(3), 0, correction)
            return jnp.sum(jnp.exp(found[0]) ** 2), found

        slopes, found = jax.grad(total, has_aux=True)(params)
        return found, slopes

    start, _ = with_slopes(params)
    np.testing.assert_allclose(np.exp(start), alpha, rtol=1e-12)
    trained, slopes = jax.tree.map(np.asarray, with_slopes(moved(params)))
    np.testing.assert_allclose(np.exp(trained).sum(axis=0), 1.0, rtol=1e-12)
    assert np.all(np.isneginf(trained[1]))
    assert np.std(trained[0]) > 0.0
    assert all(np.all(np.isfinite(slope)) for slope in jax.tree.leaves(slopes))


def test_dropped_channels_pass_their_weight_on():
    alpha = np.asarray([[0.5, 0.0, 1.0], [0.25, 0.5, 0.0], [0.25, 0.5, 0.0]])
    found = jax.jit(lambda active: jnp.exp(THREE.log_alpha(jnp.log(alpha), active, 0)))
    without_last = np.asarray(found(np.asarray([1.0, 1.0, 0.0])))
    np.testing.assert_allclose(without_last[:, 0], [2 / 3, 1 / 3, 0.0], rtol=1e-12)
    np.testing.assert_allclose(without_last[:, 1], [0.0, 1.0, 0.0], rtol=1e-12)
    # Nothing but the dropped channel reaches the last point: the others share it.
    without_first = np.asarray(found(np.asarray([0.0, 1.0, 1.0])))
    np.testing.assert_allclose(without_first[:, 2], [0.0, 0.5, 0.5], rtol=1e-12)


FLOW = Flow(2, 2, 4, (6,))


@pytest.mark.parametrize("conditioned", [False, True])
def test_each_channel_has_a_density_of_its_own(conditioned):
    flow = Flow(2, 2, 4, (6,), n_context=3) if conditioned else FLOW
    surrogate = MultiChannel(flow, THREE, (0, 1, 0), conditioned, grid_bins=0 if conditioned else 4)
    start = jax.jit(surrogate.init)(jax.random.key(0))
    params = start._replace(density=moved(start.density))
    n = 6000
    channel = np.arange(n) % 3
    sample, log_prob = jax.jit(surrogate.sample_and_log_prob), jax.jit(surrogate.log_prob)
    u, log_q = map(np.asarray, sample(params, jax.random.key(1), channel))
    np.testing.assert_allclose(log_prob(params, u, channel), log_q, atol=1e-5)
    for number in range(3):
        assert abs(np.mean(np.exp(-log_q[channel == number])) - 1.0) < 0.1
    # one point in every channel, and a point outside
    u = u.copy()
    u[:4] = 0.3
    u[3] = [0.3, 1.2]
    densities = np.asarray(log_prob(params, u, channel))
    assert densities[0] != densities[1]
    assert (densities[0] == densities[2]) == (not conditioned)  # flow_of = (0, 1, 0)
    assert np.isneginf(densities[3])
    if not conditioned:
        of_one = jax.tree.map(lambda leaf: leaf[1], params.density)
        alone = jax.jit(FLOW.log_prob)(of_one, u[:1])
        np.testing.assert_allclose(densities[1], alone[0], atol=1e-6)


def test_grids_map_and_invert():
    borders = np.asarray([[0.0, 0.1, 0.5, 1.0], [0.0, 0.5, 0.6, 1.0]])
    v = np.random.default_rng(0).uniform(size=(50, 2))
    v[0], v[1] = 0.0, 1.0

    @jax.jit
    def there_and_back(borders, v):
        u, log_slope = from_grid(borders, v)
        return u, log_slope, *to_grid(borders, u)

    u, log_slope, back, log_back = map(np.asarray, there_and_back(borders, v))
    np.testing.assert_allclose(back, v, atol=1e-12)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-12)
    np.testing.assert_allclose(u[:2], [[0.0, 0.0], [1.0, 1.0]], atol=1e-15)
    np.testing.assert_allclose(there_and_back(uniform_grid(2, 3), v)[0], v, atol=1e-15)

    @jax.jit
    def sample(key):
        surrogate, params = Gridded(2, Uniform(2), 3), GriddedParams(jnp.asarray(borders), ())
        u, log_q = surrogate.sample_and_log_prob(params, key, 1000)
        return u, log_q, surrogate.log_prob(params, u)

    u, log_q, again = map(np.asarray, sample(jax.random.key(0)))
    np.testing.assert_allclose(again, log_q, atol=1e-12)
    assert abs(np.mean(u[:, 0] < 0.1) - 1 / 3) < 0.05


def test_what_the_card_asks_for():
    def build(n_channels, options=None, channels=None, **how):
        options, channels = options or SurrogateOptions(kind="flow"), channels or Channels()
        how = {"trained_weights": True, "grids": False} | how
        layout = ChannelLayout((0,) * n_channels)
        return build_channels(2, layout, tuple(range(n_channels)), 5, options, channels, **how)

    assert build(1) == Flow(2)
    assert build(1, grids=True) == Gridded(2, Flow(2), 64)
    both = build(2, grids=True)
    assert both == MultiChannel(
        *(Flow(2), ChannelLayout((0, 0)), (0, 1), False, ChannelWeights(2, 5), 64)
    )
    assert build(2, trained_weights=False).weights is None
    assert build(2, channels=Channels(trained_weights=False)).weights is None
    conditioned = build(2, channels=Channels(flows="conditioned", drop_below=0.1))
    assert conditioned.density == Flow(2, n_context=2)
    assert (conditioned.conditioned, conditioned.drop_below) == (True, 0.1)
    assert build(2, SurrogateOptions(kind="uniform")).density == Uniform(2)
    grids = build(2, SurrogateOptions(kind="vegas"))
    assert (grids.density, grids.grid_bins, grids.weights) == (Uniform(2), 64, None)
    mirrored = build_channels(
        *(
            2,
            ChannelLayout((0, 0, 1, 1)),
            (0, 1, 0, 1),
            5,
            SurrogateOptions(kind="flow"),
            Channels(),
        ),
        trained_weights=False,
        grids=False,
    )
    assert mirrored.flow_of == (0, 1, 0, 1)


def test_one_channel_number_for_all_points():
    """Of a flow that gets the channel as a context, too."""
    surrogate = MultiChannel(
        Flow(2, 1, 4, (4,), n_context=3), ChannelLayout((0, 0, 0)), (0, 0, 0), conditioned=True
    )
    params, u = surrogate.init(jax.random.key(0)), jnp.full((5, 2), 0.3)
    alike = surrogate.log_prob(params, u, jnp.ones(5, int))
    np.testing.assert_array_equal(surrogate.log_prob(params, u, 1), alike)
