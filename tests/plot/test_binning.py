"""Bins that follow resonances, and the pieces of an axis that hold data."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.binning import Peak, edges_around, peaks_in, pieces, shares, unstable

Z = Peak(23, 91.188, 2.4414)


def test_bins_are_even_without_a_resonance_or_where_they_are_fine_enough():
    even = np.linspace(10.0, 1000.0, 51)
    np.testing.assert_array_equal(edges_around(10.0, 1000.0, 50), even)
    # 0.5 GeV is less than a quarter of the width.
    close = edges_around(80.0, 100.0, 40, [Z])
    np.testing.assert_array_equal(close, np.linspace(80.0, 100.0, 41))


@pytest.mark.parametrize("width", [2.4414, 0.1, 4e-3])
@pytest.mark.parametrize("mass", [91.188, 500.0])
def test_bins_resolve_a_resonance_and_grow_away_from_it(mass, width):
    edges = edges_around(10.0, 1000.0, 50, [Peak(1, mass, width)])
    widths, centres = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    assert edges[0] == 10.0
    assert edges[-1] == 1000.0
    assert np.all(widths > 0.0)
    core = np.abs(centres - mass) < width
    assert np.count_nonzero(core) >= 7
    assert np.max(widths[core]) <= 0.3 * width
    assert np.max(widths) <= 1.5 * 990.0 / 50
    # No bin is much wider than its neighbour, but the last may be what was left.
    assert np.max(np.abs(np.diff(np.log(widths[:-1])))) < np.log(2.1)
    assert len(widths) < 200


def test_two_resonances():
    edges = edges_around(0.0, 200.0, 20, [Z, Peak(25, 125.0, 0.5)])
    for mass, width in ((91.188, 2.4414), (125.0, 0.5)):
        assert np.count_nonzero(np.abs(edges - mass) < width) >= 7


def test_a_particle_is_a_resonance_only_where_its_peak_is():
    rng = np.random.default_rng(1)
    breit_wigner = 91.188 + 1.2207 * np.tan(np.pi * (rng.uniform(size=5000) - 0.5))
    flat = rng.uniform(10.0, 1000.0, 50_000)
    ones = np.ones(5000)
    particles = (Z, Peak(6, 173.0, 1.5))
    assert peaks_in(breit_wigner, ones, particles) == (Z,)
    assert peaks_in(flat, np.ones(50_000), particles) == ()
    both = np.append(breit_wigner, flat)
    assert peaks_in(both, np.append(ones, np.ones(50_000)), particles) == (Z,)
    assert peaks_in(both, np.append(0.0 * ones, np.ones(50_000)), particles) == ()
    assert peaks_in(breit_wigner[:60], ones[:60], particles, least=100) == ()


def test_unstable_particles_of_a_model():
    masses = {24: 80.4, -24: 80.4, 23: 91.2, 5: 4.7, 25: 125.0}
    assert unstable(masses, {24: 2.0, -24: 2.0, 23: 2.4, 5: 0.0, 25: 7e-20}) == (
        Peak(24, 80.4, 2.0),
        Peak(23, 91.2, 2.4),
    )


def test_gaps_without_weight_are_left_out():
    side = np.linspace(4.0, 6.0, 9)
    x = np.concatenate([-side, [0.0], side])
    w = np.where(x == 0.0, 0.0, 1.0)
    left, right = pieces([(x, w)], -6.0, 6.0)
    np.testing.assert_allclose(left, [-6.0, -3.94])
    np.testing.assert_allclose(right, [3.94, 6.0])
    even = np.linspace(-6.0, 6.0, 100)
    [whole] = pieces([(even, np.ones(100)), (x, w)], -6.0, 6.0)
    assert whole == (-6.0, 6.0)


def test_few_points_are_no_piece_of_their_own():
    x = np.append(np.linspace(4.0, 6.0, 50), [-6.0, -5.9])
    assert pieces([(x, np.ones(52))], -6.0, 6.0) == [(-6.0, 6.0)]
    same = np.append(np.full(20, -6.0), np.linspace(4.0, 6.0, 50))
    left, right = pieces([(same, np.ones(70))], -6.0, 6.0)
    assert left == pytest.approx((-6.0, -5.94))
    assert right == pytest.approx((3.94, 6.0))


def test_short_pieces_can_be_seen():
    np.testing.assert_allclose(shares([(0.0, 1.0), (2.0, 4.0)]), [1 / 3, 2 / 3])
    np.testing.assert_allclose(shares([(0.0, 0.01), (2.0, 4.0)]), [1 / 6, 5 / 6])
    np.testing.assert_allclose(shares([(0.0, 1.0)]), [1.0])
