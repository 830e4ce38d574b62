"""Resonances beyond the digits of momenta are refused with the width that works; others never."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError

POLE = {"energy": [45.594, 45.594]}
LEPTONS = {"mmll": 10.0}
UNCUT = {"phase_space": {"bw_cutoff": math.inf}, "beams": {"energy": [5e3, 5e3]}}
PHOTON = {"pta": 5.0, "dral": 0.4, "mmll": 9.0}


def build(process, name, width, more=None):
    table = {"process": process, "channels": {"use": "one"}, **(more or {})}
    table["parameters"] = {**table.get("parameters", {}), name: width}
    return build_integrand(card_from_table(table))


#: process, width, more of the card, the smallest width that works in GeV
REFUSED = [
    ("e+ e- > z b b~", "WH", {}, 7.2e-11),
    ("e+ e- > z b b~", "WH", {"beams": {"energy": [125.0, 125.0]}}, 4.5e-12),
    ("e+ e- > z b b~", "WH", {"beams": {"energy": [1e4, 1.5625]}}, 4.5e-12),
    ("e+ e- > mu+ mu- h", "WZ", {}, 9.8e-11),
    ("u u~ > mu+ mu- ta+ ta-", "WZ", {"cuts": LEPTONS}, 9.8e-11),
    ("e+ e- > w+ b w- b~", "WT", {}, 5.2e-11),
    ("t > b e+ ve", "WW", {}, 3.4e-12),
    ("h > z mu+ mu-", "WZ", {"parameters": {"MH": 200.0}}, 3.9e-12),
    # the veto takes the resonance out, but not its tails
    ("e+ e- > z b b~ $ h", "WH", {}, 2.4e-11),
    # no width stands for the one of a propagator, though its particle is decayed elsewhere
    ("e+ e- > z mu+ mu-, z > b b~", "WZ", {"cuts": LEPTONS}, 9.8e-11),
    ("e+ e- > z h, h > b b~", "WH", {"phase_space": {"small_width": 0.0}}, 7.2e-11),
    ("e+ e- > z h, h > b b~", "WH", UNCUT, 7.2e-9),
    # beams on the pole
    ("u u~ > e+ e-", "WZ", {"beams": POLE}, 8.1e-11),
    ("e+ e- > z > mu+ mu-", "WZ", {"beams": POLE}, 8.1e-11),
    ("e+ e- > mu+ mu- $ z", "WZ", {"beams": POLE}, 2.7e-11),
    # energies at which no width is large enough
    ("e+ e- > z h, h > b b~", "WH", {"beams": {"energy": [1e7, 1e7]}}, 2.9e-2),
    ("e+ e- > mu+ mu- h", "WZ", {"beams": {"energy": [1e9, 1e9]}}, 3.9e2),
]


@pytest.mark.parametrize(("process", "name", "more", "least"), REFUSED)
def test_refused(process, name, more, least):
    with pytest.raises(InputError, match="too narrow") as caught:
        build(process, name, 0.9 * least, more)
    assert caught.value.key == f"parameters.{name}"
    assert f"at least {least:.2g} GeV" in caught.value.allowed
    build(process, name, float(re.findall(r"at least (\S+)", caught.value.allowed)[0]), more)


def test_hints():
    def hint(*arguments):
        with pytest.raises(InputError, match="too narrow") as caught:
            build(*arguments)
        return caught.value.hint

    chain = "e+ e- > z h, h > b b~"
    assert "decay chain" in hint("e+ e- > z b b~", "WH", 1e-13)
    assert "small_width = 1e-6" in hint(chain, "WH", 1e-13, {"phase_space": {"small_width": 0.0}})
    assert "bw_cutoff up to 10000" in hint(chain, "WH", 1e-13, UNCUT)
    fast = {"beams": {"energy": [5e6, 5e6]}}
    assert hint(chain, "WH", 1e-13, fast) == "or phase_space.small_width = 5.7e-05"
    build(chain, "WH", 1e-13, {**fast, "phase_space": {"small_width": 5.7e-5}})
    faster = {"beams": {"energy": [5e7, 5e7]}}
    assert hint(chain, "WH", 1e-13, faster) is None
    assert hint("u u~ > e+ e-", "WZ", 1e-13, {"beams": POLE}) is None


#: process, width, more of the card: the pole is not in phase space, whatever the width
FINE = [
    ("e+ e- > z h", "WH", {}),
    ("e+ e- > z h", "WZ", {}),
    ("e+ e- > mu+ mu-", "WZ", {}),
    ("e+ e- > mu+ mu-", "WZ", {"beams": {"energy": [45.5, 45.5]}}),
    ("e+ e- > t t~", "WT", {}),
    ("e+ e- > w+ w-", "WW", {}),
    ("e+ e- > w+ w- z", "WZ", {}),
    ("u u~ > t t~ h", "WT", {}),
    ("e+ e- > z z, z > mu+ mu-", "WH", {}),
    ("e+ e- > z z ve ve~", "WW", {}),  # it is exchanged
    # cuts keep away from the pole
    ("e+ e- > z b b~", "WH", {"cuts": {"mmbb": 130.0}}),
    ("e+ e- > z b b~", "WH", {"cuts": {"mmbbmax": 120.0}}),
    ("e+ e- > mu+ mu- a", "WZ", {"beams": {"energy": [48.15, 48.15]}, "cuts": PHOTON}),
    # energy does
    ("e+ e- > z b b~", "WH", {"beams": {"energy": [108.0, 108.0]}}),
    ("h > w+ e- ve~", "WW", {}),
    # a mother in its window does
    ("e+ e- > z z, z > w+ e- ve~", "WW", {}),
    ("e+ e- > w+ w- a, w+ > e+ ve", "WW", {"cuts": {"pta": 10.0, "etaa": 2.5}}),
]


@pytest.mark.parametrize(("process", "name", "more"), FINE)
def test_never_refused(process, name, more):
    build(process, name, 1e-20, more)


def test_the_bound_is_safe():
    """sigma x width at the smallest width is that at a large one within 1e-3."""
    target = build("e+ e- > z b b~", "WH", 1e-3, {"beams": {"energy": [117.3, 118.1]}})
    u = np.random.default_rng(1).uniform(size=(30000, target.dim))
    f = jax.jit(lambda width: jnp.exp(target.log_density(u, parameters={"WH": width})).mean())
    assert float(f(4.0e-12)) * 4.0e-12 == pytest.approx(float(f(1e-9)) * 1e-9, rel=1e-3)


def test_the_bound_of_fixed_energies_is_safe():
    """On the flanks of a resonance as narrow as allowed f x |s - m^2 + i m Gamma|^2 is constant."""
    mass, width = 91.188, 8.1e-11
    found = []
    for offset in (-1.0, -0.5, 0.0, 0.5, 1.0):
        energy = 0.5 * mass * (1.0 + 0.5 * offset * width / mass)
        target = build("u u~ > e+ e-", "WZ", width, {"beams": {"energy": [energy, energy]}})
        distance = float(4 * Fraction(energy) ** 2 - Fraction(mass) ** 2)
        f = np.exp(float(jax.jit(target.log_density)(np.array([0.3, 0.3]))))
        found.append(f * (distance**2 + (mass * width) ** 2))
    assert found == pytest.approx([found[2]] * 5, rel=1e-3)
