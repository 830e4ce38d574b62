"""Bounds on invariant masses under cuts, windows of decayed particles, and energy conservation."""

from __future__ import annotations

import math

import pytest

from fabgen.build.invariant_ranges import InvariantRanges, Resonance
from fabgen.phasespace.cuts import CutLeg, Cuts

#: A mother of 200 +- 10 GeV decays into a daughter of 80 +- 5 GeV (legs 1, 2) and leg 3.
MOTHER = Resonance(frozenset((1, 2, 3)), 200.0, 10.0)
DAUGHTER = Resonance(frozenset((1, 2)), 80.0, 5.0)


def ends(ranges: InvariantRanges, *legs: int) -> tuple[float, float]:
    """Smallest and largest mass of some legs, GeV: from how far a mass far away is from both."""
    far = 1e6
    below = math.sqrt(-min(ranges.depth(legs, 0.0), 0.0))
    above = math.sqrt(max(far**2 + ranges.depth(legs, far), 0.0))
    return below, above


def ranges(masses, *resonances, sqrt_s=500.0, cuts=None) -> InvariantRanges:
    legs = [CutLeg("a", 22)] + [CutLeg("other", 99)] * (len(masses) - 1)
    return InvariantRanges(Cuts.from_card(cuts or {}, legs), masses, sqrt_s, resonances)


CHAIN = ranges([50.0, 10.0, 10.0, 20.0], DAUGHTER, MOTHER)


@pytest.mark.parametrize(
    ("legs", "low", "high"),
    [
        ((1, 2), 20.0, 190.0),  # its own window does not count, its mother's does
        ((1, 2, 3), 95.0, 450.0),  # the daughter is in its window
        ((0, 1, 2, 3), 500.0, 500.0),
        ((0, 3), 70.0, 425.0),
        ((0, 1, 2), 125.0, 480.0),
        ((2, 3), 30.0, 200.0),  # the mother leaves them this, whatever the daughter is
        ((1,), 10.0, 75.0),
    ],
)
def test_windows(legs, low, high):
    assert ends(CHAIN, *legs) == pytest.approx((low, high))


def test_a_daughter_counts_within_its_mother():
    found = ranges([50.0, 10.0, 10.0, 20.0, 1.0], DAUGHTER, MOTHER)
    assert ends(found, 0, 1, 2, 3) == pytest.approx((240.0, 499.0))


def test_the_rest_is_in_its_window():
    pair = Resonance(frozenset((0, 1)), 91.0, 6.0)
    assert ends(ranges([1.0, 1.0, 5.0, 5.0], pair), 2, 3) == pytest.approx((10.0, 415.0))


def test_a_sibling_is_in_its_window():
    siblings = Resonance(frozenset((0, 1)), 90.0, 5.0), Resonance(frozenset((2, 3)), 90.0, 5.0)
    mother = Resonance(frozenset((0, 1, 2, 3)), 200.0, 0.0)
    found = ranges([0.0, 1.0, 2.0, 3.0, 4.0], mother, *siblings)
    assert ends(found, 0, 1) == pytest.approx((1.0, 115.0))
    assert ends(found, 0, 1, 2, 3) == pytest.approx((170.0, 496.0))


def test_a_photon_across_the_beams():
    """It takes energy from what recoils, and adds mass to what it is joined with."""
    found = ranges([0.0, 80.0, 90.0], cuts={"pta": 20.0})
    _, high = ends(found, 1, 2)
    assert high == pytest.approx(math.sqrt(500.0**2 - 2.0 * 500.0 * 20.0))
    low, _ = ends(found, 0, 1)
    assert low == pytest.approx(80.0 * math.sqrt(1.0 + 2.0 * 20.0 / 500.0))
