"""Progress, with and without a terminal."""

from __future__ import annotations

import io
import re
import time

from rich.console import Console

from fabgen.cli import progress
from fabgen.cli.progress import LogReporter, TerminalReporter, reporter_for


def test_a_log_has_plain_lines():
    console = Console(file=io.StringIO(), force_terminal=False)
    reporter = reporter_for(console)
    assert isinstance(reporter, LogReporter)
    with reporter.stage("train", 400, "steps") as show:
        for step in range(1, 401):
            show(step, loss=-0.5, eps=0.9, evaluations=1000 * step)
    reporter.note("done [bold]")
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "train: 400 steps"
    assert lines[1].startswith("train: 400 of 400 steps, loss -0.5, eps 0.9, evals 400,000")
    assert lines[2] == "done [bold]"
    assert len(lines) == 3
    assert "\x1b" not in console.file.getvalue()


def test_a_log_writes_at_intervals():
    console = Console(file=io.StringIO(), force_terminal=False)
    with LogReporter(console, interval=0.0).stage("events", 4, "events") as show:
        show(1)
        show(2, loss=None)
    lines = console.file.getvalue().splitlines()
    assert lines[1].startswith("events: 1 of 4 events")
    assert "left" in lines[2]


def test_a_terminal_gets_a_bar():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    reporter = reporter_for(console)
    assert isinstance(reporter, TerminalReporter)
    with reporter.stage("train", 10, "steps") as show:
        show(10, loss=-0.25, eps=0.5, evaluations=None)
    reporter.note("reading [new]/events.lhe")
    text = console.file.getvalue()
    assert "reading [new]/events.lhe" in text
    assert "10/10" in text
    assert "loss -0.25" in text


def test_what_tells_nothing_itself_is_shown_when_it_takes_long(monkeypatch):
    monkeypatch.setattr(progress, "_LATE", 0.05)
    monkeypatch.setattr(progress, "_TICK", 0.01)
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    reporter = reporter_for(console)
    with reporter.busy("compile", 40.0):
        time.sleep(0.4)
    text = console.file.getvalue()
    assert "compile" in text and re.search(r"\d/40", text) and "seconds, about" in text
    with reporter.stage("vegas", 3, "iterations") as show:
        with reporter.busy("compile", 50.0):
            time.sleep(0.4)
        show(3)
    text = console.file.getvalue()
    assert re.search(r"\d/50", text) and "3/3" in text
    before = len(text)
    with reporter.busy("compile", 60.0):  # over before anyone would ask
        pass
    assert len(console.file.getvalue()) == before


def test_a_log_says_it_at_intervals():
    console = Console(file=io.StringIO(), force_terminal=False)
    with LogReporter(console, interval=0.1).busy("compile", 30.0):
        time.sleep(0.35)
    lines = console.file.getvalue().splitlines()
    assert lines and re.fullmatch(r"compile: 0\.[1-9] s of about 30\.0 s", lines[0])


def test_what_takes_longer_than_expected_is_never_done_before_it_is():
    assert progress._total(10.0, 40.0) == 40
    assert progress._total(40.0, 40.0) == 49
    assert all(progress._total(s, 1.0) > s for s in (0.0, 0.9, 1.0, 7.5, 1000.0))
