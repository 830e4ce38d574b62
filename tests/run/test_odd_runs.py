"""Run directories of any name, with links in them, and that are gone while a run is at work."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from fabgen import files
from fabgen.card import card_of_process
from fabgen.cli.commands import app
from fabgen.errors import FabgenError, InputError
from fabgen.run.commit import staged, store
from fabgen.run.directory import check_run, is_run, open_run, stored_card
from fabgen.run.files import RunDirectory, refuse_odd
from fabgen.training import Checkpointer, orbax_files

CARD = card_of_process("e+ e- > mu+ mu-")
PROCESS = 'process = "e+ e- > mu+ mu-"\n'
NAMES = [
    *("run[1]", "[", "a*b", "a?b", "a\\b", "100%", "a%20b", "a#b", "a b", "a\nb", "a\tb", "{a,b}"),
    *("gs:", "file:", "~", "~root", "-x", "$HOME", "'", '"', "|", "é", os.fsdecode(b"a\xffb")),
    *("...", "x" * 255, "a;b&c", "a:b@c", "\x1b[31m"),
]
TREE = {"x": jnp.arange(4.0), "n": jnp.asarray(3)}


def fabgen(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def everything(directory: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_checkpoint_comes_back_from_a_run_of_any_name(tmp_path, name):
    with open_run(tmp_path / name, CARD) as run:
        Checkpointer(run.surrogate).save(TREE, step=1)
        Checkpointer(run.surrogate).save(TREE, step=2)
        staged(run, "events.lhe").write_text("events")
        store(run, {"events": 1}, CARD, ["events.lhe"])
        run.store_picture("a.png", b"a")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    found = Checkpointer(RunDirectory(tmp_path / name).surrogate).restore(TREE)
    assert found.step == 2
    np.testing.assert_array_equal(found.tree["x"], TREE["x"])
    assert stored_card(tmp_path / name) == CARD
    inside = {"card.toml", "events.lhe", "report.json", ".lock", "surrogate", "plots"}
    assert {path.name for path in (tmp_path / name).iterdir()} == inside


def test_a_relative_name_and_a_path_of_any_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deep = Path("gs://bucket/../x") / Path(*["y" * 200] * 15)
    with open_run(deep, CARD) as run:
        Checkpointer(run.surrogate).save(TREE, step=1)
    assert Checkpointer(deep / "surrogate" / "1").restore(TREE).step == 1


def test_without_proc_a_name_that_orbax_would_misread_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(orbax_files, "_OPEN_FOLDERS", tmp_path / "none")
    Checkpointer(tmp_path / "plain-1.0").save(TREE, step=1)
    assert Checkpointer(tmp_path / "plain-1.0").restore(TREE).step == 1
    with pytest.raises(FabgenError, match="choose a run directory"):
        Checkpointer(tmp_path / "run[1]").save(TREE, step=1)


@pytest.mark.parametrize("name", [".toml", "..toml", "...toml", "....toml"])
def test_a_card_without_a_name_does_not_choose_where_its_run_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(PROCESS)
    for command in ("generate", "train", "integrate"):
        result = fabgen(command, name)
        assert result.exit_code == 2
        assert "no name that a run directory could be called after" in result.stderr
        assert "--run DIR" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_empty_run_option_is_not_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "muons.toml").write_text(PROCESS)
    result = fabgen("generate", "muons.toml", "--run", "")
    assert result.exit_code == 2
    assert "--run" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["muons.toml"]


# --- links ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with some of everything."""
    path = tmp_path_factory.mktemp("whole") / "run"
    with open_run(path, CARD) as run:
        Checkpointer(run.surrogate).save(TREE, step=1)
        staged(run, "events-2.lhe.gz").write_text("events")
        store(run, {"number": 2, "events": 1}, CARD, ["events-2.lhe.gz"])
        run.store_picture("weights.png", b"picture")
        run.append_log({"step": 1, "target_evaluations": 1})
    return path


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


#: Files, or folders, that a run reads, writes or removes.
PLACES = [
    *(".lock", "card.toml", "training.jsonl", "metrics.jsonl", "auto.json", "report.json"),
    *("events.lhe", "events-2.lhe.gz", "report-2.json", "surrogate", "sample", "plots", ".new"),
    *(".report.json.new", ".card.toml.new", "surrogate/manifest.json", "surrogate/slot-0"),
    *("surrogate/.manifest.json.new", "plots/weights.png", "plots/.weights.png.new"),
]


def put(place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)


def link_to_file(place: Path, other: Path) -> None:
    (other / "file").write_text("precious")
    place.symlink_to(other / "file")


def link_to_folder(place: Path, other: Path) -> None:
    (other / "folder").mkdir()
    (other / "folder" / "slot-0").mkdir()
    (other / "folder" / "weights.png").write_text("precious")
    place.symlink_to(other / "folder")


def dangling_link(place: Path, other: Path) -> None:
    place.symlink_to(other / "nothing")


def link_to_itself(place: Path, other: Path) -> None:
    place.symlink_to(place)


def fifo(place: Path, other: Path) -> None:
    os.mkfifo(place)


def unix_socket(place: Path, other: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.bind(str(place))


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(
    "make", [link_to_file, link_to_folder, dangling_link, link_to_itself, fifo, unix_socket]
)
def test_nothing_in_the_place_of_a_file_is_followed_or_waited_for(
    run, tmp_path, monkeypatch, make, name
):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    other = tmp_path / "other"
    other.mkdir()
    put(run / name)
    make(Path("run") / name, other)
    before = everything(tmp_path)
    for restart in (False, True):
        with pytest.raises(InputError) as caught, open_run(run, CARD, restart=restart):
            pass
        assert str(run / name) in str(caught.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["card.toml", "report-2.json", "training.jsonl", ".lock"])
def test_a_folder_in_the_place_of_a_file(run, name):
    put(run / name)
    (run / name).mkdir()
    with pytest.raises(InputError) as caught, open_run(run, CARD):
        pass
    assert str(run / name) in str(caught.value)


def test_the_commands_answer_with_one_message(run, tmp_path):
    (tmp_path / "auto.json").write_text("precious")
    (run / "auto.json").symlink_to(tmp_path / "auto.json")
    for command in ("generate", "integrate", "plot"):
        result = fabgen(command, run)
        assert result.exit_code == 2
        assert f"a symbolic link to {tmp_path / 'auto.json'}" in result.stderr
    put(run / "card.toml")
    os.mkfifo(run / "card.toml")
    for command in ("generate", "integrate", "plot", "show"):
        assert fabgen(command, run).exit_code == 2


def test_the_directory_itself_may_be_a_link(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    with open_run(tmp_path / "link", CARD) as entered:
        entered.append_log({"step": 2})
    assert is_run(tmp_path / "link")


@pytest.mark.parametrize("name", ["surrogate", ".new", "plots", "card.toml"])
def test_a_directory_that_is_no_run_may_not_hold_links_of_these_names(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="not a run's"), open_run(tmp_path, CARD):
        pass
    assert os.listdir(tmp_path) == [name]


def hard_link(lock: Path, other: Path) -> None:
    os.link(other, lock)


def foreign_lock(lock: Path, other: Path) -> None:
    lock.write_text("held by somebody else\n")


@pytest.mark.parametrize("make", [hard_link, foreign_lock])
def test_a_lock_that_fabgen_did_not_write_stays_as_it_is(tmp_path, make):
    other = tmp_path / "other"
    other.write_text("1")
    (tmp_path / "run").mkdir()
    make(tmp_path / "run" / ".lock", other)
    before = everything(tmp_path)
    with pytest.raises(InputError, match=r"\.lock"), open_run(tmp_path / "run", CARD):
        pass
    assert everything(tmp_path) == before


def test_links_made_during_a_run_are_not_followed(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("precious")
    with open_run(tmp_path / "run", CARD) as run:
        run.training_log.symlink_to(other / "file")
        (run.path / "surrogate").symlink_to(other)
        run.plots.symlink_to(other)
        with pytest.raises(FabgenError):
            run.append_log({"step": 1})
        with pytest.raises(FabgenError):
            Checkpointer(run.surrogate).save(TREE, step=1)
        with pytest.raises(FabgenError):
            run.store_picture("file", b"x")
        files.temporary(run.auto).symlink_to(other / "file")
        files.write_atomic(run.auto, "{}")
        for path in (run.training_log, run.path / "surrogate", run.plots):
            path.unlink()
        run.surrogate.parent.mkdir()
        run.surrogate.symlink_to(other)
        with pytest.raises(FabgenError):
            Checkpointer(run.surrogate).save(TREE, step=1)
        run.surrogate.unlink()
        run.surrogate.mkdir()
        (run.surrogate / "slot-0").symlink_to(other)
        with pytest.raises(FabgenError):
            Checkpointer(run.surrogate).save(TREE, step=1)
        (run.surrogate / "slot-0").unlink()
    assert everything(other) == {"file": b"precious"}


def test_a_folder_among_the_results_on_their_way_is_named(run):
    (run / ".new" / "x").mkdir(parents=True)
    with pytest.raises(InputError, match=r"\.new/x") as caught, open_run(run, CARD):
        pass
    assert caught.value.found == "folder"
    assert (run / ".new" / "x").is_dir()


@pytest.mark.parametrize("below", [".", "deep/run"])
def test_a_link_to_nowhere_in_the_place_of_a_run(tmp_path, below):
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    with pytest.raises(InputError) as caught, open_run(link / below, CARD):
        pass
    assert caught.value.found == f"{link} is a symbolic link to nowhere"


def test_files_of_the_user_may_be_links(run, tmp_path):
    (run / "notes.txt").symlink_to(tmp_path / "nothing")
    (run / "events-01.lhe").symlink_to(tmp_path / "nothing")
    refuse_odd(run)


# --- gone -----------------------------------------------------------------------------------------


def moved(run: Path) -> None:
    run.rename(run.with_name("moved"))


def removed(run: Path) -> None:
    shutil.rmtree(run)


def replaced(run: Path) -> None:
    moved(run)
    with open_run(run, CARD):
        pass


def parent_moved(run: Path) -> None:
    run.parent.rename(run.parent.with_name("elsewhere"))


def emptied(run: Path) -> None:
    for path in run.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def without_card(run: Path) -> None:
    (run / "card.toml").unlink()


@pytest.mark.parametrize("happens", [moved, removed, replaced, parent_moved, emptied, without_card])
def test_a_run_that_is_gone_is_noticed_before_anything_is_written(tmp_path, happens):
    path = tmp_path / "parent" / "run"
    gone = pytest.raises(FabgenError, match="moved, removed or replaced")
    with open_run(path, CARD) as run:
        staged(run, "events.lhe").write_text("new")
        happens(path)
        before = everything(tmp_path)
        uses = [
            lambda: Checkpointer(run.surrogate).save(TREE, step=1),
            lambda: run.append_log({"step": 1}),
            lambda: run.append_metrics({"step": 1}),
            lambda: run.truncate_logs(None),
            lambda: run.store_picture("a.png", b"a"),
            lambda: store(run, {}, CARD, ["events.lhe"]),
            lambda: staged(run, "events.lhe"),
            lambda: files.write_atomic(run.auto, "{}"),
            run.check,
        ]
        for use in uses:
            with gone as caught:
                use()
            assert caught.value.exit_code == 1
    assert everything(tmp_path) == before


@pytest.mark.parametrize("happens", [moved, removed, replaced, parent_moved, emptied, without_card])
@pytest.mark.parametrize("error", [InputError("no such directory"), OSError("no such file")])
def test_what_fails_in_a_run_that_is_gone_fails_for_that(tmp_path, happens, error):
    gone = pytest.raises(FabgenError, match="moved, removed or replaced")
    path = tmp_path / "parent" / "run"
    with gone as caught, open_run(path, CARD):
        happens(path)
        raise error
    assert caught.value.exit_code == 1
    with pytest.raises(type(error), match="no such"), open_run(tmp_path / "other", CARD):
        raise error


def test_a_checkpoint_makes_no_directory_above_its_own(tmp_path):
    with pytest.raises(FabgenError, match="cannot be written"):
        Checkpointer(tmp_path / "gone" / "surrogate" / "1").save(TREE, step=1)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_moved_while_it_trains(tmp_path):
    """The command itself: one message, and what was there goes on where it is now."""
    card = tmp_path / "muons.toml"
    card.write_text(PROCESS)
    script = (
        "import sys, os\n"
        "from fabgen.run.files import RunDirectory\n"
        "append = RunDirectory.append_log\n"
        "def move(self, record):\n"
        "    append(self, record)\n"
        "    os.path.exists('run') and os.rename('run', 'moved')\n"
        "RunDirectory.append_log = move\n"
        "from fabgen.__main__ import main\n"
        "main()\n"
    )
    options = ["--run", "run", "--quiet"]
    for setting in ("kind=vegas", "vegas={iterations = 3, evaluations = 100, bins = 8}"):
        options += ["--set", f"surrogate.{setting}"]
    command = [sys.executable, "-c", script, "train", str(card), *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("fabgen: run is no longer the directory that this run began in")
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moved", "muons.toml"]
    check_run(tmp_path / "moved", stored_card(tmp_path / "moved"))
