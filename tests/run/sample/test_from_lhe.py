"""Event files through the maps of real processes."""

from __future__ import annotations

import gzip

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import run as pipeline
from fabgen.build import build_integrand
from fabgen.card import card_from_table, card_of_process
from fabgen.errors import InputError
from fabgen.events.reader import read_lhe
from fabgen.run.progress import Silent
from fabgen.run.sample.from_lhe import read_points

TOPS = "e+ e- > t t~, t > w+ b, t~ > w- b~"
MUONS = "e+ e- > mu+ mu-"
FKLD = ("training.method=fkld", "training.fkld.epochs=2", "training.batch_size=20")
TINY = (
    *("surrogate.layers=1", "surrogate.hidden=[4]", "surrogate.bins=4"),
    *("evaluation.samples=1000", "generation.events=100"),
)


@pytest.fixture(scope="module")
def muon_events(tmp_path_factory):
    """Flat-sampled events of muon pairs without cuts."""
    directory = tmp_path_factory.mktemp("muons")
    card = card_of_process(MUONS, [*TINY, "surrogate.kind=uniform"])
    pipeline.generate(card, directory)
    return directory / "events.lhe.gz"


def test_points_of_a_decay_chain_come_back(tmp_path):
    """u -> momenta -> file -> u, to the digits of the file; shuffled particles and no mothers."""
    path = tmp_path / "plain.lhe"
    flat = ("phase_space.mapping=rambo", "phase_space.bw_cutoff=inf")
    card = card_of_process(TOPS, [*FKLD, *flat, f"training.fkld.data={path}"])
    integrand = build_integrand(card)
    u = np.asarray(jax.random.uniform(jax.random.key(0), (40, 8), minval=0.02, maxval=0.98))
    momenta = np.asarray(jax.jit(integrand.momenta)(jnp.asarray(u)))
    pdg = integrand.topologies[0].pdg
    path.write_text(lhe_text(pdg, momenta, [5, 2, 4, 3]))
    found = read_points(card, [integrand], Silent(), None)
    assert found.read == len(found.points.u) == 40
    np.testing.assert_allclose(found.points.u, u, atol=1e-9)


def test_events_of_several_components_find_their_channels(tmp_path):
    """Each goes to the channel of its own matrix element and comes back from there."""
    path = tmp_path / "run" / "events.lhe.gz"
    table = {
        "process": [MUONS, "e+ e- > t t~", "e+ e- > u u~"],
        "cuts": {"ptl": 50.0},
        "channels": {"use": "one"},
        "surrogate": {"kind": "uniform"},
        "evaluation": {"samples": 5000},
        "generation": {"events": 300},
        "training": {"method": "fkld", "fkld": {"data": str(path)}},
    }
    pipeline.generate(card_from_table({**table, "training": {}}), tmp_path / "run")
    card = card_from_table({**table, "surrogate": {}})
    integrand = build_integrand(card)
    assert integrand.n_channels == 3
    found = read_points(card, [integrand], Silent(), None)
    assert found.read == len(found.points.u) == 300
    u, channel = found.points.u, found.points.channel
    events = read_lhe(path)
    legs = [[pdg for pdg in event if pdg in (-13, 6, 2)] for event in events.pdg]
    owner = {-13: 0, 6: 1, 2: 2}
    np.testing.assert_array_equal(channel, [owner[event[0]] for event in legs])
    assert set(channel) == {0, 1, 2}
    momenta = np.moveaxis(np.asarray(jax.jit(integrand.point)(u, channel).momenta), -1, 0)
    np.testing.assert_allclose(momenta, events.momenta[:, :4], atol=1e-6)


def lhe_text(pdg, momenta, order):
    """A plain file: final particles in the given order, no intermediate ones."""
    rows = []
    for event in momenta:
        rows.append(f"<event>\n{len(pdg)} 1 1.0 91.188 0.0075 0.118")
        for leg in (0, 1, *order):
            e, x, y, z = event[leg]
            status, mothers = (-1, "0 0") if leg < 2 else (1, "1 2")
            rows.append(
                f"{pdg[leg]} {status} {mothers} 0 0 {x:.15e} {y:.15e} {z:.15e} {e:.15e} 0.0 0.0 9.0"
            )
        rows.append("</event>")
    head = "-11 11 5e2 5e2 0 0 0 0 -4 1\n1.0 0.1 1.0 1"
    body = "\n".join(rows)
    return (
        f'<LesHouchesEvents version="1.0">\n<init>\n{head}\n</init>\n{body}\n</LesHouchesEvents>\n'
    )


def test_events_outside_the_cuts_are_left_out_and_counted(muon_events, tmp_path):
    settings = [*TINY, *FKLD, f"training.fkld.data={muon_events}", "cuts.ptl=300.0"]
    figures = pipeline.train(card_of_process(MUONS, settings), tmp_path / "run")
    told = figures["sample"]
    # The map keeps to the cut on pT: its events are not found to be outside by evaluating f.
    assert told["events"] == 100 == figures["target_evaluations"] + told["outside_map"]
    assert 0 < told["outside_map"] == 100 - told["used"] < 90
    assert figures["zero_values"] == told["outside_cuts"] == 0


def test_events_outside_cuts_that_maps_do_not_know(muon_events, tmp_path):
    settings = [*TINY, *FKLD, f"training.fkld.data={muon_events}", "cuts.drll=3.3"]
    figures = pipeline.train(card_of_process(MUONS, settings), tmp_path / "run")
    told = figures["sample"]
    assert told["events"] == figures["target_evaluations"] == 100
    assert 0 < told["outside_cuts"] == 100 - told["used"] < 90
    assert figures["zero_values"] == told["outside_cuts"]


@pytest.mark.parametrize(
    ("settings", "process", "found", "allowed"),
    [
        ((), "e+ e- > ta+ ta-", "-11 11 > -13 13", "-11 11 > -15 15"),
        (("beams.energy=[500.0, 400.0]",), MUONS, "E = 500 GeV with pz = -500", "E = 400 GeV"),
    ],
)
def test_files_of_other_processes_are_refused(
    muon_events, tmp_path, settings, process, found, allowed
):
    card = card_of_process(process, [*TINY, *FKLD, f"training.fkld.data={muon_events}", *settings])
    with pytest.raises(InputError) as caught:
        pipeline.train(card, tmp_path / "run")
    assert found in str(caught.value.found)
    assert allowed in str(caught.value.allowed)
    assert caught.value.file == str(muon_events)
    assert not (tmp_path / "run").exists()


def test_a_file_without_a_usable_event(muon_events, tmp_path):
    text = gzip.decompress(muon_events.read_bytes()).decode()
    empty = tmp_path / "empty.lhe"
    empty.write_text(text[: text.index("<event>")] + "</LesHouchesEvents>\n")
    for path, cut, message in ((empty, 0.0, "no events"), (muon_events, 499.999999, "can be used")):
        card = card_of_process(
            MUONS, [*TINY, *FKLD, f"training.fkld.data={path}", f"cuts.ptl={cut}"]
        )
        with pytest.raises(InputError, match=message):
            pipeline.train(card, tmp_path / "run")
