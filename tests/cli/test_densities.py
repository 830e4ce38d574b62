"""fabgen pdf: what is installed, and fetching more."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from fabgen.beams.pdf.sets import DEFAULT_SET, shipped_folder
from fabgen.cli.commands import app

INFO = "SetIndex: 331900\nNumMembers: 101\n"


def fabgen(*arguments):
    return CliRunner().invoke(app, ["pdf", *arguments])


@pytest.fixture(autouse=True)
def no_other_sets(monkeypatch, tmp_path):
    for name in ("LHAPATH", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path / "sets"))


def test_list(tmp_path):
    for name, keys in {"other": INFO, "wrong": "ForcePositive: 3\n", "none": ""}.items():
        folder = tmp_path / "sets" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.info").write_text(keys)
    for number in range(3):
        (tmp_path / "sets" / "other" / f"other_{number:04d}.dat").touch()
    result = fabgen("list")
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["set", "id", "members", "folder"]
    assert [" ".join(line.split()) for line in lines] == [
        f"{DEFAULT_SET} (default) 247000 1 {shipped_folder() / DEFAULT_SET}",
        f"none - 0 of 1 {tmp_path}/sets/none",
        f"other 331900 3 of 101 {tmp_path}/sets/other",
        f"wrong ? 0 {tmp_path}/sets/wrong: a value in the head of the densities is wrong",
    ]


def test_install_without_a_network(monkeypatch):
    monkeypatch.setenv("LHAPDF_URLBASE", "http://127.0.0.1:9/")
    result = fabgen("install", "NNPDF40_lo_as_01180")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "http://127.0.0.1:9/NNPDF40_lo_as_01180.tar.gz cannot be fetched" in result.stderr


def test_install_needs_a_name():
    result = fabgen("install", "no name")
    assert result.exit_code == 2
    assert "found:   no name" in result.stderr


def test_install_tells_where(monkeypatch, tmp_path):
    monkeypatch.setattr("fabgen.beams.pdf.install.install", lambda name, note: tmp_path / name)
    result = fabgen("install", "some_set")
    assert (result.exit_code, result.stdout) == (0, f"  {tmp_path / 'some_set'}\n")
