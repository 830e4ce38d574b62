"""Bounds that follow from cuts where transverse momenta balance, such as those on sqrt(s): against
events that pass the cuts, and closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.card.cuts import CUT_KEYS
from fabgen.phasespace.cuts import CutLeg, Cuts

Z = CutLeg("other", 23, mass=91.0)
J = CutLeg("j", 21)
B = CutLeg("b", 5)
A = CutLeg("a", 22)
L, LBAR = CutLeg("l", 11), CutLeg("l", -11)
MU, MUBAR = CutLeg("l", 13), CutLeg("l", -13)
NU, NUBAR = CutLeg("missing", 12), CutLeg("missing", -12)
W, S = CutLeg("other", 24, mass=80.0), CutLeg("other", 36, mass=9.0)
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
    "xpt": ({"xptj": 80.0}, (J, J, Z), (0.0, 0.0, 91.0), 80.0 + math.hypot(91.0, 80.0)),
    "xpt of one": ({"xpta": 80.0}, (A, Z), (0.0, 91.0), 80.0 + math.hypot(91.0, 80.0)),
    "jets and b": (
        {"ihtmin": 300.0, "ptj": 20.0},
        (J, B, J),
        (0.0, 4.7, 0.0),
        math.hypot(300.0, 4.7),
    ),
    "jets alone count": ({"ihtmin": 100.0, "htjmin": 300.0}, (J, B, J), (0.0, 4.7, 0.0), 304.7),
    "ht of four": ({"ht4min": 400.0, "ptj": 20.0}, (J,) * 5, (0.0,) * 5, 420.0),
    "pt of a pair": (
        {"ptllmin": 60.0, "mmll": 50.0},
        (L, LBAR, J),
        (0.0,) * 3,
        60 + math.hypot(50, 60),
    ),
    "pt of two pairs": ({"ptllmin": 60.0}, (L, NUBAR, J), (0.0,) * 3, 120.0),
    "ranks of leptons": ({"ptl1min": 50.0, "ptl3min": 20.0}, (L, LBAR, MU), (0.0,) * 3, 100.0),
    "isolated": ({"ptgmin": 25.0}, (A, A), (0.0, 0.0), 50.0),
    "total": ({"dsqrt_shat": 400.0}, (T, TBAR), (173.0, 173.0), 400.0),
    "by number": (
        {"pt_min_pdg": {"6": 100.0}, "ptj": 30.0},
        (T, J, TBAR),
        (173.0, 0.0, 173.0),
        30.0 + 2 * math.hypot(173.0, 100.0),
    ),
    "mass by number": ({"mxx_min_pdg": {"6": 500.0}}, (T, TBAR), (173.0, 173.0), 500.0),
    "any of several": (
        {"ptheavy": 100.0},
        (T, W, S),
        (173.0, 80.0, 9.0),
        min(
            math.hypot(173.0, 100.0) + math.hypot(89.0, 100.0),
            math.hypot(80.0, 100.0) + math.hypot(182.0, 100.0),
        ),
    ),
    "ht of both": ({"htjmin": 200.0}, (J, J), (0.0, 0.0), 200.0),
    "hemispheres": ({"xetamin": 0.5}, (J, J, Z), (0.0, 0.0, 91.0), 91.0),
    "missing pt and jets": ({"misset": 100.0}, (NU, J, NUBAR, J), (0.0,) * 4, 200.0),
    "wide jets": ({"deltaeta": 3.0, "ptj": 20.0}, (J, J), (0.0, 0.0), None),
    "excluded": ({"mmll": 100.0, "mmllmax": 80.0}, (L, LBAR), (0.0, 0.0), 0.0),
    "all leptons": ({"mmnl": 200.0, "pta": 20.0}, (L, NUBAR, A), (0.0,) * 3, None),
}
EVENTS = 4 * 2048


def _events(cuts, masses, seed, events=EVENTS):
    """(legs, 4, events): balanced in pT, often at the edges of the cuts, and seen in some lab."""
    n = len(masses)
    rng = np.random.default_rng(seed)
    size = np.array([cuts.minimum_pt(i, m) for i, m in enumerate(masses)])[:, None]
    scale = rng.choice([1e-3, 1.0, 30.0, 100.0], (n, events))
    pt = size + scale * rng.exponential(size=(n, events))
    phi = rng.uniform(-math.pi, math.pi, (n, events))
    px, py = pt * np.cos(phi), pt * np.sin(phi)
    ends = rng.permuted(np.arange(n)[:, None].repeat(events, axis=1), axis=0)[0]
    is_end = np.arange(n)[:, None] == ends
    px, py = (np.where(is_end, p - p.sum(axis=0), p) for p in (px, py))
    y = rng.normal(scale=rng.choice([1e-3, 0.5, 2.0], events), size=(n, events))
    y += rng.normal(size=events)
    transverse = np.sqrt(np.array(masses)[:, None] ** 2 + px**2 + py**2)
    return np.stack([transverse * np.cosh(y), px, py, transverse * np.sinh(y)], axis=1)


def _sqrt_s(p):
    energy, *vector = p.sum(axis=0)
    return np.sqrt(energy**2 - sum(v * v for v in vector))


def _hold(cuts, masses, inside):
    """Asserts all bounds for events that pass."""
    n, less, more = len(masses), 1 - 1e-9, 1 + 1e-9
    pt, phi = np.hypot(inside[:, 1], inside[:, 2]), np.arctan2(inside[:, 2], inside[:, 1])
    y = np.arcsinh(inside[:, 3] / np.sqrt(np.array(masses)[:, None] ** 2 + pt**2))
    for i in range(n):
        assert np.all(pt[i] >= less * cuts.minimum_pt(i, masses[i]))
        assert np.all(inside[i, 0] >= less * cuts.minimum_energy(i, masses[i]))
        assert np.all(inside[i, 0] <= more * cuts.maximum_energy(i, masses[i]))
        assert np.all(np.abs(y[i]) <= cuts.maximum_rapidity(i) + 1e-6)
    for i, j in itertools.combinations(range(n), 2):
        turn = np.abs(np.angle(np.exp(1j * (phi[i] - phi[j]))))
        assert np.all(np.hypot(y[i] - y[j], turn) >= cuts.minimum_delta_r(i, j) - 1e-6)
    for k in range(1, n + 1):
        for group in itertools.combinations(range(n), k):
            energy, x, y_, z = np.sum(inside[list(group)], axis=0)
            square = energy**2 - x * x - y_ * y_ - z * z
            bound = cuts.minimum_invariant_mass(group, masses)
            assert np.all(square >= less * bound**2 - 1e-9 * energy**2)
            bound = cuts.maximum_invariant_mass(group)
            assert np.all(square <= more * bound**2 + 1e-9 * energy**2)
            if k < n:
                assert np.all(np.hypot(x, y_) >= less * cuts.minimum_summed_pt(group) - 1e-9)
    sqrt_s = _sqrt_s(inside)
    assert np.all(sqrt_s >= less * cuts.minimum_sqrt_s(masses))
    assert np.all(sqrt_s <= more * cuts.maximum_sqrt_s(masses))


@pytest.mark.parametrize("name", LOWEST)
def test_no_event_lies_below(name, passing):
    card, legs, masses, exact = LOWEST[name]
    cuts = Cuts.from_card(card, legs)
    bound = cuts.minimum_sqrt_s(masses)
    assert bound >= sum(masses)
    assert bound >= cuts.minimum_invariant_mass(range(len(legs)), masses)
    if exact is not None:
        assert bound == pytest.approx(exact, rel=1e-12)
    p = _events(cuts, masses, seed=3)
    inside = p[..., passing(cuts, p, masses)]
    assert inside.shape[2] > 20
    _hold(cuts, masses, inside)


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
    "total": ({"dsqrt_shatmax": 400.0}, (T, TBAR), (173.0, 173.0), 400.0),
    "by number": (
        {"pt_max_pdg": {"6": 100.0}, "eta_max_pdg": {"6": 1.0}},
        (T, TBAR),
        (173.0, 173.0),
        2 * math.cosh(1.0) * math.hypot(100.0, 173.0),
    ),
    "excluded": ({"mmll": 100.0, "mmllmax": 80.0}, (L, LBAR), (0.0, 0.0), math.inf),
    "pt alone": ({"ptbmax": 50.0}, (B, B), (4.7, 4.7), math.inf),
}


@pytest.mark.parametrize("name", HIGHEST)
def test_no_event_lies_above(name, passing):
    card, legs, masses, exact = HIGHEST[name]
    cuts = Cuts.from_card(card, legs)
    bound = cuts.maximum_sqrt_s(masses)
    assert bound == pytest.approx(exact, rel=1e-12)
    p = _events(cuts, masses, seed=4)
    inside = p[..., passing(cuts, p, masses)]
    assert inside.shape[2] > 20
    _hold(cuts, masses, inside)


# -- all bounds, of any cuts -----------------------------------------------------------------------

#: Final states with their masses in GeV.
STATES = (
    ((J, J, A, Z), (0.0, 0.0, 0.0, 91.0)),
    ((L, LBAR, J, J), (0.0,) * 4),
    ((L, NUBAR, B, B), (0.0, 0.0, 4.7, 4.7)),
    ((T, TBAR, J, A), (173.0, 173.0, 0.0, 0.0)),
    ((L, J, LBAR), (0.0,) * 3),
    ((J, J), (0.0, 0.0)),
)
_CARDS = st.dictionaries(st.sampled_from(sorted(CUT_KEYS)), st.floats(0.0, 1.0), max_size=6)


def _card(shares):
    """A card of cuts that leave events: the maxima lie high, minima below them."""
    card = {}
    for name, share in shares.items():
        cut = CUT_KEYS[name]
        if cut.is_maximum:
            card[name] = 3.0 + share if cut.unit == "" else 100.0 + 300.0 * share
        else:
            card[name] = 0.1 + share if cut.unit == "" else 1.0 + 60.0 * share
    return card


@settings(max_examples=60)
@given(st.sampled_from(STATES), _CARDS, st.integers(0, 100))
def test_bounds_of_any_cuts(passing, state, shares, seed):
    legs, masses = state
    cuts = Cuts.from_card(_card(shares), legs)
    p = _events(cuts, masses, seed, events=2048)
    _hold(cuts, masses, p[..., passing(cuts, p, masses)])
