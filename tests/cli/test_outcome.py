"""Output that cannot be written: one message, and the exit code of what happened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
UNWRITTEN = "fabgen: the output cannot be written: No space left on device\n"
PROCESS = "e+ e- > mu+ mu-"
#: The command, with a training that takes no time.
COMMAND = """
from fabgen import run
from fabgen.__main__ import main
figures = {"target_evaluations": 5, "gradient_evaluations": 4, "timing_s": {"total": 1.0}}
run.train = lambda *arguments: figures
main()
"""


def fabgen(*arguments, **streams):
    command = [sys.executable, "-c", COMMAND, *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    result = subprocess.run(command, text=True, **streams)
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["show", PROCESS]])
def test_a_full_stdout(arguments):
    with FULL.open("w") as full:
        assert fabgen(*arguments, stdout=full) == (1, None, UNWRITTEN)


def test_a_full_stdout_of_results_that_are_stored(tmp_path):
    with FULL.open("w") as full:
        code, _, message = fabgen("train", PROCESS, "--quiet", stdout=full, cwd=tmp_path)
    assert (code, message) == (1, UNWRITTEN.replace("device", "device; the results are stored"))


def test_a_reader_that_left_before_the_results(tmp_path):
    read, write = os.pipe()
    os.close(read)
    code, _, message = fabgen("train", PROCESS, "--quiet", stdout=write, cwd=tmp_path)
    os.close(write)
    assert code == 1
    assert message == "fabgen: the output cannot be written: Broken pipe; the results are stored\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["show", "e+ e- > nobody"], 2), (["show", "--nothing"], 2), (["nothing"], 2), (["-h"], 0)],
)
def test_a_full_stderr_does_not_change_the_exit_code(arguments, code):
    with FULL.open("w") as full:
        assert fabgen(*arguments, stderr=full)[0] == code


def test_a_closed_stdout_is_no_error():
    before = ["sh", "-c", 'exec "$@" >&-', "sh"]
    command = [*before, sys.executable, "-m", "fabgen", "show", PROCESS]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert (result.returncode, result.stderr) == (0, "")
