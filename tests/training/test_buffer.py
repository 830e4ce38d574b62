"""The replay buffer: ring order, draws, and adjustments solvable by hand."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fabgen.training import buffer

# The functions as they are used: compiled.
add, adjust = jax.jit(buffer.add), jax.jit(buffer.adjust)
draw = jax.jit(buffer.draw, static_argnums=2)


def batch(start, n=2, dim=1, log_w=0.0, log_q=0.0):
    u = np.arange(start, start + n, dtype=float)[:, None] * np.ones(dim)
    return u, np.full(n, log_w), np.full(n, log_q)


def stored(points, places):
    """A draw of these places."""
    found = (np.asarray(values)[places] for values in (points.u, points.log_w, points.log_q))
    return buffer.Draw(np.asarray(places), *found)


def test_new_batches_replace_the_oldest():
    points = buffer.empty(6, 1)
    for start in (0, 2, 4, 6):
        points = add(points, *batch(start))
    np.testing.assert_array_equal(points.u[:, 0], [6, 7, 2, 3, 4, 5])
    assert (points.cursor, points.filled) == (2, 6)


def test_capacity_must_hold_whole_batches():
    with pytest.raises(ValueError, match="whole batches"):
        add(buffer.empty(5, 1), *batch(0))


def test_a_draw_has_no_point_twice_and_none_of_the_empty_places():
    points = add(buffer.empty(10, 1), *batch(1, n=5))
    drawn = draw(points, jax.random.key(0), 5)
    assert sorted(drawn.u[:, 0].tolist()) == [1, 2, 3, 4, 5]
    assert np.all(drawn.valid)


def test_a_draw_larger_than_what_is_there_marks_the_rest():
    points = add(buffer.empty(10, 1), *batch(1, n=5))
    drawn = draw(points, jax.random.key(0), 8)
    assert np.sum(drawn.valid) == 5
    assert len(set(drawn.places.tolist())) == 8


def test_points_are_drawn_in_proportion_to_their_weights():
    weights = np.asarray([1.0, 2.0, 3.0, 4.0])
    points = add(buffer.empty(4, 1), np.zeros((4, 1)), np.log(weights), np.zeros(4))
    keys = jax.random.split(jax.random.key(1), 20_000)
    places = jax.jit(jax.vmap(lambda key: buffer.draw(points, key, 1).places[0]))(keys)
    share = np.bincount(places, minlength=4) / len(keys)
    np.testing.assert_allclose(share, weights / 10.0, atol=0.015)


@pytest.mark.parametrize("offset", [0.0, -3e4, 700.0])
def test_a_draw_takes_the_largest_sums_whatever_the_scale_of_the_weights(offset):
    log_w = offset + 5.0 * np.random.default_rng(1).normal(size=4096)
    points = add(buffer.empty(4096, 1), np.zeros((4096, 1)), log_w, np.zeros(4096))
    key = jax.random.key(2)
    sums = log_w + jax.random.gumbel(key, log_w.shape, log_w.dtype)
    largest = np.argsort(-np.asarray(sums))[:256]
    assert set(draw(points, key, 256).places.tolist()) == set(largest.tolist())


def test_weights_of_zero_and_not_finite_ones_are_never_drawn():
    log_w = np.asarray([-np.inf, np.nan, np.inf, 0.0])
    points = add(buffer.empty(4, 1), *(batch(0, n=4)[0], log_w, np.zeros(4)))
    np.testing.assert_array_equal(points.log_w, [-np.inf, -np.inf, -np.inf, 0.0])


def test_adjustment_by_hand():
    """Point 1 was stored with q_old = e^0.5 and w = e^2; now q = e^-0.25: w becomes e^2.75."""
    points = add(
        buffer.empty(2, 1), np.zeros((2, 1)), np.asarray([1.0, 2.0]), np.asarray([0.1, 0.5])
    )
    drawn = stored(points, [1])
    points = adjust(points, drawn, np.asarray([-0.25]))
    np.testing.assert_allclose(points.log_w, [1.0, 2.75])
    np.testing.assert_allclose(points.log_q, [0.1, -0.25])
    # Back at the first q the weight is the first one: adjustments telescope, nothing is clipped.
    drawn = stored(points, [1])
    points = adjust(points, drawn, np.asarray([0.5]))
    np.testing.assert_allclose(points.log_w, [1.0, 2.0])


def test_a_point_that_occurs_twice_in_a_draw_is_adjusted_once():
    points = add(buffer.empty(4, 1), *batch(0, n=4, log_w=1.0, log_q=0.2))
    drawn = stored(points, [2, 2, 0, 2])
    log_q = np.asarray([0.7, 0.7, -0.1, 0.7])
    points = adjust(points, drawn, log_q)
    np.testing.assert_allclose(points.log_w, [1.3, 1.0, 0.5, 1.0])
    np.testing.assert_allclose(points.log_q, [-0.1, 0.2, 0.7, 0.2])


def test_a_density_that_is_not_finite_leaves_the_point_as_it_was():
    points = add(buffer.empty(2, 1), *batch(0, log_w=1.0, log_q=0.2))
    drawn = draw(points, jax.random.key(0), 2)
    adjusted = adjust(points, drawn, np.asarray([np.nan, -np.inf]))
    np.testing.assert_array_equal(adjusted.log_w, points.log_w)
    np.testing.assert_array_equal(adjusted.log_q, points.log_q)
