"""Cuts against plain loops over events, and the bounds that they imply."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.card.cuts import CUT_KEYS
from fabgen.errors import InputError
from fabgen.phasespace.cuts import CutLeg, Cuts, Event

#: Two of every class, three jets and leptons of two flavours; some legs come from decays.
LEGS = (
    CutLeg("j", 21),
    CutLeg("l", 11),
    CutLeg("j", 2),
    CutLeg("b", 5),
    CutLeg("missing", 12),
    CutLeg("l", -11),
    CutLeg("heavy", 23),
    CutLeg("a", 22),
    CutLeg("l", -13, from_decay=True),
    CutLeg("b", -5, from_decay=True),
    CutLeg("j", 1, from_decay=True),
    CutLeg("missing", -14, from_decay=True),
    CutLeg("heavy", 6, from_decay=True),
    CutLeg("a", 22, from_decay=True),
)
MASS = {"b": 4.7, "heavy": 100.0}
MASSES = np.array([MASS.get(leg.kind, 0.0) for leg in LEGS])
EVENTS = 200


@pytest.fixture(scope="module")
def momenta():
    """(legs, 4, events) in GeV; they conserve nothing, which cuts do not mind."""
    rng = np.random.default_rng(5)
    vector = rng.normal(size=(len(LEGS), 3, EVENTS)) * rng.exponential(40.0, (len(LEGS), 1, EVENTS))
    energy = np.sqrt(MASSES[:, None] ** 2 + np.sum(vector**2, axis=1))
    return np.concatenate([energy[:, None], vector], axis=1)


# -- the same quantities, one event and one number at a time ---------------------------------------


def pt(p):
    return math.hypot(p[1], p[2])


def rapidity(p):
    return 0.5 * math.log((p[0] + p[3]) / (p[0] - p[3]))


def distance(p, q):
    dphi = math.atan2(p[2], p[1]) - math.atan2(q[2], q[1])
    dphi = min(abs(dphi), 2 * math.pi - abs(dphi))
    return math.sqrt((rapidity(p) - rapidity(q)) ** 2 + dphi**2)


def mass(*momenta):
    e, x, y, z = (sum(component) for component in zip(*momenta, strict=True))
    return math.sqrt(max(e * e - x * x - y * y - z * z, 0.0))


def values(quantity, legs, event):
    """All values of a quantity of the table that have to respect the bound."""

    def of(kind):
        return [p for leg, p in zip(legs, event, strict=True) if leg.kind == kind]

    def pairs(first, second):
        if first == second:
            return list(itertools.combinations(of(first), 2))
        return list(itertools.product(of(first), of(second)))

    jets = sorted((pt(p) for p in of("j")), reverse=True)
    if quantity == "misset":
        return [pt([sum(c) for c in zip(*of("missing"), strict=True)])]
    if quantity == "ptheavy":
        return [max(pt(p) for p in of("heavy"))]
    if quantity in ("ptj1", "ptj2"):
        return [jets[int(quantity[-1]) - 1]]
    if quantity in ("ht2", "htj"):
        return [sum(jets[:2]) if quantity == "ht2" else sum(jets)]
    if quantity.startswith("pt"):
        return [pt(p) for p in of(quantity[2:])]
    if quantity.startswith("eta"):
        return [abs(rapidity(p)) for p in of(quantity[3:])]
    if quantity.startswith("dr"):
        return [distance(p, q) for p, q in pairs(quantity[2], quantity[3])]
    if quantity == "mmll":
        leptons = [(leg.pdg, p) for leg, p in zip(legs, event, strict=True) if leg.kind == "l"]
        pairs = itertools.combinations(leptons, 2)
        return [mass(p, q) for (a, p), (b, q) in pairs if a == -b]
    if quantity == "mmnl":
        return [mass(*of("l"), *of("missing"))]
    if quantity.startswith("mm"):
        return [mass(p, q) for p, q in pairs(quantity[2], quantity[3])]
    assert quantity.startswith("e")
    return [p[0] for p in of(quantity[1:])]


@pytest.mark.parametrize("cut_decays", [False, True])
@pytest.mark.parametrize("key", CUT_KEYS)
def test_against_loops(key, cut_decays, momenta, passing):
    cut = CUT_KEYS[key]
    kept = [i for i, leg in enumerate(LEGS) if cut_decays or not leg.from_decay]
    legs = [LEGS[i] for i in kept]
    found = [values(cut.quantity, legs, momenta[kept, :, e]) for e in range(EVENTS)]
    if not any(found):
        pytest.fail(f"no leg for {key}") if cut_decays else None
        bound = 1.0
    else:
        extreme = [max(v) if cut.is_maximum else min(v) for v in found]
        bound = float(np.median(extreme))
    expected = [all((v <= bound) if cut.is_maximum else (v >= bound) for v in vs) for vs in found]
    cuts = Cuts.from_card({key: bound, "cut_decays": cut_decays}, LEGS)
    np.testing.assert_array_equal(passing(cuts, momenta, MASSES), expected)
    if any(found):
        assert 0 < sum(expected) < EVENTS


def test_together(momenta):
    momenta = jnp.array(momenta)
    card = {"ptj": 10.0, "etaj": 2.5, "drjj": 0.4, "ptl": 5.0}
    together = Cuts.from_card(card, LEGS).passes(momenta, MASSES)
    alone = [Cuts.from_card({k: v}, LEGS).passes(momenta, MASSES) for k, v in card.items()]
    np.testing.assert_array_equal(together, np.all(alone, axis=0))
    assert np.all(Cuts.from_card({}, LEGS).passes(momenta, MASSES))
    # classes that do not occur
    assert np.all(Cuts.from_card(card, [CutLeg("heavy", 6)] * 2).passes(momenta[:2], MASSES[:2]))


def test_energies_and_rapidities_of_the_lab(momenta):
    """From momenta in another frame: boosted by hand, and where the lab has no digits left."""
    cosh, sinh = math.cosh(1.3), math.sinh(1.3)
    lab = momenta.copy()
    lab[:, 0], lab[:, 3] = (
        cosh * momenta[:, 0] + sinh * momenta[:, 3],
        cosh * momenta[:, 3] + sinh * momenta[:, 0],
    )
    here, there = Event(jnp.array(lab), MASSES), Event(jnp.array(momenta), MASSES, 1.3)
    np.testing.assert_allclose(there.energy, lab[:, 0], rtol=1e-12)
    np.testing.assert_allclose(there.rapidity, np.arctanh(lab[:, 3] / lab[:, 0]), rtol=1e-9)
    np.testing.assert_allclose(there.rapidity, here.rapidity, rtol=1e-9)
    np.testing.assert_allclose(here.delta_r(0, 3), there.delta_r(0, 3), rtol=1e-9)
    # E - pz = 2e-16 E at 45 degrees
    sideways = jnp.array([[[math.sqrt(2.0)], [1.0], [0.0], [1.0]]])
    (boosted,) = Event(sideways, np.zeros(1), 18.0).rapidity
    assert float(boosted[0]) == pytest.approx(18.0 + math.asinh(1.0), rel=1e-15)


def test_rapidity_along_the_beam():
    p = jnp.array([[[5.0, 5.0, 5.0], [0.0] * 3, [0.0] * 3, [5.0, -5.0, 0.0]]])
    np.testing.assert_array_equal(Event(p, np.zeros(1)).rapidity[0, :2], [np.inf, -np.inf])
    np.testing.assert_array_equal(Event(p[..., 2:], np.full(1, 5.0)).rapidity, [[0.0]])


def test_too_few_legs_for_a_cut(momenta):
    momenta = jnp.array(momenta)
    cuts = Cuts.from_card({"ptj2min": 1e6, "ht2min": 1e6, "mmnl": 1e6}, [LEGS[0], LEGS[1]])
    assert np.all(cuts.passes(momenta[:2], MASSES[:2]))


def test_static_and_without_gradient(momenta):
    cuts = Cuts.from_card({"ptj": 10.0, "drjj": 0.4, "etaj": 2.5, "mmll": 10.0}, LEGS)
    assert hash(cuts) == hash(
        Cuts.from_card({"ptj": 10.0, "drjj": 0.4, "etaj": 2.5, "mmll": 10.0}, LEGS)
    )
    along = jnp.array(momenta).at[:, 1:3].set(0.0)  # everything along the beam: no number is finite

    def scalar(p):
        return jnp.sum(jnp.where(cuts.passes(p, MASSES), p[0, 0], 0.0))

    for p in (jnp.array(momenta), along, along.at[0].set(jnp.nan)):
        assert np.all(np.isfinite(jax.grad(scalar)(p)))
    assert not np.any(cuts.passes(along, MASSES))


@pytest.mark.parametrize(
    ("card", "key"),
    [
        ({"ptq": 3.0}, "cuts.ptq"),
        ({"ptj": -1.0}, "cuts.ptj"),
        ({"ptj": math.nan}, "cuts.ptj"),
        ({"ptj": True}, "cuts.ptj"),
        ({"ptheavymax": 3.0}, "cuts.ptheavymax"),
    ],
)
def test_wrong_cuts(card, key):
    with pytest.raises(InputError) as error:
        Cuts.from_card(card, LEGS)
    assert error.value.key == key


# -- bounds ----------------------------------------------------------------------------------------

JETS = (CutLeg("j", 21),) * 3
LEPTONS = (CutLeg("l", 13), CutLeg("l", -13), CutLeg("a", 22), CutLeg("missing", 12))
BOUNDED = {
    "pt and dr": ({"ptj": 20.0, "drjj": 0.4}, JETS, [0.0, 0.0, 0.0]),
    "large dr": ({"ptj": 20.0, "drjj": 3.5}, JETS[:2], [0.0, 0.0]),
    "massive": ({"ptb": 20.0, "drbb": 0.4}, (CutLeg("b", 5), CutLeg("b", -5)), [4.7, 4.7]),
    "mass": ({"mmll": 10.0, "pta": 10.0}, LEPTONS[:3], [0.0, 0.0, 0.0]),
    "mmnl": ({"mmnl": 50.0, "ptl": 3.0, "misset": 5.0}, LEPTONS, [1.777, 1.777, 0.0, 0.0]),
    "energy": (
        {"ea": 30.0, "etaa": 2.0, "etalmin": 1.0, "ptl": 10.0},
        LEPTONS[:3],
        [0.1, 0.1, 0.0],
    ),
    "ranks": ({"ptj1min": 50.0, "ptj2min": 30.0, "htjmin": 100.0}, JETS[:2], [0.0, 0.0]),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_bounds_hold(name, passing):
    """No event within the cuts lies below the bounds; events are made close to them."""
    card, legs, masses = BOUNDED[name]
    cuts = Cuts.from_card(card, legs)
    n, events = len(legs), 20_000
    rng = np.random.default_rng(1)
    size = np.array([cuts.minimum_pt(i, masses[i]) for i in range(n)])
    pts = size[:, None] + rng.exponential(3.0, (n, events)) * rng.integers(0, 2, (n, events))
    pts += 40.0 * rng.exponential(size=(n, events)) * rng.integers(0, 2, (n, events))
    phi = rng.normal(scale=rng.choice([0.2, 1.0, 4.0], events), size=(n, events))
    y = rng.normal(scale=rng.choice([0.2, 1.0, 4.0], events), size=(n, events))
    transverse = np.sqrt(np.array(masses)[:, None] ** 2 + pts**2)
    p = np.stack(
        [transverse * np.cosh(y), pts * np.cos(phi), pts * np.sin(phi), transverse * np.sinh(y)], 1
    )
    inside = p[..., passing(cuts, p, masses)]
    assert inside.shape[2] > 20
    rounding = 1 - 1e-9
    for i in range(n):
        if n > 2:  # two legs are taken to recoil against each other
            assert np.all(np.hypot(inside[i, 1], inside[i, 2]) >= rounding * cuts.minimum_pt(i))
            assert np.all(inside[i, 0] >= rounding * cuts.minimum_energy(i, masses[i]))
    for k in range(1, n + 1):
        for subset in itertools.combinations(range(n), k):
            if n == 2 and "ranks" in name:
                continue
            total = np.sum(inside[list(subset)], axis=0)
            square = total[0] ** 2 - np.sum(total[1:] ** 2, axis=0)
            bound = cuts.minimum_invariant_mass(subset, masses)
            assert bound >= sum(masses[i] for i in subset) * rounding
            assert np.all(square >= rounding * bound**2 - 1e-9 * total[0] ** 2)


@given(st.floats(1.0, 100.0), st.floats(1.0, 100.0), st.floats(0.01, 6.0))
def test_pair_bound_is_attained(first, second, distance):
    """Two massless legs at the least pT, side by side or apart in rapidity."""
    legs = (CutLeg("j", 21), CutLeg("l", 11), CutLeg("heavy", 23))
    cuts = Cuts.from_card({"ptj": first, "ptl": second, "drjl": distance}, legs)
    dphi = min(distance, math.pi)
    dy = math.sqrt(distance**2 - dphi**2)
    square = 2 * first * second * (math.cosh(dy) - math.cos(dphi))
    bound = cuts.minimum_invariant_mass((0, 1), [0.0, 0.0, 91.0])
    assert bound == pytest.approx(math.sqrt(square), rel=1e-6)


def test_bounds_of_named_cuts():
    cuts = Cuts.from_card({"ptj": 20.0, "etaj": 2.5, "drjj": 0.4, "mmjjmax": 500.0}, JETS)
    assert cuts.minimum_pt(0) == 20.0
    assert cuts.minimum_energy(1) == 20.0
    assert cuts.maximum_rapidity(2) == 2.5
    assert cuts.minimum_delta_r(2, 0) == 0.4
    assert cuts.maximum_invariant_mass((1, 0)) == 500.0
    assert cuts.maximum_invariant_mass((0, 1, 2)) == math.inf
    pair = cuts.minimum_invariant_mass((0, 1), [0.0] * 3)
    assert pair == pytest.approx(math.sqrt(800 * (1 - math.cos(0.4))))
    assert cuts.minimum_invariant_mass((0, 1, 2), [0.0] * 3) == pytest.approx(math.sqrt(3) * pair)
    assert cuts.minimum_invariant_mass((1,), [0.0] * 3) == 0.0
    free = Cuts.from_card({}, JETS)
    assert (free.minimum_pt(0), free.minimum_energy(0), free.maximum_rapidity(0)) == (
        0,
        0,
        math.inf,
    )


def test_two_legs_recoil():
    """In 2 -> 2 a cut on one leg bounds the pT of the other, and HT is twice the pT."""
    legs = (CutLeg("a", 22), CutLeg("heavy", 23))
    assert Cuts.from_card({"pta": 10.0}, legs).minimum_pt(1) == 10.0
    assert Cuts.from_card({"ht2min": 100.0}, JETS[:2]).minimum_pt(0) == 50.0
    assert Cuts.from_card({"ptj1min": 30.0}, JETS[:2]).minimum_pt(1) == 30.0
    assert Cuts.from_card({"ptj1min": 30.0}, JETS).minimum_pt(1) == 0.0
    heavy = (CutLeg("heavy", 24), CutLeg("heavy", -24))
    assert Cuts.from_card({"ptheavy": 30.0}, heavy).minimum_pt(0) == 30.0
    assert Cuts.from_card({"misset": 30.0}, (CutLeg("missing", 12), legs[0])).minimum_pt(0) == 30.0
