"""Ctrl-C, SIGTERM and SIGHUP: none is lost, all end alike, and nothing that was learned is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fabgen import interrupts
from fabgen.files import replacing
from fabgen.interrupts import BURST, Interrupted
from fabgen.run.progress import Silent, Stopwatch, Watched

PACKAGE = Path(interrupts.__file__).parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MESSAGE = "fabgen: interrupted; the same command goes on from here\n"


@pytest.fixture
def state(monkeypatch):
    """As after `install`, without a handler in this process."""
    state = interrupts._State(installed=True)
    monkeypatch.setattr(interrupts, "_state", state)
    return state


def arrive(number=signal.SIGTERM):
    interrupts.handle_signal(number, sys._getframe())


def test_a_signal_raises_once_and_is_remembered_where_that_was_swallowed(state):
    interrupts.check()
    for number in SIGNALS:
        state.first = None
        with pytest.raises(KeyboardInterrupt):
            arrive(number)
        assert interrupts.requested()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    with pytest.raises(KeyboardInterrupt), Stopwatch()("compile"):
        pass
    reporter = Watched(Silent(), interrupts.check)
    with pytest.raises(KeyboardInterrupt):
        reporter.note("compiling")
    with pytest.raises(KeyboardInterrupt), reporter.stage("train", 10, "steps") as show:
        show(5)


def test_a_watch_does_not_hide_the_error_of_its_stage(state):
    with pytest.raises(ValueError), Stopwatch()("compile"):
        state.first = 0.0
        raise ValueError


def test_what_is_held_goes_on_until_a_second_signal(state):
    with interrupts.held():
        arrive()
        arrive()  # at the same time, as from a terminal that closes
        interrupts.check()
        with interrupts.held():
            pass
        interrupts.check()
        assert interrupts.requested()
        state.first -= BURST
        with pytest.raises(KeyboardInterrupt):
            arrive()
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_nothing_is_raised_after_the_end(state):
    with pytest.raises(KeyboardInterrupt):
        arrive()
    interrupts.end()
    state.first -= BURST
    arrive()
    interrupts.check()


def test_a_module_is_imported_to_its_end(state, tmp_path, monkeypatch):
    (tmp_path / "slow_module.py").write_text(
        "from fabgen import interrupts\n"
        "import sys\n"
        "interrupts.handle_signal(15, sys._getframe())\n"
        "whole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import slow_module

    assert slow_module.whole
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_only_the_command_line_handles_signals():
    before = [signal.getsignal(number) for number in SIGNALS]
    import fabgen.cli.commands
    import fabgen.run.pipeline
    import fabgen.training  # noqa: F401

    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert interrupts.handle_signal not in before


def test_an_interrupted_file_leaves_nothing_beside_it(state, tmp_path):
    with pytest.raises(Interrupted), replacing(tmp_path / "file"):
        arrive()
    assert list(tmp_path.iterdir()) == []


# --- processes ------------------------------------------------------------------------------------

#: The command with another pipeline, which says that it is there.
SCRIPT = """
import os, signal, sys, time
from fabgen import interrupts, run
from fabgen.__main__ import main

def ready():
    os.write(1, b"ready\\n")

def generate(*arguments, **options):
    {body}

run.generate = generate
main()
"""
SLEEP = "ready(); time.sleep(60)"


def start(body: str, card, before=(), **options) -> subprocess.Popen:
    command = [*before, sys.executable, "-c", SCRIPT.format(body=body), "generate", str(card)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def end_of(process: subprocess.Popen) -> tuple[int, str]:
    _, message = process.communicate(timeout=60)
    return process.returncode, message


@pytest.fixture
def card(write_card):
    return write_card('process = "e+ e- > mu+ mu-"\n')


@pytest.mark.parametrize("number", SIGNALS)
def test_every_signal_ends_the_command_with_one_message(card, number):
    process = start(SLEEP, card)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert end_of(process) == (1, MESSAGE)


@pytest.mark.parametrize(
    "body",
    [
        # code made of a string, as that of a dataclass
        'exec("os.kill(os.getpid(), signal.SIGINT)\\nwhile True: pass")',
        # an exception that becomes another one on its way through compiled code
        "\n    ".join(
            [
                "",
                "try: os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
                "except KeyboardInterrupt: raise RuntimeError('INTERNAL') from None",
            ]
        ),
        # an exception that is lost in a destructor
        "\n    ".join(
            [
                "",
                "class Lost:",
                "    def __del__(self):",
                "        os.kill(os.getpid(), signal.SIGHUP); time.sleep(9)",
                "Lost()",
            ]
        ),
    ],
)
def test_no_signal_is_lost_or_told_otherwise(card, body):
    assert end_of(start(body, card)) == (1, MESSAGE)


def test_a_second_signal_ends_what_python_does_not_see(card):
    """Compiled code that runs on without a look at signals, as XLA does."""
    lines = [
        "import hashlib, threading",
        "def twice():",
        "    for _ in range(2):",
        f"        time.sleep({2.0 * BURST}); os.kill(os.getpid(), signal.SIGINT)",
        "threading.Thread(target=twice, daemon=True).start()",
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",
    ]
    assert end_of(start("\n    ".join(lines), card)) == (1, MESSAGE)


def test_signals_before_the_work_begins_are_noted(card):
    """While the command line itself is imported nobody could tell the user."""
    script = (
        "import os, signal\n"
        "from fabgen import interrupts\n"
        "install = interrupts.install\n"
        "def early():\n"
        "    install()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "interrupts.install = early\n"
        "from fabgen.__main__ import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "show", str(card)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", MESSAGE)


def test_an_ignored_signal_stays_ignored(card):
    """As under nohup."""
    process = start(
        "ready(); sys.stdin.read(); sys.exit(0)",
        card,
        before=["sh", "-c", 'trap "" HUP; exec "$@"', "sh"],
        stdin=subprocess.PIPE,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert end_of(process) == (0, "")


def test_a_signal_after_the_results_are_stored_loses_nothing(card):
    process = start("interrupts.mark_stored(); " + SLEEP, card)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert end_of(process) == (1, "fabgen: interrupted; the results are stored\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_interpreter_ends_changes_nothing(card, number):
    """Python gives up its handlers before the last of its own work."""
    script = (
        "import os, sys\n"
        "class Last:\n"
        "    def __del__(self, kill=os.kill, process=os.getpid()):\n"
        f"        kill(process, {int(number)})\n"
        "sys.last = Last()\n"
        "from fabgen.__main__ import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "show", str(card)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_second_signal_before_the_work_begins_ends_it_in_one_message(card):
    script = (
        "import os, signal, sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'fabgen.cli.commands':\n"
        "            for _ in range(2):\n"
        f"                os.kill(os.getpid(), signal.SIGINT); time.sleep({1.2 * BURST})\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from fabgen.__main__ import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "show", str(card)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "fabgen: interrupted; nothing was begun\n"


def test_the_handlers_stand_before_anything_heavy_is_imported():
    script = "import sys, fabgen.__main__; print(*{'typer', 'typing', 'inspect'} & {*sys.modules})"
    result = subprocess.run(
        [sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE)},
    )
    assert (result.stdout, result.stderr) == ("\n", "")


TRAINING = """
process = "toy:camel-back"
[surrogate]
kind = "flow"
layers = 1
hidden = [4]
bins = 4
[training]
method = "rkld"
steps = 60
batch_size = 64
log_every = 10
checkpoint_every = 100000
"""

#: The command, with a signal in the middle of the chunk that ends at a step.
TRAIN = """
import os, signal
from fabgen.__main__ import main
from fabgen.run.files import RunDirectory

append = RunDirectory.append_log

def log(self, record):
    append(self, record)
    if record["step"] in {signalled}:
        os.kill(os.getpid(), signal.SIGHUP)

RunDirectory.append_log = log
main()
"""


def test_a_training_ends_with_a_checkpoint_and_goes_on_from_there(write_card, tmp_path):
    """Before any that was due. (That the result is the same: training/test_checkpoint.py.)"""
    card = write_card(TRAINING, "toy.toml")

    def train(name, *signalled):
        options = ["train", str(card), "--run", name, "--quiet"]
        command = [sys.executable, "-c", TRAIN.format(signalled=signalled), *options]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    assert end_of(train("broken", 20)) == (1, MESSAGE)
    manifest = json.loads((tmp_path / "broken" / "surrogate" / "1" / "manifest.json").read_text())
    assert (manifest["step"], manifest["finished"]) == (20, False)
    names = [path.name for path in (tmp_path / "broken").rglob("*")]
    assert not [name for name in names if name.endswith(".new") or "tmp" in name]
    assert end_of(train("broken")) == (0, "")
    lines = (tmp_path / "broken" / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20, 30, 40, 50, 60]
    assert [json.loads(line)["target_evaluations"] // 64 for line in lines] == list(
        range(10, 70, 10)
    )
