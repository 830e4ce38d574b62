"""What is drawn of an observable: spectra, labels, axes."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.distributions import (
    axis_of,
    density_label,
    differential,
    distribution,
    spectra,
)
from fabgen.plot.histogram import chi_squared
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
    assert axis_of(spectra(samples, x, EDGES)) == (False, 0)
    steep = spectra(samples, [one**0.05 for one in x], np.linspace(0.6, 1.0, 11))
    assert axis_of(steep)[0]


def test_an_observable_without_spread_has_no_picture(samples):
    constant = Observable("mass_a_b", "m", "a b", "GeV", lambda momenta: momenta[:, 0, 0])
    assert distribution(constant, samples, "GeV", "", "trained flow") is None
