"""The pipeline from card to run directory, on an integrand that costs nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import json
import shutil
import time
from pathlib import Path
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import run as pipeline
from fabgen.card import card_of_process
from fabgen.compiler import Compiler
from fabgen.errors import InputError
from fabgen.integrand.density import DensityIntegrand
from fabgen.integrand.point import UNKNOWN_HELICITY, EventFields
from fabgen.process.event_topology import EventTopology
from fabgen.run.directory import open_run
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.sample.from_surrogate import own_sample
from fabgen.run.session import Session

SMALL = (
    "surrogate.layers=1",
    "surrogate.hidden=[4]",
    "surrogate.bins=4",
    "training.method=rkld",
    "training.steps=40",
    "training.batch_size=32",
    "training.log_every=10",
    "training.checkpoint_every=20",
    "surrogate.vegas={iterations = 3, evaluations = 1000, bins = 16}",
    "evaluation.samples=20000",
    "generation.events=200",
)


class ToyIntegrand(DensityIntegrand):
    """f(u) = 2 u1^2 (1 + u2) pb on the unit square: its integral is 1 pb."""

    dim = 2
    n_initial = 2
    unit = "pb"
    notes = ("f is a toy",)
    beam_particles = (-11, 11)
    beam_energies = (500.0, 500.0)
    parameters = MappingProxyType({"aEWM1": 132.507})
    masses = MappingProxyType({})
    widths = MappingProxyType({})
    topologies = (EventTopology(pdg=(-11, 11, -13, 13), n_initial=2, masses=(0.0,) * 4),)

    def log_density(self, u, parameters=None):
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        f = 2.0 * u[..., 0] ** 2 * (1.0 + u[..., 1])
        return jnp.where(inside, jnp.log(jnp.where(inside, f, 1.0)), -jnp.inf)

    def draw(self, points, key, parameters=None):
        u1, u2 = points.final
        n = len(u1)
        cosine, phi = 2.0 * u1 - 1.0, 2.0 * np.pi * u2
        sine = jnp.sqrt(1.0 - cosine**2)
        direction = jnp.stack([sine * jnp.cos(phi), sine * jnp.sin(phi), cosine])
        beam = jnp.broadcast_to(jnp.asarray([0.0, 0.0, 1.0])[:, None], (3, n))
        energy = jnp.full((1, n), 500.0)
        legs = [jnp.concatenate([energy, 500.0 * p]) for p in (beam, -beam, direction, -direction)]
        return EventFields(
            momenta=jnp.stack(legs),
            subprocess=jnp.zeros(n, jnp.int32),
            flow=jax.random.randint(key, (n,), 0, 1),
            resonances=jnp.zeros(n, jnp.int32),
            helicity=jnp.full((4, n), UNKNOWN_HELICITY, jnp.int8),
            scale=jnp.full(n, 91.188),
            alpha_qed=jnp.full(n, 1.0 / 132.507),
            alpha_s=jnp.full(n, 0.118),
        )

    def incoming(self, subprocess=0):
        return np.array([[500.0, 0.0, 0.0, 500.0], [500.0, 0.0, 0.0, -500.0]])

    def invert(self, momenta, channel=0, subprocess=0):
        p = momenta[..., 2, :]
        phi = jnp.arctan2(p[..., 2], p[..., 1]) / (2.0 * np.pi)
        return jnp.stack([0.5 * (1.0 + p[..., 3] / 500.0), phi % 1.0], axis=-1)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setattr("fabgen.build.build_integrands", lambda card, note: (ToyIntegrand(),))


def card(*settings: str):
    return card_of_process("e+ e- > mu+ mu-", (*SMALL, *settings))


@pytest.fixture(scope="module")
def finished(how, tmp_path_factory):
    """kind of surrogate -> the directory and the report of a run with events, made once.

    Nothing may change it: what goes on with it takes a copy.
    """

    @functools.cache
    def run(kind: str) -> tuple[Path, dict]:
        directory = tmp_path_factory.mktemp(kind)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fabgen.build.build_integrands", lambda card, note: (ToyIntegrand(),))
            pipeline.train(card(f"surrogate.kind={kind}"), directory, how)
            return directory, pipeline.generate(card(f"surrogate.kind={kind}"), directory, how)

    return run


@pytest.fixture
def copy_of(finished, tmp_path):
    """kind of surrogate -> such a run of one's own, and its report."""

    def copy(kind: str) -> tuple[Path, dict]:
        directory, report = finished(kind)
        return shutil.copytree(directory, tmp_path / kind), report

    return copy


def report_of(directory: Path) -> dict:
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((directory / "report.json").read_text(), parse_constant=refuse)


def events_of(directory: Path) -> str:
    """The file without its head, which holds the card."""
    text = gzip.decompress((directory / "events.lhe.gz").read_bytes()).decode()
    assert text.count("<event>") == 200
    assert "\nnote: f is a toy\n" in text
    return text[text.index("<event>") :]


def steps_of(directory: Path) -> list[int]:
    lines = (directory / "training.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


class Killer(Silent):
    """A reporter that ends the training when it has come to a step."""

    def __init__(self, step: int):
        self.step = step

    @contextlib.contextmanager
    def stage(self, name, total, unit):
        def show(done, /, **figures):
            if name == "train" and done >= self.step:
                raise KeyboardInterrupt

        yield show


@pytest.mark.parametrize("kind", ["flow", "vegas", "uniform"])
def test_events_and_report_of_every_surrogate(finished, kind):
    directory, report = finished(kind)
    assert report == report_of(directory)
    assert abs(report["integral"] - 1.0) < 5.0 * report["integral_error"]
    assert abs(report["untrained"]["integral"] - 1.0) < 5.0 * report["untrained"]["integral_error"]
    assert report["cross_section_pb"] == report["integral"]
    assert report["events"] == 200
    assert report["notes"] == ["f is a toy"]
    assert report["evaluation_samples"] == 20000
    assert report["beams"]["sqrt_s"] == 1000.0
    assert (report["cuts"], report["bw_cutoff"]) == ({}, None)
    calls, gradients = report["target_evaluations"], report["gradient_evaluations"]
    assert calls["evaluation"] >= 20000 * (1 if kind == "uniform" else 2)
    assert calls["generation"] > 0
    if kind == "flow":
        assert calls["training"] == gradients["training"] == 40 * 32
        assert steps_of(directory) == [10, 20, 30, 40]
    if kind == "vegas":
        assert report["sampling_efficiency"] > report["untrained"]["sampling_efficiency"]
        assert 0 < calls["training"] <= 3 * 1000
        assert steps_of(directory) == [1, 2, 3]
    if kind == "uniform":
        assert report["untrained"]["integral"] == report["integral"]
        assert calls["training"] == 0
    text = gzip.decompress((directory / "events.lhe.gz").read_bytes()).decode()
    assert text.count("<event>") == 200
    assert 'process = "e+ e- &gt; mu+ mu-"' in text or 'process = "e+ e- > mu+ mu-"' in text


def metrics_of(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def logs_of(directory: Path) -> list[dict]:
    lines = (directory / "training.jsonl").read_text().splitlines()
    return [json.loads(line) | {"seconds": 0} for line in lines]


def test_neither_a_kill_nor_metrics_along_the_training_change_it(how, finished, tmp_path):
    """A training without either, one with metrics, and one with metrics that is killed."""
    along = ("evaluation.along_training=4", "evaluation.along_samples=1000")
    watched, broken = tmp_path / "watched", tmp_path / "broken"
    plain, expected = finished("flow")
    figures = pipeline.train(card(*along), watched, how)
    assert figures["target_evaluations"] == expected["target_evaluations"]["training"] == 40 * 32
    assert logs_of(watched) == logs_of(plain)
    records = metrics_of(watched)
    assert [r["step"] for r in records] == [1, 3, 12, 40]
    assert [r["target_evaluations"] for r in records] == [32 * r["step"] for r in records]
    assert all(r["evaluations"] == 16384 and r["n"] == 1000 for r in records)
    assert abs(records[-1]["integral"] - 1.0) < 5.0 * records[-1]["integral_error"]
    assert records[0]["forward_kl"] > records[-1]["forward_kl"] > 0.0
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(card(*along), broken, dataclasses.replace(how, reporter=Killer(36)))
    assert steps_of(broken)[-1] == 30
    report = pipeline.generate(card(*along), broken, how)
    assert report["training"]["resumed_step"] == 20
    assert steps_of(broken) == steps_of(plain) == [10, 20, 30, 40]
    assert report["target_evaluations"]["training"] == 40 * 32
    kept = [{**r, "seconds": 0} for r in metrics_of(broken)]
    assert kept == [{**r, "seconds": 0} for r in records]
    assert report["integral"] == expected["integral"]
    assert events_of(broken) == events_of(plain)
    calls = [r["target_evaluations"]["evaluation"] for r in (expected, report)]
    assert calls[1] - calls[0] == 4 * 16384
    for found in (expected, report):
        assert found["forward_kl"] <= -np.log(found["sampling_efficiency"])
        assert found["unweighting_efficiency_999"] >= found["unweighting_efficiency"]


FKLD = (
    "training.method=fkld",
    "training.steps=0",
    "training.fkld.events=1000",
    "training.fkld.epochs=2",
    "training.batch_size=50",
    "training.log_every=6",
)


def sample_of(directory: Path) -> dict:
    from fabgen.training.checkpoint import read, read_manifest

    template = {"u": np.zeros((0, 0)), "weight": np.zeros(0)}
    manifest = read_manifest(directory / "sample" / "1")
    return read(directory / "sample" / "1", manifest, template, subtree=True, match_shapes=False)


def test_own_events_of_the_forward_divergence(how, tmp_path):
    """The sample is counted as training, once, and follows f = 2 u1^2 (1 + u2)."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = pipeline.generate(card(*FKLD), whole, how)
    figures, spent = expected["training"], expected["target_evaluations"]["training"]
    told = figures["sample"]
    assert figures["steps"] == 2 * (900 // 50)
    assert told["source"] == "the untrained map"
    assert spent == told["target_evaluations"] >= 65_536 + 4 * 1000
    assert expected["gradient_evaluations"]["training"] == 0
    sample = sample_of(whole)
    assert sample["u"].shape == (1000, 2)
    mean = np.average(sample["u"], axis=0, weights=sample["weight"])
    np.testing.assert_allclose(mean, [3 / 4, 5 / 9], atol=0.03)
    assert steps_of(whole) == [6, 12, 18, 24, 30, 36]
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(card(*FKLD), broken, dataclasses.replace(how, reporter=Killer(26)))
    report = pipeline.generate(card(*FKLD), broken, how)
    assert report["training"]["resumed_step"] == 20
    assert report["target_evaluations"]["training"] == spent
    assert steps_of(broken) == steps_of(whole)
    assert report["integral"] == expected["integral"]
    assert report["training"]["validation_loss"] == figures["validation_loss"]
    events = [(directory / "events.lhe.gz").read_bytes() for directory in (whole, broken)]
    assert events[0] == events[1]


def test_a_grid_draws_the_events_where_it_is_worth_its_evaluations(tmp_path, monkeypatch):
    """The sample alone: the test before this one trains with such a sample."""
    monkeypatch.setattr("fabgen.run.sample.from_surrogate.SURVEY_POINTS", 1000)
    grid = "surrogate.vegas={iterations = 5, evaluations = 2000, bins = 32}"
    settings = card(*FKLD, grid, "training.fkld.events=6000")
    watch = Stopwatch(time.perf_counter)
    with open_run(tmp_path, settings) as run:
        drawn = own_sample(Session(settings, run, ToyIntegrand(), Silent(), watch, Compiler()))
    assert drawn.figures["source"] == "VEGAS+"
    assert drawn.figures["acceptance"] > 0.4
    assert drawn.points.u.shape == (6000, 2)
    mean = np.average(drawn.points.u, axis=0, weights=drawn.points.weight)
    np.testing.assert_allclose(mean, [3 / 4, 5 / 9], atol=0.012)


class Peaked(ToyIntegrand):
    """f(u) = 1 + 30 exp(-u1/0.02) pb: 3/8 of its integral lies where few flat points do."""

    def log_density(self, u, parameters=None):
        return jnp.log1p(30.0 * jnp.exp(-u[..., 0] / 0.02))


def test_overweight_events_of_an_own_sample_count_with_their_weights(how, tmp_path, monkeypatch):
    """A survey of few points does not see the peak: its events are few and heavy. Density and
    choice of parameters follow f, not the number of events."""
    monkeypatch.setattr("fabgen.run.sample.from_surrogate.SURVEY_POINTS", 20)
    monkeypatch.setattr("fabgen.build.build_integrands", lambda card, note: (Peaked(),))
    settings = (
        *("training.fkld.events=6000", "training.fkld.epochs=4", "training.batch_size=100"),
        *("training.learning_rate=0.02", "surrogate.bins=10", "generation.events=10"),
        *("surrogate.layers=2", "surrogate.vegas={iterations = 30, evaluations = 10000}"),
    )
    report = pipeline.generate(card(*FKLD, *settings), tmp_path, how)
    told, sample = report["training"]["sample"], sample_of(tmp_path)
    assert told["source"] == "the untrained map"
    assert told["overweight_events"] > 50
    weight, near = sample["weight"], sample["u"][:, 0] < 0.05
    assert weight.max() > 5.0 * weight.min()
    share = (0.05 + 0.6 * (1.0 - np.exp(-2.5))) / 1.6
    error = np.sqrt(np.sum((weight * (near - share)) ** 2)) / np.sum(weight)
    assert abs(np.average(near, weights=weight) - share) < 4.0 * error
    assert np.mean(near) < 0.5 * share
    assert report["untrained"]["sampling_efficiency"] < 0.4
    assert report["sampling_efficiency"] > 0.75
    assert abs(report["integral"] - 1.6) < 5.0 * report["integral_error"]
    # the loss of validation is that of all of f: 0.57 nats below that of a flat density
    assert report["training"]["validation_loss"] < -0.3


def test_a_file_of_events_gives_the_points_they_were_made_of(how, tmp_path, monkeypatch):
    drawn = []
    original = ToyIntegrand.draw

    def recorded(self, points, key, parameters=None):
        jax.debug.callback(lambda u: drawn.append(np.asarray(u)), points.final.T)
        return original(self, points, key, parameters)

    monkeypatch.setattr(ToyIntegrand, "draw", recorded)
    source = tmp_path / "source"
    pipeline.generate(card("surrogate.kind=uniform", "generation.events=1000"), source, how)
    jax.effects_barrier()
    u = next(block for block in drawn if len(block) > 1)[:1000]
    file = source / "events.lhe.gz"
    settings = (*FKLD, f"training.fkld.data={file}")
    run = tmp_path / "run"
    figures = pipeline.train(card(*settings), run, how)
    np.testing.assert_allclose(sample_of(run)["u"], u, atol=1e-9)
    told = figures["sample"]
    assert (told["events"], told["used"], told["outside_cuts"]) == (1000, 1000, 0)
    assert figures["target_evaluations"] == 1000
    # the stored sample serves without the file, and another file in its place is refused
    file.unlink()
    assert pipeline.train(card(*settings), run, how)["sample"] == told
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="has changed"):
        pipeline.train(card(*settings), run, how)


def test_a_wrong_event_file_leaves_no_run_directory(how, tmp_path):
    settings = (*FKLD, f"training.fkld.data={tmp_path / 'none.lhe'}")
    with pytest.raises(InputError, match="cannot be read") as caught:
        pipeline.train(card(*settings), tmp_path / "run", how)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_a_finished_surrogate_is_used_again(how, copy_of):
    run, first = copy_of("vegas")
    log = (run / "training.jsonl").read_bytes()
    again = pipeline.generate(card("surrogate.kind=vegas"), run, how)
    assert (run / "training.jsonl").read_bytes() == log
    for key in ("integral", "target_evaluations", "overweight"):
        assert first[key] == again[key]
    other = card("surrogate.kind=vegas", "training.seed=2")
    with pytest.raises(InputError, match=r"training\.seed"):
        pipeline.generate(other, run, how)
    assert pipeline.generate(other, run, dataclasses.replace(how, restart=True))["seed"] == 2


def test_the_seed_of_the_generation_changes_events_only(how, copy_of, tmp_path):
    flat = card("surrogate.kind=uniform")
    run, _ = copy_of("uniform")
    first = (run / "events.lhe.gz").read_bytes()
    other = dataclasses.replace(flat, generation=dataclasses.replace(flat.generation, seed=7))
    other = dataclasses.replace(other, training=dataclasses.replace(other.training, seed=7))
    other = pipeline.adopt_seed(other, run)
    assert other.training.seed == 1
    report = pipeline.generate(other, run, how, overwrite=True)
    assert (report["seed"], report["generation_seed"]) == (1, 7)
    assert (run / "events.lhe.gz").read_bytes() != first
    pipeline.generate(flat, run, how, overwrite=True)
    assert (run / "events.lhe.gz").read_bytes() == first
    assert pipeline.adopt_seed(other, tmp_path / "new") == other


def test_integrate_leaves_the_report_of_events_alone(how, copy_of, tmp_path):
    flat, alone = card("surrogate.kind=uniform"), tmp_path / "alone"
    report = pipeline.integrate(flat, alone, how, vegas=True)
    assert report == report_of(alone)
    assert report["events"] == 0
    assert report["training"]["method"] == "vegas"
    package = report["training"]
    assert abs(package["vegas_integral"] - 1.0) < 5.0 * package["vegas_integral_error"]
    assert not (alone / "surrogate").exists()
    with_events, _ = copy_of("uniform")
    stored = report_of(with_events)
    pipeline.integrate(flat, with_events, how, vegas=True)
    assert report_of(with_events) == stored


def test_weighted_events_in_plain_text(how, tmp_path):
    weighted = card("surrogate.kind=uniform", "generation.format=lhe")
    report = pipeline.generate(weighted, tmp_path, how, weighted=True)
    assert report["weighted"] is True
    assert (tmp_path / "events.lhe").read_text().count("<event>") == 200


def test_a_wrong_card_leaves_no_run_directory(how, tmp_path, monkeypatch):
    def refuse(card, note):
        raise InputError("no diagrams")

    monkeypatch.setattr("fabgen.build.build_integrands", refuse)
    with pytest.raises(InputError, match="no diagrams"):
        pipeline.generate(card(), tmp_path / "run", how)
    assert not (tmp_path / "run").exists()


def test_a_failed_generation_leaves_the_old_events(how, copy_of, monkeypatch):
    run, _ = copy_of("uniform")
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}

    def fail(*arguments, **keywords):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr("fabgen.events.assemble.assemble", fail)
    with pytest.raises(RuntimeError, match="fire"):
        pipeline.generate(card("surrogate.kind=uniform"), run, how)
    assert {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()} == before


def test_stopwatch():
    now = iter([0.0, 1.0, 3.0, 5.0, 5.5, 10.0])
    watch = Stopwatch(lambda: next(now))
    with watch("train"):
        pass
    with watch("train"):
        pass
    watch.add("write", 2.0)
    assert watch.seconds() == {"train": 2.5, "write": 2.0, "total": 10.0}


def test_a_stage_within_another_is_not_part_of_it():
    now = iter([0.0, 1.0, 2.0, 2.5, 3.5, 5.0, 8.0, 10.0])
    watch = Stopwatch(lambda: next(now))
    with watch("train"), watch("compile"), watch("import"):
        pass  # from 1 to 8, from 2 to 5, from 2.5 to 3.5
    assert watch.seconds() == {"import": 1.0, "compile": 2.0, "train": 4.0, "total": 10.0}
