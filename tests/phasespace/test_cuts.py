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

from fabgen.card.cuts import CUT_KEYS, PDG_CUT_KEYS
from fabgen.errors import InputError
from fabgen.phasespace.cuts import CutLeg, Cuts, Event

#: Two or more of every class, five jets, leptons of three flavours; some legs come from decays, and
#: some are heavier than 10 or 20 GeV.
LEGS = (
    CutLeg("j", 21),
    CutLeg("l", 11),
    CutLeg("j", 2),
    CutLeg("b", 5, mass=4.7),
    CutLeg("missing", 12),
    CutLeg("l", -11),
    CutLeg("other", 23, mass=91.2),
    CutLeg("a", 22),
    CutLeg("l", 15, mass=12.0),
    CutLeg("b", -5, mass=30.0),
    CutLeg("j", -1),
    CutLeg("j", 21),
    CutLeg("other", 36, mass=9.0),
    CutLeg("missing", 16),
    CutLeg("l", -13, from_decay=True),
    CutLeg("b", -5, from_decay=True, mass=4.7),
    CutLeg("j", 1, from_decay=True),
    CutLeg("missing", -14, from_decay=True),
    CutLeg("other", 6, from_decay=True, mass=173.0),
    CutLeg("other", -6, from_decay=True, mass=173.0),
    CutLeg("a", 22, from_decay=True),
)
MASSES = np.array([leg.mass for leg in LEGS])
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


def vector_sum(momenta):
    return [sum(component) for component in zip(*momenta, strict=True)]


def values(quantity, legs, event):
    """All values of a quantity of the table that have to respect the bound."""
    particles = list(zip(legs, event, strict=True))

    def of(kind, most=math.inf):
        return [p for leg, p in particles if leg.kind == kind and leg.mass <= most]

    def pairs(first, second):
        if first == second:
            return list(itertools.combinations(of(first, 20.0), 2))
        return list(itertools.product(of(first, 20.0), of(second, 20.0)))

    def opposite(most):
        leptons = [x for x in particles if x[0].kind == "l" and x[0].mass <= most]
        for (a, p), (b, q) in itertools.combinations(leptons, 2):
            if a.pdg + b.pdg == 0:
                yield p, q

    jets = sorted(of("j"), key=pt, reverse=True)
    jet_pt = [pt(p) for p in jets]
    if quantity == "sqrt(s-hat)":
        return [mass(*event)]
    if quantity == "misset":
        return [pt(vector_sum(of("missing")))]
    if quantity == "ptheavy":
        return [max(pt(p) for leg, p in particles if leg.mass > 10.0)]
    if quantity.startswith("xpt"):
        return [max(pt(p) for p in of(quantity[-1]))]
    if quantity[:3] in ("ptj", "ptl") and quantity[3:].isdigit():
        ordered = sorted((pt(p) for p in of(quantity[2])), reverse=True)
        return ordered[int(quantity[3]) - 1 : int(quantity[3])]
    if quantity in ("ht2", "ht3", "ht4"):
        n = int(quantity[2])
        return [sum(jet_pt[:n])] if len(jets) >= n else []
    if quantity == "htj":
        return [sum(jet_pt)]
    if quantity == "iht":
        return [sum(jet_pt) + sum(pt(p) for p in of("b"))]
    if quantity in ("xetamin", "deltaeta"):
        first, second = (rapidity(p) for p in jets[:2])
        if first * second > 0:
            return [-1.0]
        return [abs(first - second)] if quantity == "deltaeta" else [abs(first), abs(second)]
    if quantity == "ptll":
        leptons, missing = of("l"), of("missing")
        found = [*opposite(math.inf), *itertools.product(leptons, missing)]
        return [pt(vector_sum(pq)) for pq in [*found, *itertools.combinations(missing, 2)]]
    if quantity == "ptgmin":
        return [pt(p) for p in of("a")]
    if quantity.startswith("pt"):
        return [pt(p) for p in of(quantity[2:], 20.0)]
    if quantity.startswith("eta"):
        return [abs(rapidity(p)) for p in of(quantity[3:], 20.0)]
    if quantity.startswith("dr"):
        return [distance(p, q) for p, q in pairs(quantity[2], quantity[3])]
    if quantity == "mmll":
        return [mass(p, q) for p, q in opposite(20.0)]
    if quantity == "mmnl":
        return [mass(*of("l"), *of("missing"))]
    if quantity.startswith("mm"):
        return [mass(p, q) for p, q in pairs(quantity[2], quantity[3])]
    assert quantity.startswith("e")
    return [p[0] for p in of(quantity[1:], 20.0)]


#: What leaves isolation no room, where only the pT is looked at.
NO_CONE = {"r0gamma": 1e-9}


@pytest.mark.parametrize("cut_decays", [False, True])
@pytest.mark.parametrize("key", CUT_KEYS)
def test_against_loops(key, cut_decays, momenta, passing):
    cut = CUT_KEYS[key]
    everything = cut_decays or cut.quantity == "sqrt(s-hat)"
    kept = [i for i, leg in enumerate(LEGS) if everything or not leg.from_decay]
    legs = [LEGS[i] for i in kept]
    found = [values(cut.quantity, legs, momenta[kept, :, e]) for e in range(EVENTS)]
    if not any(found):
        pytest.fail(f"no leg for {key}") if cut_decays else None
        bound = 1.0
    else:
        extreme = [max(v) if cut.is_maximum else min(v) for v in found]
        bound = float(np.median(extreme))
    if key in ("xetamin", "deltaeta"):
        bound = 0.3
    expected = [all((v <= bound) if cut.is_maximum else (v >= bound) for v in vs) for vs in found]
    card = {key: bound, "cut_decays": cut_decays} | (NO_CONE if key == "ptgmin" else {})
    cuts = Cuts.from_card(card, LEGS)
    np.testing.assert_array_equal(passing(cuts, momenta, MASSES), expected)
    excess = np.asarray(cuts.excess(jnp.array(momenta), MASSES))
    np.testing.assert_array_equal(excess == 0.0, expected)
    if any(found):
        assert 0 < sum(expected) < EVENTS


@pytest.mark.parametrize("cut_decays", [False, True])
@pytest.mark.parametrize("key", PDG_CUT_KEYS)
def test_particles_by_number(key, cut_decays, momenta, passing):
    """Of tops and Z whatever their mass, and of their antiparticles."""
    cut = PDG_CUT_KEYS[key]

    def of(number, event):
        return [
            p
            for leg, p in zip(LEGS, event, strict=True)
            if abs(leg.pdg) == number and (cut_decays or not leg.from_decay)
        ]

    def found(number, event):
        particles = of(number, event)
        match cut.quantity:
            case "pT":
                return [pt(p) for p in particles]
            case "energy":
                return [p[0] for p in particles]
            case "|y|":
                return [abs(rapidity(p)) for p in particles]
        return [mass(p, q) for p, q in itertools.combinations(particles, 2)]

    bounds = {}
    for number in (6, 23):
        several = [found(number, momenta[..., e]) for e in range(EVENTS)]
        extreme = [max(v) if cut.is_maximum else min(v) for v in several if v]
        bounds[number] = float(np.median(extreme)) if extreme else 1.0
    expected = np.ones(EVENTS, dtype=bool)
    for number, bound in bounds.items():
        for e in range(EVENTS):
            several = found(number, momenta[..., e])
            expected[e] &= all((v <= bound) if cut.is_maximum else (v >= bound) for v in several)
    card = {key: {str(n): bound for n, bound in bounds.items()}, "cut_decays": cut_decays}
    np.testing.assert_array_equal(passing(Cuts.from_card(card, LEGS), momenta, MASSES), expected)
    assert 0 < sum(expected) < EVENTS or (key == "mxx_min_pdg" and not cut_decays)


def test_pairs_of_particle_and_antiparticle():
    """Two tops have a mass to cut, unless this is for pairs of opposite ones alone."""
    card = {"mxx_min_pdg": {"6": 500.0}}
    only = card | {"mxx_only_part_antipart": True}
    same = CutLeg("other", 6, mass=173.0), CutLeg("other", 6, mass=173.0)
    assert len(Cuts.from_card(card, same).bounds) == 1
    assert not Cuts.from_card(only, same).bounds
    opposite = CutLeg("other", 6, mass=173.0), CutLeg("other", -6, mass=173.0)
    assert Cuts.from_card(card, opposite).bounds == Cuts.from_card(only, opposite).bounds


#: Two particles back to back across the beam: E = pT = 5 GeV, y = 0 each, to the last digit.
ACROSS = np.array([[5.0, 3.0, 4.0, 0.0], [5.0, -3.0, -4.0, 0.0]])[..., None]
PAIRS = {"j": (CutLeg("j", 21),) * 2, "b": (CutLeg("b", 5),) * 2, "a": (CutLeg("a", 22),) * 2}
PAIRS["l"] = (CutLeg("l", 11), CutLeg("l", -11))


@pytest.mark.parametrize(
    ("card", "legs", "passes"),
    [
        *(({f"pt{c}": 5.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"pt{c}max": 5.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"xpt{c}": 5.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"e{c}": 5.0}, legs, False) for c, legs in PAIRS.items()),
        *(({f"e{c}max": 5.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"eta{c}": 0.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"dr{c}{c}": math.pi}, legs, True) for c, legs in PAIRS.items()),
        *(({f"dr{c}{c}max": math.pi}, legs, True) for c, legs in PAIRS.items()),
        *(({f"mm{c}{c}": 10.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"mm{c}{c}max": 10.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"mm{c}{c}": 11.0, f"mm{c}{c}max": 10.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"mm{c}{c}": 10.0, f"mm{c}{c}max": 9.0}, legs, True) for c, legs in PAIRS.items()),
        *(({f"mm{c}{c}": 10.5, f"mm{c}{c}max": 9.5}, legs, False) for c, legs in PAIRS.items()),
        *(({f"{k}min": 5.0, f"{k}max": 5.0}, PAIRS["j"], True) for k in ("ptj1", "ptj2")),
        *(({f"{k}min": 10.0, f"{k}max": 10.0}, PAIRS["j"], True) for k in ("ht2", "htj", "iht")),
        ({"ptgmin": 5.0}, PAIRS["a"], True),
        ({"ptllmin": 0.0, "ptllmax": 0.0}, PAIRS["l"], True),
        ({"dsqrt_shat": 10.0, "dsqrt_shatmax": 10.0}, PAIRS["j"], True),
    ],
    ids=str,
)
def test_edges(card, legs, passes):
    """A minimum and a maximum belong to what passes, but for the minimum of energies."""
    cuts = Cuts.from_card(card, legs)
    assert bool(cuts.passes(jnp.array(ACROSS), np.zeros(2))[0]) == passes


@pytest.mark.parametrize(("key", "passes"), [("pt_min_pdg", True), ("E_min_pdg", False)])
def test_edges_by_number(key, passes):
    cuts = Cuts.from_card({key: {"25": 5.0}}, (CutLeg("other", 25),) * 2)
    assert bool(cuts.passes(jnp.array(ACROSS), np.zeros(2))[0]) == passes


def test_windows_are_excluded(momenta, passing):
    """A maximum below the minimum: masses below the one or above the other pass."""
    legs, p = (LEGS[1], LEGS[5]), momenta[[1, 5]]
    pair = np.array([mass(p[0, :, e], p[1, :, e]) for e in range(EVENTS)])
    low, high = np.quantile(pair, [0.3, 0.8])
    cuts = Cuts.from_card({"mmll": float(high), "mmllmax": float(low)}, legs)
    outside = (pair >= high) | (pair <= low)
    np.testing.assert_array_equal(passing(cuts, p, np.zeros(2)), outside)
    excess = np.asarray(cuts.excess(jnp.array(p), np.zeros(2)))
    np.testing.assert_array_equal(excess == 0.0, outside)
    np.testing.assert_allclose(
        excess[~outside], np.minimum(1 - pair / high, pair / low - 1)[~outside], rtol=1e-9
    )
    # nothing follows for a single event
    assert cuts.minimum_invariant_mass((0, 1), [0.0, 0.0]) == 0.0
    assert cuts.maximum_invariant_mass((0, 1)) == math.inf
    assert (cuts.minimum_sqrt_s([0.0, 0.0]), cuts.maximum_sqrt_s([0.0, 0.0])) == (0.0, math.inf)
    with pytest.raises(InputError, match="not below its maximum"):
        Cuts.from_card({"ptl": 20.0, "ptlmax": 10.0}, legs)


# -- isolation -------------------------------------------------------------------------------------


def isolated(photon, others, radius, power, share):
    """S. Frixione's condition at the distance of each particle, as a plain loop."""
    for q in others:
        r = distance(photon, q)
        if r > radius:
            continue
        near = sum(pt(k) for k in others if distance(photon, k) <= r)
        allowed = share * pt(photon) * ((1 - math.cos(r)) / (1 - math.cos(radius))) ** power
        if near > allowed:
            return False
    return True


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"isoem": False},
        {"r0gamma": 0.8, "xn": 2.0, "epsgamma": 0.5},
        {"xn": 0.0, "epsgamma": 0.2},
    ],
    ids=str,
)
def test_isolation(options, passing):
    legs = tuple(CutLeg(*leg) for leg in (("a", 22), ("j", 21), ("l", 11), ("j", 2), ("a", 22)))
    legs += (CutLeg("b", 5), CutLeg("missing", 12))
    n, rng = len(legs), np.random.default_rng(8)
    size = rng.exponential(20.0, (n, EVENTS))
    y, phi = rng.normal(scale=0.7, size=(2, n, EVENTS))
    p = size[:, None] * np.stack([np.cosh(y), np.cos(phi), np.sin(phi), np.sinh(y)], axis=1)
    cuts = Cuts.from_card({"ptgmin": 5.0, **options}, legs)
    defaults = {"r0gamma": 0.4, "xn": 1.0, "epsgamma": 1.0, "isoem": True} | options
    cone = [defaults[key] for key in ("r0gamma", "xn", "epsgamma")]
    expected = []
    for e in range(EVENTS):
        good = True
        for photon, other in ((0, 4), (4, 0)):
            good &= size[photon, e] >= 5.0
            good &= isolated(p[photon, :, e], [p[i, :, e] for i in (1, 3)], *cone)
            if defaults["isoem"]:
                good &= isolated(p[photon, :, e], [p[i, :, e] for i in (other, 2)], *cone)
        expected.append(good)
    np.testing.assert_array_equal(passing(cuts, p, np.zeros(n)), expected)
    assert 20 < sum(expected) < EVENTS - 20
    excess = np.asarray(cuts.excess(jnp.array(p), np.zeros(n)))
    np.testing.assert_array_equal(excess == 0.0, expected)


def test_jets_and_leptons_do_not_add_up():
    """A jet and a lepton of 6 GeV each, as far from a photon of 10 GeV as the cone reaches."""
    legs = CutLeg("a", 22), CutLeg("j", 21), CutLeg("l", 11), CutLeg("j", 1)
    phi = np.array([0.0, 0.3999999, -0.3999999, 0.4000001])
    size = np.array([10.0, 6.0, 6.0, 90.0])
    p = size[:, None] * np.stack([np.ones(4), np.cos(phi), np.sin(phi), np.zeros(4)], axis=1)
    for share, passes in ((0.7, True), (0.5, False)):
        cuts = Cuts.from_card({"ptgmin": 5.0, "epsgamma": share}, legs)
        assert bool(cuts.passes(jnp.array(p[..., None]), np.zeros(4))[0]) == passes


def test_isolation_takes_the_place_of_other_cuts():
    legs = (CutLeg("a", 22), CutLeg("j", 21))
    card = {"pta": 30.0, "draj": 0.7, "etaa": 2.5, "ptgmin": 10.0}
    cuts = Cuts.from_card(card, legs)
    assert {(b.key, b.quantity) for b in cuts.bounds} == {
        ("ptgmin", "pt"),
        ("ptgmin", "crowding"),
        ("etaamin", "rapidity"),
    }
    assert cuts.minimum_pt(0) == 10.0
    assert cuts.minimum_delta_r(0, 1) == 0.0
    assert cuts.are_isolated(0, 1) and cuts.are_isolated(1, 0)
    assert not Cuts.from_card({**card, "xn": 0.0}, legs).are_isolated(0, 1)
    # of no use without a photon, off without a pT
    assert not Cuts.from_card({"ptgmin": 10.0}, legs[1:]).bounds
    off = Cuts.from_card({"ptgmin": 0.0, "pta": 30.0, "r0gamma": 0.4}, legs)
    assert [b.key for b in off.bounds] == ["pta"]


def test_a_particle_that_is_too_heavy_is_in_no_cut_of_its_class():
    light, heavy = (CutLeg("b", 5, mass=m) for m in (20.0, 20.5))
    card = {"ptb": 10.0, "mmbb": 30.0, "drbb": 0.4, "etab": 2.5}
    assert len(Cuts.from_card(card, (light, light)).bounds) == 6
    assert len(Cuts.from_card(card, (light, heavy)).bounds) == 2
    pair = CutLeg("l", 17, mass=25.0), CutLeg("l", -17, mass=25.0)
    assert not Cuts.from_card({"mmll": 80.0, "ptl": 5.0}, pair).bounds
    assert Cuts.from_card({"ptllmin": 80.0, "mmnl": 90.0}, pair).minimum_sqrt_s([25.0] * 2) >= 90.0
    several = {"xptb": 10.0, "ihtmin": 20.0, "ptheavy": 5.0}
    assert all(b.legs == (0, 1) for b in Cuts.from_card(several, (heavy, heavy)).bounds)


def test_the_cuts_that_a_card_may_have_are_those_that_apply():
    """Each has a meaning: no key is left over."""
    for key in CUT_KEYS:
        Cuts.from_card({key: 1.0}, ())
    for key in PDG_CUT_KEYS:
        (bound, *_) = Cuts.from_card({key: {"6": 1.0}}, [CutLeg("other", 6)] * 2).bounds
        assert key in (bound.key, PDG_CUT_KEYS[bound.key].partner)


def test_together(momenta):
    momenta = jnp.array(momenta)
    card = {"ptj": 10.0, "etaj": 2.5, "drjj": 0.4, "ptl": 5.0}
    together = Cuts.from_card(card, LEGS).passes(momenta, MASSES)
    alone = [Cuts.from_card({k: v}, LEGS).passes(momenta, MASSES) for k, v in card.items()]
    np.testing.assert_array_equal(together, np.all(alone, axis=0))
    assert np.all(Cuts.from_card({}, LEGS).passes(momenta, MASSES))
    # classes that do not occur
    assert np.all(Cuts.from_card(card, [CutLeg("other", 6)] * 2).passes(momenta[:2], MASSES[:2]))


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
        ({"pt_min_pdg": {"6": -1.0}}, "cuts.pt_min_pdg.6"),
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
    legs = (CutLeg("j", 21), CutLeg("l", 11), CutLeg("other", 23))
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
    legs = (CutLeg("a", 22), CutLeg("other", 23, mass=91.0))
    assert Cuts.from_card({"pta": 10.0}, legs).minimum_pt(1) == 10.0
    assert Cuts.from_card({"ht2min": 100.0}, JETS[:2]).minimum_pt(0) == 50.0
    assert Cuts.from_card({"ptj1min": 30.0}, JETS[:2]).minimum_pt(1) == 30.0
    assert Cuts.from_card({"ptj1min": 30.0}, JETS).minimum_pt(1) == 0.0
    heavy = (CutLeg("other", 24, mass=80.0), CutLeg("other", -24, mass=80.0))
    assert Cuts.from_card({"ptheavy": 30.0}, heavy).minimum_pt(0) == 30.0
    assert Cuts.from_card({"misset": 30.0}, (CutLeg("missing", 12), legs[0])).minimum_pt(0) == 30.0
