"""Events of a file as events of a process: order of the legs, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fabgen.errors import InputError
from fabgen.events.legs import event_weights, leg_momenta
from fabgen.events.lhe import write_lhe
from fabgen.events.reader import Structure, read_lhe
from fabgen.events.record import EventTopology, Resonance

#: e+ e- > mu+ mu- z, massless muons, as MadGraph writes it (comments, reweighting, a resonance).
MADGRAPH = """<LesHouchesEvents version="3.0">
<header>
<MGVersion>
3.5.1
</MGVersion>
</header>
<init>
-11 11 5.000000e+02 5.000000e+02 0 0 0 0 -4 1
1.000000e-01 1.000000e-04 1.000000e-01 1
<generator name='MadGraph5_aMC@NLO' version='3.5.1'>please cite 1405.0301 </generator>
</init>
<event>
 {n}      1 +1.0000000e-01 1.00000000e+03 7.54677100e-03 1.18000000e-01
      -11 -1    0    0    0    0 +0.0000000000e+00 +0.0000000000e+00 +5.0000000000e+02 \
5.0000000000e+02 0.0000000000e+00 0.0000e+00 1.0000e+00
       11 -1    0    0    0    0 -0.0000000000e+00 -0.0000000000e+00 -5.0000000000e+02 \
5.0000000000e+02 0.0000000000e+00 0.0000e+00 -1.0000e+00
{particles}
<mgrwt>
<rscale>  0 0.10000000E+04</rscale>
</mgrwt>
</event>
</LesHouchesEvents>
"""


def particle(pdg, status, mothers, p, mass=0.0):
    e, x, y, z = p
    return (
        f"{pdg:9d} {status:2d} {mothers[0]:4d} {mothers[1]:4d}    0    0 {x:+.10e} {y:+.10e} "
        f"{z:+.10e} {e:.10e} {mass:.10e} 0.0000e+00 1.0000e+00"
    )


def massless(energy, cosine, phi):
    sine = np.sqrt(1.0 - cosine**2)
    return energy * np.array([1.0, sine * np.cos(phi), sine * np.sin(phi), cosine])


#: Two pairs back to back: 500 GeV each, all massless.
LEGS = [massless(250.0, 0.3, 0.1), massless(250.0, 0.3, 2.1)]
LEGS += [p * [1.0, -1.0, -1.0, -1.0] for p in LEGS]
BEAMS = np.array([[[500.0, 0.0, 0.0, 500.0], [500.0, 0.0, 0.0, -500.0]]])


def write(tmp_path, *particles):
    path = tmp_path / "madgraph.lhe"
    text = MADGRAPH.format(n=2 + len(particles), particles="\n".join(particles))
    path.write_text(text)
    return path, read_lhe(path)


def two_pairs(*resonances):
    return EventTopology((-11, 11, -13, 13, -13, 13), 2, (0.0,) * 6, resonances)


def test_final_particles_are_matched_by_their_ids(tmp_path):
    topology = EventTopology((-11, 11, -13, 13, 22, 23), 2, (0.0,) * 6)
    places = {23: 0, 13: 1, 22: 2, -13: 3}  # the file's order
    path, events = write(
        tmp_path, *(particle(pdg, 1, (1, 2), LEGS[i]) for pdg, i in places.items())
    )
    legs = leg_momenta(events, [topology], BEAMS, path)
    assert legs.momenta.shape == (1, 6, 4)
    for leg, pdg in enumerate(topology.pdg[2:], start=2):
        np.testing.assert_allclose(legs.momenta[0, leg], LEGS[places[pdg]], atol=1e-7)


def test_equal_particles_go_to_the_decay_they_come_from(tmp_path):
    """The file mixes the daughters of a Z and of a photon-like particle 9000001."""
    rows = [
        particle(23, 2, (1, 2), LEGS[0] + LEGS[2]),  # entry 3
        particle(9000001, 2, (1, 2), LEGS[1] + LEGS[3]),  # entry 4
        particle(13, 1, (4, 4), LEGS[1]),
        particle(-13, 1, (3, 3), LEGS[0]),
        particle(13, 1, (3, 3), LEGS[2]),
        particle(-13, 1, (4, 4), LEGS[3]),
    ]
    path, events = write(tmp_path, *rows)
    assert events.structures == (
        Structure(
            (-11, 11, 13, -13, 13, -13), 2, (Resonance(23, (3, 4)), Resonance(9000001, (2, 5)))
        ),
    )
    topology = two_pairs(Resonance(9000001, (2, 3)), Resonance(23, (4, 5)))
    legs = leg_momenta(events, [topology], BEAMS, path)
    expected = [LEGS[3], LEGS[1], LEGS[0], LEGS[2]]
    np.testing.assert_allclose(legs.momenta[0, 2:], expected, atol=1e-7)
    # the right one of two subprocesses with the same particles is found, too
    other = two_pairs(Resonance(25, (2, 3)), Resonance(23, (4, 5)))
    chosen = leg_momenta(events, [other, topology], np.repeat(BEAMS, 2, axis=0), path)
    assert chosen.subprocess.tolist() == [1]


def test_where_the_file_does_not_tell_its_order_stays(tmp_path):
    ids = (13, -13, 13, -13)
    rows = [particle(pdg, 1, (1, 2), p) for pdg, p in zip(ids, LEGS, strict=True)]
    path, events = write(tmp_path, *rows)
    for topology in (two_pairs(), two_pairs(Resonance(23, (2, 3)), Resonance(23, (4, 5)))):
        legs = leg_momenta(events, [topology], BEAMS, path)
        expected = [LEGS[1], LEGS[0], LEGS[3], LEGS[2]]
        np.testing.assert_allclose(legs.momenta[0, 2:], expected, atol=1e-7)


def test_nested_decays_of_a_file_of_ours(tmp_path, file_info, tops, top_batch):
    batch = top_batch(5)
    write_lhe(tmp_path / "e.lhe", file_info(), (tops,), [batch])
    events = read_lhe(tmp_path / "e.lhe")
    assert [set(s.resonances) for s in events.structures] == [set(tops.resonances)]
    legs = leg_momenta(events, [tops], BEAMS, "e.lhe")
    np.testing.assert_allclose(legs.momenta, batch.momenta, rtol=1e-13, atol=1e-11)


def muons(tmp_path, **changes):
    path, events = write(
        tmp_path,
        *(particle(pdg, 1, (1, 2), p) for pdg, p in zip((-13, 13, 22, 22), LEGS, strict=True)),
    )
    return path, dataclasses.replace(events, **changes)


PHOTONS = EventTopology((-11, 11, -13, 13, 22, 22), 2, (0.0,) * 6)


@pytest.mark.parametrize(
    ("topology", "beams", "found", "allowed"),
    [
        (two_pairs(), BEAMS, "-11 11 > -13 13 22 22", "-11 11 > -13 13 -13 13 (PDG ids"),
        (
            EventTopology((11, -11, -13, 13, 22, 22), 2, (0.0,) * 6),
            BEAMS,
            "-11 11 > -13",
            "11 -11 > -13",
        ),
        (PHOTONS, 0.5 * BEAMS, "E = 500 GeV with pz = 500 GeV", "E = 250 GeV with pz = 250 GeV"),
        (PHOTONS, BEAMS[:, ::-1], "pz = 500 GeV, E", "pz = -500 GeV, E"),
        (
            dataclasses.replace(PHOTONS, masses=(0.0, 0.0, 5.0, 0.0, 0.0, 0.0)),
            BEAMS,
            "0",
            "5 GeV",
        ),
    ],
)
def test_other_events_are_refused_with_both_values(tmp_path, topology, beams, found, allowed):
    path, events = muons(tmp_path)
    with pytest.raises(InputError) as caught:
        leg_momenta(events, [topology], beams, path)
    error = caught.value
    assert (error.exit_code, error.file) == (2, str(path))
    assert found in error.found
    assert allowed in error.allowed
    assert "event 1" in error.key


def test_momenta_that_do_not_balance_are_refused(tmp_path):
    path, events = muons(tmp_path)
    moved = events.momenta.copy()
    moved[0, 2] *= 0.9
    with pytest.raises(InputError, match="not balanced"):
        leg_momenta(dataclasses.replace(events, momenta=moved), [PHOTONS], BEAMS, path)
    moved[0, 2] = np.nan
    with pytest.raises(InputError, match="not balanced"):
        leg_momenta(dataclasses.replace(events, momenta=moved), [PHOTONS], BEAMS, path)


def test_weights_are_respected_unless_negative(tmp_path):
    path, events = muons(tmp_path)
    np.testing.assert_array_equal(event_weights(events, path), [0.1])
    for weight in (-0.1, np.nan, np.inf):
        with pytest.raises(InputError, match="1 of 1 events have no weight") as caught:
            event_weights(dataclasses.replace(events, weight=np.array([weight])), path)
        assert f"XWGTUP = {weight:g}" in caught.value.found


def test_a_particle_that_is_its_own_mother_ends_nothing(tmp_path):
    rows = [particle(23, 2, (3, 3), LEGS[0] + LEGS[1])]
    rows += [particle(pdg, 1, (3, 3), p) for pdg, p in zip((-13, 13, 22, 22), LEGS, strict=True)]
    path, events = write(tmp_path, *rows)
    assert events.structures[0].resonances == (Resonance(23, (2, 3, 4, 5)),)
    assert leg_momenta(events, [PHOTONS], BEAMS, path).subprocess.tolist() == [0]
