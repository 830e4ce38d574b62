"""The run directory: rules for using it again, and files that are whole or absent."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
import tracemalloc

import pytest

from fabgen.card import HEADER, Card, load_card
from fabgen.errors import FabgenError, InputError
from fabgen.files import temporary
from fabgen.run.commit import staged
from fabgen.run.directory import check_run, is_run, open_run, stored_card

CARD = Card(process=("e+ e- > mu+ mu-",))
CARD = dataclasses.replace(CARD, generation=dataclasses.replace(CARD.generation, seed=1))


def changed(**training) -> Card:
    return dataclasses.replace(CARD, training=dataclasses.replace(CARD.training, **training))


def test_the_card_is_stored_as_resolved(tmp_path):
    with open_run(tmp_path / "deep" / "run", CARD) as run:
        assert load_card(run.card) == CARD
    assert stored_card(tmp_path / "deep" / "run") == CARD
    assert stored_card(tmp_path / "deep") is None


def test_another_card_is_refused_with_both_values(tmp_path):
    with open_run(tmp_path, CARD) as run:
        run.surrogate.mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        check_run(tmp_path, changed(steps=7, batch_size=12))
    message = str(caught.value)
    assert "training.steps: 400 -> 7" in message
    assert "training.batch_size: 1024 -> 12" in message
    assert "--restart" in message
    assert "--run" in message


def test_a_run_that_ended_before_it_had_anything_takes_another_card(tmp_path):
    with open_run(tmp_path, CARD) as run:
        run.append_log({"step": 1})
    with open_run(tmp_path, changed(steps=7, batch_size=12)) as run:
        assert stored_card(tmp_path) == changed(steps=7, batch_size=12)
        run.report().write_text("{}")
    with pytest.raises(InputError, match="batch_size"):
        check_run(tmp_path, CARD)


def test_generation_and_evaluation_may_change(tmp_path):
    with open_run(tmp_path, CARD) as run:
        run.surrogate.mkdir(parents=True)
    generation = dataclasses.replace(CARD.generation, events=5, seed=9)
    evaluation = dataclasses.replace(CARD.evaluation, samples=1000)
    check_run(tmp_path, dataclasses.replace(CARD, generation=generation, evaluation=evaluation))


def test_restart_removes_results_and_nothing_else(tmp_path):
    with open_run(tmp_path, CARD) as run:
        run.surrogate.mkdir(parents=True)
        (run.surrogate / "data").write_text("x")
        run.append_log({"step": 1})
        run.report().write_text("{}")
        (tmp_path / "events.lhe").write_text("x")
        (tmp_path / "events-2.lhe.gz").write_text("x")
        (tmp_path / "report-2.json").write_text("x")
    (tmp_path / "notes.txt").write_text("mine")
    with open_run(tmp_path, changed(steps=7), restart=True) as run:
        assert not run.surrogate.exists()
        assert not run.training_log.exists()
        assert not run.report().exists()
        assert run.numbers == []
        assert stored_card(tmp_path) == changed(steps=7)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("name", ["card.toml", "report.json", "surrogate"])
def test_files_of_others_are_never_touched(tmp_path, name, restart):
    (tmp_path / name).write_text('process = "e+ e- > z h"\n')
    with pytest.raises(InputError, match="not a run's"), open_run(tmp_path, CARD, restart=restart):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("first", ["", HEADER])
def test_a_card_of_any_length_is_not_read_whole(tmp_path, first):
    (tmp_path / "card.toml").write_text(first)
    os.truncate(tmp_path / "card.toml", 1 << 28)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"too long|not a run's") as caught:
            stored_card(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert caught.value.file == str(tmp_path / "card.toml")


def test_a_run_is_known_by_a_header_with_any_end_of_line(tmp_path):
    assert not is_run(tmp_path)
    text = HEADER + 'process = "e+ e- > z h"\n'
    (tmp_path / "card.toml").write_bytes(text.replace("\n", "\r\n").encode())
    assert is_run(tmp_path)


def test_a_card_of_another_version_can_be_restarted(tmp_path):
    with open_run(tmp_path, CARD) as run:
        run.card.write_text(run.card.read_text() + "[no_such_table]\n")
        run.report().write_text("{}")
    with pytest.raises(InputError):
        check_run(tmp_path, CARD)
    with open_run(tmp_path, CARD, restart=True):
        assert stored_card(tmp_path) == CARD


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="cannot be written"), open_run(path, CARD):
            pass


def test_a_lock_on_a_full_disk(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    match = "lock cannot be written: No space left on device"
    with pytest.raises(FabgenError, match=match) as caught, open_run(tmp_path, CARD):
        pass
    assert caught.value.exit_code == 1


def test_one_process_at_a_time(tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fabgen.card import load_card\n"
        "from fabgen.run.directory import open_run\n"
        "path = Path(sys.argv[1])\n"
        "with open_run(path, load_card(path / 'card.toml')):\n"
        "    pass\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with open_run(tmp_path, CARD):
        second = subprocess.run(command, capture_output=True, text=True)
        assert second.returncode == 1
        assert f"another fabgen is at work in {tmp_path} (process {os.getpid()})" in second.stderr
        with pytest.raises(FabgenError, match="another fabgen"), open_run(tmp_path, CARD):
            pass
    subprocess.run(command, check=True)


def test_the_log_is_cut_where_the_training_goes_on(tmp_path):
    with open_run(tmp_path, CARD) as run:
        for step in (10, 20, 30):
            run.append_log({"step": step})
        with run.training_log.open("a") as file:
            file.write('{"step": 4')  # killed while writing
        run.truncate_logs(20)
        run.append_log({"step": 30})
        lines = run.training_log.read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [10, 20, 30]
        run.truncate_logs(None)
        assert run.training_log.read_text() == ""


def test_what_a_killed_process_left_is_removed(tmp_path):
    with open_run(tmp_path, CARD) as run:
        staged(run, "events.lhe").write_bytes(b"whole")
        temporary(staged(run, "events.lhe")).write_bytes(b"half")
        (tmp_path / ".report.json.new").write_text("half")
        (tmp_path / ".mine.new").write_text("mine")
        run.plots.mkdir()
        run.surrogate.mkdir(parents=True)
        temporary(run.surrogate / "manifest.json").write_bytes(b"half")
        temporary(run.plots / "weights.png").write_bytes(b"half")
        run.store_picture("training.png", b"whole")
        (tmp_path / "card").mkdir()
    with open_run(tmp_path, CARD):
        names = [path.name for path in tmp_path.rglob("*")]
        assert sorted(names) == sorted(
            [".lock", ".mine.new", "1", "card", "card.toml", "plots", "surrogate", "training.png"]
        )


def test_pictures_are_stored_under_plots(tmp_path):
    with open_run(tmp_path, CARD) as run:
        assert run.store_picture("a.png", b"one") == tmp_path / "plots" / "a.png"
        run.store_picture("a.png", b"two")
        assert (run.plots / "a.png").read_bytes() == b"two"


def test_a_picture_that_cannot_be_written_fails(tmp_path):
    with open_run(tmp_path, CARD) as run:
        run.plots.write_text("a file in the place of the folder")
        with pytest.raises(FabgenError, match="cannot be written"):
            run.store_picture("a.png", b"one")


def test_training_records_leave_out_a_line_cut_off(tmp_path):
    with open_run(tmp_path, CARD) as run:
        assert run.training_records() == []
        line = {"step": 1, "target_evaluations": 10, "loss": None}
        run.append_log(line)
        with run.training_log.open("ab") as file:
            file.write(b'{"step": 2')
        assert run.training_records() == [line]
