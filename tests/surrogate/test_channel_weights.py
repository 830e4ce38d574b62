"""Which channels share phase space: those of one component, whatever the others are."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.surrogate import ChannelWeights, Flow, MultiChannel
from fabgen.surrogate.channel_weights import ONE_CHANNEL, ChannelLayout

#: Components of different widths.
layouts = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(
    lambda counts: ChannelLayout(tuple(np.repeat(np.arange(len(counts)), counts).tolist()))
)
seeds = st.integers(0, 2**32 - 1)


def channels_and_rows(layout, seed):
    """The generator, channels (n,) of some points, and which rows (width, n) are there."""
    rng = np.random.default_rng(seed)
    owner = np.array(layout.component_of_channel)
    channel = rng.integers(layout.n_channels, size=4 * layout.n_channels)
    own = np.bincount(owner)[owner]
    return rng, channel, np.arange(own.max())[:, None] < own[channel]


def channels_beside(layout, channel):
    """Those of the component of a channel."""
    owner = np.array(layout.component_of_channel)
    return np.flatnonzero(owner == owner[channel])


def test_what_a_layout_is():
    layout = ChannelLayout((0, 0, 1, 1, 1, 2))
    assert (layout.n_channels, layout.width) == (6, 3)
    np.testing.assert_array_equal(layout.counts, [2, 2, 3, 3, 3, 1])
    np.testing.assert_array_equal(layout.first, [0, 0, 2, 2, 2, 5])
    assert (ONE_CHANNEL.n_channels, ONE_CHANNEL.width) == (1, 1)
    assert hash(layout) == hash(ChannelLayout((0, 0, 1, 1, 1, 2)))


@given(layouts, seeds, st.booleans())
@settings(max_examples=12)
def test_weights_are_those_of_the_own_component(layout, seed, corrected):
    """Point by point in numpy: some channels dropped, some without a prior weight."""
    rng, channel, there = channels_and_rows(layout, seed)
    seen = there & (rng.random(there.shape) > 0.2)
    log_prior = np.where(seen, rng.normal(size=there.shape), -np.inf)
    factors = rng.uniform(0.1, 1.0, layout.n_channels)
    factors[rng.random(layout.n_channels) < 0.3] = 0.0
    for first in set(layout.first.tolist()):  # no component loses its last channel
        own = channels_beside(layout, first)
        if not np.any(factors[own]):
            factors[rng.choice(own)] = 0.7
    correction = rng.normal(size=(layout.n_channels, len(channel))) if corrected else None
    given = [jnp.asarray(array) for array in (log_prior, factors, channel)]
    more = None if correction is None else jnp.asarray(correction)
    log_alpha = np.asarray(layout.log_alpha(*given, more))
    assert log_alpha.shape == there.shape
    np.testing.assert_allclose(np.exp(log_alpha).sum(axis=0), 1.0, rtol=1e-12)
    assert np.all(np.isneginf(log_alpha[~there]))
    for place, number in enumerate(channel):
        own = channels_beside(layout, number)
        expected = factors[own] * np.exp(log_prior[: len(own), place])
        if corrected:
            expected *= np.exp(correction[own, place])
        if not np.any(expected):  # nothing but dropped ones reaches the point: the others share it
            expected = (factors[own] > 0.0).astype(float)
        alpha = np.exp(log_alpha[: len(own), place])
        np.testing.assert_allclose(alpha, expected / expected.sum(), rtol=1e-10)
        assert np.all(alpha[factors[own] == 0.0] == 0.0)


@given(layouts, seeds)
@settings(max_examples=8)
def test_select_takes_the_row_of_the_own_channel(layout, seed):
    rng, channel, there = channels_and_rows(layout, seed)
    rows = np.where(there, rng.normal(size=there.shape), np.nan)
    found = np.asarray(layout.select(jnp.asarray(rows), channel))
    expected = [
        rows[list(channels_beside(layout, number)).index(number), place]
        for place, number in enumerate(channel)
    ]
    np.testing.assert_array_equal(found, expected)
    # one channel for all points
    last = layout.n_channels - 1
    row = list(channels_beside(layout, last)).index(last)
    np.testing.assert_array_equal(layout.select(jnp.asarray(rows), last), rows[row])


@given(layouts, seeds)
@settings(max_examples=8)
def test_spread_puts_each_number_at_its_channel(layout, seed):
    rows = np.random.default_rng(seed).normal(size=(layout.n_channels, layout.width))
    expected = np.zeros((layout.n_channels, layout.n_channels))
    for number in range(layout.n_channels):
        own = channels_beside(layout, number)
        expected[number, own] = rows[number, : len(own)]
        rows[number, len(own) :] = np.nan  # what stands beyond is not looked at
    np.testing.assert_array_equal(layout.spread(jnp.asarray(rows)), expected)


def test_weights_have_gradients_where_rows_are_missing():
    """A weight of zero, a dropped channel and a row beyond the component leave no NaN."""
    layout = ChannelLayout((0, 1, 1, 1))
    channel = np.array([0, 1, 2, 3])
    with np.errstate(divide="ignore"):
        log_prior = jnp.log(
            jnp.array([[1.0, 0.5, 0.0, 0.2], [0.0, 0.5, 1.0, 0.5], [0.0, 0.0, 0.0, 0.3]])
        )
    factors = jnp.array([1.0, 1.0, 0.5, 0.0])

    @jax.jit
    @jax.value_and_grad
    def total(correction):
        alpha = jnp.exp(layout.log_alpha(log_prior, factors, channel, correction))
        return jnp.sum(alpha[0] ** 2)

    value, slope = total(0.1 * jnp.arange(16.0).reshape(4, 4))
    assert np.isfinite(value)
    assert np.all(np.isfinite(slope))
    assert np.any(slope != 0.0)


@pytest.fixture(scope="module")
def together_and_apart(anywhere):
    """A surrogate of components of two and three channels, and one of each component alone."""
    flow, learned = Flow(2, 1, 4, (4,)), ChannelWeights(5, 2, (3,), "float64")
    layout, flow_of = ChannelLayout((0, 0, 1, 1, 1)), (0, 1, 2, 3, 2)
    both = MultiChannel(flow, layout, flow_of, weights=learned, grid_bins=3)
    params = anywhere(both)
    borders = np.cumsum(np.random.default_rng(2).uniform(0.5, 1.0, (5, 2, 4)), axis=-1)
    borders = (borders - borders[..., :1]) / (borders[..., -1:] - borders[..., :1])
    params = params._replace(grid=borders, factors=np.array([1.0, 0.6, 0.0, 1.0, 0.3]))
    *hidden, last = params.weights
    alone = []
    for own, flows in ((slice(0, 2), (0, 1)), (slice(2, 5), (0, 1, 0))):
        n = own.stop - own.start
        surrogate = MultiChannel(
            *(flow, ChannelLayout((0,) * n), flows),
            weights=ChannelWeights(n, 2, (3,), "float64"),
            grid_bins=3,
        )
        numbers = np.array(both.flow_of)[own]
        chosen = slice(numbers.min(), numbers.max() + 1)
        outputs = last._replace(weight=last.weight[own], bias=last.bias[own])
        own_params = params._replace(
            density=jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], params.density),
            weights=(*hidden, outputs),
            grid=borders[own],
            factors=params.factors[own],
        )
        alone.append((own, surrogate, own_params))
    return both, params, alone


def test_two_components_are_two_surrogates(together_and_apart):
    """Densities, points and weights."""
    both, params, alone = together_and_apart
    rng = np.random.default_rng(3)
    n, key = 60, jax.random.key(4)
    u, features = rng.random((n, 2)), rng.normal(size=(2, n))
    channel = rng.integers(5, size=n)
    log_prior = np.log(rng.dirichlet(np.ones(3), n).T)
    log_prior[2, channel < 2] = -np.inf
    log_q = np.asarray(jax.jit(both.log_prob)(params, u, channel))
    rows = np.asarray(jax.jit(both.log_alphas)(params, log_prior, features, channel))
    own_weight = np.asarray(jax.jit(both.log_alpha)(params, log_prior, features, channel))
    np.testing.assert_allclose(np.exp(rows).sum(axis=0), 1.0, rtol=1e-12)
    for own, surrogate, own_params in alone:
        count = surrogate.n_channels
        here = (channel >= own.start) & (channel < own.stop)
        local = np.clip(channel - own.start, 0, count - 1)
        expected = jax.jit(surrogate.log_prob)(own_params, u, local)
        np.testing.assert_allclose(log_q[here], np.asarray(expected)[here], atol=1e-6)
        given = own_params, log_prior[:count], features, local
        expected = np.asarray(jax.jit(surrogate.log_alphas)(*given))
        np.testing.assert_allclose(rows[:count, here], expected[:, here], rtol=1e-12)
        assert np.all(np.isneginf(rows[count:, here]))
        expected = np.asarray(jax.jit(surrogate.log_alpha)(*given))
        np.testing.assert_allclose(own_weight[here], expected[here], rtol=1e-12)
        # the same points from the same key
        drawn = jax.jit(both.sample_and_log_prob)(params, key, local + own.start)
        for found, other in zip(
            drawn, jax.jit(surrogate.sample_and_log_prob)(own_params, key, local), strict=True
        ):
            np.testing.assert_allclose(found, other, atol=1e-6)
