"""Bounds on sqrt(s) that follow from cuts, against events that pass them and closed forms."""

from __future__ import annotations

import functools
import math

import jax
import numpy as np
import pytest

from fabgen.phasespace.cuts import CutLeg, Cuts

Z = CutLeg("other", 23, mass=91.0)
J = CutLeg("j", 21)
B = CutLeg("b", 5)
A = CutLeg("a", 22)
L, LBAR = CutLeg("l", 11), CutLeg("l", -11)
MU, MUBAR = CutLeg("l", 13), CutLeg("l", -13)
NU, NUBAR = CutLeg("missing", 12), CutLeg("missing", -12)
T, TBAR = (CutLeg("other", pdg, mass=173.0) for pdg in (6, -6))

#: Cuts, legs, masses in GeV, and the smallest sqrt(s) within them.
LOWEST = {
    "masses": ({}, (T, TBAR), (173.0, 173.0), 346.0),
    "pt": ({"ptj": 20.0}, (J, J), (0.0, 0.0), 40.0),
    "pt of three": ({"ptj": 20.0, "drjj": 0.4}, (J, J, J), (0.0,) * 3, 60.0),
    "recoil": ({"ptj": 30.0}, (Z, J), (91.0, 0.0), 30.0 + math.hypot(91.0, 30.0)),
    "mass": ({"mmll": 50.0}, (L, LBAR), (0.0, 0.0), 50.0),
    "two masses": ({"mmll": 50.0}, (L, LBAR, MU, MUBAR), (0.0,) * 4, 100.0),
    "mass and recoil": (
        {"mmll": 50.0, "ptj": 30.0},
        (L, LBAR, J),
        (0.0,) * 3,
        30.0 + math.hypot(50.0, 30.0),
    ),
    "mass between jets": ({"mmll": 50.0, "ptj": 30.0}, (J, L, J, LBAR), (0.0,) * 4, 110.0),
    "missing pt": ({"misset": 100.0}, (NU, J, NUBAR), (0.0,) * 3, 200.0),
    "any pt": ({"ptheavy": 100.0}, (T, TBAR), (173.0, 173.0), 2 * math.hypot(173.0, 100.0)),
    "any of three": ({"ptheavy": 100.0}, (T, TBAR, J), (173.0, 173.0, 0.0), None),
    "ranks": ({"ptj1min": 50.0, "ptj2min": 30.0}, (J, J, J), (0.0,) * 3, 100.0),
    "ht": ({"htjmin": 500.0, "ptj": 10.0}, (J,) * 4, (0.0,) * 4, 500.0),
    "ht of two": ({"ht2min": 200.0, "ptj": 30.0}, (J, J, J), (0.0,) * 3, 230.0),
    "ht and mass": ({"htjmin": 200.0}, (J, Z, J), (0.0, 91.0, 0.0), 291.0),
    "energies in reach": (
        {"ej": 100.0, "etaj": 1.0},
        (J, J),
        (0.0, 0.0),
        200.0 / math.cosh(1.0),
    ),
    "energies alone": ({"ej": 100.0}, (B, J, J), (4.7, 0.0, 0.0), 4.7),
    "masses of pairs": ({"mmjj": 50.0}, (J, J, J), (0.0,) * 3, 50.0 * math.sqrt(3.0)),
    "all leptons": ({"mmnl": 200.0, "pta": 20.0}, (L, NUBAR, A), (0.0,) * 3, None),
}
EVENTS = 40_000


@functools.cache
def _passes(card, legs):
    return jax.jit(Cuts.from_card(dict(card), legs).passes)


def _events(cuts, masses, seed):
    """(legs, 4, events): balanced in pT, often at the edges of the cuts, and seen in some lab."""
    n = len(masses)
    rng = np.random.default_rng(seed)
    size = np.array([cuts.minimum_pt(i, m) for i, m in enumerate(masses)])[:, None]
    scale = rng.choice([1e-3, 1.0, 30.0, 100.0], (n, EVENTS))
    pt = size + scale * rng.exponential(size=(n, EVENTS))
    phi = rng.uniform(-math.pi, math.pi, (n, EVENTS))
    px, py = pt * np.cos(phi), pt * np.sin(phi)
    ends = rng.permuted(np.arange(n)[:, None].repeat(EVENTS, axis=1), axis=0)[0]
    is_end = np.arange(n)[:, None] == ends
    px, py = (np.where(is_end, p - p.sum(axis=0), p) for p in (px, py))
    y = rng.normal(scale=rng.choice([1e-3, 0.5, 2.0], EVENTS), size=(n, EVENTS))
    y += rng.normal(size=EVENTS)
    transverse = np.sqrt(np.array(masses)[:, None] ** 2 + px**2 + py**2)
    return np.stack([transverse * np.cosh(y), px, py, transverse * np.sinh(y)], axis=1)


def _sqrt_s(p):
    energy, *vector = p.sum(axis=0)
    return np.sqrt(energy**2 - sum(v * v for v in vector))


@pytest.mark.parametrize("name", LOWEST)
def test_no_event_lies_below(name):
    card, legs, masses, exact = LOWEST[name]
    cuts = Cuts.from_card(card, legs)
    bound = cuts.minimum_sqrt_s(masses)
    assert bound >= sum(masses)
    assert bound >= cuts.minimum_invariant_mass(range(len(legs)), masses)
    if exact is not None:
        assert bound == pytest.approx(exact, rel=1e-12)
    p = _events(cuts, masses, seed=3)
    inside = p[..., np.asarray(_passes(tuple(card.items()), legs)(p, np.array(masses)))]
    assert inside.shape[2] > 20
    assert np.all(_sqrt_s(inside) >= bound * (1 - 1e-9))


def test_the_order_of_legs_does_not_matter():
    card = {"ptj1min": 60.0, "ptj": 20.0, "mmll": 30.0, "drjj": 0.4}
    one = Cuts.from_card(card, (J, L, J, LBAR, Z)).minimum_sqrt_s((0.0, 0.0, 0.0, 0.0, 91.0))
    two = Cuts.from_card(card, (Z, LBAR, J, J, L)).minimum_sqrt_s((91.0, 0.0, 0.0, 0.0, 0.0))
    assert one == pytest.approx(two, rel=1e-12)
    assert one >= 60.0 + 20.0 + 30.0 + 91.0


HIGHEST = {
    "none": ({"mmll": 50.0}, (L, LBAR), (0.0, 0.0), math.inf),
    "mass": ({"mmllmax": 120.0}, (L, LBAR), (0.0, 0.0), 120.0),
    "of a part": ({"mmllmax": 120.0}, (L, LBAR, A), (0.0,) * 3, math.inf),
    "all pairs": ({"mmjjmax": 100.0}, (J, J, J), (0.0,) * 3, 100.0 * math.sqrt(3.0)),
    "massive pairs": ({"mmbbmax": 50.0}, (B, B, B), (4.7,) * 3, math.sqrt(7500 - 3 * 4.7**2)),
    "leptons": ({"mmnlmax": 300.0}, (L, NUBAR), (0.0, 0.0), 300.0),
    "energies": ({"ejmax": 50.0, "ebmax": 80.0}, (J, B), (0.0, 4.7), 130.0),
    "pt and y": (
        {"ptbmax": 50.0, "etab": 1.0},
        (B, B),
        (4.7, 4.7),
        2 * math.cosh(1.0) * math.hypot(50.0, 4.7),
    ),
    "pt alone": ({"ptbmax": 50.0}, (B, B), (4.7, 4.7), math.inf),
}


@pytest.mark.parametrize("name", HIGHEST)
def test_no_event_lies_above(name):
    card, legs, masses, exact = HIGHEST[name]
    cuts = Cuts.from_card(card, legs)
    bound = cuts.maximum_sqrt_s(masses)
    assert bound == pytest.approx(exact, rel=1e-12)
    p = _events(cuts, masses, seed=4)
    inside = p[..., np.asarray(_passes(tuple(card.items()), legs)(p, np.array(masses)))]
    assert inside.shape[2] > 20
    assert np.all(_sqrt_s(inside) <= bound * (1 + 1e-9))
