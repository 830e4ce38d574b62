"""Resonances that no channel follows are named before any sampling, all others are not."""

from __future__ import annotations

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from fabgen.build import build_integrand, build_integrands
from fabgen.build.missed_peaks import missed_peaks, told
from fabgen.build.poles import Pole
from fabgen.card import load_card, with_channels
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.phasespace.topology import REACH
from fabgen.units import PB_GEV2

ZPRIME = {"model": "sm-zprime", "beams": {"energy": [250.0, 250.0]}}
RETURN, PHOTON = "e+ e- > vm vm~ a", {"pta": 10.0, "etaa": 2.0}
FOUR, LEPTONS = "e+ e- > mu+ mu- b b~", {"mmll": 10.0}
WIDTHS = [5.0, 0.02, 0.0005]


def card(process, **table):
    return with_channels(card_from_table({"process": process, **table}))


def warnings(process, **table) -> tuple[str, ...]:
    (integrand,) = build_integrands(card(process, **table))
    return integrand.warnings


def zprime(process, width, cuts, **channels):
    parameters = {"MZP": 400.0, "WZP": width}
    return card(process, parameters=parameters, cuts=cuts, channels=channels, **ZPRIME)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("process", "cuts", "places"),
    [(RETURN, PHOTON, "zp (vm vm~)"), (FOUR, LEPTONS, "zp (b b~) and zp (mu+ mu-)")],
)
def test_a_dropped_resonance_is_named(process, cuts, places, width):
    (warning,) = build_integrand(zprime(process, width, cuts, drop=["zp"])).warnings
    peak = f"a peak at 400 GeV, {width:g} GeV wide"
    assert warning.startswith(f"no channel follows {places}: {peak}")
    assert build_integrand(zprime(process, width, cuts)).warnings == ()


def test_the_documented_cards_miss_nothing(cards):
    paths = sorted(cards.glob("*.toml"))
    assert len(paths) > 10
    for path in paths:
        for integrand in build_integrands(with_channels(load_card(path))):
            assert integrand.warnings == (), path


@pytest.mark.parametrize(
    ("process", "table"),
    [
        ("h > mu+ mu- e+ e-", {}),
        ("t > b e+ ve", {}),
        ("e+ e- > w+ b w- b~", {}),
        ("e+ e- > mu+ vm d u~", {}),
        (FOUR, {"cuts": LEPTONS}),
        (FOUR, {"cuts": {"mmll": 95.0}}),  # the Z is 1.6 widths below the cut
        ("u u~ > mu+ mu- $ z", {}),
        ("e+ e- > mu+ mu- b b~ $ z", {"cuts": LEPTONS}),
        # beams on the resonance: there is nothing to draw
        ("e+ e- > mu+ mu-", {"beams": {"energy": [45.594, 45.594]}}),
    ],
)
def test_nothing_is_missed_by_channels_of_all_diagrams(process, table):
    assert warnings(process, **table) == ()


def test_one_channel_misses_what_other_diagrams_have():
    (warning,) = warnings(FOUR, cuts=LEPTONS, channels={"use": "one"})
    assert warning.startswith("no channel follows z (b b~): a peak at 91.188 GeV, 2.4414 GeV wide")


def test_flat_maps_follow_nothing():
    found = warnings("e+ e- > t t~, t > w+ b, t~ > w- b~", phase_space={"mapping": "rambo"})
    places = "t (w+ b) and t~ (w- b~)"
    assert [text.split(":")[0] for text in found] == [f"no map follows {places}"]
    assert warnings("e+ e- > w+ w-", phase_space={"mapping": "rambo"}) == ()


def test_vetoed_resonances_are_no_peaks():
    table = {"cuts": LEPTONS, "phase_space": {"mapping": "rambo"}}
    assert len(warnings("e+ e- > mu+ mu- b b~ / h", **table)) == 1
    assert warnings("e+ e- > mu+ mu- b b~ / h $ z", **table) == ()


# -- what is within reach -----------------------------------------------------------------------


def pole(mass, low, high) -> Pole:
    depth = min(mass**2 - low**2, high**2 - mass**2)
    return Pole("z", (0, 1), "M", "W", depth, depth, decayed=False, vetoed=False, fixed=False)


@pytest.mark.parametrize(
    ("mass", "within"),
    [(95.0, True), (84.5, True), (83.9, False), (115.9, True), (116.1, False), (200.0, False)],
)
def test_a_few_widths_out_of_range_are_within_reach(mass, within):
    assert REACH == 3.0
    found = missed_peaks([pole(mass, 90.0, 110.0)], [], {"M": mass, "W": 2.0}, ["e+", "e-", "a"])
    assert [peak.place for peak in found] == (["z (e+ e-)"] if within else [])


def test_decayed_and_fixed_poles():
    values, names = {"M": 300.0, "W": 2.0}, ["e+", "e-", "a"]
    outside = pole(300.0, 90.0, 110.0)
    chain = dataclasses.replace(outside, decayed=True)  # it stays in its window
    assert len(missed_peaks([chain], [], values, names)) == 1
    for kind in ("fixed", "vetoed"):
        inside = dataclasses.replace(pole(100.0, 90.0, 110.0), **{kind: True})
        assert missed_peaks([inside], [], values | {"M": 100.0}, names) == ()


def protons(*processes, drop=(), cuts=None, **parameters):
    return card(
        list(processes),
        **{"model": "sm-zprime", "beams": {"kind": "proton", "energy": [6500.0, 6500.0]}},
        **{"cuts": cuts or {"mmll": 50.0}, "channels": {"drop": list(drop)}},
        parameters={"MZP": 400.0, "WZP": 1.0} | parameters,
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_the_energy_of_partons_follows_resonances(width):
    """Photon, Z and Z' in s: the last two draw the energy of the partons."""
    (integrand,) = build_integrands(protons("p p > e+ e-", WZP=width))
    assert {len(component.channels) for component in integrand.components} == {3}
    assert integrand.warnings == ()
    (integrand,) = build_integrands(protons("p p > e+ e-", WZP=width, drop=["zp"]))
    assert {len(component.channels) for component in integrand.components} == {2}
    (warning,) = integrand.warnings
    assert warning.startswith(f"no channel follows zp (e+ e-): a peak at 400 GeV, {width:g} GeV")


@pytest.mark.parametrize(
    ("cuts", "dropped", "places"),
    [
        ({"mmll": 50.0}, ["z"], ["z (e+ e-)"]),
        ({"mmll": 120.0}, ["z"], []),  # the cut leaves none
        ({"mmll": 50.0, "mmllmax": 300.0}, ["zp"], []),
        ({"mmll": 410.0}, ["zp"], []),
        ({"mmll": 120.0}, ["z", "zp"], ["zp (e+ e-)"]),
    ],
)
def test_cuts_on_the_energy_of_partons(cuts, dropped, places):
    (integrand,) = build_integrands(protons("u u~ > e+ e-", cuts=cuts, drop=dropped))
    told = [text.split(":")[0] for text in integrand.warnings]
    assert told == [f"no channel follows {place}" for place in places]


def test_long_lists_are_cut_short():
    peaks = missed_peaks(
        [dataclasses.replace(pole(100.0, 50.0, 150.0), legs=(0, n)) for n in range(1, 9)],
        *([], {"M": 100.0, "W": 1.0}, [f"x{n}" for n in range(9)]),
    )
    (text,) = told([*peaks, *peaks], mapped=True)
    assert "z (x0 x1), z (x0 x2)" in text
    assert "z (x0 x6) and 2 more: a peak" in text


# -- channels.drop ------------------------------------------------------------------------------


def test_dropped_channels():
    full, less = (build_integrand(zprime(FOUR, 1.0, LEPTONS, drop=d)) for d in ([], ["ZP"]))
    assert (full.n_channels, less.n_channels) == (31, 17)
    diagrams = [c.element.n_diagrams for f in (full, less) for c in f.components]
    assert diagrams[0] == diagrams[1]
    standard = build_integrand(card(FOUR, cuts=LEPTONS, beams=ZPRIME["beams"]))
    maps = [[channel.mapping for channel in f.components[0].channels] for f in (less, standard)]
    assert maps[0] == maps[1]


@pytest.mark.parametrize(
    ("names", "problem", "hint"),
    [
        (["zq"], "'zq' is not a particle of the model sm-zprime", "did you mean z?"),
        (["zprime"], "'zprime' is not a particle", "did you mean zp?"),
        (["qqq"], "'qqq' is not a particle", None),
        (["zp", "g"], "no channel has a propagator of g", None),
        (["a", "z", "h", "zp"], "no channel of e+ e- > mu+ mu- b b~ is left", None),
    ],
)
def test_names_that_cannot_be_dropped(names, problem, hint):
    with pytest.raises(InputError) as error:
        build_integrand(zprime(FOUR, 1.0, LEPTONS, drop=names))
    assert error.value.key == "channels.drop"
    assert problem in error.value.problem
    assert error.value.hint == hint
    if "left" not in problem:
        assert error.value.allowed.endswith("b b~ e- e+ mu- mu+ a z h zp")


# -- the integral -------------------------------------------------------------------------------


def expected(width: float) -> float:
    """sigma(e+ e- > vm vm~ a) in pb at 500 GeV: a photon of energy x sqrt(s)/2 off the beams.

    d sigma/dx dcos = 2 alpha/(pi x sin^2) [(1 - x/2)^2 + (x cos/2)^2] sigma_0((1 - x) s), exact for
    massless beams and s-channel bosons (O. Nicrosini, L. Trentadue, Nucl. Phys. B318 (1989) 1).
    """
    model = load_model("sm-zprime")
    p = model.derive(model.parameters({"MZP": 400.0, "WZP": width}))
    c = {name: complex(np.asarray(value)) for name, value in p.items()}
    s, alpha = 500.0**2, abs(c["ee"]) ** 2 / (4 * math.pi)
    bosons = [("z", 91.188, 2.441404), ("zp", 400.0, width)]

    def radiator(x):
        reach = min(math.tanh(PHOTON["etaa"]), math.sqrt(1 - (PHOTON["pta"] / (250.0 * x)) ** 2))
        logs = 2 * math.atanh(reach)
        return 2 * alpha / (math.pi * x) * ((1 - x / 2) ** 2 * logs + x**2 / 4 * (logs - 2 * reach))

    def density(q2):
        total = 0.0
        for side in ("left", "right"):
            total += (
                abs(
                    sum(
                        c[f"{name}_l_{side}"] * c[f"{name}_v_left"] / (q2 - m**2 + 1j * m * w)
                        for name, m, w in bosons
                    )
                )
                ** 2
            )
        return q2 / (48 * math.pi) * total * radiator(1 - q2 / s) / s

    highest = s - 2 * 500.0 * PHOTON["pta"]
    steps = [sign * 10.0**k for k in np.arange(0.0, 6.0, 0.5) for sign in (-1, 1)]
    inner = {m**2 + step * m * w for _, m, w in bosons for step in (0.0, *steps)}
    edges = [0.0, *sorted(edge for edge in inner if 0.0 < edge < highest), highest]
    parts = (quad(density, a, b)[0] for a, b in itertools.pairwise(edges))
    return PB_GEV2 * sum(parts)


def test_the_integral_is_right_at_every_width():
    """One program for all widths, which the maps of all channels follow."""
    integrand = build_integrand(zprime(RETURN, 1.0, PHOTON, prior="propagators"))
    n, k = 40_000, integrand.n_channels
    assert k == 4
    numbers = np.arange(n) % k
    u = np.random.default_rng(1).uniform(size=(n, integrand.dim))

    @jax.jit
    def weights(u, channel, width):
        point = integrand.point(u, channel, {"WZP": width})
        prior = jnp.take_along_axis(point.log_prior, channel[None], axis=0)[0]
        return jnp.exp(point.log_f + point.log_jacobian + prior)

    for width in WIDTHS:
        parts = np.asarray(weights(u, numbers, width)).reshape(-1, k)
        value = parts.mean(axis=0).sum()
        error = math.sqrt(parts.var(axis=0).sum() / len(parts))
        assert error < 0.006 * value
        assert abs(value - expected(width)) < 4 * error, width
