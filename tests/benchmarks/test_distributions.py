"""The benchmark of spectra: Drell-Yan by convolution, and chi-squares that mean what they say."""

from __future__ import annotations

import json
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.beams.pdf import DEFAULT_SET, load_member, xf
from fabgen.model import load_model


@pytest.fixture(scope="module", autouse=True)
def _benchmarks(pytestconfig):
    sys.path.insert(0, str(pytestconfig.rootpath / "benchmarks"))
    yield
    sys.path.pop(0)


@pytest.fixture(scope="module")
def drell_yan():
    from spectra.drell_yan import DrellYan

    densities = load_member(DEFAULT_SET).densities

    def x_f(flavours, x):
        return np.asarray(xf(densities, jnp.asarray(x), jnp.full(x.shape, 91.188), flavours))

    none = np.zeros(0)
    return DrellYan(13000.0, 50.0, load_model("sm").external, x_f, none, none, nodes=4)


def test_drell_yan_has_the_known_cross_section(drell_yan, root):
    known, *_ = json.loads((root / "tests/data/cross_sections.json").read_text())["protons"]
    assert known["process"] == "p p > e+ e-"
    for found in (
        drell_yan.of_mass(np.array([50.0, 91.0, np.inf])),
        drell_yan.of_rapidity(np.array([-np.inf, 0.0, np.inf])),
        drell_yan.of_cosine(np.linspace(-1.0, 1.0, 5)),
    ):
        assert abs(found.sum() - known["pb"]) < known["error"]


def test_drell_yan_prefers_the_direction_of_the_quark(drell_yan):
    """At 13 TeV some percent more electrons go where the pair goes, which is where the quark went:
    left-handed Z couplings on the peak, gamma-Z interference above it."""
    back, ahead = drell_yan.of_cosine(np.array([-1.0, 0.0, 1.0]))
    assert 0.01 < (ahead - back) / (ahead + back) < 0.1
    left, right = drell_yan.of_rapidity(np.array([-np.inf, 0.0, np.inf]))
    assert left == pytest.approx(right, rel=1e-12)


def record_of(observable, generator, *, events, sigma, error, scale=1.0):
    """A run whose x is exponential, drawn with weights; its cross section with an error."""
    x = generator.exponential(1.3 * scale, events)
    weights = np.exp(-x / scale) / np.exp(-x / (1.3 * scale)) * generator.uniform(0.5, 1.5, events)
    sums = [observable.sums(x, w).tolist() for w in (weights, weights**2)]
    return {
        "sums": {observable.name: sums},
        "cross_section_pb": sigma * (1.0 + error * generator.standard_normal()),
        "cross_section_error_pb": sigma * error,
    }


def test_chi_squares():
    """200 of them have the mean and the variance of chi^2 with as many degrees of freedom as bins;
    one of another distribution, and one of another cross section, is found out."""
    from spectra.compare import Agreement, Observable, Reference, Spectrum

    edges, generator = np.array([0.0, 0.3, 0.7, 1.0, 1.5, 2.2]), np.random.default_rng(1)
    observable = Observable("x", "x", "", edges, above=True)
    exact = -7.0 * np.diff(np.exp(-observable.bounds))
    others = Reference("exact", exact, 0.02 * exact)
    known = Reference("exact", exact, np.zeros(6))
    asked = {"events": 4000, "sigma": 7.0, "error": 0.01}

    def agreement(reference, **changed):
        record = record_of(observable, generator, **(asked | changed))
        return Agreement.between(Spectrum.of(record, observable), reference)

    for reference in (known, others):
        found = []
        for _ in range(200):
            moved = exact + reference.error * generator.standard_normal(6)
            found.append(agreement(Reference("", moved, reference.error)).chi2)
        assert abs(np.mean(found) - 6.0) < 4.0 * np.sqrt(12.0 / 200)
        assert 6.0 < np.var(found) < 20.0
    assert agreement(known, scale=1.15).p < 1e-3
    assert agreement(known, sigma=7.7).p < 1e-3
