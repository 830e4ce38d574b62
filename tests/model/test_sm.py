"""The Standard Model: quantum numbers, vertices, and what follows from the external parameters."""

from __future__ import annotations

import math
from collections import Counter

import jax
import numpy as np
import pytest

from fabgen.card.schema import MODELS as KNOWN_TO_CARDS
from fabgen.errors import InputError
from fabgen.model import ORDERS, ZERO, load_model

SM, NO_B_MASS, ZPRIME = (load_model(name) for name in ("sm", "sm-no_b_mass", "sm-zprime"))
MODELS = [SM, NO_B_MASS, ZPRIME]


def derived(**overrides):
    return {k: np.asarray(v) for k, v in SM.derive(SM.parameters(overrides)).items()}


def test_names():
    assert (SM.name, NO_B_MASS.name) == ("sm", "sm-no_b_mass")
    assert tuple(model.name for model in MODELS) == KNOWN_TO_CARDS
    assert load_model("sm") is SM
    with pytest.raises(InputError, match="unknown model") as error:
        load_model("mssm")
    assert "sm-no_b_mass" in error.value.allowed


def test_particles():
    """Six quarks, six leptons, their antiparticles; five bosons, one of them charged."""
    assert len(SM.particles) == 24 + 6
    numbers = {p.pdg for p in SM.particles.values()}
    assert numbers == {s * n for n in (*range(1, 7), *range(11, 17), 24) for s in (1, -1)} | {
        21,
        22,
        23,
        25,
    }
    for name, particle in SM.particles.items():
        assert particle.name == name
        assert SM.particle(particle.antiname) == particle.anti()
        assert particle.anti().anti() == particle


@pytest.mark.parametrize(
    ("name", "pdg", "spin", "colour", "charge", "states"),
    [
        ("u", 2, 2, 3, 2, 2),
        ("b~", -5, 2, -3, 1, 2),
        ("ve", 12, 2, 1, 0, 2),
        ("ta+", -15, 2, 1, 3, 2),
        ("g", 21, 3, 8, 0, 2),
        ("a", 22, 3, 1, 0, 2),
        ("z", 23, 3, 1, 0, 3),
        ("w-", -24, 3, 1, -3, 3),
        ("h", 25, 1, 1, 0, 1),
    ],
)
def test_quantum_numbers(name, pdg, spin, colour, charge, states):
    p = SM.particle(name)
    assert (p.pdg, p.spin, p.colour, p.charge, p.n_spin_states) == (
        pdg,
        spin,
        colour,
        charge,
        states,
    )
    assert p.is_fermion == (spin == 2)


def test_names_in_any_case():
    assert SM.resolve("W+") == "w+"
    assert SM.resolve("VT~") == "vt~"
    assert SM.resolve("x") is None


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_vertices_conserve_charges(model):
    for vertex in model.vertices:
        particles = [model.particle(name) for name in vertex.particles]
        assert sum(p.charge for p in particles) == 0, vertex
        assert sum(p.lepton_number for p in particles) == 0, vertex
        assert sum(p.colour == 3 for p in particles) == sum(p.colour == -3 for p in particles)
        assert sum(p.is_fermion for p in particles) in (0, 2)
        letters = {1: "S", 2: "F", 3: "V"}
        assert [letters[p.spin] for p in particles] == list(vertex.lorentz)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_orders_count_couplings(model):
    """Every vertex of n fields has n - 2 powers of a coupling."""
    for vertex in model.vertices:
        assert len(vertex.orders) == len(ORDERS)
        assert sum(vertex.orders) == len(vertex.particles) - 2
        coloured = sum(model.particle(n).colour == 8 for n in vertex.particles)
        assert (vertex.orders[0] > 0) == (coloured > 0)


def test_number_of_vertices():
    """By fields; the three structures of four gluons are one vertex."""
    kinds = Counter(v.lorentz for v in SM.vertices if v.colour not in ("ff:13|24", "ff:14|23"))
    # gluon 6, photon 9, Z 12, W 2 x 6
    assert kinds["FFV"] == 6 + 9 + 12 + 12
    assert kinds["FFS"] == 3
    assert kinds["VVV"] == 3
    assert kinds["VVVV"] == 5
    assert (kinds["VVS"], kinds["VVSS"], kinds["SSS"], kinds["SSSS"]) == (2, 2, 1, 1)
    assert Counter(v.lorentz for v in NO_B_MASS.vertices)["FFS"] == 2


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_every_name_has_a_value(model):
    values = model.derive(model.parameters())
    for particle in model.particles.values():
        for name in (particle.mass, particle.width):
            assert name == ZERO or name in values
    for vertex in model.vertices:
        for name in vertex.couplings:
            assert name == ZERO or name in values


def test_default_parameters_are_those_of_madgraph():
    assert dict(SM.external) == {
        "aEWM1": 132.507,
        "Gf": 1.16639e-5,
        "aS": 0.118,
        "MZ": 91.188,
        "MT": 173.0,
        "MB": 4.7,
        "MTA": 1.777,
        "MH": 125.0,
        "ymb": 4.7,
        "ymt": 173.0,
        "ymtau": 1.777,
        "WT": 1.4915,
        "WZ": 2.441404,
        "WW": 2.0476,
        "WH": 6.382339e-3,
    }
    assert set(SM.external) - set(NO_B_MASS.external) == {"MB", "ymb"}
    assert NO_B_MASS.particle("b").is_massless


def test_derived_parameters():
    """The numbers that MadGraph's sm prints for its default parameters."""
    p = derived()
    assert p["MW"] == pytest.approx(80.41900244575616, rel=1e-12)
    assert p["sw2"] == pytest.approx(0.22224648578577766, rel=1e-12)
    assert p["ee"] == pytest.approx(0.3079537672443688, rel=1e-12)
    assert p["G"] == pytest.approx(math.sqrt(4 * math.pi * 0.118), rel=1e-12)


def test_electroweak_relations():
    """Gf = 1/(sqrt(2) v^2) at tree level, e = g sin(theta), M_W = g v/2 = M_Z cos(theta)."""
    for overrides in ({}, {"aEWM1": 128.0, "Gf": 1.2e-5, "MZ": 92.0}):
        external, p = SM.parameters(overrides), derived(**overrides)
        assert external["Gf"] * math.sqrt(2.0) * p["vev"] ** 2 == pytest.approx(1.0, rel=1e-12)
        assert p["MW"] == pytest.approx(external["MZ"] * math.sqrt(1 - p["sw2"]), rel=1e-12)
        assert p["ee"] ** 2 / (4 * math.pi) == pytest.approx(1 / external["aEWM1"], rel=1e-12)
        g = p["ee"] / math.sqrt(p["sw2"])
        assert p["MW"] == pytest.approx(g * p["vev"] / 2, rel=1e-12)
        assert abs(p["w_f"]) == pytest.approx(g / math.sqrt(2), rel=1e-12)
        assert abs(p["h_t"]) == pytest.approx(external["ymt"] / p["vev"], rel=1e-12)


def test_values_per_event():
    p = SM.derive(SM.parameters({"aS": np.array([0.1, 0.2])}))
    np.testing.assert_allclose(np.abs(p["gs"]) ** 2, 4 * np.pi * np.array([0.1, 0.2]))
    assert np.ndim(p["MW"]) == 0


def test_differentiable():
    def mass(inverse_alpha):
        return SM.derive(SM.parameters({"aEWM1": inverse_alpha}))["MW"]

    step = 1e-3
    expected = (mass(132.507 + step) - mass(132.507 - step)) / (2 * step)
    assert jax.grad(mass)(132.507) == pytest.approx(float(expected), rel=1e-6)


def test_unknown_parameters():
    with pytest.raises(InputError, match="MW is not an external parameter of the model sm"):
        SM.parameters({"MW": 80.0})
    assert SM.parameters({"MT": 170.0})["MT"] == 170.0
    assert SM.external["MT"] == 173.0


def test_multiparticles():
    """As MadGraph defines them: four flavours, five without the mass of the b."""
    assert set(SM.multiparticles["p"]) == {"g", "u", "c", "d", "s", "u~", "c~", "d~", "s~"}
    assert set(NO_B_MASS.multiparticles["j"]) == {*SM.multiparticles["j"], "b", "b~"}
    assert SM.multiparticles["l+"] == ("e+", "mu+")
    assert SM.multiparticles["vl~"] == ("ve~", "vm~", "vt~")


def test_flavours_as_the_masses_say():
    """A b whose mass is set to 0 is a parton; the heavy top, which decays, never is."""
    assert set(SM.partons) == set(SM.multiparticles["p"])
    assert SM.at({"MT": 170.0, "MB": 4.2}) is SM
    light = SM.at({"MB": 0.0, "MT": 0.0})
    for name in ("p", "j"):
        assert set(light.multiparticles[name]) == set(NO_B_MASS.multiparticles["p"])
    assert light.multiparticles["l+"] == SM.multiparticles["l+"]
    assert "b" not in SM.multiparticles["p"]
    assert NO_B_MASS.at({"MT": 0.0}) is NO_B_MASS


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_families_are_copies(model):
    """Exchanging the particles of two families of a group leaves the set of vertices as it is."""

    def signature(rename):
        made = []
        for v in model.vertices:
            names = tuple(sorted(rename.get(n, n) for n in v.particles))
            made.append((names, v.lorentz, v.couplings, v.colour, v.weights, v.orders))
        return sorted(made)

    for group in model.families:
        first, second = group
        rename = dict(zip(first, second, strict=True)) | dict(zip(second, first, strict=True))
        assert signature(rename) == signature({})
        for a, b in zip(first, second, strict=True):
            p, q = model.particle(a), model.particle(b)
            assert (p.spin, p.colour, p.charge, p.mass, p.width) == (
                q.spin,
                q.colour,
                q.charge,
                q.mass,
                q.width,
            )
