"""Integrals over the unit hypercube, without any surrogate, against reference numbers."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.metrics import Metrics
from fabgen.model import load_model
from fabgen.sampling.integrate import integrate
from fabgen.sampling.sampler import weighted_sampler
from fabgen.sampling.values import CompiledIntegrand
from fabgen.surrogate import untrained_surrogate
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.units import PB_GEV2

BLOCK = 1 << 14


@pytest.fixture
def entry(request, root) -> dict:
    """The reference of a process."""
    path = root / "tests" / "data" / "cross_sections.json"
    entries = json.loads(path.read_text(encoding="utf-8"))["fixed beams"]
    (found,) = (e for e in entries if e["process"] == request.param)
    return found


def card(entry: dict) -> dict:
    return {
        "process": entry["process"],
        "beams": {"energy": entry["energy"]},
        "cuts": entry.get("cuts", {}),
        "phase_space": {"bw_cutoff": entry.get("bw_cutoff", 15.0)},
    }


def sampled(table: dict, n: int) -> Metrics:
    """The integral of a card from n points."""
    integrand = build_integrand(card_from_table(table))
    layout = ChannelLayout(integrand.component_of_channel)
    surrogate, k = untrained_surrogate(integrand.dim, layout), integrand.n_channels
    params = surrogate.init(jax.random.key(0))
    values, shares = CompiledIntegrand(integrand, BLOCK).values, (1.0 / k,) * k
    sampler = weighted_sampler(values, surrogate, params, shares, block=BLOCK)
    metrics = integrate(sampler, n, jax.random.key(7)).metrics
    assert metrics.nonfinite == metrics.negative == 0
    return metrics


@pytest.mark.parametrize(
    "entry", ["e+ e- > mu+ mu-", "e+ e- > t t~, t > w+ b, t~ > w- b~"], indirect=True
)
def test_flat_sampling(entry):
    metrics = sampled(card(entry), 120_000)
    error = np.hypot(metrics.integral_error, entry["error"])
    assert error < 0.003 * entry["pb"]
    assert abs(metrics.integral - entry["pb"]) < 4 * error


@pytest.mark.parametrize("entry", ["e+ e- > w+ w-", "e+ e- > z h"], indirect=True)
def test_quadrature(entry):
    """Two smooth dimensions, one of them the azimuth that f does not depend on."""
    integrand = build_integrand(card_from_table(card(entry)))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u, weights = (nodes + 1) / 2, weights / 2
    first, second = (np.full((200, 2), 0.3) for _ in range(2))
    first[:, 0], second[:, 1] = u, u
    f = np.exp(jax.jit(integrand.log_density)(np.concatenate([first, second])))
    along = [weights @ f[:200], weights @ f[200:]]
    spread = [np.ptp(f[:200]), np.ptp(f[200:])]
    assert min(spread) < 1e-9 * f.max() < max(spread)
    total = along[int(np.argmax(spread))]
    assert total == pytest.approx(entry["pb"], abs=4 * entry["error"])


def test_width_of_the_top():
    """Constant, so exact; the closed form stands in tests/amplitude/test_closed_forms.py."""
    metrics = sampled({"process": "t > w+ b"}, 1000)
    assert metrics.integral == pytest.approx(1.4914721, rel=1e-6)
    assert metrics.sampling_efficiency == pytest.approx(1.0)


def test_maps_agree():
    """RAMBO and the cascade of e+ e- > z h, z > b b~, the most resonant diagram."""
    table = {"process": "e+ e- > b b~ h", "beams": {"energy": [250.0, 250.0]}}
    flat, along = (
        sampled({**table, "phase_space": {"mapping": mapping}}, 150_000)
        for mapping in ("rambo", "channels")
    )
    error = np.hypot(flat.integral_error, along.integral_error)
    assert along.integral_error < 0.003 * along.integral
    assert error < 0.03 * along.integral
    assert abs(flat.integral - along.integral) < 4 * error
    assert along.sampling_efficiency > 5 * flat.sampling_efficiency


# -- identical particles ----------------------------------------------------------------------


def couplings(name: str) -> float:
    """A derived parameter of the model with its default parameters."""
    model = load_model("sm")
    return float(np.real(model.derive(model.external)[name]))


def gauss(function, low: float, high: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    half = (high - low) / 2
    return float(half * weights @ function(low + half * (nodes + 1)))


def photon_pairs(reach: float, sqrt_s: float) -> float:
    """e+ e- > a a with |cos| < reach in the rest frame: (2 pi alpha^2/s) [log((1 + reach)/(1 -
    reach)) - reach] in pb, half of what it is for different particles."""
    alpha = couplings("ee") ** 2 / (4 * np.pi)
    angles = np.log((1 + reach) / (1 - reach)) - reach
    return PB_GEV2 * 2 * np.pi * alpha**2 / sqrt_s**2 * angles


@pytest.mark.parametrize("use", ["one", "all"])
@pytest.mark.parametrize(
    ("energy", "cuts", "reach"),
    [
        ([250.0, 250.0], {"etaa": 1.5}, np.tanh(1.5)),
        ([250.0, 250.0], {"etaa": 2.0, "ea": 100.0}, np.tanh(2.0)),
        # E = 250 +- 150 cos GeV, above 190 GeV for both
        ([400.0, 100.0], {"ea": 190.0, "etaa": 2.5}, 0.4),
    ],
)
def test_photon_pairs(energy, cuts, reach, use):
    table = {"process": "e+ e- > a a", "beams": {"energy": energy}, "cuts": cuts}
    metrics = sampled({**table, "channels": {"use": use}}, 100_000)
    expected = photon_pairs(reach, 2 * np.sqrt(energy[0] * energy[1]))
    assert metrics.integral_error < 0.01 * expected
    assert abs(metrics.integral - expected) < 4 * metrics.integral_error


def test_z_pairs():
    """|M|^2 = (g_L^4 + g_R^4) [t/u + u/t + 4 m^2 s/(t u) - m^4 (1/t^2 + 1/u^2)], spins averaged, in
    half of the directions (R. W. Brown and K. O. Mikaelian, Phys. Rev. D19 (1979) 922)."""
    sqrt_s, m2 = 500.0, 91.188**2
    s, velocity = sqrt_s**2, np.sqrt(1 - 4 * m2 / sqrt_s**2)
    left, right = (
        float(np.imag(load_model("sm").derive(load_model("sm").external)[f"z_l_{side}"]))
        for side in ("left", "right")
    )

    def spins(cosine):
        t, u = (m2 - s / 2 * (1 + sign * velocity * cosine) for sign in (-1, 1))
        return t / u + u / t + 4 * m2 * s / (t * u) - m2**2 * (1 / t**2 + 1 / u**2)

    squared = (left**4 + right**4) * gauss(spins, -1, 1)
    expected = PB_GEV2 / (2 * s) * squared * velocity / (16 * np.pi) / 2
    table = {"process": "e+ e- > z z", "beams": {"energy": [250.0, 250.0]}}
    metrics = sampled({**table, "channels": {"use": "all"}}, 100_000)
    assert metrics.integral_error < 0.01 * expected
    assert abs(metrics.integral - expected) < 4 * metrics.integral_error


def test_gluon_pairs():
    """dsigma/dt = (9 pi alpha_s^2/(2 s^2)) (3 - t u/s^2 - s u/t^2 - s t/u^2), half of angles."""
    reach, s = np.tanh(1.5), 200.0**2

    def angles(cosine):
        t, u = -(1 - cosine) / 2, -(1 + cosine) / 2
        return 3 - t * u - u / t**2 - t / u**2

    strong = couplings("aS")
    integral = gauss(angles, -reach, reach) / 2
    expected = PB_GEV2 * 9 * np.pi * strong**2 / (2 * s) * integral / 2
    table = {"process": "g g > g g", "beams": {"energy": [100.0, 100.0]}, "cuts": {"etaj": 1.5}}
    metrics = sampled({**table, "channels": {"use": "all"}}, 100_000)
    assert metrics.integral_error < 0.01 * expected
    assert abs(metrics.integral - expected) < 4 * metrics.integral_error


# -- beams of different energies --------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "cuts"),
    [
        ("e+ e- > a a", {"ea": 190.0, "etaa": 2.5}),
        ("e+ e- > mu+ mu- a", {"ea": 60.0, "pta": 10.0, "etaa": 2.5, "mmll": 20.0, "dral": 0.4}),
    ],
)
def test_cuts_of_several_channels_are_taken_in_the_lab(process, cuts):
    """Which points are in cuts, from momenta in the lab: all, whatever their channel."""
    table = {"process": process, "beams": {"energy": [400.0, 100.0]}, "cuts": cuts}
    integrand = build_integrand(card_from_table({**table, "channels": {"use": "all"}}))
    n, k = 4096, integrand.n_channels
    assert k > 1
    u = np.random.default_rng(5).random((n, integrand.dim))
    channel = np.arange(n) % k
    point = jax.tree.map(np.asarray, jax.jit(integrand.point)(u, channel))
    p = point.momenta
    total = np.broadcast_to([[500.0], [0.0], [0.0], [300.0]], (4, n))
    np.testing.assert_allclose(p[2:].sum(axis=0), total, atol=1e-8)
    np.testing.assert_allclose(p[:2].sum(axis=0), total, atol=1e-8)
    pdg = integrand.topologies[0].pdg
    photons, muons = ([p[i] for i in range(2, len(pdg)) if abs(pdg[i]) == x] for x in (22, 13))
    passed = np.all([q[0] > cuts["ea"] for q in photons], axis=0)
    at_rest = [rest_energy(q) > cuts["ea"] for q in photons]
    if muons:
        pair = muons[0] + muons[1]
        passed &= pair[0] ** 2 - (pair[1:] ** 2).sum(axis=0) > 20.0**2
        (photon,) = photons
        passed &= np.hypot(photon[1], photon[2]) > 10.0
        passed &= np.abs(rapidity(photon)) < 2.5
        for muon in muons:
            angle = np.arctan2(muon[2], muon[1]) - np.arctan2(photon[2], photon[1])
            angle = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
            passed &= np.hypot(angle, rapidity(muon) - rapidity(photon)) > 0.4
    # A map that is closed there has no f, either.
    reached = point.log_jacobian != 0.0
    assert reached.mean() > 0.5
    np.testing.assert_array_equal(np.isfinite(point.log_f)[reached], passed[reached])
    assert 0.05 < passed[reached].mean() < 0.95
    assert np.mean(np.all(at_rest, axis=0)[reached] != passed[reached]) > 0.05


def rapidity(p):
    """Of massless momenta (4, events)."""
    return np.arctanh(p[3] / np.linalg.norm(p[1:], axis=0))


def rest_energy(p):
    """In the rest frame of beams of 400 and 100 GeV: velocity 3/5."""
    return 1.25 * (p[0] - 0.6 * p[3])
