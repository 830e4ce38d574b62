"""Resonances near their mass shell in event files, from the process to the file and back."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pylhe
import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.events.legs import leg_momenta
from fabgen.events.lhe import write_lhe
from fabgen.events.reader import read_lhe
from fabgen.events.record import EventBatch
from fabgen.integrand.point import EventFields

MZ, WZ = 91.188, 2.441404
MW, WW = 80.419, 2.0476
PROTONS = {"kind": "proton", "energy": [6500.0, 6500.0]}


def built(process: str, **tables):
    return build_integrand(card_from_table({"process": process, **tables}))


def batch_of(fields: EventFields) -> EventBatch:
    values = [np.moveaxis(np.asarray(field), -1, 0) for field in fields]
    momenta, topology, flow, resonances, helicity, scale, aqed, aqcd = values
    n = len(flow)
    return EventBatch(
        *(momenta, topology, flow, np.ones(n), scale, aqed, aqcd), helicity, resonances
    )


def drawn(integrand, n: int, seed: int = 0) -> EventBatch:
    """Events at random points of all channels, as a run draws them."""
    random = np.random.default_rng(seed)
    u = random.uniform(1e-3, 1.0 - 1e-3, (n, integrand.dim))
    channel = random.integers(0, integrand.n_channels, n).astype(np.int32)

    def draw(u, channel):
        return integrand.draw(integrand.map(u, channel), jax.random.key(seed))

    return batch_of(jax.jit(draw)(u, channel))


def with_resonances_only(integrand, n: int, seed: int = 0) -> EventBatch:
    """The same where |M|^2 takes long to compile: no flow nor helicity is drawn."""
    random = np.random.default_rng(seed)
    u = random.uniform(1e-3, 1.0 - 1e-3, (n, integrand.dim))
    channel = random.integers(0, integrand.n_channels, n).astype(np.int32)
    (component,) = integrand.components

    def draw(u, channel):
        momenta = integrand.momenta(u, channel)
        number = component.near_shell.draw(
            *(momenta.transpose(1, 2, 0), jnp.zeros(n, int), integrand.derived),
            jax.random.uniform(jax.random.key(seed), (n,)),
        )
        return momenta, number

    momenta, number = map(np.asarray, jax.jit(draw)(u, channel))
    zero, one = np.zeros(n, int), np.ones(n)
    return EventBatch(momenta, zero, zero, one, one, one, one, resonances=number)


def written(tmp_path, file_info, integrand, batch):
    """The events of a file as pylhe reads them, and its path."""
    path = tmp_path / "events.lhe.gz"
    write_lhe(path, file_info(), integrand.topologies, [batch])
    return list(pylhe.LHEFile.fromfile(path).events), path


def momentum(particles) -> np.ndarray:
    return np.sum([[p.e, p.px, p.py, p.pz] for p in particles], axis=0)


def mass(particles) -> float:
    p = momentum(particles)
    return float(np.sqrt(p[0] ** 2 - np.sum(p[1:] ** 2)))


def checked(event):
    """Of each resonance of an event its PDG id, its mass, and the ids of the entries below it.

    Mothers, momenta, masses, colours and helicities of all of them are as they must be.
    """
    found = []
    particles = event.particles
    assert event.eventinfo.nparticles == len(particles)
    outgoing = [q for q in particles if q.status != -1]
    assert {(q.mother1, q.mother2) for q in outgoing if q.mother1 < 3} == {(1, 2)}
    for place, particle in enumerate(particles, start=1):
        daughters = [q for q in outgoing if q.mother1 == place > 2]
        assert all(q.mother2 == place for q in daughters)
        assert len(daughters) >= 2 if particle.status == 2 else not daughters
        if particle.status != 2:
            continue
        assert all(particles.index(q) >= place for q in daughters)
        np.testing.assert_allclose(momentum([particle]), momentum(daughters), rtol=1e-12, atol=1e-9)
        # E^2 - p^2 of what is fast along the beams has fewer digits.
        assert particle.m == pytest.approx(mass(daughters), rel=1e-9)
        assert (particle.spin, particle.lifetime) == (9.0, 0.0)
        colours = {q.color1 for q in daughters} - {0}
        anticolours = {q.color2 for q in daughters} - {0}
        assert colours - anticolours == {particle.color1} - {0}
        assert anticolours - colours == {particle.color2} - {0}
        found.append((particle.id, particle.m, sorted(q.id for q in daughters)))
    return found


def test_the_z_of_its_peak(tmp_path, file_info):
    """e+ e- > mu+ mu- at the Z mass: one Z from both beams, with all of the energy."""
    integrand = built("e+ e- > mu+ mu-", beams={"energy": [MZ / 2.0, MZ / 2.0]})
    events, _ = written(tmp_path, file_info, integrand, drawn(integrand, 20))
    for event in events:
        assert [(found[0], found[2]) for found in checked(event)] == [(23, [-13, 13])]
        boson = event.particles[2]
        assert (boson.id, boson.status, boson.mother1, boson.mother2) == (23, 2, 1, 2)
        assert boson.m == pytest.approx(MZ, rel=1e-12)
        assert [q.mother1 for q in event.particles] == [0, 0, 1, 3, 3]


@functools.cache
def drell_yan():
    integrand = built("p p > e+ e-", beams=PROTONS, cuts={"mmll": 20.0})
    return integrand, drawn(integrand, 3000)


def test_a_z_of_protons_within_its_window(tmp_path, file_info):
    """p p > e+ e-: a Z where |m - M| < 15 Gamma and nowhere else, with every incoming quark."""
    integrand, batch = drell_yan()
    events, _ = written(tmp_path, file_info, integrand, batch)
    incoming = {True: set(), False: set()}
    for event in events:
        leptons = event.particles[-2:]
        near = abs(mass(leptons) - MZ) < 15.0 * WZ
        assert [(found[0], found[2]) for found in checked(event)] == [(23, [-11, 11])] * near
        assert leptons[0].mother1 == (3 if near else 1)
        incoming[near].add(tuple(q.id for q in event.particles[:2]))
    assert {(2, -2), (-2, 2), (1, -1), (-1, 1)} <= incoming[True] & incoming[False]
    assert (-4, 4) in incoming[True]


def test_a_file_is_read_back_as_it_was_written(tmp_path, file_info):
    """Momenta, subprocesses and weights do not depend on what stands between the legs."""
    integrand, batch = drell_yan()
    energies = integrand.beam_energies
    found = []
    bare = dataclasses.replace(batch, resonances=None)
    for name, events in (("with", batch), ("without", bare)):
        path = tmp_path / f"{name}.lhe"
        write_lhe(path, file_info(), integrand.topologies, [events])
        content = read_lhe(path)
        has = {bool(structure.resonances) for structure in content.structures}
        assert has == ({True, False} if name == "with" else {False})
        found.append(leg_momenta(content, integrand.topologies, energies, path))
    for field in ("momenta", "subprocess", "number"):
        np.testing.assert_array_equal(getattr(found[0], field), getattr(found[1], field))
    np.testing.assert_array_equal(found[0].subprocess, batch.topology)
    np.testing.assert_allclose(found[0].momenta, batch.momenta, rtol=1e-13, atol=1e-9)


def test_two_w_bosons(tmp_path, file_info):
    """e+ e- > mu+ vm d u~: each W in its window, whatever the other one does."""
    integrand = built(
        "e+ e- > mu+ vm d u~", beams={"energy": [150.0, 150.0]}, channels={"use": "all"}
    )
    events, _ = written(tmp_path, file_info, integrand, with_resonances_only(integrand, 400))
    seen = set()
    for event in events:
        final = [q for q in event.particles if q.status == 1]
        pairs = {24: final[:2], -24: final[2:]}
        near = {pdg for pdg, pair in pairs.items() if abs(mass(pair) - MW) < 15.0 * WW}
        found = checked(event)
        assert {(pdg, *ids) for pdg, _, ids in found} == {
            (pdg, *sorted(q.id for q in pairs[pdg])) for pdg in near
        }
        seen.add(frozenset(near))
    assert len(seen) == 4


def test_tops_or_one_of_several_bosons(tmp_path, file_info):
    """e+ e- > w+ b w- b~: both tops, one, none, or the Z or Higgs that decays into b b~."""
    integrand = built(
        "e+ e- > w+ b w- b~", beams={"energy": [250.0, 250.0]}, channels={"use": "all"}
    )
    batch = with_resonances_only(integrand, 600)
    events, _ = written(tmp_path, file_info, integrand, batch)
    charges = {6: 2, -6: -2, 23: 0, 25: 0, 24: 3, -24: -3, 5: -1, -5: 1}
    width = {6: 15.0 * 1.4915, -6: 15.0 * 1.4915, 23: 15.0 * WZ, 25: 15.0 * 6.382339e-3}
    at = {6: 173.0, -6: 173.0, 23: MZ, 25: 125.0}
    seen = set()
    for event in events:
        found = checked(event)
        final = {q.id: q for q in event.particles if q.status == 1}
        below = {6: (24, 5), -6: (-24, -5), 23: (5, -5), 25: (5, -5)}
        near = {
            pdg
            for pdg, ids in below.items()
            if abs(mass([final[i] for i in ids]) - at[pdg]) < width[pdg]
        }
        ids = {pdg for pdg, _, _ in found}
        for pdg, m, daughters in found:
            assert daughters == sorted(below[pdg]) and abs(m - at[pdg]) < width[pdg]
            assert sum(charges[i] for i in daughters) == charges[pdg]
        # One diagram has tops or one boson; as many of them as are near.
        assert ids in [near & {6, -6}, near & {23}, near & {25}]
        assert bool(ids) == bool(near)
        seen.add(frozenset(ids))
    assert seen == set(map(frozenset, [(), (6,), (-6,), (6, -6), (23,), (25,)]))


def test_colour_flows_decide(tmp_path, file_info):
    """u u~ > b b~ by Z, photon and gluon at the Z mass: a Z where its b quarks are connected."""
    integrand = built("u u~ > b b~ QED=2 QCD=2", beams={"energy": [MZ / 2.0, MZ / 2.0]})
    events, _ = written(tmp_path, file_info, integrand, drawn(integrand, 200))
    seen = set()
    for event in events:
        *_, b, b_bar = event.particles
        closed = b.color1 == b_bar.color2
        assert [found[0] for found in checked(event)] == [23] * closed
        seen.add(closed)
    assert seen == {True, False}


def test_a_w_within_a_decayed_top(tmp_path, file_info):
    """t > b e+ ve of a chain: the top always, and the W in its window below it."""
    integrand = built("e+ e- > t t~, t > b e+ ve", beams={"energy": [250.0, 250.0]})
    events, _ = written(tmp_path, file_info, integrand, with_resonances_only(integrand, 300))
    seen = set()
    for event in events:
        final = {q.id: q for q in event.particles if q.status == 1}
        near = abs(mass([final[-11], final[12]]) - MW) < 15.0 * WW
        expected = [(6, [5, 24]), (24, [-11, 12])] if near else [(6, [-11, 5, 12])]
        assert [(pdg, ids) for pdg, _, ids in checked(event)] == expected
        seen.add(near)
    assert seen == {True, False}
