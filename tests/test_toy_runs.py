"""Toys from the command line's side: train, again, plot; no events."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fabgen import run
from fabgen.card import card_from_table
from fabgen.describe import describe
from fabgen.errors import InputError

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
