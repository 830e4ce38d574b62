"""Files that are complete or as they were before."""

from __future__ import annotations

import errno
import os

import pytest

from fabgen.errors import FabgenError
from fabgen.files import replacing, sync, temporary, write_atomic, writing


@pytest.mark.parametrize("content", ["Grüße\n", b"\x00\xff", ""])
def test_write_atomic(tmp_path, content):
    path = tmp_path / "file"
    path.write_text("old")
    write_atomic(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_block_ends(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
        assert temporary(path).exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_a_block_that_raises_leaves_no_trace(tmp_path, error):
    path = tmp_path / "file"
    for before in [[], [path]]:
        with pytest.raises(type(error)), replacing(path) as file:
            file.write(b"half")
            raise error
        assert list(tmp_path.iterdir()) == before
        path.write_text("old")
    assert path.read_text() == "old"


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FabgenError, match=r"file cannot be written: No space left") as error:
        write_atomic(path, "new")
    assert error.value.exit_code == 1
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FabgenError, match="cannot be written"):
        write_atomic(tmp_path / "none" / "file", "new")


def test_errors_of_writing_name_the_file(tmp_path):
    with (
        pytest.raises(FabgenError, match="name cannot be written: no reason"),
        writing(tmp_path / "name"),
    ):
        raise OSError("no reason")


def test_sync_of_files_and_folders(tmp_path):
    (tmp_path / "file").write_text("x")
    sync(tmp_path / "file")
    sync(tmp_path)
    with pytest.raises(OSError):
        sync(tmp_path / "none")
