"""What protons hold, and what a card with protons may ask for."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand, build_integrands
from fabgen.card import card_from_table
from fabgen.errors import InputError

PROTONS = {"kind": "proton", "energy": [6500.0, 6500.0]}


def card(*processes, **table):
    table = {"channels": {"use": "all"}} | table
    beams = PROTONS | table.pop("beams", {})
    return card_from_table({"process": list(processes), "beams": beams, **table})


@pytest.mark.parametrize(
    ("process", "table", "key", "words"),
    [
        ("e+ e- > mu+ mu-", {}, "beams.kind", "e+ is no parton of a proton"),
        ("e- p > e- j", {}, "beams.kind", "e- is no parton"),
        ("b b~ > e+ e-", {}, "process", "partons of a proton are massless, and b is not"),
        (
            "p p > t t~",
            {"beams": {"energy": [100.0, 200.0]}},
            "beams.energy",
            "below the threshold",
        ),
        ("p p > e+ e-", {}, "cuts", "mmll or ptl"),
        ("p p > e+ e-", {"beams": {"pdf": "NNPDF"}}, "beams.pdf", "not installed"),
        ("p p > j j", {}, "cuts", "ptj"),
        ("u u~ > t t~", {"parameters": {"MT": 0.0, "ymt": 0.0}}, "cuts", "mxx_min_pdg"),
        ("p p > z", {"beams": {"energy": [1e40, 1e3]}}, "beams.energy", "beyond what can be"),
        ("q q~ > g QED=0", {"multiparticles": {"q": "u", "q~": "u~"}}, "process", "no mass"),
    ],
)
def test_refusals(process, table, key, words):
    with pytest.raises(InputError) as error:
        build_integrand(card(process, **table))
    assert error.value.key == key
    assert words in f"{error.value.problem} {error.value.allowed}"


def test_decays_know_nothing_of_beams():
    assert build_integrand(card("t > w+ b")).n_initial == 1


def test_parts_have_variables_of_their_own():
    single, pair = build_integrands(card("p p > z", "p p > z j", cuts={"ptj": 20.0}))
    assert (single.dim, pair.dim) == (1, 4)
    assert single.beam_particles == pair.beam_particles == (2212, 2212)
    assert single.densities["id"] == 247000
    assert single.densities["alpha_s_mz"] == pytest.approx(0.13, abs=1e-9)


def test_flavours_and_families():
    """e+ e- of up and of down quarks; a photon and a Z each, which s follows."""
    drell_yan = build_integrand(card("p p > e+ e-", cuts={"mmll": 50.0}))
    assert len(drell_yan.components) == 2
    assert drell_yan.n_channels == 4
    five = build_integrand(card("p p > e+ e-", cuts={"mmll": 50.0}, model="sm-no_b_mass"))
    assert len(five.topologies) == len(drell_yan.topologies) + 2


def energies(integrand, channel, n=4000):
    u = jax.random.uniform(jax.random.key(1), (n, integrand.dim))
    return np.asarray(jax.jit(integrand.map)(u, jnp.full(n, channel)).collision.sqrt_s)


def test_the_energy_follows_what_all_particles_come_from():
    integrand = build_integrand(card("p p > e+ e-", cuts={"mmll": 50.0, "mmllmax": 500.0}))
    shares = []
    for channel in range(2):
        found = energies(integrand, channel)
        assert np.all((found >= 50.0 * (1.0 - 1e-9)) & (found <= 500.0 * (1.0 + 1e-9)))
        shares.append(np.mean(np.abs(found - 91.188) < 5.0 * 2.4414))
    photon, z = sorted(shares)
    assert photon < 0.4
    assert z > 0.8


def test_a_decayed_resonance_keeps_its_window():
    integrand = build_integrand(card("p p > z, z > e+ e-"))
    assert integrand.dim == 4
    found = energies(integrand, 0)
    assert np.all(np.abs(found - 91.188) <= 15.0 * 2.441404 * (1.0 + 1e-9))


def test_windows_of_decayed_particles_bound_the_energy():
    """Both tops need more than their products: what beams draw below that is lost."""
    integrand = build_integrand(card("g g > t t~, t > w+ b, t~ > w- b~"))
    threshold = 2.0 * (173.0 - 15.0 * 1.4915)
    for channel in range(integrand.n_channels):
        lowest = energies(integrand, channel).min()
        assert threshold <= lowest < 1.01 * threshold


def test_cuts_bound_the_energy_and_the_rapidity():
    cuts = {"ptl": 25.0, "etal": 2.5}
    (component,) = build_integrand(card("u u~ > e+ e-", cuts=cuts)).components
    assert component.least_energy == pytest.approx(50.0)
    assert component.rapidity == 2.5
    assert math.isinf(build_integrand(card("u u~ > e+ e- a", cuts=cuts | {
        "pta": 10.0, "drll": 0.4, "dral": 0.4})).components[0].rapidity)  # fmt: skip


def test_the_coupling_of_the_event_scales_what_is_evaluated_once():
    """|M|^2 of one QCD order times a power is the same as couplings for each event."""
    given = card("g g > t t~", scales={"renormalization": 300.0})
    integrand = build_integrand(given)
    assert [c.qcd_order for c in integrand.components] == [2]
    mixed = dataclasses.replace(
        integrand,
        components=tuple(dataclasses.replace(c, qcd_order=None) for c in integrand.components),
    )
    u = jax.random.uniform(jax.random.key(2), (50, integrand.dim))
    one, other = (jax.jit(f.point)(u, jnp.zeros(50, int)) for f in (integrand, mixed))
    np.testing.assert_allclose(one.log_f, other.log_f, rtol=1e-12)
    assert float(one.alpha_s[0]) == pytest.approx(float(integrand.alpha_s(jnp.array([300.0]))[0]))
    assert one.alpha_s[0] < 0.12


@pytest.mark.parametrize("width", [10.0, 0.0005])
def test_a_peak_that_no_channel_follows_is_told(width):
    settings = {"model": "sm-zprime", "parameters": {"MZP": 400.0, "WZP": width}}
    settings["cuts"] = {"mmll": 50.0}
    assert build_integrand(card("p p > e+ e-", **settings)).warnings == ()
    settings["channels"] = {"use": "all", "drop": ["zp"]}
    (warning,) = build_integrand(card("p p > e+ e-", **settings)).warnings
    assert warning.startswith("no channel follows zp (e+ e-): a peak at 400 GeV")
    settings["cuts"] = {"mmll": 50.0, "mmllmax": 200.0}  # out of reach
    assert build_integrand(card("p p > e+ e-", **settings)).warnings == ()
