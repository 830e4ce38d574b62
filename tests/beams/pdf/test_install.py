"""Fetching sets, from a server of the test's own."""

from __future__ import annotations

import functools
import http.server
import io
import tarfile
import threading

import pytest

from fabgen.beams.pdf import load_member
from fabgen.beams.pdf.install import install
from fabgen.beams.pdf.sets import own_folder
from fabgen.errors import FabgenError, InputError


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder whose files a server has; sets go to a folder of the test."""
    folder = tmp_path / "server"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("LHAPDF_URLBASE", f"http://127.0.0.1:{running.server_port}/")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        monkeypatch.delenv("LHAPDF_DATA_PATH", raising=False)
        yield folder
        running.shutdown()
        thread.join()


def pack(server, name, files):
    """An archive of (name in it, content), or of ready entries."""
    with tarfile.open(server / f"{name}.tar.gz", "w:gz") as archive:
        for path, content in files:
            entry = path if isinstance(path, tarfile.TarInfo) else tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.fixture
def files(write_set, tmp_path):
    folder = write_set("set", "SetDesc: fetched\n", where=tmp_path / "made")
    return [(f"set/{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())]


def nothing_left():
    folder = own_folder()
    return not folder.exists() or list(folder.iterdir()) == []


def test_a_set_is_fetched_and_found(server, files):
    entry = tarfile.TarInfo("set")
    entry.type = tarfile.DIRTYPE
    pack(server, "set", [(entry, b""), *files])
    notes = []
    place = install("set", notes.append)
    assert place == own_folder() / "set"
    assert load_member("set").info.description == "fetched"
    assert [path.name for path in own_folder().iterdir()] == ["set"]
    assert notes[0].startswith("fetching http://127.0.0.1") and notes[0].endswith("MB)")
    (server / "set.tar.gz").unlink()
    assert install("set", notes.append) == place
    assert notes[-1] == "set is there already"


def link(kind):
    entry = tarfile.TarInfo("set/link")
    entry.type, entry.linkname = kind, "/etc/passwd"
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        *("set/../../evil", "../evil", "/evil", "other/file", "set/deep/er", "set", "set/.."),
        link(tarfile.SYMTYPE),
        link(tarfile.LNKTYPE),
        link(tarfile.FIFOTYPE),
    ],
    ids=lambda entry: entry if isinstance(entry, str) else entry.type.decode(),
)
def test_strange_entries(server, files, tmp_path, entry):
    """Nothing is written outside, and nothing left behind."""
    pack(server, "set", [*files, (entry, b"")])
    with pytest.raises(FabgenError, match="strange entry"):
        install("set", lambda text: None)
    assert nothing_left()
    assert not list(tmp_path.rglob("evil"))


def test_an_archive_that_is_none(server):
    for content in (b"no archive", b"\x1f\x8b"):
        (server / "set.tar.gz").write_bytes(content)
        with pytest.raises(FabgenError, match="damaged"):
            install("set", lambda text: None)
    assert nothing_left()


def test_half_an_archive(server, files):
    pack(server, "set", files)
    whole = (server / "set.tar.gz").read_bytes()
    (server / "set.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FabgenError, match="damaged"):
        install("set", lambda text: None)
    assert nothing_left()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, text: text.replace(b"NumMembers: 1", b"NumMembers: 3"), "without 2 of its"),
        (lambda name, text: text[:-9] if name.endswith(".dat") else text, "is damaged"),
        (lambda name, text: b"- a" if name.endswith(".info") else text, "is damaged"),
    ],
)
def test_sets_that_are_not_complete(server, files, change, message):
    pack(server, "set", [(name, change(name, text)) for name, text in files])
    with pytest.raises(FabgenError, match=message) as caught:
        install("set", lambda text: None)
    assert caught.value.exit_code == 1
    assert nothing_left()


def test_a_name_that_the_server_does_not_know(server):
    with pytest.raises(InputError, match="no such set") as caught:
        install("CT99", lambda text: None)
    assert caught.value.found == "CT99"
    assert nothing_left()


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "a\n", "x" * 200])
def test_what_is_no_name(server, name):
    with pytest.raises(InputError, match="not the name"):
        install(name, lambda text: None)
    assert not own_folder().exists()


def test_no_server(server, monkeypatch):
    monkeypatch.setenv("LHAPDF_URLBASE", "http://127.0.0.1:9/")
    with pytest.raises(FabgenError, match=r"cannot be fetched: .*; without a network") as caught:
        install("set", lambda text: None)
    assert caught.value.exit_code == 1
    assert str(own_folder()) in str(caught.value)
    assert nothing_left()
