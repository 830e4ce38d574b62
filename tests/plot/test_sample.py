"""Weights of samples, and of two samples joined."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.sample import Sample, Samples, mixture_weights


def sample(log_f, log_drawn, log_surrogate):
    n = len(log_f)
    arrays = (np.asarray(a, dtype=float) for a in (log_f, log_drawn, log_surrogate))
    return Sample(np.zeros((n, 1)), *arrays, np.zeros((n, 3, 4)), np.zeros(n, int))


def test_weights_are_f_over_q_and_zero_where_f_is_no_number():
    one = sample(np.log([2.0, 3.0, 1.0]), np.log([4.0, 1.0, 1.0]), np.zeros(3))
    np.testing.assert_allclose(one.weights, [0.5, 3.0, 1.0])
    odd = sample([-np.inf, np.nan, np.inf], np.zeros(3), np.zeros(3))
    np.testing.assert_array_equal(odd.weights, np.zeros(3))


def test_mixture_weights_are_f_over_the_mean_density():
    one = sample(np.log([2.0, 3.0]), np.zeros(2), np.log([4.0, 1.0]))
    np.testing.assert_allclose(mixture_weights(one, 0.25), [2.0 / 1.75, 3.0])
    nothing = sample([-np.inf, np.log(3.0)], np.zeros(2), [-np.inf, -np.inf])
    np.testing.assert_allclose(mixture_weights(nothing, 0.5), [0.0, 6.0])


def test_all_parts_together_are_distributed_as_f():
    rng = np.random.default_rng(1)
    n = 50_000
    zeros, ln2 = np.zeros(n), np.full(n, np.log(2.0))
    rest = np.zeros((n, 3, 4)), np.zeros(n, int)

    def half():
        """f = 1; the surrogate knows only the lower half of the cube."""
        return Sample(rng.uniform(0.0, 0.5, (n, 1)), zeros, ln2, ln2, *rest)

    flat = rng.uniform(size=(n, 1))
    log_q = np.where(flat[:, 0] < 0.5, np.log(2.0), -np.inf)
    samples = Samples(half(), (half(), Sample(flat, zeros, zeros, log_q, *rest)))
    for parts, weights, largest in (
        (samples.parts, samples.target(), 3.0),
        (samples.parts[1:], samples.reference_weights(), 2.0),
    ):
        u, w = np.concatenate([part.u for part in parts]), np.concatenate(weights)
        assert len(u) == len(w) == len(parts) * n
        assert np.mean(w) == pytest.approx(1.0, abs=0.01)
        assert np.average(u[:, 0], weights=w) == pytest.approx(0.5, abs=0.01)
        assert np.max(w) == pytest.approx(largest)


def test_without_a_reference_there_is_the_weighted_surrogate():
    one = sample(np.log([2.0, 3.0]), np.zeros(2), np.zeros(2))
    samples = Samples(one)
    assert samples.parts == (one,)
    assert samples.reference_weights() == ()
    assert samples.untrained is None
    (weights,) = samples.target()
    np.testing.assert_allclose(weights, [2.0, 3.0])


def test_an_untrained_map_that_never_hits_has_no_weights_to_show():
    one = sample(np.log([2.0, 3.0]), np.zeros(2), np.zeros(2))
    none = sample([-np.inf, -np.inf], np.zeros(2), np.zeros(2))
    assert Samples(one, (one, none)).untrained is None
    np.testing.assert_array_equal(Samples(one, (one, one)).untrained, one.log_weights)


def test_an_untrained_map_may_have_weights_of_its_own():
    """Several channels have other weights alpha_i before the training."""
    one = sample(np.log([2.0, 3.0]), np.zeros(2), np.zeros(2))
    own = np.array([0.5, -np.inf])
    assert Samples(one, (one, one), own).untrained is own
    assert Samples(one, None, own).untrained is own
    assert Samples(one, (one, one), own - np.inf).untrained is None


def test_the_largest_channel_and_its_points():
    """f = 1 and 3 on the cubes of two channels, each with half of the points; q is flat."""
    n = 1000
    channel, u = np.arange(n) % 2, np.random.default_rng(2).uniform(size=(n, 1))
    log_f = np.log(np.where(channel == 1, 3.0, 1.0) / 0.5)
    one = Sample(u, log_f, np.zeros(n), np.zeros(n), np.zeros((n, 3, 4)), channel)
    samples = Samples(one, (one, one))
    assert samples.largest_channel == 1
    for number, largest in ((0, 2.0), (1, 6.0)):
        part = samples.of_channel(number)
        assert [len(p) for p in part.parts] == [n // 2] * 3
        np.testing.assert_array_equal(part.surrogate.u, u[number::2])
        np.testing.assert_allclose(part.target(), largest)
    assert Samples(one).of_channel(0).reference is None
