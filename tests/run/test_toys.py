"""Toys from the command line's side: train, again, plot; no events."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from fabgen import run
from fabgen.card import card_from_table
from fabgen.errors import InputError
from fabgen.show.process import describe

TABLE = {
    "process": "toy:camel-back",
    "surrogate": {
        "layers": 1,
        "bins": 4,
        "hidden": [4],
        "vegas": {"iterations": 2, "evaluations": 500, "bins": 8},
    },
    "training": {"method": "variance", "steps": 10, "batch_size": 64, "log_every": 5},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Figures are made, but neither arranged nor written as they are."""
    monkeypatch.setattr("fabgen.plot.style.encode", lambda figure, file_format: b"picture")
    monkeypatch.setattr("fabgen.plot.weights.legend_above", lambda axes: 1.0)


def test_a_toy_is_trained_from_vegas_grids_and_drawn(tmp_path):
    card = card_from_table(TABLE)
    figures = run.train(card, tmp_path)
    # the batches, and two iterations of the grids of two channels
    assert figures["target_evaluations"] == 10 * 64 + 2 * 2 * 500
    assert figures["gradient_evaluations"] == 0
    assert run.train(card, tmp_path)["target_evaluations"] == figures["target_evaluations"]
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10]
    pictures = [path.name for path in run.plot(tmp_path, samples=500)]
    assert pictures == ["training.png", "channels.png"]


@pytest.mark.parametrize(("method", "size"), [("variance", 5), ("rkld", 2)])
def test_a_batch_without_points_of_every_channel_leaves_no_trace(tmp_path, method, size):
    training = {**TABLE["training"], "method": method, "batch_size": size}
    table = {**TABLE, "channels": {"maps": "left right flat"}, "training": training}
    card = card_from_table(table)
    card = dataclasses.replace(card, file="toy.toml")
    with pytest.raises(InputError, match="every channel") as error:
        run.train(card, tmp_path / "run")
    assert (error.value.file, error.value.key) == ("toy.toml", "training.batch_size")
    assert not (tmp_path / "run").exists()


def test_weights_alone_are_a_training(tmp_path):
    card = card_from_table({**TABLE, "surrogate": {"kind": "uniform"}})
    assert run.train(card, tmp_path)["target_evaluations"] == 640


def test_a_toy_of_one_channel_is_integrated_and_drawn(tmp_path):
    table = {
        "process": "toy:crossed-ring",
        "channels": {"maps": "flat"},
        "surrogate": TABLE["surrogate"],
        "training": {**TABLE["training"], "method": "kl"},
        "evaluation": {"samples": 50_000},
    }
    report = run.integrate(card_from_table(table), tmp_path)
    assert report["training"]["buffer_bytes"] == 64 * (2 + 1 + 0 + 3) * 8
    assert report["sampling_efficiency"] > report["untrained"]["sampling_efficiency"]
    assert report["integral"] == pytest.approx(1.0, abs=5 * report["integral_error"])
    assert report["unit"] == "none"
    assert {path.name for path in run.plot(tmp_path, samples=500)} >= {"weights.png"}


def test_a_toy_has_no_events(tmp_path):
    with pytest.raises(InputError, match="no particles"):
        run.generate(card_from_table(TABLE), tmp_path)


def test_a_toy_is_described():
    text = describe(card_from_table(TABLE))
    assert "left, right; prior densities" in text
    assert "m1 = 2" in text


#: Of the ridge in three dimensions: both further coordinates are normal of width 0.02.
UNIFORM_KL = -2 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.02))


@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_exact_events_tell_the_divergence_of_a_ridge(tmp_path, floor):
    evaluation = {"samples": 20_000, "floor": floor, "along_training": 2, "along_samples": 2000}
    table = {**TABLE, "process": "toy:ridge", "parameters": {"dim": 3}, "evaluation": evaluation}
    report = run.integrate(card_from_table(table), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    for figures in (report, *lines):
        error = figures["forward_kl_exact_error"]
        assert 0.0 < error < 0.1
        assert 0.0 < figures["forward_kl_exact"] < UNIFORM_KL
    flat = report["untrained"]
    assert flat["forward_kl_exact"] == pytest.approx(
        UNIFORM_KL, abs=5 * flat["forward_kl_exact_error"]
    )
    # Two half squares of a normal variable: the variance of log f is 1.
    assert flat["forward_kl_exact_error"] == pytest.approx(1 / math.sqrt(20_000), rel=0.05)
    combined = math.hypot(report["forward_kl_error"], report["forward_kl_exact_error"])
    assert report["forward_kl_exact"] == pytest.approx(report["forward_kl"], abs=5 * combined)
    # The sample, the untrained map and the events, blocks of 16,384 each; that and two more along.
    assert all(line["evaluations"] == 2 * 16_384 for line in lines)
    again = run.integrate(card_from_table(table), tmp_path)
    assert again["forward_kl_exact"] == report["forward_kl_exact"]
    table["process"], table["parameters"] = "toy:crossed-ring", {}
    table["channels"] = {"maps": "flat"}
    assert "forward_kl_exact" not in run.integrate(card_from_table(table), tmp_path / "other")


def test_exact_events_see_the_modes_that_a_surrogate_has_missed(tmp_path):
    """Weights of 1000 points cannot tell of a divergence above log(1000)."""
    table = {
        "process": "toy:modes",
        "parameters": {"dim": 16},
        "surrogate": {"kind": "uniform"},
        "evaluation": {"samples": 1000},
    }
    report = run.integrate(card_from_table(table), tmp_path)
    assert report["forward_kl"] < math.log(4000)
    assert report["forward_kl_exact"] > 20.0
    assert report["untrained"]["forward_kl_exact"] == report["forward_kl_exact"]
    assert report["training"] == {}


def test_exact_events_count_as_evaluations(tmp_path, monkeypatch):
    table = {
        "process": "toy:ridge",
        "surrogate": {"kind": "uniform"},
        "evaluation": {"samples": 20_000},
    }
    counted = run.integrate(card_from_table(table), tmp_path / "one")["target_evaluations"]
    monkeypatch.setattr("fabgen.integrand.toys.ToyIntegrand.has_exact_events", False)
    without = run.integrate(card_from_table(table), tmp_path / "two")["target_evaluations"]
    assert counted["evaluation"] == without["evaluation"] + 2 * 16_384
    assert counted["training"] == without["training"] == 0


def test_toys_of_many_dimensions_are_drawn(tmp_path):
    table = {**TABLE, "process": "toy:modes", "parameters": {"dim": 10}}
    run.train(card_from_table(table), tmp_path)
    pictures = [path.name for path in run.plot(tmp_path, samples=500)]
    assert pictures == ["training.png", "weights.png", "hypercube.png"]
