"""Progress of the command line, on stderr.

On a terminal it is a rich bar; elsewhere (a log file, a pipe) a line every few seconds, without
control codes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from fabgen.cli.figures import format_seconds
from fabgen.plain_text import visible
from fabgen.run.progress import Stage

#: Seconds between two lines of a log.
LOG_INTERVAL = 10.0

#: Seconds before a terminal shows that something is going on which tells nothing itself, and
#: between two looks at it.
_LATE = 2.0
_TICK = 0.5


class TerminalReporter:
    """Progress bars with the time left and the live figures of a stage."""

    def __init__(self, console: Console):
        self._console = console
        self._stage: Progress | None = None  # the one at work

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        with self._bars() as progress:
            task = progress.add_task(name, total=total, figures="")
            pace = _Pace(unit)

            def show(done: int, /, **figures: float | None) -> None:
                pace.update(done)
                text = ", ".join([*describe(figures), *pace.rate()])
                progress.update(task, completed=done, figures=text)

            self._stage = progress
            try:
                yield show
            finally:
                self._stage = None

    def _bars(self, *, transient: bool = False) -> Progress:
        columns = (
            TextColumn("{task.description:<9}"),
            # What the other columns need at their widest is left free.
            BarColumn(bar_width=max(8, min(40, self._console.width - 68))),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            _Figures(),
        )
        return Progress(*columns, console=self._console, transient=transient)

    @contextlib.contextmanager
    def busy(self, name: str, expected: float) -> Iterator[None]:
        """A bar of seconds that goes when it is over, below that of the stage if there is one."""
        with contextlib.ExitStack() as shown:
            task: TaskID | None = None
            progress, total = self._stage, round(expected)

            def tick(seconds: float) -> None:
                nonlocal task, progress, total
                if task is None:
                    progress = progress or shown.enter_context(self._bars(transient=True))
                    task = progress.add_task(name, total=total, figures="seconds, about")
                    shown.callback(progress.remove_task, task)
                assert progress is not None
                if seconds > 0.95 * total:  # a new total forgets the pace
                    total = _total(seconds, expected)
                    progress.update(task, total=total)
                progress.update(task, completed=int(seconds))

            with _ticking(tick, _LATE, _TICK):
                yield

    def note(self, text: str) -> None:
        self._console.print(visible(text), highlight=False, markup=False, emoji=False)


class LogReporter:
    """Plain lines: at the start of a stage, every `LOG_INTERVAL` seconds, and at its end."""

    def __init__(self, console: Console, interval: float = LOG_INTERVAL):
        self._console = console
        self._interval = interval

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        start = written = time.monotonic()
        last: tuple[int, Mapping[str, float | None]] = (0, {})
        pace = _Pace(unit)

        def show(done: int, /, **figures: float | None) -> None:
            nonlocal written, last
            last = (done, figures)
            pace.update(done)
            if time.monotonic() - written >= self._interval:
                written = time.monotonic()
                line = [*describe(figures), *pace.rate(), *pace.left(total)]
                self._line(name, done, total, unit, line)

        self.note(f"{name}: {total:,} {unit}")
        yield show
        took = format_seconds(time.monotonic() - start)
        self._line(name, last[0], total, unit, [*describe(last[1]), *pace.rate(), took])

    @contextlib.contextmanager
    def busy(self, name: str, expected: float) -> Iterator[None]:
        def tick(seconds: float) -> None:
            total = format_seconds(_total(seconds, expected))
            self.note(f"{name}: {format_seconds(seconds)} of about {total}")

        with _ticking(tick, self._interval, self._interval):
            yield

    def _line(self, name: str, done: int, total: int, unit: str, figures: list[str]) -> None:
        self.note(f"{name}: {done:,} of {total:,} {unit}, {', '.join(figures)}")

    def note(self, text: str) -> None:
        # A log has lines of any length: only a terminal would wrap them.
        self._console.print(
            visible(text), highlight=False, markup=False, emoji=False, soft_wrap=True
        )


def _total(seconds: float, expected: float) -> int:
    """Of what has taken some seconds already: not done yet, however few were expected."""
    return max(round(expected), int(1.2 * seconds) + 1)


@contextlib.contextmanager
def _ticking(tick: Callable[[float], None], late: float, interval: float) -> Iterator[None]:
    """Calls tick(seconds since the start) in a thread of its own, first when it gets late."""
    start, over = time.monotonic(), threading.Event()

    def run() -> None:
        wait = late
        while not over.wait(wait):
            tick(time.monotonic() - start)
            wait = interval

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Figures(ProgressColumn):
    """The live figures, at the end of the line, cut where the terminal ends."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["figures"], no_wrap=True, overflow="ellipsis")


class _Pace:
    """How fast a stage is, counted from its first report: before that it compiles."""

    def __init__(self, unit: str):
        self._unit = unit
        self._first: tuple[float, int] | None = None
        self._seconds = 0.0
        self._made = 0
        self._done = 0

    def update(self, done: int) -> None:
        now = time.monotonic()
        first = self._first = self._first or (now, done)
        self._seconds, self._made, self._done = now - first[0], done - first[1], done

    def rate(self) -> list[str]:
        """Events per second; for other units the live figures say more."""
        if self._unit != "events" or self._seconds < 0.1:
            return []
        return [f"{self._made / self._seconds:,.0f} {self._unit}/s"]

    def left(self, total: int) -> list[str]:
        """The time that the rest will take."""
        if self._made <= 0:
            return []
        return [f"{format_seconds(self._seconds * (total - self._done) / self._made)} left"]


_SHORT = {"evaluations": "evals"}


def describe(figures: Mapping[str, float | None]) -> list[str]:
    """Live figures as "name value", those without a value left out."""
    shown = {name: value for name, value in figures.items() if value is not None}
    return [f"{_SHORT.get(name, name)} {_short(value)}" for name, value in shown.items()]


def _short(value: float) -> str:
    if not isinstance(value, int):
        return f"{value:.4g}"
    return f"{value:,}" if value < 10**6 else f"{value / 1e6:.2f}M"


def reporter_for(console: Console) -> TerminalReporter | LogReporter:
    """Bars for a terminal, lines for anything else."""
    return TerminalReporter(console) if console.is_terminal else LogReporter(console)
