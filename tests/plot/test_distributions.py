"""What is drawn of an observable: spectra, labels, axes."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.binning import Peak
from fabgen.plot.distributions import (
    Spectra,
    density_label,
    differential,
    distribution,
    heights,
    spectra,
)
from fabgen.plot.histogram import Spectrum, chi_squared
from fabgen.plot.observables import Observable
from fabgen.plot.sample import Sample, Samples
from fabgen.plot.style import bracket, power_of_ten

from .conftest import make_samples

EDGES = np.linspace(0.0, 1.0, 11)


def first_coordinate(samples):
    return [part.u[:, 0] for part in samples.parts]


def test_both_weighted_samples_estimate_f_and_the_surrogate_has_its_integral():
    samples = make_samples(n=50_000)
    found = spectra(samples, first_coordinate(samples), EDGES)
    exact = 0.98 * 3.0 * found.weighted.centres
    assert np.sum((found.weighted.value - exact) ** 2 / found.weighted.error**2) < 30
    assert np.sum((found.reference.value - exact) ** 2 / found.reference.error**2) < 30
    # Twice the points, and as good.
    assert np.all(found.reference.error < found.weighted.error)
    test = chi_squared(found.weighted, found.reference)
    assert test.bins >= 9
    assert test.value < 30
    assert np.sum(found.surrogate.value) * 0.1 == pytest.approx(0.98 * 1.5, rel=0.01)


def test_the_reference_shows_what_the_surrogate_leaves_out():
    """f = 1; the surrogate lives on the lower half."""
    rng, n = np.random.default_rng(3), 20_000
    zeros, rest = np.zeros(n), (np.zeros((n, 3, 4)), np.zeros(n, int))

    def half():
        return Sample(rng.uniform(0.0, 0.5, (n, 1)), zeros, np.log(2.0) + zeros, ln2, *rest)

    ln2, flat = np.full(n, np.log(2.0)), rng.uniform(size=(n, 1))
    log_q = np.where(flat[:, 0] < 0.5, np.log(2.0), -np.inf)
    samples = Samples(half(), (half(), Sample(flat, zeros, zeros, log_q, *rest)))
    found = spectra(samples, first_coordinate(samples), EDGES)
    np.testing.assert_allclose(found.reference.value, 1.0, atol=0.1)
    np.testing.assert_array_equal(found.weighted.value[5:], 0.0)
    np.testing.assert_allclose(found.weighted.value[:5], 1.0, atol=0.1)


def peaked(rng, n=500):
    """f is 10^4 on a width of 10^-4, and 1 elsewhere; the surrogate is f but for its norm."""
    norm = 2.0 - 1e-4

    def sample(u, flat):
        log_f = np.where(u < 1e-4, np.log(1e4), 0.0)
        log_q = log_f - np.log(norm)
        log_drawn = 0.0 * log_q if flat else log_q
        rest = np.zeros((n, 3, 4)), np.zeros(n, int)
        return Sample(u[:, None], log_f, log_drawn, log_q, *rest)

    def surrogate():
        peak = rng.uniform(size=n) < 1.0 / norm
        u = np.where(peak, rng.uniform(0.0, 1e-4, n), rng.uniform(1e-4, 1.0, n))
        return sample(u, False)

    return Samples(surrogate(), (surrogate(), sample(rng.uniform(size=n), True)))


def test_a_peak_that_flat_points_miss_does_not_spoil_the_reference():
    pulls = []
    for seed in range(40):
        samples = peaked(np.random.default_rng(seed))
        found = spectra(samples, first_coordinate(samples), np.array([0.0, 0.5, 1.0]))
        exact = np.array([2.0 * (1.5 - 1e-4), 1.0])
        pulls.append((found.reference.value - exact) / found.reference.error)
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.25)


def test_labels_carry_units():
    assert differential("pb") == r"\sigma"
    assert differential("GeV") == r"\Gamma"
    assert differential("") == "I"
    assert density_label("s", "pb", "m", "GeV") == r"$\mathrm{d}s/\mathrm{d}m$ [pb/GeV]"
    assert density_label("s", "pb", "y", "") == r"$\mathrm{d}s/\mathrm{d}y$ [pb]"
    assert density_label("s", "GeV", "m", "GeV") == r"$\mathrm{d}s/\mathrm{d}m$"
    assert density_label("s", "", "m", "GeV") == r"$\mathrm{d}s/\mathrm{d}m$ [1/GeV]"
    assert density_label("s", "GeV", "m", "GeV", -13).endswith(" [$10^{-13}$]")
    assert bracket("pb", 3) == " [$10^{3}$ pb]"
    assert bracket("") == ""


def test_powers_of_ten_are_taken_out_of_unhandy_numbers_only():
    assert power_of_ten(5.0) == power_of_ten(0.2) == power_of_ten(900.0) == 0
    assert power_of_ten(3e-4) == -4
    assert power_of_ten(250_000.0) == 5
    assert power_of_ten(0.0) == power_of_ten(np.inf) == 0


def test_steep_spectra_have_a_logarithmic_axis():
    samples = make_samples(n=20_000)
    x = first_coordinate(samples)
    low, high, log = heights([spectra(samples, x, EDGES)])
    assert (low, log) == (0.0, False)
    assert 2.8 < high < 3.5
    steep = spectra(samples, [one**0.05 for one in x], np.linspace(0.6, 1.0, 11))
    low, high, log = heights([steep])
    assert log
    assert 0.0 < low < 0.1 * high


def test_a_spike_does_not_squash_the_rest_of_a_spectrum(samples):
    """A bin in ten has a hundred times what the others have."""
    counts = np.array([1.0] * 9 + [100.0])
    spectrum = Spectrum(EDGES, counts, 0.1 * counts, np.full(10, 100.0))
    low, high, log = heights([Spectra(spectrum, spectrum, None)])
    assert log
    assert low == 0.5
    assert high == pytest.approx(165.0)


def test_an_observable_without_spread_has_no_picture(samples):
    constant = Observable("mass_a_b", "m", "a b", "GeV", lambda momenta: momenta[:, 0, 0])
    assert list(distribution(constant, samples, "GeV", "", "trained flow")) == []


def observable(values, symbol="m"):
    """An observable that does not look at the momenta: `values` of the points of each part."""
    given = iter(values)
    return Observable("x", symbol, "a b", "GeV", lambda momenta: next(given))


def resonance(samples, seed=1, mass=91.0, width=2.5):
    """Masses of a resonance on a flat background of as many points, from 10 to 1000 GeV."""
    rng = np.random.default_rng(seed)
    for part in samples.parts:
        n = len(part)
        peak = mass + 0.5 * width * np.tan(np.pi * (rng.uniform(size=n) - 0.5))
        yield np.where(rng.uniform(size=n) < 0.5, np.clip(peak, 10, 1e3), rng.uniform(10, 1e3, n))


def test_a_resonance_has_bins_of_its_width_and_a_close_up(samples):
    z, higgs = Peak(23, 91.0, 2.5), Peak(25, 125.0, 4e-3)
    found = dict(
        distribution(observable(resonance(samples)), samples, "pb", "", "flow", [higgs, z])
    )
    assert list(found) == ["x", "x_at_Z"]
    points = found["x"].axes[0].containers[-1][0].get_xdata()
    assert np.count_nonzero(np.abs(points - 91.0) < 2.5) >= 8
    assert found["x_at_Z"].axes[-1].get_xlim() == pytest.approx((71.0, 111.0))
    # Not what is no mass.
    other = observable(resonance(samples), "y")
    assert list(dict(distribution(other, samples, "pb", "", "flow", [z]))) == ["x"]


def test_a_gap_in_the_data_is_cut_out_of_the_axis(samples):
    def two_sided():
        rng = np.random.default_rng(2)
        for part in samples.parts:
            yield rng.uniform(3.0, 6.0, len(part)) * rng.choice([-1.0, 1.0], len(part))

    [(_, figure)] = distribution(observable(two_sided(), "y"), samples, "pb", "title", "flow")
    left, right, below_left, below_right = figure.axes
    np.testing.assert_allclose(left.get_xlim(), (-6.0, -2.94), atol=0.01)
    np.testing.assert_allclose(right.get_xlim(), (2.94, 6.0), atol=0.01)
    assert below_left.get_xlim() == left.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    assert not left.spines["right"].get_visible()
    assert not below_right.spines["left"].get_visible()
    filled = [len(axes.containers[-1][0].get_xdata()) for axes in (left, right)]
    assert filled == [16, 16]


def test_a_resonance_beyond_the_range_has_no_close_up():
    """A permille of the weight, at masses that are not drawn."""
    samples = make_samples(n=40_000)

    def far_away():
        rng = np.random.default_rng(3)
        for part in samples.parts:
            x = rng.uniform(300.0, 1000.0, len(part))
            x[rng.uniform(size=len(part)) < 0.001] = 91.0
            yield x

    z = Peak(23, 91.0, 2.5)
    given = observable(values[:] for values in far_away())
    found = dict(distribution(given, samples, "pb", "", "flow", [z]))
    assert list(found) == ["x"]
