"""JSON of the wrong shape in a run is one message that names the file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

import pytest

from fabgen.errors import InputError
from fabgen.json_files import as_type, parse, read_json, read_lines
from fabgen.run.auto import record
from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.directory import RunDirectory
from fabgen.training import Checkpointer, checkpoint
from fabgen.training.checkpoint import read_manifest

LOSS = b'{"step": 1, "target_evaluations": 1, "evaluations": 1, "loss": '
NOT_JSON = {
    "nothing": b"",
    "a word": b"word",
    "cut off": b'{"step": ',
    "two values": b"{} {}",
    "not UTF-8": b'{"step": "\xff"}',
    "nul": b"\0\0\0",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"step":' * 100_000 + b"1" + b"}" * 100_000,
    "60 levels": b"[" * 60 + b"]" * 60,
    "nan": LOSS + b"NaN}",
    "infinite": LOSS + b"-Infinity}",
    "too large": LOSS + b"1e999}",
    "many digits": b'{"step": ' + b"1" * 5000 + b"}",
    "20 digits": b'{"step": 12345678901234567890}',
}
OTHER_SHAPES = {
    "a list": b"[]",
    "a text": b'"step"',
    "null": b"null",
    "a number": b"1",
    "empty": b"{}",
    "step is a text": b'{"step": "1"}',
    "step is a number": b'{"step": 1.5}',
    "step is true": b'{"step": true}',
    "step is null": b'{"step": null}',
    "step is a list": b'{"step": [1]}',
    "an object inside": b'{"step": 1, "loss": {}}',
}
LINE = b'{"step": 1, "target_evaluations": 10, "evaluations": 5, "loss": null, "eps": 0.5}\n'


@pytest.mark.parametrize("text", [*NOT_JSON.values(), *OTHER_SHAPES.values()])
def test_logs(tmp_path, text):
    run = RunDirectory(tmp_path)
    for log in (run.training_log, run.metrics_log):
        log.write_bytes(LINE + text.replace(b"\n", b"") + b"\n" + LINE)
    for use in (
        run.training_records,
        lambda: run.evaluations_along,
        lambda: run.truncate_logs(1),
    ):
        with pytest.raises(InputError, match="the run is damaged") as caught:
            use()
        message = str(caught.value)
        assert caught.value.file in (str(run.training_log), str(run.metrics_log))
        assert "line 2: " in message and "--restart" in message and len(message) < 1000


def test_logs_that_are_whole_or_cut_off_by_a_kill(tmp_path):
    run = RunDirectory(tmp_path)
    assert (run.training_records(), run.evaluations_along) == ([], 0)
    for log in (run.training_log, run.metrics_log):
        log.write_bytes(LINE + LINE.replace(b'"step": 1', b'"step": 2') + LINE[:20])
    assert [r["step"] for r in run.training_records()] == [1, 2]
    assert run.evaluations_along == 10
    run.truncate_logs(1)
    assert run.training_log.read_bytes() == run.metrics_log.read_bytes() == LINE
    run.training_log.write_bytes(b"word\n")
    run.truncate_logs(None)
    assert run.training_log.read_bytes() == b""


@pytest.mark.parametrize("key", ["target_evaluations", "evaluations"])
def test_what_a_log_is_read_for(tmp_path, key):
    for wrong in ("many", "null", "[]", "1.5"):
        line = json.loads(LINE) | {key: json.loads(f'"{wrong}"' if wrong == "many" else wrong)}
        (tmp_path / "log").write_text(json.dumps(line) + "\n")
        with pytest.raises(InputError, match=f"line 1: {key}: "):
            read_lines(tmp_path / "log", {key: int})


def test_a_log_that_is_no_file(tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(InputError, match="directory"):
        read_lines(tmp_path / "log", {})
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="a pipe"):
        read_json(tmp_path / "fifo", dict)


MEASURED = Measured(0.9, 0.4, 0.5, 1e-5, 65_536)
CHOICE = record.Choice(
    goal=Goal(1000, 10, 0.5),
    candidates={"uniform": MEASURED},
    evaluations=70_000,
    plan="small-flow",
    why="because",
    rounds=(record.RoundRecord(256, 0.05, MEASURED, True, "it pays"),),
)
CHANGES = {
    "goal": [None, 1, [], {}, {"samples": "many", "events": 1}],
    "candidates": [None, [], {}, {"uniform": None}, {"other": {}}, {"other": None}],
    "evaluations": ["many", None, 1.5, True, [1]],
    "plan": [None, "other", 1, ["flow"]],
    "chosen": ["other", 3],
    "why": [None, 1],
    "seconds_of_q": ["1", []],
    "rounds": [None, {}, [1], [{}], [{"step": 1}]],
    "more": [1],
}


@pytest.mark.parametrize("key", CHANGES)
def test_decisions(tmp_path, key):
    file = tmp_path / "auto.json"
    for value in CHANGES[key]:
        file.write_text(json.dumps(CHOICE.as_dict() | {key: value}))
        with pytest.raises(InputError, match="the run is damaged") as caught:
            record.read(file)
        assert caught.value.file == str(file) and "--restart" in str(caught.value)
    CHOICE.store(file)
    assert record.read(file) == CHOICE


@pytest.mark.parametrize("key", ["goal", "candidates", "evaluations", "plan", "why"])
def test_decisions_without_a_key(tmp_path, key):
    file = tmp_path / "auto.json"
    values = CHOICE.as_dict()
    del values[key]
    file.write_text(json.dumps(values))
    with pytest.raises(InputError, match=f"{key} is missing"):
        record.read(file)


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON)
def test_no_json(tmp_path, text):
    for name, read in (("auto.json", record.read), ("manifest.json", read_of_folder)):
        file = tmp_path / name
        file.write_bytes(text)
        with pytest.raises(InputError, match=r"the run is damaged|not written by this version"):
            read(file)


def read_of_folder(file):
    return read_manifest(file.parent)


MANIFEST_CHANGES = {
    "files": [None, [], {"slot-0/x": 1}, "x"],
    "slot": [None, 3, "..", ["slot-0"]],
    "leaves": [None, [], {"x": 1}, {"x": {"shape": [1]}}, {"x": {"shape": "1", "dtype": "int64"}}],
    "description": [None, 1, []],
    "step": [None, "1", 1.5],
    "finished": [None, 1],
    "seconds": [None, "1"],
}


@pytest.mark.parametrize("key", MANIFEST_CHANGES)
def test_manifests_with_a_hash_that_agrees(tmp_path, key):
    checkpoint.write(
        tmp_path,
        {},
        {"description": {}, "step": 1, "finished": True, "seconds": 1.0},
    )
    file = tmp_path / "manifest.json"
    good = json.loads(file.read_text())
    del good["sha256"]
    assert Checkpointer(tmp_path).finished
    missing = {name: value for name, value in good.items() if name != key}
    for values in (missing, *(good | {key: value} for value in MANIFEST_CHANGES[key])):
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        file.write_text(json.dumps(values | {"sha256": digest}))
        with pytest.raises(InputError, match="damaged") as caught:
            _ = Checkpointer(tmp_path).finished
        assert "--restart" in str(caught.value)


@dataclass(frozen=True)
class Pair:
    first: int
    second: tuple[float, ...] = ()
    third: dict[str, int | None] | None = None


def test_types():
    value = parse(b'{"first": 1, "second": [1, 2.5], "third": {"a": null}}')
    assert as_type(value, Pair) == Pair(1, (1.0, 2.5), {"a": None})
    assert as_type({"first": 3}, Pair) == Pair(3)
    for wrong in ({}, {"first": 1, "other": 2}, {"first": True}, {"first": 1, "second": ["1"]}):
        with pytest.raises(ValueError):
            as_type(wrong, Pair)
