"""Runs that choose, on toys: with a clock whose ticks are the only costs, and by the table."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
from types import SimpleNamespace

import jax
import pytest

from fabgen import run
from fabgen.card import card_from_table
from fabgen.errors import FabgenError, InputError
from fabgen.run import RunOptions
from fabgen.run.auto import measure
from fabgen.run.auto.choice import _Automatic, card_of
from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.auto.record import Choice, RoundRecord
from fabgen.run.progress import Silent

TABLE = {
    "process": "toy:crossed-ring",
    "channels": {"maps": "flat"},
    "surrogate": {
        "layers": 1,
        "bins": 4,
        "hidden": [4],
        "vegas": {"iterations": 2, "evaluations": 1000, "bins": 8},
    },
    "training": {
        **{"batch_size": 64, "log_every": 50, "checkpoint_every": 1000, "steps": 768},
        "auto": {"costs": "measured"},
    },
    "evaluation": {"samples": 20_000},
}
#: Of events that no surrogate makes in a time that a flow would not be worth.
MANY = 10**11
BLOCK = 16_384


class Ticks:
    """A clock that goes on by the same seconds at every look."""

    def __init__(self, seconds: float):
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


class Erratic:
    """A clock of a machine that has other speeds all the time."""

    def __init__(self, seed: int):
        self.now, self.random = 0.0, random.Random(seed)

    def __call__(self) -> float:
        self.now += 10.0 ** self.random.uniform(-6.0, 4.0)
        return self.now


class Notes(Silent):
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def how(tmp_path_factory):
    """What was compiled once is not compiled again."""
    yield RunOptions(compilation_cache=tmp_path_factory.mktemp("jax"), clock=Ticks(1e-3))
    jax.config.update("jax_compilation_cache_dir", None)


def card(**tables):
    table = {key: {**TABLE.get(key, {}), **value} for key, value in tables.items()}
    return card_from_table({**TABLE, **table})


def auto_of(directory) -> dict:
    return json.loads((directory / "auto.json").read_text())


def test_a_cheap_function_gets_a_grid(how, tmp_path):
    told = run.train(card(), tmp_path, how)
    auto = told["auto"]
    assert auto == auto_of(tmp_path)
    assert (auto["chosen"], auto["plan"], auto["rounds"]) == ("grid", "grid", [])
    assert auto["why"].startswith("VEGAS grid: ")
    assert set(auto["candidates"]) == {"uniform", "grid", "vegas"}
    assert told["method"] == "vegas-grid"
    found = [c["acceptance"] for c in auto["candidates"].values()]
    assert found[1] == max(found)
    # a block that tells how slow f is, four of each candidate, and VEGAS
    calls = 13 * BLOCK
    assert calls + 1500 < told["target_evaluations"] <= calls + 2000
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    # it is used again, by other commands, too
    reporter = Notes()
    report = run.integrate(card(), tmp_path, dataclasses.replace(how, reporter=reporter))
    assert report["auto"] == auto
    assert report["target_evaluations"]["training"] == told["target_evaluations"]
    assert report["integral"] == pytest.approx(1.0, abs=5.0 * report["integral_error"])
    assert any("--restart makes another one" in note for note in reporter.notes)
    # a choice that was made and not stored is stored by the next command
    (tmp_path / "auto.json").write_text(json.dumps({**auto, "chosen": None}))
    (tmp_path / "surrogate" / "1" / "manifest.json").unlink()
    assert run.integrate(card(), tmp_path, how)["integral"] == report["integral"]
    assert auto_of(tmp_path) == auto


def test_a_slow_function_is_left_as_it_is(how, tmp_path):
    slow = dataclasses.replace(how, clock=Ticks(1000.0))
    few = card(generation={"events": 1}, evaluation={"samples": 100})
    few = dataclasses.replace(
        few,
        surrogate=dataclasses.replace(
            few.surrogate, vegas=dataclasses.replace(few.surrogate.vegas, evaluations=10**6)
        ),
    )
    told = run.train(few, tmp_path, slow)
    assert told["auto"]["chosen"] == "uniform"
    assert told["target_evaluations"] == BLOCK
    assert not (tmp_path / "surrogate").exists()
    assert [path.name for path in run.plot(tmp_path, slow, samples=500)][:1] == ["weights.png"]
    assert run.train(few, tmp_path, slow)["target_evaluations"] == BLOCK


def test_rare_events_get_a_flow_that_kills_do_not_change(how, tmp_path, monkeypatch):
    """Killed between the end of a round and its decision, and after the last one."""
    many = card(generation={"events": MANY})
    original = measure.measure

    def killed(at, session, surrogate, params, samples, number):
        if number == at:
            raise KeyboardInterrupt
        return original(session, surrogate, params, samples, number)

    for at, rounds in ((1256, []), (1768, [256])):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(measure, "measure", functools.partial(killed, at))
            run.train(many, tmp_path, how)
        assert [r["step"] for r in auto_of(tmp_path)["rounds"]] == rounds
        assert auto_of(tmp_path)["chosen"] is None
    told = run.train(card(generation={"events": 1}), tmp_path, how)
    auto = told["auto"]
    assert auto["goal"]["events"] == MANY  # the decisions stay
    assert auto["chosen"] == auto["plan"] == "small-flow"
    assert [r["step"] for r in auto["rounds"]] == [256, 768]
    assert [r["goes_on"] for r in auto["rounds"]] == [True, False]
    assert (told["method"], told["steps"]) == ("variance", 768)
    better = auto["rounds"][-1]["measured"]["acceptance"]
    assert better > 1.2 * auto["candidates"]["grid"]["acceptance"]
    # the survey with VEGAS, the steps, a measurement after every round
    calls = 13 * BLOCK + 768 * 64 + 2 * 4 * BLOCK
    assert calls + 1500 < told["target_evaluations"] <= calls + 2000
    assert told["gradient_evaluations"] == 0
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert {256, 768} <= {line["step"] for line in lines}


def test_by_the_table_every_machine_chooses_the_same(how, tmp_path):
    counted = {**TABLE["training"], "auto": {"costs": "table"}}
    for events, plan in ((1, "grid"), (MANY, "small-flow")):
        asked = card(training=counted, generation={"events": events})
        found = []
        for seed in (1, 2):
            directory = tmp_path / f"{events}-{seed}"
            run.train(asked, directory, dataclasses.replace(how, clock=Erratic(seed)))
            found.append(auto_of(directory))
        assert found[0] == found[1]
        assert (found[0]["costs"], found[0]["plan"]) == ("table", plan)
        said = [found[0]["why"], *[record["why"] for record in found[0]["rounds"][:-1]]]
        assert all("nominal" in why for why in said)
    flows, grids = (found[0]["rounds"][0]["measured"], found[0]["candidates"]["grid"])
    assert flows["seconds_per_point"] > grids["seconds_per_point"] > 0.0
    # by the clock they do not
    few = {"generation": {"events": 1}, "evaluation": {"samples": 100}}
    chosen = []
    for seconds in (1e-3, 1000.0):
        directory = tmp_path / f"measured-{seconds}"
        run.train(card(**few), directory, dataclasses.replace(how, clock=Ticks(seconds)))
        chosen.append(auto_of(directory))
    times = [c["candidates"]["uniform"]["seconds_per_point"] for c in chosen]
    assert times[1] > 1000.0 * times[0]
    assert [c["costs"] for c in chosen] == ["measured", "measured"]


def test_a_choice_begun_by_other_costs_is_not_gone_on_with(how, tmp_path):
    asked = card(training={**TABLE["training"], "auto": {"costs": "table"}})
    run.train(asked, tmp_path, how)
    auto = auto_of(tmp_path)
    before = {name: value for name, value in auto.items() if name != "costs"}  # no table then
    (tmp_path / "auto.json").write_text(json.dumps(before))
    assert run.train(asked, tmp_path, how)["auto"] == {**auto, "costs": "measured"}
    (tmp_path / "auto.json").write_text(json.dumps({**before, "chosen": None}))
    with pytest.raises(InputError, match="other costs") as caught:
        run.train(asked, tmp_path, how)
    assert caught.value.key == "training.auto.costs"


def test_a_slow_flow_is_given_up(how, tmp_path, monkeypatch):
    original = measure.measure

    def slow(session, surrogate, params, samples, number):
        found, calls = original(session, surrogate, params, samples, number)
        seconds = found.seconds_per_point * (100.0 if number > 1000 else 1.0)
        return dataclasses.replace(found, seconds_per_point=seconds), calls

    monkeypatch.setattr(measure, "measure", slow)
    many = card(generation={"events": MANY})  # compiled already, by the test above
    told = run.train(many, tmp_path, how)
    auto = told["auto"]
    assert (auto["plan"], auto["chosen"]) == ("small-flow", "grid")
    rounds = auto["rounds"]
    steps = rounds[-1]["step"]
    assert auto["training_evaluations"] == steps * 64
    assert told["target_evaluations"] > (13 + 4 * len(rounds)) * BLOCK + steps * 64
    assert run.train(many, tmp_path, how)["target_evaluations"] == told["target_evaluations"]


def test_the_flow_of_the_card_is_trained_whatever_it_takes():
    goal, quick = Goal(1000, 1000), Measured(1.0, 1.0, 1.0, 1e-9, 65_536)
    own = card(surrogate={**TABLE["surrogate"], "kind": "flow"})
    automatic = _Automatic(SimpleNamespace(card=own), goal)
    choice = automatic.planned(Choice(goal, {"uniform": quick}, 1, "uniform", ""))
    assert (choice.plan, choice.why) == ("flow", "flow: the card asks for one")
    slow = RoundRecord(256, 1.0, dataclasses.replace(quick, seconds_per_point=1.0), False, "why")
    assert automatic.with_verdict(choice.with_round(slow, 5), 7).chosen == "flow"
    assert card_of(own, "flow").surrogate == own.surrogate
    assert card_of(own, "small-flow").surrogate.layers == 1
    for n_channels, size in ((1, own.training.batch_size), (5000, 10_000)):
        assert card_of(own, "flow", n_channels).training.batch_size == size


def test_several_channels_train_until_an_efficiency(how, tmp_path):
    camel = card_from_table({
        **TABLE,
        "process": "toy:camel-back",
        "channels": {"trained_weights": False, "flows": "conditioned"},
        "training": {"batch_size": 32, "steps": 20, "auto": {"efficiency": 0.999999}},
    })  # fmt: skip
    told = run.train(camel, tmp_path, how)
    auto = told["auto"]
    assert set(auto["candidates"]) == {"uniform", "grid"}
    assert auto["plan"] == "small-flow"
    assert auto["rounds"][0]["why"] == "training.steps = 20 are done"
    assert "the card asks for a sampling efficiency of 0.999999" in auto["why"]
    best = max(
        auto["rounds"][0]["measured"]["sampling_efficiency"],
        auto["candidates"]["grid"]["sampling_efficiency"],
    )
    chosen = auto["chosen"]
    found = auto["candidates"].get(chosen, auto["rounds"][0]["measured"])
    assert found["sampling_efficiency"] == best


def test_a_function_without_points(how, tmp_path, monkeypatch):
    import jax.numpy as jnp

    from fabgen.integrand.toys import ToyIntegrand

    original = ToyIntegrand.evaluate

    def nothing(self, points, parameters=None):
        point = original(self, points, parameters)
        return point._replace(log_f=jnp.full(point.log_f.shape, -jnp.inf))

    monkeypatch.setattr(ToyIntegrand, "evaluate", nothing)
    with pytest.raises(FabgenError, match="vanishes"):
        run.train(card(), tmp_path, how)
