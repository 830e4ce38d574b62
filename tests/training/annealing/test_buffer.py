"""The replay buffer: ring order, the law of the draws, and adjustments solvable by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.training.annealing import buffer
from fabgen.training.annealing.buffer import Entries

# The functions as they are used: compiled.
add, adjust = jax.jit(buffer.add), jax.jit(buffer.adjust)
law = jax.jit(buffer.law, static_argnums=1, static_argnames=("even", "least_size"))
draw = jax.jit(buffer.draw, static_argnums=3)


def batch(start=0, n=2, log_w=0.0, log_r=0.0):
    u = np.arange(start, start + n, dtype=float)[:, None]
    return Entries(u, np.full(n, log_w), np.full(n, log_r), np.zeros(n))


def holding(log_w, log_r=0.0, **more):
    """A full buffer with these weights."""
    log_w = np.asarray(log_w, float)
    n = len(log_w)
    points = Entries(
        np.arange(n, dtype=float)[:, None], log_w, np.zeros(n) + log_r, np.zeros(n), **more
    )
    return add(buffer.empty(n, points), points)


def drawn(points, key, n):
    """By the weights themselves."""
    return draw(points, law(points), jax.random.key(key), n)


def stored(points, places):
    """A draw of these places."""
    places = np.asarray(places)
    entries = jax.tree.map(lambda leaf: np.asarray(leaf)[places], points.entries)
    ones = np.ones(len(places))
    return buffer.Draw(places, entries, ones, ones, ones > 0)


def test_new_batches_replace_the_oldest():
    points = buffer.empty(6, batch())
    for start in (0, 2, 4, 6):
        points = add(points, batch(start))
    np.testing.assert_array_equal(points.entries.u[:, 0], [6, 7, 2, 3, 4, 5])
    assert points.cursor == 2
    assert np.all(points.filled)


def test_capacity_must_hold_whole_batches():
    with pytest.raises(ValueError, match="whole batches"):
        buffer.empty(5, batch())


def test_a_draw_has_no_point_twice_and_none_of_the_empty_places():
    points = add(buffer.empty(10, batch(n=5)), batch(1, n=5))
    found = drawn(points, 0, 5)
    assert sorted(found.entries.u[:, 0].tolist()) == [1, 2, 3, 4, 5]
    assert np.all(found.valid)


@pytest.mark.parametrize("even", [0.0, 0.5])
def test_a_draw_larger_than_what_is_there_marks_the_rest(even):
    points = add(buffer.empty(10, batch(n=5)), batch(1, n=5))
    found = draw(points, law(points, even=even, least_size=8), jax.random.key(0), 8)
    assert np.sum(found.valid) == 5
    assert len(set(found.places.tolist())) == 8


@pytest.mark.parametrize("even", [0.0, 0.4])
def test_points_are_drawn_in_proportion_to_m_and_m_is_known(even):
    weights = np.asarray([0.0, 2.0, 3.0, 5.0])
    with np.errstate(divide="ignore"):
        points = holding(np.log(weights))
    rule = law(points, even=even, least_size=1)
    part = even * 100.0 / 38.0 / 4.0  # effective size 100/38 of 4 places
    np.testing.assert_allclose(rule.efficiency, 100.0 / 38.0 / 4.0, rtol=1e-12)
    expected = part + (1.0 - part) * weights / 2.5
    keys = jax.random.split(jax.random.key(1), 20_000)
    found = jax.vmap(lambda key: draw(points, rule, key, 1))(keys)
    places = np.asarray(found.places[:, 0])
    share = np.bincount(places, minlength=4) / len(keys)
    np.testing.assert_allclose(share, expected / 4.0, atol=0.015)
    np.testing.assert_allclose(found.m[:, 0], expected[places], rtol=1e-9)
    np.testing.assert_allclose(found.t[:, 0], weights[places] / 2.5, rtol=1e-9)


def test_of_several_channels_points_compete_by_their_part_of_the_sum_of_roots():
    """S = sqrt(<w>_i): 2 and 1 over all eight places; t = w/(S_i S) has mean 1."""
    w = np.asarray([8.0, 8.0, 8.0, 8.0, 1.0, 3.0, 2.0, 2.0])
    channel = np.asarray([0] * 4 + [1] * 4, np.int32)
    points = holding(np.log(w), channel=channel, more=())
    rule = law(points, 2)
    unit = np.exp(float(rule.log_unit))
    np.testing.assert_allclose(np.sqrt(unit) * rule.sizes, [2.0, 1.0], rtol=1e-12)
    found = draw(points, rule, jax.random.key(0), 8)
    t = np.empty(8)
    t[found.places] = found.t
    np.testing.assert_allclose(t, w / np.repeat([2.0, 1.0], 4) / 3.0, rtol=1e-9)
    np.testing.assert_allclose(np.mean(t), 1.0, rtol=1e-9)


@given(sigma=st.floats(0.0, 30.0), n=st.sampled_from([1, 16, 64, 128]), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_power_of_the_weights_keeps_the_effective_size(sigma, n, seed):
    log_w = sigma * np.random.default_rng(seed).normal(size=256)
    points = holding(log_w)
    rule = law(points, least_size=n)
    t = np.exp(float(rule.exponent) * (log_w - log_w.max()))
    assert t.sum() ** 2 / (t**2).sum() >= 0.999 * n
    if rule.exponent < 1.0:  # and no smaller than it has to be
        t = np.exp((float(rule.exponent) + 2.0**-11) * (log_w - log_w.max()))
        assert t.sum() ** 2 / (t**2).sum() < 1.01 * n or sigma < 0.1
    assert np.isfinite(rule.log_mean)


def test_few_heavy_points_are_not_drawn_in_proportion_but_for_a_power():
    """log-normal weights, sigma = 4: the mean of log w over a plain draw of 1000 is far too low.

    That of a draw by a power of w is about what the power says.
    """
    log_w = 4.0 * np.random.default_rng(0).normal(size=20_000)
    points, n = holding(log_w), 1000

    def mean_of_draws(rule):
        keys = jax.random.split(jax.random.key(3), 40)
        found = jax.vmap(lambda key: draw(points, rule, key, n))(keys)
        return np.mean(found.entries.log_w)

    def mean_under(exponent):
        w = np.exp(exponent * log_w)
        return np.sum(w * log_w) / np.sum(w)

    missing = mean_under(1.0) - mean_of_draws(law(points))
    assert missing > 3.0
    rule = law(points, least_size=8 * n)
    assert 0.1 < rule.exponent < 0.6
    assert abs(mean_under(float(rule.exponent)) - mean_of_draws(rule)) < 0.2 * missing


@pytest.mark.parametrize("offset", [0.0, -3e4, 700.0])
def test_a_draw_takes_the_largest_sums_whatever_the_scale_of_the_weights(offset):
    log_w = 5.0 * np.random.default_rng(1).normal(size=4096)
    low, high = holding(log_w), holding(offset + log_w)
    np.testing.assert_array_equal(drawn(low, 2, 256).places, drawn(high, 2, 256).places)
    sums = log_w + np.asarray(jax.random.gumbel(jax.random.key(2), log_w.shape, "float32"))
    assert set(drawn(high, 2, 256).places.tolist()) == set(np.argsort(-sums)[:256].tolist())


def test_weights_of_zero_and_not_finite_ones_are_never_drawn():
    points = holding([-np.inf, np.nan, np.inf, 0.0])
    np.testing.assert_array_equal(points.entries.log_w, [-np.inf, -np.inf, -np.inf, 0.0])
    found = drawn(points, 0, 4)
    assert found.places[0] == 3
    np.testing.assert_array_equal(found.valid, [True, False, False, False])


@pytest.mark.parametrize("least_size", [0, 2])
def test_a_buffer_without_any_weight_has_a_law(least_size):
    for points in (buffer.empty(4, batch(n=4)), holding([-np.inf] * 4)):
        rule = law(points, even=0.5, least_size=least_size)
        found = draw(points, rule, jax.random.key(0), 2)
        for leaf in jax.tree.leaves((rule, found.t, found.m)):
            assert np.all(np.isfinite(leaf))
        assert not np.any(found.valid)


def test_adjustment_by_hand():
    """Point 1 was stored with r_old = e^0.5 and w = e^2; now r = e^-0.25: w becomes e^2.75."""
    points = holding([1.0, 2.0], [0.1, 0.5])
    points = adjust(points, stored(points, [1]), np.asarray([-0.25]))
    np.testing.assert_allclose(points.entries.log_w, [1.0, 2.75])
    np.testing.assert_allclose(points.entries.log_r, [0.1, -0.25])
    # Back at the first r the weight is the first one: adjustments telescope, nothing is clipped.
    points = adjust(points, stored(points, [1]), np.asarray([0.5]))
    np.testing.assert_allclose(points.entries.log_w, [1.0, 2.0])


def test_a_point_that_occurs_twice_in_a_draw_is_adjusted_once():
    points = holding(np.full(4, 1.0), 0.2)
    log_r = np.asarray([0.7, 0.7, -0.1, 0.7])
    points = adjust(points, stored(points, [2, 2, 0, 2]), log_r)
    np.testing.assert_allclose(points.entries.log_w, [1.3, 1.0, 0.5, 1.0])
    np.testing.assert_allclose(points.entries.log_r, [-0.1, 0.2, 0.7, 0.2])


def test_a_density_that_is_not_finite_leaves_the_point_as_it_was():
    points = holding([1.0, 1.0], 0.2)
    adjusted = adjust(points, drawn(points, 0, 2), np.asarray([np.nan, -np.inf]))
    np.testing.assert_array_equal(adjusted.entries.log_w, points.entries.log_w)
    np.testing.assert_array_equal(adjusted.entries.log_r, points.entries.log_r)


def test_a_point_of_a_dropped_channel_loses_its_weight():
    points = holding([1.0, 1.0], 0.2)
    points = adjust(points, stored(points, [1]), np.asarray([np.inf]))
    np.testing.assert_array_equal(points.entries.log_w, [1.0, -np.inf])
    np.testing.assert_array_equal(points.entries.log_r, [0.2, 0.2])


def test_what_belongs_to_a_point_travels_with_it():
    more = (jnp.arange(8.0).reshape(4, 2),)
    points = holding([0.0, 1.0, 2.0, 3.0], channel=np.asarray([0, 1, 0, 1], np.int32), more=more)
    found = draw(points, law(points, 2), jax.random.key(0), 4)
    np.testing.assert_array_equal(found.entries.more[0][:, 0], 2.0 * found.entries.u[:, 0])
    np.testing.assert_array_equal(found.entries.channel, found.entries.u[:, 0] % 2)
