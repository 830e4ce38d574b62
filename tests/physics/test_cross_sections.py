"""Integrals over the unit hypercube, without any surrogate, against reference numbers."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.metrics import Metrics
from fabgen.sampling.integrate import integrate
from fabgen.sampling.sampler import weighted_sampler
from fabgen.surrogate.uniform import Uniform


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
    sampler = weighted_sampler(integrand, Uniform(integrand.dim), (), block=1 << 14)
    metrics = integrate(sampler, n, jax.random.key(7)).metrics
    assert metrics.nonfinite == 0
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
