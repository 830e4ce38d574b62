"""auto.json."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fabgen.errors import InputError
from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.auto.record import Choice, RoundRecord, read

MEASURED = Measured(0.9, 0.4, 0.5, 1e-5, 65_536)
CHOICE = Choice(
    goal=Goal(1000, 10, 0.5),
    candidates={"uniform": MEASURED},
    evaluations=70_000,
    plan="small-flow",
    why="because",
    seconds_of_q=2e-5,
    rounds=(RoundRecord(256, 0.05, MEASURED, True, "it pays"),),
)


def test_it_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "auto.json"
    assert read(file) is None
    assert CHOICE.store(file) == CHOICE
    assert read(file) == CHOICE
    assert CHOICE.round_at(256) == CHOICE.rounds[0]
    assert CHOICE.round_at(768) is None
    longer = CHOICE.with_round(RoundRecord(768, 0.05, MEASURED, False, "enough"), 16_384)
    assert (longer.evaluations, longer.ends) == (86_384, [(256, MEASURED), (768, MEASURED)])


def test_an_unknown_method_is_damage(tmp_path):
    file = tmp_path / "auto.json"
    dataclasses.replace(CHOICE, method="fkld").store(file)
    with pytest.raises(InputError, match="the run is damaged"):
        read(file)


def test_costs(tmp_path):
    file = tmp_path / "auto.json"
    dataclasses.replace(CHOICE, costs="table").store(file)
    found = read(file)
    assert found is not None and found.costs == "table"
    file.write_text(file.read_text().replace('"table"', '"guessed"'))
    with pytest.raises(InputError, match="the costs guessed"):
        read(file)


def test_a_file_from_before_there_was_a_table(tmp_path):
    file = tmp_path / "auto.json"
    values = CHOICE.as_dict()
    del values["costs"]
    file.write_text(json.dumps(values))
    found = read(file)
    assert found is not None and found.costs == "measured"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"goal": 1}', '{"plan": "grid"}'])
def test_a_damaged_file_is_one_message(tmp_path, text):
    file = tmp_path / "auto.json"
    file.write_text(text)
    with pytest.raises(InputError, match="the run is damaged") as caught:
        read(file)
    assert "--restart" in str(caught.value)
