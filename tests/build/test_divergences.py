"""Divergent processes are refused with the cut that cures them; finite ones never are."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fabgen import matrix_element
from fabgen.build import build_integrand
from fabgen.build.checks import cut_legs, numeric_parameters
from fabgen.build.divergences import refuse_divergences
from fabgen.build.unstable_beams import BeamDecay
from fabgen.card import card_from_table
from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.phasespace.cuts import Cuts
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")


def check(process, cuts=None, sqrt_s=1000.0, **parameters) -> None:
    subprocesses, distinct = find_subprocesses(MODEL, [process])
    values = numeric_parameters(MODEL, MODEL.parameters(parameters))
    for sub in subprocesses:
        if len(sub.tree.initial) == 1:
            sqrt_s = values[MODEL.particle(sub.tree.initial[0]).mass]
        drawn = distinct[sub.diagrams]
        applied = Cuts.from_card(cuts or {}, cut_legs(MODEL, sub.tree, values))
        refuse_divergences(MODEL, drawn.graph, drawn.tree, applied, values, sqrt_s)


FINITE = [
    # no massless propagator can be on shell
    ("e+ e- > mu+ mu-", {}),
    ("e+ e- > t t~", {}),
    ("e+ e- > z h", {}),
    ("e+ e- > w+ w-", {}),
    ("e+ e- > z z", {}),
    ("e+ e- > w+ w- z", {}),
    ("e+ e- > z h h", {}),
    ("e+ e- > ve ve~", {}),
    ("e+ e- > z ve ve~", {}),
    ("e+ e- > ve ve~ vm vm~", {}),
    ("e+ e- > ve ve~ h", {}),  # W fusion
    ("e+ e- > e+ e- h", {}),  # Z fusion: no photon couples to the Higgs
    ("e+ e- > b b~", {}),
    ("e+ e- > b b~ h", {}),
    ("e+ e- > b b~ b b~", {}),
    ("e+ e- > w+ b w- b~", {}),
    ("e+ e- > mu+ vm w-", {}),
    ("e+ e- > t t~, t > w+ b, t~ > w- b~", {}),
    ("e+ e- > w+ w-, w+ > e+ ve, w- > mu- vm~", {}),
    ("e+ e- > z z, z > mu+ mu-", {}),
    ("u u~ > d d~", {}),
    ("u u~ > t t~ h", {}),
    ("u d~ > t b~", {}),
    ("g g > t t~", {}),
    ("g g > b b~", {}),
    ("g g > b b~ h", {}),
    ("b b~ > z h", {}),
    ("a a > w+ w-", {}),
    ("a a > ta+ ta-", {}),
    ("w+ w- > z z", {}),
    ("z z > h h", {}),
    ("t > w+ b", {}),
    ("t > b e+ ve", {}),
    ("h > b b~", {}),
    ("h > e+ ve mu- vm~", {}),
    ("h > e+ e- mu+ mu-", {}),  # through Z only
    ("z > ve ve~", {}),
    ("z > b b~", {}),
    # beams that can decay, where what they emit has no use for the other beam
    ("t d > b u", {}),
    ("t e- > b ve", {}),
    ("t u~ > b d~", {}),
    ("t t~ > b b~", {}),
    ("t t~ > w+ w-", {}),
    ("t b~ > w+ g", {}),
    ("t g > b w+", {}),
    ("w+ w- > e+ e-", {}),
    ("z z > e+ e-", {}),
    ("z z > b b~", {}),
    ("h h > b b~", {}),
    ("h h > w+ w-", {}),
    ("w- ve > e- h", {}),
    # beams that cannot decay
    ("z z > z z", {}),
    ("w+ z > w+ z", {}),
    ("z h > z h", {}),
    ("t z > t z", {}),
    ("t h > t h", {}),
    ("ta- ta+ > ta- vt~ w+", {}),
    # where cuts leave no room for the pole
    ("e- z > e- z", {"ptl": 10.0}),
    ("e- z > e- z", {"etal": 4.0}),
    ("e- z > e- z", {"el": 497.0}),
    ("ta- ta+ > e- ve~ w+", {"mmnl": 1.78}),
    ("ta- ta+ > e- ve~ w+", {"ptl": 10.0}),
    ("t b~ > w+ z", {"ptheavy": 20.0}),
    ("z z > e+ e- mu+ mu-", {"mmll": 5.0, "ptl": 200.0, "etal": 1.0, "drll": 0.3}),
    # with cuts, one for each region
    ("e+ e- > a a", {"etaa": 2.5}),
    ("e+ e- > a a", {"pta": 1.0}),
    ("e+ e- > z a", {"pta": 1.0}),
    ("e+ e- > e+ e-", {"etal": 2.5}),
    ("e+ e- > e+ e-", {"ptl": 5.0}),
    ("e+ e- > mu+ mu- a", {"pta": 10, "etaa": 2.5, "dral": 0.4, "mmll": 10}),
    ("e+ e- > mu+ mu- a", {"ea": 5.0, "etaa": 2.5, "dral": 0.1, "mmll": 1}),
    ("e+ e- > w+ w- a", {"pta": 1.0}),
    ("e+ e- > ve ve~ a", {"pta": 1.0}),
    ("e+ e- > u u~ g", {"mmjj": 10.0}),
    ("e+ e- > u u~ g", {"ptj": 10.0, "drjj": 0.4}),
    ("e+ e- > b b~ g", {"ptj": 5.0}),
    ("e+ e- > t t~ g", {"ej": 5.0}),
    ("e+ e- > mu+ mu- ta+ ta-", {"mmll": 1.0}),
    ("e+ e- > ta+ ta- ta+ ta-", {}),
    ("u u~ > g g", {"ptj": 20.0}),
    ("u u~ > g g", {"etaj": 3.0}),
    ("u u~ > g g g", {"ptj": 20, "etaj": 2.5, "drjj": 0.4}),
    ("g g > t t~ g", {"ptj": 20.0}),
    ("g g > g g", {"ptj": 20.0}),
    ("u g > d w+", {"ptj": 20.0}),
    ("u d~ > w+ g", {"etaj": 3.0}),
    ("a a > e+ e-", {"ptl": 5.0}),
    ("z > mu+ mu- ta+ ta-", {"mmll": 1.0}),
    ("z > u u~ g", {"mmjj": 5.0}),
    ("t > w+ b g", {"ej": 5.0}),
    ("t > w+ b a", {"pta": 5.0}),
    ("w+ > e+ ve a", {"ea": 1.0, "dral": 0.1}),
    ("e+ e- > t t~, t > w+ b g", {"ej": 5.0, "cut_decays": True}),
    # at least one particle, all together, or what they recoil against
    ("u u~ > g g", {"xptj": 20.0}),
    ("g g > g g", {"ptj1min": 20.0}),
    ("g g > g g", {"ht2min": 50.0}),
    ("g g > u u~", {"htjmin": 50.0}),
    ("u g > d w+", {"ihtmin": 20.0}),
    ("u d~ > w+ g", {"xptj": 20.0}),
    ("g g > t t~ g", {"xptj": 20.0}),
    ("e+ e- > e+ e-", {"xptl": 5.0}),
    ("e+ e- > w+ w- a", {"xpta": 1.0}),
    ("u u~ > ve ve~ g", {"misset": 20.0}),
    ("u u~ > e+ e- g", {"ptllmin": 20.0, "mmll": 10.0}),
    ("t b~ > w+ z", {"pt_min_pdg": {"23": 20.0}}),
    # isolated photons: what is close to them has no pT left
    ("e+ e- > mu+ mu- a", {"ptgmin": 10.0, "mmll": 10.0}),
    ("e+ e- > u u~ a", {"ptgmin": 10.0, "mmjj": 10.0, "isoem": False}),
    ("u u~ > a a", {"ptgmin": 10.0}),
    ("u u~ > a a g", {"ptgmin": 10.0, "ptj": 20.0}),
    # the two hardest jets fly apart
    ("e+ e- > u u~ g", {"ptj": 10.0, "drjj": 0.4, "deltaeta": 1.0}),
    ("z > u u~ mu+ mu-", {"deltaeta": 1.0, "mmll": 1.0}),
    ("z > u u~ mu+ mu-", {"xetamin": 1.0, "mmll": 1.0}),
]


@pytest.mark.parametrize(("process", "cuts"), FINITE)
def test_finite_processes_are_not_refused(process, cuts):
    check(process, cuts)


DIVERGENT = [
    # collinear: two massless particles from a massless one
    ("e+ e- > u u~ g", {}, "mmjj or drjj"),
    ("e+ e- > u u~ g", {"ptj": 10.0}, "drjj"),
    ("e+ e- > mu+ mu- ta+ ta-", {}, "mmll or drll"),
    ("e+ e- > mu+ mu- a", {"pta": 10, "etaa": 2.5}, "dral"),
    ("u u~ > g g g", {"ptj": 20, "etaj": 2.5}, "mmjj or drjj"),
    ("z > u u~ g", {"ej": 1.0}, "mmjj or drjj"),
    ("z > e+ e- mu+ mu-", {}, "mmll or drll"),
    ("w+ > e+ ve a", {"ea": 1.0}, "dral"),
    # forward: a massless particle exchanged with a beam
    ("e+ e- > a a", {}, "pta or etaa"),
    ("e+ e- > a a", {"ea": 10.0}, "pta or etaa"),
    ("e+ e- > z a", {}, "pta or etaa"),
    ("e+ e- > e+ e-", {}, "ptl or etal"),
    ("e+ e- > e+ e- mu+ mu-", {"mmll": 10.0}, "ptl or etal"),
    ("e- mu+ > e- mu+", {}, "ptl or etal"),
    ("e+ e- > e+ ve w-", {}, "ptl or etal"),
    ("u u~ > g g", {}, "ptj or etaj"),
    ("u u~ > u u~", {}, "ptj or etaj"),
    ("u d > u d", {"mmjj": 20.0}, "ptj or etaj"),
    ("g g > g g", {}, "ptj or etaj"),
    ("g g > u u~", {"mmjj": 50.0}, "ptj or etaj"),
    ("u g > d w+", {}, "ptj or etaj"),
    ("u b > u b", {}, "ptj or etaj"),
    ("a a > e+ e-", {}, "ptl or etal"),
    # beams that can decay
    ("ta- ta+ > e- ve~ w+", {}, "(p(ta-) - p(e- ve~))^2 off 0 GeV^2"),
    ("ta- ta+ > e- ve~ w+", {"mmnl": 1.7}, "(p(ta-) - p(e- ve~))^2"),
    ("ta+ ta- > e+ ve w-", {"etal": 8.0}, "(p(ta+) - p(e+ ve))^2"),
    ("e- z > e- z", {}, "(p(z) - p(e-))^2 off 0 GeV^2"),
    ("e- z > e- z", {"ptl": 8.0}, "(p(z) - p(e-))^2"),
    ("e- z > e- z", {"el": 495.0, "etal": 5.0}, "(p(z) - p(e-))^2"),
    ("e- w+ > ve z", {}, "(p(w+) - p(ve))^2"),
    ("w- ve > z e-", {}, "(p(w-) - p(e-))^2"),
    ("z e- > w- ve", {}, "(p(z) - p(ve))^2"),
    ("z u > z u", {}, "(p(z) - p(u))^2"),
    ("u z > u z", {"ptj": 5.0}, "(p(z) - p(u))^2"),
    ("w+ u~ > d~ z", {}, "(p(w+) - p(d~))^2"),
    ("w+ w- > ve e+ w-", {}, "(p(w+) - p(ve))^2"),
    ("z z > e+ e- z", {"ptl": 20.0, "etal": 2.5}, "(p(z) - p(e-))^2"),
    ("z z > e+ e- mu+ mu-", {"mmll": 5.0, "ptl": 30.0, "drll": 0.3}, "(p(z) - p("),
    ("b h > b h", {}, "(p(h) - p(b))^2 off 22.09 GeV^2"),
    ("ta- h > ta- h", {}, "(p(h) - p(ta-))^2 off 3.15773 GeV^2"),
    ("h h > e+ ve e- ve~", {"ptl": 20.0, "etal": 2.5}, "off 6467.22 GeV^2"),
    ("t b~ > w+ z", {}, "(p(t) - p(w+))^2 off 22.09 GeV^2"),
    ("t t~ > t b~ w-", {}, "(p(t~) - p(w-))^2"),
    ("t u > b w+ u", {"ptj": 20.0, "etaj": 2.5}, "(p(t) - p("),
    # soft
    ("e+ e- > t t~ g", {}, "ptj or ej"),
    ("e+ e- > b b~ g", {"drbj": 0.4}, "ptj or ej"),
    ("e+ e- > w+ w- a", {"etaa": 2.5}, "pta or ea"),
    ("e+ e- > a a a", {"etaa": 2.5, "draa": 0.1}, "pta or ea"),
    ("e+ e- > mu+ mu- a", {"etaa": 2.5, "dral": 0.4, "mmll": 10.0}, "pta or ea"),
    ("t > w+ b g", {}, "ptj or ej"),
    ("t > w+ b a", {}, "pta or ea"),
    ("h > b b~ g", {"etaj": 2.0}, "ptj or ej"),
    ("e+ e- > t t~, t > w+ b g", {"ej": 5.0}, "ptj or ej"),
    # cuts that leave the region where it is
    ("u u~ > g g g", {"xptj": 20.0, "etaj": 2.5, "drjj": 0.4}, "ptj or ej"),
    ("g g > g g g", {"htjmin": 200.0, "etaj": 2.5, "drjj": 0.4}, "ptj or ej"),
    ("e+ e- > mu+ mu- ta+ ta-", {"mmll": 60.0, "mmllmax": 50.0}, "mmll or drll"),
    ("e+ e- > mu+ mu- a", {"ptgmin": 10.0, "mmll": 10.0, "isoem": False}, "dral or ptgmin"),
    ("e+ e- > mu+ mu- a", {"ptgmin": 10.0, "mmll": 10.0, "xn": 0.0}, "dral or ptgmin"),
    ("e+ e- > u u~ a", {"ptgmin": 10.0, "draj": 0.4, "xn": 0.0}, "draj or ptgmin"),
    ("u u~ > g g", {"deltaeta": 2.0}, "ptj or etaj"),
]


@pytest.mark.parametrize(("process", "cuts", "cure"), DIVERGENT)
def test_divergent_processes_are_refused(process, cuts, cure):
    with pytest.raises(InputError, match="the cross section diverges") as error:
        check(process, cuts)
    assert error.value.key == "cuts"
    assert cure in error.value.allowed
    assert process.split(",")[0].split(" > ")[0] in error.value.found


@pytest.mark.parametrize(
    ("process", "sqrt_s", "pole"),
    [
        ("e- z > e- z", 1000.0, True),
        ("z u > z u", 130.0, True),  # from sqrt(2) MZ = 128.96 GeV on
        ("z u > z u", 128.0, False),
        ("e- w+ > ve z", 300.0, True),
        ("t b~ > w+ z", 1000.0, True),
        ("b h > b h", 500.0, True),
        ("b h > b h", 5e4, False),  # beyond, b~ and b that fly in parallel are heavier than h
        ("t d > b u", 1000.0, False),
        ("t t~ > w+ w-", 1000.0, False),
        ("w+ w- > e+ e-", 500.0, False),
    ],
)
def test_what_is_refused_is_infinite(process, sqrt_s, pole):
    """The scan of |M|^2 over cos(theta), finer and finer where it is largest: it grows as 1/(t -
    m^2)^2 without end, or has a maximum."""
    element = matrix_element(process)
    m1, m2, m3, m4 = element.masses
    k, p = (
        np.sqrt((sqrt_s**2 - (a + b) ** 2) * (sqrt_s**2 - (a - b) ** 2)) / (2 * sqrt_s)
        for a, b in ((m1, m2), (m3, m4))
    )
    squared = jax.jit(element)

    def largest(centre, reach):
        cos = np.clip(centre + reach * np.linspace(-1, 1, 2001), -1.0, 1.0)
        along, across, zero = p * cos, p * np.sqrt(1 - cos**2), 0 * cos
        momenta = [
            [np.hypot(k, m1) + zero, zero, zero, k + zero],
            [np.hypot(k, m2) + zero, zero, zero, zero - k],
            [np.hypot(p, m3) + zero, across, zero, along],
            [np.hypot(p, m4) + zero, -across, zero, -along],
        ]
        values = np.asarray(squared(np.moveaxis(np.array(momenta), -1, 0)))
        return cos[np.argmax(values)], np.max(values)

    centre, coarse = largest(0.0, 1.0)
    for reach in (1e-2, 1e-4, 1e-6):
        centre, fine = largest(centre, reach)
    assert (fine > 1e8 * coarse) if pole else (fine < 2 * coarse)
    if pole:
        with pytest.raises(InputError, match="can decay into"):
            check(process, sqrt_s=sqrt_s)
    else:
        check(process, sqrt_s=sqrt_s)


def test_where_the_pole_lies():
    """e- z > e- z: MZ^2 = 2 p(z).p(e-), in the rest frame and with beams that are not equal."""
    s, m2 = 1e6, 91.188**2
    momentum, energy = (s - m2) / 2000, (s + m2) / 2000
    cos = (energy - m2 / (2 * momentum)) / momentum
    with pytest.raises(InputError) as error:
        check("e- z > e- z")
    pt = momentum * np.sqrt(1 - cos**2)
    assert f"pT = {pt:.3g} GeV and E = {momentum:.3g} GeV" in error.value.hint
    check("e- z > e- z", {"ptl": 1.0001 * pt})
    with pytest.raises(InputError):
        check("e- z > e- z", {"ptl": 0.9999 * pt})
    # An electron that meets a z almost at rest: against its flight, at y = -ln(2 E/MZ)/2.
    energies = [1e6, 91.188 * (1 + 1e-9)]
    y = 0.5 * np.log(2 * energies[0] / 91.188)
    card = {"process": "e- z > e- z", "beams": {"energy": energies}}
    build_integrand(card_from_table({**card, "cuts": {"etal": y - 0.001}}))
    with pytest.raises(InputError, match="z can decay into e- and"):
        build_integrand(card_from_table({**card, "cuts": {"etal": y + 0.001}}))


@pytest.mark.parametrize(
    ("beams", "masses", "group", "exchanged", "sqrt_s"),
    [
        ((91.188, 0.0), (0.0, 91.188), (0,), 0.0, 200.0),
        ((91.188, 0.0), (0.0, 91.188), (0,), 0.0, 1e6),
        ((125.0, 4.7), (4.7, 125.0), (0,), 4.7, 200.0),
        ((1.777, 1.777), (0.0, 0.0, 80.4), (0, 1), 0.0, 200.0),
        ((1.777, 1.777), (0.0, 0.0, 80.4), (0, 1), 0.0, 1e6),
        ((125.0, 125.0), (0.0, 4.7, 0.1, 0.2, 0.3), (0, 1), 80.4, 1e3),
        ((125.0, 125.0), (0.0, 4.7, 0.1, 0.2, 0.3), (0, 1), 80.4, 1e6),
    ],
)
def test_points_on_the_pole(beams, masses, group, exchanged, sqrt_s):
    """Momentum is conserved, everything on its mass shell, X among it."""
    decay = BeamDecay(sqrt_s, 0.0, beams, masses, group, exchanged, Cuts())
    with np.errstate(all="ignore"):
        p, miss = decay.points(np.random.default_rng(2).random((16, 500)))
    p = p[:, :, miss == 0.0]
    assert p.shape[-1] > 5
    k = np.sqrt((sqrt_s**2 - sum(beams) ** 2) * (sqrt_s**2 - (beams[0] - beams[1]) ** 2))
    k /= 2 * sqrt_s
    square = p[:, 0] ** 2 - np.sum(p[:, 1:] ** 2, axis=1)
    atol = 1e-13 * sqrt_s**2
    np.testing.assert_allclose(square, np.square(masses)[:, None] + 0 * square, atol=atol)
    total = p.sum(axis=0)
    np.testing.assert_allclose(total[0], sqrt_s, rtol=1e-12)
    np.testing.assert_allclose(total[1:], 0.0, atol=1e-12 * sqrt_s)
    q = -p[list(group)].sum(axis=0)
    q[0] += np.hypot(k, beams[0])
    q[3] += k
    t = q[0] ** 2 - np.sum(q[1:] ** 2, axis=0)
    np.testing.assert_allclose(t, exchanged**2, atol=atol)


@pytest.mark.parametrize(
    ("process", "group", "exchanged"),
    [
        ("ta- ta+ > e- ve~ w+", (0, 1), 0.0),
        ("z z > e+ e- z", (0,), 0.0),
        ("t u > b w+ u", (1,), 4.7),
        ("h h > e+ ve e- ve~", (0, 1), 80.419002446),
    ],
)
def test_matrix_elements_at_the_pole(process, group, exchanged):
    """At a hundredth of the distance t - m^2 they are 10^4 times as large."""
    element = matrix_element(process)
    beams, masses = element.masses[:2], element.masses[2:]
    k = np.sqrt((1e6 - sum(beams) ** 2) * (1e6 - (beams[0] - beams[1]) ** 2)) / 2000
    incoming = [[np.hypot(k, m), 0, 0, z] for m, z in zip(beams, (k, -k), strict=True)]
    x = np.random.default_rng(3).random((10, 2000))
    found = []
    for distance in (1e-4, 1e-6):
        virtual = np.sqrt(exchanged**2 + distance)
        decay = BeamDecay(1000.0, 0.0, tuple(beams), tuple(masses), group, virtual, Cuts())
        with np.errstate(all="ignore"):
            final, miss = decay.points(x)
        final = np.moveaxis(final[:, :, miss == 0.0], -1, 0)[:50]
        momenta = np.concatenate([np.tile(incoming, (len(final), 1, 1)), final], axis=1)
        found.append(np.asarray(element(momenta)))
    ratio = np.median(found[1] / found[0])
    assert ratio == pytest.approx(1e4, rel=0.1)


@pytest.mark.parametrize(
    ("process", "cuts", "is_infinite"),
    [
        ("t b~ > w+ z, w+ > e+ ve, z > mu+ mu-", {}, True),
        ("t b~ > w+ z, w+ > e+ ve, z > mu+ mu-", {"ptl": 50.0, "cut_decays": True}, True),
        ("t b~ > w+ z, w+ > e+ ve, z > mu+ mu-", {"ptl": 150.0, "cut_decays": True}, False),
        ("ta- ta+ > w- w+, w- > e- ve~", {}, False),  # the window of the w- lies above
        ("z z > z h e+ e-, h > b b~", {}, True),
    ],
)
def test_windows_of_decayed_particles(process, cuts, is_infinite):
    card = card_from_table({"process": process, "cuts": cuts, "phase_space": {"mapping": "rambo"}})
    if not is_infinite:
        build_integrand(card)
        return
    with pytest.raises(InputError, match="can decay into"):
        build_integrand(card)


@pytest.mark.parametrize(
    ("process", "width"),
    [
        ("e+ e- > mu+ mu- b b~", "WH"),
        ("e+ e- > ve ve~ mu+ mu-", "WZ"),
        ("e+ e- > w+ b t~", "WT"),
        ("t > b e+ ve", "WW"),
    ],
)
def test_widths_that_were_switched_off(process, width):
    """A massive propagator on its mass shell."""
    cuts = {"mmll": 10.0}
    check(process, cuts)
    with pytest.raises(InputError, match="without width is on its mass shell") as error:
        check(process, cuts, **{width: 0.0})
    assert error.value.key == f"parameters.{width}"
    assert error.value.allowed == "a width above zero"


def test_particles_that_have_no_width():
    with pytest.raises(InputError, match="ta- without width is on its mass shell") as error:
        check("e+ e- > ta+ vt mu- vm~")
    assert error.value.key == "process"


def test_masses_out_of_reach_need_no_width():
    check("e+ e- > mu+ mu- b b~", {"mmll": 10.0}, sqrt_s=120.0, WH=0.0, MH=200.0)
    check("t > b e+ ve", MT=70.0, WW=0.0)


def test_energy_on_a_pole():
    check("e+ e- > mu+ mu-", sqrt_s=91.188)
    check("e+ e- > mu+ mu-", sqrt_s=91.2, WZ=0.0)
    with pytest.raises(InputError, match="z without width"):
        check("e+ e- > mu+ mu-", sqrt_s=91.188, WZ=0.0)


def test_masses_cure():
    """A divergence that the mass of a b quark cures stays one for massless ones."""
    light = load_model("sm-no_b_mass")
    (sub,), (diagrams,) = find_subprocesses(light, ["g g > b b~"])
    values = numeric_parameters(light, light.parameters())
    cuts = Cuts.from_card({}, cut_legs(light, sub.tree, values))
    with pytest.raises(InputError, match="diverges") as error:
        refuse_divergences(light, diagrams.graph, diagrams.tree, cuts, values, 1000.0)
    assert "ptj" in error.value.allowed  # it is a jet there


def test_cuts_on_decay_products():
    with pytest.raises(InputError) as error:
        check("e+ e- > t t~, t > w+ b g", {"ej": 5.0})
    assert "cut_decays" in error.value.hint


@pytest.mark.parametrize(
    ("process", "cuts"),
    [(p, c) for p, c in FINITE if c and not c.get("cut_decays")],
)
def test_every_cut_of_a_finite_process_is_needed(process, cuts):
    """Without all of its cuts it is refused: the lists above are not too easy."""
    with pytest.raises(InputError, match="diverges"):
        check(process, {})


@pytest.mark.parametrize("sqrt_s", [1e4, 1e6, 1e9, 1e12])
def test_at_all_energies(sqrt_s):
    """Also where the pole is 1e-20 of the range of t from its end."""
    for process in ("ta- ta+ > e- ve~ w+", "e- z > e- z"):
        with pytest.raises(InputError, match="can decay into"):
            check(process, sqrt_s=sqrt_s)
    for process in ("u b > u b", "ta+ ta- > ta+ ta-", "e+ e- > e+ e-"):
        with pytest.raises(InputError, match="forward scattering"):
            check(process, sqrt_s=sqrt_s)
    for process in ("e+ e- > e+ e- h", "u d~ > t b~", "g g > t t~", "a a > ta+ ta-", "t d > b u"):
        check(process, sqrt_s=sqrt_s)
