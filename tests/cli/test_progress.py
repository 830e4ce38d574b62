"""Progress, with and without a terminal."""

from __future__ import annotations

import io

from rich.console import Console

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
