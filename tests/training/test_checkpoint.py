"""Checkpoints: resuming bit for bit, refusing what is damaged or foreign, surviving a kill."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import interrupts
from fabgen.errors import FabgenError, InputError
from fabgen.training import Checkpointer, checkpoint, load_surrogate, save_surrogate, train

DESCRIPTION = {"method": "fab", "dims": (2, 3)}


class Record(NamedTuple):
    x: jax.Array
    more: dict


def tree():
    return Record(
        jnp.arange(6, dtype=jnp.float32).reshape(2, 3),
        {
            "count": jnp.asarray(2**40 + 1, jnp.int64),
            "key": jnp.asarray([1, 2**32 - 1], jnp.uint32),
            "layers": [{"w": jnp.full((2, 2), jnp.nan)}, (), {"w": -jnp.inf * jnp.ones(1)}],
            "none": jnp.zeros((0, 4)),
            "flag": jnp.asarray(True),
        },
    )


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert (np.asarray(x).dtype, x.shape) == (np.asarray(y).dtype, y.shape)
        np.testing.assert_array_equal(x, y)


@pytest.fixture
def saved(tmp_path):
    checkpointer = Checkpointer(tmp_path / "surrogate", DESCRIPTION)
    checkpointer.save(tree(), step=7, finished=False, seconds=1.5)
    return checkpointer


def test_a_tree_comes_back_as_it_was(saved):
    restored = saved.restore(jax.eval_shape(tree))
    assert_same(restored.tree, tree())
    assert (restored.step, restored.finished, restored.seconds) == (7, False, 1.5)
    assert (saved.resume_step, saved.finished) == (7, False)


def test_an_empty_folder_holds_no_checkpoint(tmp_path):
    checkpointer = Checkpointer(tmp_path / "surrogate")
    assert checkpointer.restore(tree()) is None
    assert checkpointer.resume_step is None
    assert not checkpointer.finished


def test_a_new_checkpoint_replaces_the_old_and_leaves_nothing_behind(saved):
    for step in (8, 9, 9):
        saved.save(tree(), step=step, finished=step == 9)
        assert saved.resume_step == step
    assert saved.finished
    assert len(list(saved.path.iterdir())) == 2  # manifest and one slot


def test_a_kill_while_writing_leaves_the_old_checkpoint(saved, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    for function in ("orbax_save", "_replace_manifest"):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, function, killed)
            with pytest.raises(KeyboardInterrupt):
                saved.save(tree(), step=8)
        assert_same(saved.restore(tree()).tree, tree())
        assert saved.resume_step == 7
    saved.save(tree(), step=8)
    assert saved.resume_step == 8


def test_a_place_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FabgenError, match="cannot be written"):
        Checkpointer(tmp_path / "file" / "surrogate").save(tree(), step=1)


#: A disk is full; and the limit of a file's size, which ends a write in the same way.
FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from fabgen.errors import FabgenError
from fabgen.training import Checkpointer
tree = {str(n): np.random.default_rng(n).random(50_000) for n in range(8)}
Checkpointer(sys.argv[1]).save({"x": np.ones(3)}, step=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1))
try:
    Checkpointer(sys.argv[1]).save(tree, step=2)
except FabgenError as error:
    print(error)
"""


def test_a_disk_without_room_is_one_message_and_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "surrogate"
    command = [sys.executable, "-c", FULL, str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == (f"{path} cannot be written: File too large\n", "")
    assert Checkpointer(path).resume_step == 1
    assert sorted(file.name for file in path.iterdir()) == ["manifest.json", "slot-0"]


def test_arrays_still_on_their_way_do_not_hide_why_a_save_failed(saved, monkeypatch):
    """TensorStore goes on with other arrays after the first has failed: folders fill up again."""
    folder = saved.path / "slot-1.orbax-checkpoint-tmp"
    arrivals = iter([True, True])

    def fail(path, leaves):
        (folder / "d").mkdir(parents=True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def rmtree(path):
        remove(path)
        if next(arrivals, False):
            (folder / "d").mkdir(parents=True)
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    remove = shutil.rmtree
    monkeypatch.setattr(checkpoint, "orbax_save", fail)
    monkeypatch.setattr(checkpoint.shutil, "rmtree", rmtree)
    with pytest.raises(FabgenError, match="No space left on device"):
        saved.save(tree(), step=8)
    assert not folder.exists()


def test_what_a_killed_save_has_left_goes_without_a_word(saved, caplog):
    for slot in checkpoint.SLOTS:
        (saved.path / f"{slot}.orbax-checkpoint-tmp" / "d").mkdir(parents=True)
    saved.save(tree(), step=8)
    assert caplog.messages == []
    assert sorted(file.name for file in saved.path.iterdir()) == ["manifest.json", "slot-1"]


def data_files(checkpointer):
    return sorted(p for p in checkpointer.path.rglob("*") if p.is_file() and p.parent.name == "d")


def flip_a_byte(checkpointer):
    file = data_files(checkpointer)[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate_a_file(checkpointer):
    file = data_files(checkpointer)[0]
    file.write_bytes(file.read_bytes()[:-1])


def remove_a_file(checkpointer):
    data_files(checkpointer)[0].unlink()


def remove_the_slot(checkpointer):
    shutil.rmtree(checkpointer.path / "slot-0")


def cut_the_manifest(checkpointer):
    file = checkpointer.path / "manifest.json"
    file.write_text(file.read_text()[:-100])


def edit_the_manifest(checkpointer):
    file = checkpointer.path / "manifest.json"
    file.write_text(file.read_text().replace('"step": 7', '"step": 8'))


def not_a_manifest(checkpointer):
    (checkpointer.path / "manifest.json").write_text("[1]")


def another_format(checkpointer):
    (checkpointer.path / "manifest.json").write_text(json.dumps({"format": "another", "step": 3}))


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        truncate_a_file,
        remove_a_file,
        remove_the_slot,
        cut_the_manifest,
        edit_the_manifest,
        not_a_manifest,
        another_format,
    ],
)
def test_a_damaged_checkpoint_is_refused_with_one_message(saved, damage):
    damage(saved)
    for read in (lambda: saved.restore(tree()), lambda: saved.resume_step):
        with pytest.raises(InputError, match="--restart") as caught:
            read()
        assert str(saved.path) in str(caught.value)


def test_a_checkpoint_of_another_training_is_refused(saved):
    other = Checkpointer(saved.directory, DESCRIPTION | {"method": "rkld"})
    with pytest.raises(InputError, match="another training"):
        other.restore(tree())


@pytest.mark.parametrize(
    "template",
    [
        tree()._replace(x=jnp.zeros((3, 2), jnp.float32)),
        tree()._replace(x=jnp.zeros((2, 3), jnp.float64)),
        tree()._replace(more={}),
        {"x": jnp.zeros(1)},
    ],
)
def test_a_checkpoint_of_other_arrays_is_refused(saved, template):
    with pytest.raises(InputError, match="another training"):
        saved.restore(template)


def test_a_surrogate_alone(tmp_path):
    params = {"grid": jnp.linspace(0.0, 1.0, 5), "nstrat": jnp.asarray([2, 3])}
    save_surrogate(tmp_path / "surrogate", params, {"kind": "vegas"})
    assert_same(load_surrogate(tmp_path / "surrogate", params, {"kind": "vegas"}), params)
    other = params | {"grid": jnp.zeros(1)}
    assert_same(load_surrogate(tmp_path / "surrogate", other, match_shapes=False), params)
    with pytest.raises(InputError, match="another"):
        load_surrogate(tmp_path / "surrogate", params, {"kind": "flow"})
    with pytest.raises(InputError, match="no surrogate here"):
        load_surrogate(tmp_path / "nothing", params)


def test_a_surrogate_without_parameters(tmp_path):
    save_surrogate(tmp_path / "surrogate", ())
    assert load_surrogate(tmp_path / "surrogate", ()) == ()


# --- Resuming a training ---

STEPS, LOG, CHECKPOINT = 24, 4, 6


class Killed(Exception):
    pass


class Recorder:
    """Collects log lines as the run directory does: lines after the checkpoint are cut off."""

    def __init__(self):
        self.lines = []

    def run(self, toys, directory, kill_at=None, on_log=None):
        checkpointer = Checkpointer(directory, {"method": "fab"})
        resume = checkpointer.resume_step or 0
        self.lines = [line for line in self.lines if line.step <= resume]

        def record(line):
            self.lines.append(line)
            if line.step == kill_at:
                raise Killed

        options = toys.options(
            steps=STEPS, batch_size=16, log_every=LOG, checkpoint_every=CHECKPOINT
        )
        target = toys.KumaraswamyTarget(((0.8, 1.2), (0.3, -0.5)))
        return train(
            target,
            toys.Kumaraswamy(2),
            options,
            checkpointer=checkpointer,
            on_log=on_log or record,
        )


@pytest.fixture(scope="module")
def unbroken(toys, tmp_path_factory):
    """Its directory, result and log lines."""
    recorder, directory = Recorder(), tmp_path_factory.mktemp("unbroken")
    return directory, recorder.run(toys, directory), recorder.lines


def test_a_killed_run_resumes_bit_for_bit(toys, unbroken, tmp_path):
    """Killed again and again; every step of the training is in one of the pieces.

    Logs at 4, 8, 12, 16, 20, 24; checkpoints at 6, 12, 18, 24. Kills before the first checkpoint,
    just after one, just before one (the log of the same step comes first), and at the end.
    """
    recorder = Recorder()
    for kill_at, resume_step in ((4, None), (8, 6), (12, 6), (20, 18), (24, 18)):
        with pytest.raises(Killed):
            recorder.run(toys, tmp_path, kill_at)
        assert Checkpointer(tmp_path, {"method": "fab"}).resume_step == resume_step
    resumed = recorder.run(toys, tmp_path)
    assert resumed.resumed_step == 18
    assert_same(resumed.state, unbroken[1].state)
    assert recorder.lines == unbroken[2]


def test_an_interrupted_run_loses_no_step_and_goes_on_bit_for_bit(
    toys, unbroken, tmp_path, monkeypatch
):
    """Signals before the first checkpoint, between two of them, and at the end."""
    recorder, lines = Recorder(), []
    for step in (4, 16, 24):
        monkeypatch.setattr(interrupts, "_state", interrupts._State(installed=True))

        def log_and_signal(line, step=step):
            lines.append(line)
            if line.step == step:
                interrupts.handle_signal(signal.SIGTERM, sys._getframe())

        with pytest.raises(KeyboardInterrupt):
            recorder.run(toys, tmp_path, on_log=log_and_signal)
        assert Checkpointer(tmp_path, {"method": "fab"}).resume_step == step
    assert Checkpointer(tmp_path, {"method": "fab"}).finished
    monkeypatch.setattr(interrupts, "_state", interrupts._State())
    resumed = recorder.run(toys, tmp_path)
    assert_same(resumed.state, unbroken[1].state)
    assert lines == unbroken[2]


def test_a_finished_run_returns_at_once(toys, unbroken):
    directory, result, _ = unbroken
    assert Checkpointer(directory, {"method": "fab"}).finished
    again = Recorder().run(toys, directory)
    assert again.history == ()
    assert again.resumed_step == STEPS
    assert again.compile_seconds == 0.0
    assert_same(again.state, result.state)


def test_the_surrogate_of_a_training_can_be_loaded_alone(toys, unbroken):
    directory, result, _ = unbroken
    template = jax.eval_shape(toys.Kumaraswamy(2).init, jax.random.key(0))
    assert_same(load_surrogate(directory, template), result.params)
