"""More events of a run: files of their own, the same file, or in the place of all."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil

import jax
import numpy as np
import pytest

from fabgen import run as pipeline
from fabgen.build import build_integrand
from fabgen.card import card_of_process, load_card
from fabgen.errors import FabgenError, InputError
from fabgen.events.reader import read_lhe
from fabgen.metrics import WeightSum
from fabgen.run import RunOptions
from fabgen.run.append import Existing, record
from fabgen.run.commit import staged, store
from fabgen.run.directory import open_run
from fabgen.run.files import RunDirectory
from fabgen.run.session import Trained
from fabgen.sampling.integrate import ChannelSurvey, survey
from fabgen.sampling.unweight import Totals

SMALL = (
    "surrogate.kind=uniform",
    "evaluation.samples=1000",
    "generation.events=100",
    "generation.max_overweight=0.02",
)


def card(*settings: str):
    return card_of_process("e+ e- > mu+ mu-", (*SMALL, *settings))


@pytest.fixture(scope="module")
def how(tmp_path_factory):
    yield RunOptions(compilation_cache=tmp_path_factory.mktemp("jax"))
    jax.config.update("jax_compilation_cache_dir", None)


@pytest.fixture(scope="module", autouse=True)
def _built_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fabgen.build.build_integrands", lambda card, note: (built(),))
        yield


@functools.cache
def built():
    return build_integrand(card())


@pytest.fixture(scope="module")
def first(how, tmp_path_factory):
    """A run with 100 events of each kind: events.lhe.gz and, weighted, events-2.lhe."""
    directory = tmp_path_factory.mktemp("first") / "run"
    pipeline.generate(card(), directory, how)
    pipeline.generate(card("generation.format=lhe"), directory, how, weighted=True)
    return directory


@pytest.fixture
def run(first, tmp_path):
    return shutil.copytree(first, tmp_path / "run")


def contents(directory):
    return {p.name: p.read_bytes() for p in directory.iterdir() if p.is_file()}


def report_of(directory, name="report.json"):
    return json.loads((directory / name).read_text())


def points(path):
    """Something that no two events share: the momentum of a final particle."""
    return read_lhe(path).momenta[:, 2, 1:].round(9)


def shared(a, b):
    return {tuple(p) for p in a} & {tuple(p) for p in b}


def test_events_that_exist_stay_and_new_ones_are_others(how, run, first):
    before = contents(first)
    assert {"events.lhe.gz", "report.json", "events-2.lhe", "report-2.json"} <= before.keys()
    report = pipeline.generate(card(), run, how)
    assert (report["number"], report["file"], report["events"]) == (3, "events-3.lhe.gz", 100)
    assert report == report_of(run, "report-3.json")
    after = contents(run)
    for name in before.keys() - {"card.toml", ".lock"}:
        assert after[name] == before[name], name
    a, b, c = (points(run / f"events{k}") for k in (".lhe.gz", "-2.lhe", "-3.lhe.gz"))
    assert len(a) == len(b) == len(c) == 100
    assert not (shared(a, b) or shared(a, c) or shared(b, c))
    # The same seed estimates the same cross section.
    assert report["integral"] == report_of(run)["integral"]


def test_the_same_commands_give_the_same_bytes(how, run, first, tmp_path):
    again = shutil.copytree(first, tmp_path / "again")
    for directory in (run, again):
        pipeline.generate(card("generation.events=10"), directory, how)
        pipeline.append_events(card("generation.events=20"), directory, how)
    assert (run / "events-3.lhe.gz").read_bytes() == (again / "events-3.lhe.gz").read_bytes()
    assert report_of(run, "report-3.json")["parts"] == [10, 20]


def test_the_report_and_the_card_say_how_the_events_were_made(how, run):
    settings = report_of(run, "report-2.json")["settings"]
    assert settings["generation"] == {"format": "lhe", "max_overweight": 0.02, "seed": 1}
    assert settings["evaluation"]["samples"] == 1000
    pipeline.generate(card("generation.seed=9", "evaluation.samples=2000"), run, how)
    settings = report_of(run, "report-3.json")["settings"]
    assert settings["generation"] == {"format": "lhe.gz", "max_overweight": 0.02, "seed": 9}
    assert settings["evaluation"]["samples"] == 2000
    stored = load_card(run / "card.toml")  # the card of the last file
    assert (stored.generation_seed, stored.evaluation.samples) == (9, 2000)


def test_a_number_is_never_used_twice(how, run):
    """Not even of a file that was moved away: its report stays true."""
    (run / "events-2.lhe").unlink()
    report = pipeline.generate(card(), run, how)
    assert report["number"] == 3
    (run / "events-12.lhe").write_text("mine")
    assert RunDirectory(run).numbers == [1, 2, 3, 12]


def test_integrate_leaves_reports_of_events_alone(how, run):
    before = contents(run)
    pipeline.integrate(card("evaluation.samples=2000"), run, how)
    after = contents(run)
    assert before.pop(".lock") and after.pop(".lock")
    assert after == before


def test_events_take_the_place_of_a_report_without_events(how, tmp_path):
    assert pipeline.integrate(card(), tmp_path, how)["events"] == 0
    report = pipeline.generate(card(), tmp_path, how)
    assert (report["number"], report_of(tmp_path)["events"]) == (1, 100)


def test_overwrite_puts_one_file_in_the_place_of_all(how, run, first):
    report = pipeline.generate(card("generation.format=lhe"), run, how, overwrite=True)
    assert report["number"] == 1
    names = [p.name for p in run.iterdir()]
    assert sorted(names) == [".lock", "card.toml", "events.lhe", "report.json"]
    assert not shared(points(run / "events.lhe"), points(first / "events-2.lhe"))
    assert len(shared(points(run / "events.lhe"), points(first / "events.lhe.gz"))) == 100


def test_the_old_events_stay_until_the_new_ones_are_complete(how, run, monkeypatch):
    before = contents(run)

    def fail(*arguments, **keywords):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr("fabgen.events.assemble.assemble", fail)
    with pytest.raises(RuntimeError, match="fire"):
        pipeline.generate(card(), run, how, overwrite=True)
    with pytest.raises(RuntimeError, match="fire"):
        pipeline.append_events(card("generation.format=lhe"), run, how, weighted=True)
    after = contents(run)
    assert before.pop(".lock") and after.pop(".lock")
    assert after == before


# --- appending ------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_appended_events_join_the_sample(how, run, weighted):
    """The mean of XWGTUP stays XSECUP: that of the first events, whatever is appended."""
    if not weighted:
        pipeline.generate(card("generation.format=lhe"), run, how)
    number = 2 if weighted else 3
    name, report_name = f"events-{number}.lhe", f"report-{number}.json"
    old, before = read_lhe(run / name), report_of(run, report_name)
    more = card("generation.format=lhe", "generation.events=2000")
    report = pipeline.append_events(more, run, how, weighted=weighted)
    assert report == report_of(run, report_name)
    new = read_lhe(run / name)
    assert len(new) == report["events"] == 2_100
    assert report["parts"] == [100, 2_000]
    np.testing.assert_array_equal(new.momenta[:100], old.momenta)
    np.testing.assert_array_equal(new.weight[:100], old.weight)
    assert len({tuple(p) for p in points(run / name)}) == 2_100
    assert (new.cross_section, new.error) == (old.cross_section, old.error)
    assert report["integral"] == before["integral"]
    assert new.max_weight == pytest.approx(new.weight.max(), rel=1e-14)
    error = np.std(new.weight) / np.sqrt(len(new)) if weighted else 0.0
    assert abs(new.weight.mean() - new.cross_section) < 4.0 * np.hypot(new.error, error)
    over = new.weight > new.weight.min() * (1.0 + 1e-12)
    if not weighted:
        share = new.weight[over].sum() / new.weight.sum()
        assert report["overweight"]["events"] == np.count_nonzero(over) > 0
        assert report["overweight"]["cross_section_fraction"] == pytest.approx(share, rel=1e-12)
    calls, times = report["target_evaluations"], report["timing_s"]
    assert calls["generation"] > before["target_evaluations"]["generation"]
    assert calls["evaluation"] == before["target_evaluations"]["evaluation"]
    assert times["total"] > before["timing_s"]["total"]
    assert b"events = 100" in (run / name).read_bytes()
    # A second time, again other events.
    fewer = card("generation.format=lhe", "generation.events=50")
    pipeline.append_events(fewer, run, how, weighted=weighted)
    assert len({tuple(p) for p in points(run / name)}) == 2_150


def test_the_largest_weight_is_that_of_both_parts(how, run):
    """Also where it stands in the old one."""
    before = read_lhe(run / "events-2.lhe")
    few = card("generation.format=lhe", "generation.events=1")
    pipeline.append_events(few, run, how, weighted=True)
    after = read_lhe(run / "events-2.lhe")
    assert after.max_weight == max(before.max_weight, after.weight[-1])


def test_what_unweighting_needs_comes_back_from_the_report_as_it_was(tmp_path):
    """Several channels, one of them without a share: its log_w_max is minus infinity."""
    weights = np.log(np.random.default_rng(1).uniform(0.1, 2.0, 1000))
    total = WeightSum.of(weights)
    channels = (ChannelSurvey(0.3, None, 0.1 + 0.2), ChannelSurvey(0.0, None, -np.inf))
    made = dataclasses.replace(survey(total, total.largest, 0.01, 7), channels=channels)
    (tmp_path / "events.lhe").write_text("x")
    entry = record([Trained(None, ())], [made], Totals(), (), tmp_path / "events.lhe")
    from fabgen.json_files import dump_report

    stored = json.loads(dump_report({"append": entry}))
    found = Existing(tmp_path, stored, card()).surveys[0]
    assert found == dataclasses.replace(made, sums=WeightSum())
    assert found.unweighting_shares == made.unweighting_shares
    assert found.unweighted_weight == made.unweighted_weight


@pytest.mark.parametrize(
    ("settings", "weighted", "keys"),
    [
        ((), True, ["generation.format: lhe -> lhe.gz"]),
        (("generation.format=lhe",), False, ["--weighted: True -> False"]),
        (("generation.format=lhe", "generation.seed=2"), True, ["generation.seed: 1 -> 2"]),
        (
            ("generation.format=lhe", "evaluation.samples=500", "evaluation.floor=0.1"),
            True,
            ["evaluation.samples: 1000 -> 500", "evaluation.floor: 0.0 -> 0.1"],
        ),
    ],
)
def test_events_made_otherwise_are_not_appended(how, run, settings, weighted, keys):
    before = contents(run)
    with pytest.raises(InputError, match="other settings") as caught:
        pipeline.append_events(card(*settings), run, how, weighted=weighted)
    for key in keys:
        assert key in str(caught.value)
    assert contents(run).keys() == before.keys()


def without_report(run):
    (run / "report-2.json").unlink()


def cut_report(run):
    (run / "report-2.json").write_text((run / "report-2.json").read_text()[:500])


def other_acceptance(run):
    report = report_of(run, "report-2.json")
    report["append"]["surveys"][0]["acceptance"] *= 2.0
    (run / "report-2.json").write_text(json.dumps(report))


def report_of_others(run):
    (run / "report-2.json").write_text('{"append": {}, "sha256": "0"}')


def list_for_report(run):
    (run / "report-2.json").write_text("[1]")


def deep_report(run):
    (run / "report-2.json").write_text("[" * 100_000)


def long_report(run):
    with (run / "report-2.json").open("a") as file:
        file.write(" " * (1 << 24))


def other_events(run):
    text = (run / "events-2.lhe").read_text()
    (run / "events-2.lhe").write_text(text.replace("1", "2", 1))


def cut_events(run):
    (run / "events-2.lhe").write_bytes((run / "events-2.lhe").read_bytes()[:-1])


def report_of_integrate(run):
    shutil.copy(run / "report.json", run / "report-2.json")


@pytest.mark.parametrize(
    "damage",
    [
        *(without_report, cut_report, other_acceptance, report_of_others, list_for_report),
        *(deep_report, long_report, other_events, cut_events, report_of_integrate),
    ],
)
def test_nothing_is_appended_to_what_was_not_written(how, run, damage):
    damage(run)
    before = contents(run)
    with pytest.raises(InputError) as caught:
        pipeline.append_events(card("generation.format=lhe"), run, how, weighted=True)
    assert "events-2.lhe" in str(caught.value) or "report-2.json" in str(caught.value)
    after = contents(run)
    assert before.pop(".lock") and after.pop(".lock")
    assert after == before


def test_nothing_is_appended_to_nothing(how, tmp_path):
    with pytest.raises(InputError, match="no events to append to"):
        pipeline.append_events(card(), tmp_path / "none", how)
    assert not (tmp_path / "none").exists()
    pipeline.train(card(), tmp_path / "trained", how)
    with pytest.raises(InputError, match="no events to append to"):
        pipeline.append_events(card(), tmp_path / "trained", how)


def test_events_of_another_surrogate_are_not_appended(how, run, monkeypatch):
    monkeypatch.setattr("fabgen.run.append.fingerprint", lambda trained: "another")
    with pytest.raises(InputError, match="not the one that these events were drawn from"):
        pipeline.append_events(card("generation.format=lhe"), run, how, weighted=True)


# --- kills ----------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing gets in its way, as with SIGKILL."""


NEW = dict.fromkeys(("events-2.lhe", "report-2.json", "card.toml"))


def killed_commit(directory, monkeypatch, moment):
    """A run with one file of events that is killed at a moment of the commit of another one."""
    made = card_of_process("e+ e- > mu+ mu-", SMALL)
    with open_run(directory, made):
        for name in ("events.lhe", "report.json"):
            (directory / name).write_text("old")
    run = RunDirectory(directory)  # not left in order, as a killed process does not
    count = 0

    def counted(original):
        def call(*arguments, **keywords):
            nonlocal count
            count += 1
            if count == moment:
                raise Killed
            return original(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        from pathlib import Path

        for name in ("replace", "unlink"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr("shutil.rmtree", counted(shutil.rmtree))
        try:
            staged(run, "events-2.lhe").write_text("new")
            store(
                run,
                {"number": 2},
                dataclasses.replace(made, generation=dataclasses.replace(made.generation, seed=7)),
                ["events-2.lhe"],
                ["events.lhe", "report.json"],
            )
        except Killed:
            return True
    return False


def test_a_kill_at_any_moment_leaves_the_old_results_or_the_new(tmp_path, monkeypatch):
    moment, seen = 1, set()
    while killed_commit(tmp_path / str(moment), monkeypatch, moment):
        directory = tmp_path / str(moment)
        with open_run(directory, load_card(directory / "card.toml")):
            found = {name for name in contents(directory) if name != ".lock"}
        seed = load_card(directory / "card.toml").generation.seed
        seen.add((frozenset(found), seed))
        assert not (directory / ".new").exists()
        moment += 1
    old = frozenset({"card.toml", "events.lhe", "report.json"})
    assert seen == {(old, 1), (frozenset(NEW), 7)}
    assert moment > 10


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"install": ["../x"], "remove": []}', "[" * 100_000),
        '{"install": [], "remove": []}' + " " * (1 << 20),
    ],
    ids=["empty", "a list", "another folder", "deep", "long"],
)
def test_a_damaged_record_of_a_commit_is_refused(tmp_path, text):
    made = card()
    with open_run(tmp_path / "run", made):
        pass
    (tmp_path / "x").write_text("mine")
    (tmp_path / "run" / ".new").mkdir()
    (tmp_path / "run" / ".new" / "commit.json").write_text(text)
    with (
        pytest.raises(InputError, match=r"cannot be read\n.*commit\.json"),
        open_run(tmp_path / "run", made),
    ):
        pass
    assert (tmp_path / "x").read_text() == "mine"


def test_a_full_disk_while_results_move_is_one_message(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with open_run(tmp_path, card()) as run:
        staged(run, "events.lhe").write_text("new")
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(FabgenError, match="No space left"):
                store(run, {}, None, ["events.lhe"])
    assert not (tmp_path / "events.lhe").exists()
