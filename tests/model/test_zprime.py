"""The Z': quantum numbers, couplings, its width and what a card may say of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.build.checks import numeric_parameters
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.process.subprocesses import find_subprocesses

SM, MODEL = load_model("sm"), load_model("sm-zprime")


def derived(**overrides) -> dict[str, complex]:
    values = MODEL.derive(MODEL.parameters(overrides))
    return {name: complex(np.asarray(value)) for name, value in values.items()}


def test_one_particle_more():
    (name,) = set(MODEL.particles) - set(SM.particles)
    particle = MODEL.particle(name)
    assert (particle.pdg, particle.spin, particle.colour, particle.charge) == (32, 3, 1, 0)
    assert (particle.mass, particle.width) == ("MZP", "WZP")
    assert particle.anti() is particle
    assert MODEL.multiparticles == SM.multiparticles
    assert SM.resolve("zp") is None


def test_vertices_are_those_of_the_z_with_fermions():
    z = [v for v in SM.vertices if "z" in v.particles and v.lorentz == "FFV"]
    own = MODEL.vertices[len(SM.vertices) :]

    def shape(vertex, boson):
        names = tuple("boson" if name == boson else name for name in vertex.particles)
        return names, vertex.colour, vertex.orders

    assert {shape(v, "zp") for v in own} == {shape(v, "z") for v in z}
    assert len(own) == 12


def test_sequential_by_default():
    p = derived(MZ=91.0)
    for kind in "udlv":
        for side in ("left", "right"):
            assert p[f"zp_{kind}_{side}"] == p[f"z_{kind}_{side}"]


def test_factors_of_couplings():
    p = derived(kZP=-0.5, kZPuL=3.0, kZPlR=0.0, kZPvL=-2.0)
    assert p["zp_u_left"] == pytest.approx(-1.5 * p["z_u_left"], rel=1e-14)
    assert p["zp_u_right"] == pytest.approx(-0.5 * p["z_u_right"], rel=1e-14)
    assert p["zp_l_right"] == 0.0
    assert p["zp_v_left"] == pytest.approx(p["z_v_left"], rel=1e-14)
    assert p["zp_v_right"] == 0.0


def test_only_couplings_may_be_negative():
    numeric_parameters(MODEL, MODEL.parameters({"kZP": -1.0, "kZPdL": -2.0}))
    with pytest.raises(InputError, match="MZP is negative"):
        numeric_parameters(MODEL, MODEL.parameters({"MZP": -1.0}))


def test_the_default_width_is_the_sum_of_partial_widths():
    """Gamma = N beta M/(24 pi) [(gL^2 + gR^2)(1 - r) + 6 r gL gR], r = m^2/M^2."""
    p = derived()
    total = 0.0
    for particle in MODEL.particles.values():
        if not particle.is_fermion or particle.pdg < 0:
            continue
        kind = {2: "u", -1: "d", 0: "v", -3: "l"}[particle.charge]
        left, right = (p[f"zp_{kind}_{side}"].imag for side in ("left", "right"))
        r = (p.get(particle.mass, 0.0).real / 1000.0) ** 2
        spins = (left**2 + right**2) * (1 - r) + 6 * r * left * right
        total += particle.colour * 1000.0 / (24 * math.pi) * math.sqrt(1 - 4 * r) * spins
    assert MODEL.external["WZP"] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(
    ("process", "qed"), [("u u~ > e+ e-", 2), ("u u~ > zp g", 1), ("p p > zp > t t~", 2)]
)
def test_counts_as_qed(process, qed):
    _, distinct = find_subprocesses(MODEL, [process])
    assert {entry.qed[()] for entry in distinct} == {qed}


def test_on_cards():
    table = {"process": "e+ e- > mu+ mu-", "model": "sm-zprime", "parameters": {"MZP": 400.0}}
    integrand = build_integrand(card_from_table(table))
    assert integrand.masses[32] == 400.0
    assert integrand.widths[32] == 29.526
    with pytest.raises(InputError, match="'zp' is not a particle of the model"):
        build_integrand(card_from_table({"process": "e+ e- > zp a"}))
    with pytest.raises(InputError) as error:
        build_integrand(card_from_table({**table, "process": "e+ e- > zprime a"}))
    assert error.value.hint == "did you mean zp?"
