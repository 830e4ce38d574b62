"""Runs with several numbers of final particles: one part each, one file of events."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re

import numpy as np
import pytest

from fabgen import run
from fabgen.build import build_integrand, build_integrands
from fabgen.card import card_from_table
from fabgen.errors import InputError
from fabgen.run.progress import Silent

TABLE = {
    "process": ["e+ e- > mu+ mu-", "e+ e- > mu+ mu- a"],
    "beams": {"energy": [100.0, 100.0]},
    "cuts": {"ptl": 10, "etal": 2.5, "pta": 10, "etaa": 2.5, "dral": 0.4, "drll": 0.4},
    "surrogate": {"kind": "vegas", "vegas": {"iterations": 4, "evaluations": 4000}},
    "training": {"method": "rkld"},
    "channels": {"use": "one"},
    "evaluation": {"samples": 80_000},
    "generation": {"events": 12_000, "format": "lhe.gz"},
}


class Notes(Silent):
    """Keeps the notes of a run."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def card(**tables):
    return card_from_table(TABLE | tables)


def events_of(path):
    """LPRUP, XWGTUP and the number of external particles of every event."""
    with gzip.open(path, "rt") as file:
        events = re.findall(r"<event>\n(.*?)</event>", file.read(), re.S)
    found = []
    for head, *particles in (event.splitlines() for event in events):
        external = sum(line.split()[1] != "2" for line in particles)
        found.append((*map(float, head.split()[1:3]), external))
    return np.array(found)


@pytest.fixture(scope="module")
def generated(tmp_path_factory, how):
    path = tmp_path_factory.mktemp("parts") / "run"
    return path, run.generate(card(), path, how)


def test_an_integrand_for_each_number_of_final_particles():
    first, second = build_integrands(card())
    assert (first.dim, second.dim) == (2, 5)
    with pytest.raises(InputError, match="several numbers of final particles") as caught:
        build_integrand(card())
    assert caught.value.found == "2 and 3"


def test_cross_sections_add_up_and_are_those_of_cards_of_their_own(generated, tmp_path, how):
    _, report = generated
    rows = report["multiplicities"]
    assert [row["final_particles"] for row in rows] == [2, 3]
    total = sum(row["integral"] for row in rows)
    assert report["cross_section_pb"] == pytest.approx(total, rel=1e-12)
    for row, line in zip(rows, TABLE["process"], strict=True):
        alone = run.integrate(card(process=line), tmp_path / line.replace(" ", ""), how)
        error = np.hypot(row["integral_error"], alone["cross_section_error_pb"])
        assert abs(row["integral"] - alone["cross_section_pb"]) < 4.0 * error
        assert error < 0.006 * row["integral"]


def test_all_events_have_one_weight_and_come_in_the_right_proportion(generated):
    path, report = generated
    events = events_of(path / "events.lhe.gz")
    assert len(events) == report["events"] == 12_000
    np.testing.assert_array_equal(events[:, 2], events[:, 0] + 3)  # of LPRUP 1 and 2
    common = np.isclose(events[:, 1], np.min(events[:, 1]), rtol=1e-12)
    assert np.mean(common) > 0.99
    assert len(events) - common.sum() == report["overweight"]["events"]
    n = len(events)
    spread = np.std(events[:, 1]) / np.sqrt(n)
    assert abs(events[:, 1].mean() - report["cross_section_pb"]) < 4.0 * spread + 1e-9
    share = report["multiplicities"][1]["integral"] / report["cross_section_pb"]
    found = np.mean(events[:, 0] == 2)
    error = np.hypot(np.sqrt(share * (1.0 - share) / n), 0.005 * share)
    assert abs(found - share) < 4.0 * error
    first, second = np.array_split(events[:, 0] == 2, 2)
    assert abs(first.mean() - second.mean()) < 4.0 * np.sqrt(4.0 * share / n)


def test_weighted_events_have_the_cross_section_as_their_mean(generated, how):
    path, _ = generated
    report = run.generate(card(), path, how, weighted=True)
    events = events_of(path / report["file"])
    error = np.std(events[:, 1]) / np.sqrt(len(events))
    total = np.hypot(error, report["cross_section_error_pb"])
    assert abs(events[:, 1].mean() - report["cross_section_pb"]) < 4.0 * total


def test_a_longer_file_begins_with_the_shorter_one_and_more_can_be_appended(
    generated, tmp_path, how
):
    path, _ = generated
    first = events_of(path / "events.lhe.gz")
    longer = card(generation={"events": 15_000, "format": "lhe.gz"})
    run.generate(longer, tmp_path / "longer", how)
    # The last events of a block wait for those that fill it.
    np.testing.assert_array_equal(events_of(tmp_path / "longer" / "events.lhe.gz")[:8192],
                                  first[:8192])  # fmt: skip
    report = run.append_events(longer, tmp_path / "longer", how)
    assert report["parts"] == [15_000, 15_000]
    assert len(events_of(tmp_path / "longer" / "events.lhe.gz")) == 30_000


def test_flows_of_all_parts_are_trained_kept_and_found_again(tmp_path, how):
    flow = {"kind": "flow", "layers": 2, "bins": 4, "hidden": [8]}
    made = card(surrogate=flow, training={"method": "variance", "steps": 6, "batch_size": 256})
    first = run.train(made, tmp_path / "run", how)
    assert [row["final_particles"] for row in first["multiplicities"]] == [2, 3]
    for part, log in ((1, "training.jsonl"), (2, "training-2.jsonl")):
        assert (tmp_path / "run" / "surrogate" / str(part) / "manifest.json").exists()
        lines = (tmp_path / "run" / log).read_text().splitlines()
        assert json.loads(lines[-1])["step"] == 6
    again = run.train(made, tmp_path / "run", how)
    assert again["target_evaluations"] == first["target_evaluations"]


def test_what_is_automatic_is_decided_for_each_part(tmp_path, how):
    made = card(surrogate={}, training={}, generation={"events": 2000})
    report = run.generate(made, tmp_path / "run", how)
    assert all("chosen" in row["auto"] for row in report["multiplicities"])
    shares = [row["auto"]["goal"]["events"] for row in report["multiplicities"]]
    assert 2000 <= sum(shares) <= 2002 and shares[0] > 2 * shares[1]
    assert (tmp_path / "run" / "auto-2.json").exists()
    notes = Notes()
    again = run.generate(made, tmp_path / "run", dataclasses.replace(how, reporter=notes))
    assert again["target_evaluations"]["training"] == report["target_evaluations"]["training"]
    assert not any("the choice was made for" in line for line in notes.lines)


def test_evaluations_that_share_the_events_between_parts_count(tmp_path, monkeypatch, how):
    monkeypatch.setattr("fabgen.run.auto.measure.size", lambda part: (1.0, 10**9))
    made = card(surrogate={}, training={}, generation={"events": 2000})
    report = run.generate(made, tmp_path / "run", how)
    assert report["target_evaluations"]["training"] > 2 * 10**9
    assert [row["auto"]["goal"]["events"] for row in report["multiplicities"]] == [1000, 1000]


def test_pictures_of_every_part(generated, how):
    path, _ = generated
    drawn = {file.name for file in run.plot(path, how, samples=2000)}
    assert {"weights.png", "weights-2.png", "hypercube-2.png"} <= drawn


def test_an_event_file_cannot_train_several_parts(tmp_path):
    training = {"method": "fkld", "fkld": {"data": "events.lhe"}}
    with pytest.raises(InputError, match="one number of final particles"):
        run.train(card(surrogate={"kind": "flow"}, training=training), tmp_path / "run")


def test_a_run_of_an_earlier_version_is_refused(generated, tmp_path, how):
    (tmp_path / "run" / "surrogate").mkdir(parents=True)
    (tmp_path / "run" / "surrogate" / "manifest.json").write_text("{}")
    (tmp_path / "run" / "card.toml").write_bytes((generated[0] / "card.toml").read_bytes())
    with pytest.raises(InputError, match="earlier version of fabgen"):
        run.integrate(card(), tmp_path / "run", how)
