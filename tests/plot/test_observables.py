"""Masses, pT and rapidities of hand-made events."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.observables import (
    by_transverse_momentum,
    invariant_mass,
    light_cone,
    light_cone_mass,
    observables,
    rapidity,
    transverse_momentum,
)
from fabgen.process.event_topology import EventTopology, Resonance


def momentum(mass, px, py, pz):
    return [np.sqrt(mass**2 + px**2 + py**2 + pz**2), px, py, pz]


def names(*topologies):
    return [one.file for one in observables(topologies)]


def test_of_one_momentum():
    p = np.array(momentum(2.0, 3.0, 4.0, 5.0))
    assert invariant_mass(p) == pytest.approx(2.0)
    assert transverse_momentum(p) == 5.0
    assert invariant_mass(np.array([1.0, 0.0, 0.0, 1.0 + 1e-15])) == 0.0


@pytest.mark.parametrize("bounds", [(2.0, 2.0), (0.0, 5.0)])
def test_light_cone(bounds):
    p, q = momentum(2.0, 3.0, 4.0, 5.0), momentum(2.0, 1.0, 0.0, -3.0)
    (cones,) = light_cone(np.array([[p, q]]), *np.array(bounds)[:, None] * [1.0, 1.0])
    np.testing.assert_allclose(light_cone_mass(cones), 2.0, rtol=1e-12)
    np.testing.assert_allclose(rapidity(cones), np.arctanh([5.0 / p[0], -3.0 / q[0]]))
    both = np.add(p, q)
    assert light_cone_mass(cones.sum(axis=0)) == pytest.approx(invariant_mass(both))
    assert rapidity(cones.sum(axis=0)) == pytest.approx(np.arctanh(2.0 / both[0]))
    along = light_cone(np.array([[[1.0, 0.0, 0.0, 1.0]]]), np.zeros(1), np.zeros(1))
    assert rapidity(along) == np.inf


def test_fast_frames():
    """A pair of 100 GeV that the lab sees with 1e12 GeV: E - pz is 1e-16 of E."""
    y = 24.0
    pair = EventTopology((-11, 11, 13, -13), 2, (0.0,) * 4)
    final = [[50 * np.cosh(y + s), 80.0 * s, 60.0 * s, 50 * np.sinh(y + s)] for s in (0.5, -0.5)]
    event = np.array([[[0.0] * 4, [0.0] * 4, *final]])
    event[0, :2, 0] = 1.0
    found = {one.file: one.values(event)[0] for one in observables([pair])}
    assert found["y_mu_minus"] == pytest.approx(24.5, rel=1e-14)
    assert found["y_mu_plus"] == pytest.approx(23.5, rel=1e-14)
    assert found["mass_mu_minus_mu_plus"] == pytest.approx(100 * np.cosh(0.5), rel=1e-12)


def test_equal_legs_are_ordered_event_by_event():
    soft, hard, other = momentum(0, 1, 0, 0), momentum(0, 0, 2, 1), momentum(0, 9, 9, 9)
    momenta = np.array([[other, soft, hard], [other, hard, soft]])
    found = by_transverse_momentum(momenta, [(1, 2)])
    np.testing.assert_array_equal(found, [[other, hard, soft]] * 2)


def test_a_chain_has_masses_of_resonances_and_of_the_other_pairs():
    top = EventTopology(
        pdg=(-11, 11, 24, 5, -24, -5),
        n_initial=2,
        masses=(0.0,) * 6,
        resonances=(Resonance(6, (2, 3)), Resonance(-6, (4, 5))),
    )
    assert names(top) == [
        "mass_t",
        "mass_t_bar",
        "mass_W_plus_W_minus",
        "mass_W_plus_b_bar",
        "mass_b_W_minus",
        "mass_b_b_bar",
        *[f"pt_{n}" for n in ("W_plus", "b", "W_minus", "b_bar")],
        *[f"y_{n}" for n in ("W_plus", "b", "W_minus", "b_bar")],
    ]


def test_equal_particles_and_resonances_are_numbered_by_their_pt():
    zz = EventTopology(
        pdg=(-11, 11, 13, -13, 13, -13),
        n_initial=2,
        masses=(0.0,) * 6,
        resonances=(Resonance(23, (2, 3)), Resonance(23, (4, 5))),
    )
    files = names(zz)
    assert files[:2] == ["mass_Z1", "mass_Z2"]
    # The pair of the two hardest muons need not come from one Z.
    assert "mass_mu_minus1_mu_plus1" in files
    beam = [momentum(0, 0, 0, 1), momentum(0, 0, 0, -1)]
    slow = [momentum(0, 1, 0, 0), momentum(0, -1, 0, 0)]
    fast = [momentum(0, 5, 3, 0), momentum(0, 5, -3, 0)]
    event = np.array([[*beam, *slow, *fast]])
    found = {one.file: one.values(event)[0] for one in observables([zz])}
    assert found["mass_Z1"] == pytest.approx(6.0)
    assert found["mass_Z2"] == pytest.approx(2.0)
    assert found["pt_mu_minus1"] == pytest.approx(np.sqrt(34.0))
    assert found["pt_mu_minus2"] == 1.0


def test_subprocesses_share_the_resonances_that_all_of_them_have():
    def chain(*resonances):
        return EventTopology(
            pdg=(6, 5, -11, 12),
            n_initial=1,
            masses=(173.0, 4.7, 0.0, 0.0),
            resonances=resonances,
        )

    w = Resonance(24, (2, 3))
    assert names(chain(w), chain(w))[0] == "mass_W_plus"
    assert names(chain(w), chain())[:3] == [
        "mass_b_e_plus",
        "mass_b_nu_e",
        "mass_e_plus_nu_e",
    ]


def test_file_names_of_a_process_are_all_different():
    gluons = EventTopology(pdg=(2, -2, 21, 21, 21), n_initial=2, masses=(0.0,) * 5)
    files = names(gluons)
    assert len(set(files)) == len(files) == 9
