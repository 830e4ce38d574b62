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
from fabgen.plot.style import bracket, power_of_ten

from .conftest import make_samples

EDGES = np.linspace(0.0, 1.0, 11)


def test_both_weighted_samples_estimate_f_and_the_surrogate_has_its_integral():
    samples = make_samples(n=50_000)
    found = spectra(samples, samples.surrogate.u[:, 0], samples.untrained.u[:, 0], EDGES)
    # f = 3 x, but zero at every fiftieth point.
    exact = 0.98 * 3.0 * found.weighted.centres
    assert np.sum((found.weighted.value - exact) ** 2 / found.weighted.error**2) < 30
    assert np.sum((found.untrained.value - exact) ** 2 / found.untrained.error**2) < 30
    test = chi_squared(found.weighted, found.untrained)
    assert test.bins >= 9
    assert test.value < 30
    assert np.sum(found.surrogate.value) * 0.1 == pytest.approx(0.98 * 1.5, rel=0.01)


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
    x = samples.surrogate.u[:, 0]
    assert axis_of(spectra(samples, x, None, EDGES)) == (False, 0)
    assert axis_of(spectra(samples, x**0.05, None, np.linspace(0.6, 1.0, 11)))[0]


def test_an_observable_without_spread_has_no_picture(samples):
    constant = Observable("mass_a_b", "m", "a b", "GeV", lambda momenta: momenta[:, 0, 0])
    assert distribution(constant, samples, "GeV", "", "trained flow") is None
