"""Live figures of the stages of a run for whoever watches it, and nothing about terminals."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from fabgen import interrupts


class Stage(Protocol):
    """A stage at work: `stage(done, loss=..., eps=...)` says how far it is, with live figures."""

    def __call__(self, done: int, /, **figures: float | None) -> None: ...


class Reporter(Protocol):
    """Shows stages and single lines; the command line has one for terminals and one for logs."""

    def stage(self, name: str, total: int, unit: str) -> AbstractContextManager[Stage]:
        """Opens a stage of `total` units of work."""
        ...

    def busy(self, name: str, expected: float) -> AbstractContextManager[None]:
        """Says now and then that something takes long which tells nothing itself, as compilation.

        expected: seconds that it takes, about.
        """
        ...

    def note(self, text: str) -> None:
        """One line on what is going on."""
        ...


class Silent:
    """The reporter that says nothing."""

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        yield lambda done, /, **figures: None

    def busy(self, name: str, expected: float) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def note(self, text: str) -> None:
        pass


class Watched:
    """Another reporter's, with a look at each report whether the run may go on: `check` raises."""

    def __init__(self, reporter: Reporter, check: Callable[[], None]):
        self._reporter = reporter
        self._check = check

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        with self._reporter.stage(name, total, unit) as show:

            def checked(done: int, /, **figures: float | None) -> None:
                show(done, **figures)
                self._check()

            yield checked

    def busy(self, name: str, expected: float) -> AbstractContextManager[None]:
        return self._reporter.busy(name, expected)

    def note(self, text: str) -> None:
        self._check()
        self._reporter.note(text)


class Stopwatch:
    """Seconds spent by stage: `with watch("train"): ...`, or `watch.add` for measured ones.

    A stage within another one is not part of that.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self.clock = clock
        self._start = clock()
        self._spent: dict[str, float] = {}
        self._within: list[float] = []  # seconds of the stages within each of the open ones

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = self.clock()
        self._within.append(0.0)
        try:
            yield
            interrupts.check()
        finally:
            spent = self.clock() - start
            self.add(stage, spent - self._within.pop())
            if self._within:
                self._within[-1] += spent

    def add(self, stage: str, seconds: float) -> None:
        """Adds seconds (negative ones move them to another stage)."""
        self._spent[stage] = self._spent.get(stage, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, with the `total` since the watch was made."""
        return {**self._spent, "total": self.clock() - self._start}
