"""Ctrl-C, SIGTERM and SIGHUP end a command in the same way, and none of them is lost.

Each raises a KeyboardInterrupt where the command is at work. An exception raised while compiled
code calls back into Python may be swallowed there, so the signal is noted as well, and `check`,
between pieces of work, raises again. What must not end half-way is `held`: there, and while a
module is imported, the signal is noted only. A second signal raises at once; where compiled code
keeps Python from seeing it, a thread ends the process.

Only the command line calls `install`; without it nothing here has an effect, and Python's own
handler of Ctrl-C stays in place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

TYPE_CHECKING = False  # `dataclasses` and `typing` would take most of the time until `install`
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any


class Interrupted(KeyboardInterrupt):
    """A signal has asked for the end.

    Of Python's own KeyboardInterrupt in code that `exec` runs, as when a dataclass is made, the
    interpreter would keep a note and end by SIGINT, whatever the exit code of the command.
    """


#: Signals that follow each other so fast are one: a terminal that closes sends several.
BURST = 0.3  # seconds
#: What a second signal leaves Python to end the command by itself.
_PATIENCE = 1.0  # seconds
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    """Handlers belong to the process, and so does this."""

    def __init__(self, installed: bool = False) -> None:
        self.installed = installed
        self.handled: tuple[signal.Signals, ...] = ()  # without those that the caller ignores
        self.first: float | None = None  # when the first signal came, seconds of time.monotonic
        self.holds = 0  # blocks of `held` that the process is in
        self.ended = False  # further signals change nothing
        self.stored = False
        self.message = "nothing was begun"  # the last words of a command that is ended


_state = _State()


def install() -> None:
    """Handles the three signals from now on; one that the caller ignores (nohup) stays ignored.

    They are noted only until `begin`: nobody could tell the user before.
    """
    if _state.installed:
        return
    _state.installed, _state.holds = True, 1
    _state.handled = tuple(n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN)
    for number in _state.handled:
        signal.signal(number, handle_signal)
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        # Swallowed where no exception can go, as in a destructor; the signal is noted.
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            report(unraisable)

    sys.unraisablehook = hook
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()


def begin(message: str) -> None:
    """The work begins, and with it that a signal ends it. message: what to say then."""
    _state.holds, _state.message = 0, message
    check()


def _watch(arrivals: int) -> None:
    """Waits for a second signal. arrivals: a pipe that gets the number of each at once."""
    first = None
    while True:
        if os.read(arrivals, 1)[0] not in _SIGNALS:
            continue
        now = time.monotonic()
        first = first or now
        if now - first >= BURST:
            time.sleep(_PATIENCE)
            leave()


def last_words() -> str:
    """The message of an ended command."""
    return "the results are stored" if _state.stored else _state.message


def handle_signal(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if _state.ended:
        return
    if _state.first is None:
        _state.first = now
        if _state.holds or _is_importing(frame):
            return
    elif now - _state.first < BURST:
        return
    raise Interrupted


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported. Half of one would be left, which some packages take for
    a fault of theirs, and compiled ones for a reason to abort."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def requested() -> bool:
    """Whether a signal has asked for the end."""
    return _state.first is not None


def check() -> None:
    """Raises Interrupted if a signal came and its exception did not get here."""
    if requested() and not _state.holds and not _state.ended:
        raise Interrupted


@contextlib.contextmanager
def held() -> Iterator[None]:
    """A block that the first signal does not end; whoever leaves it calls `check`."""
    _state.holds += 1
    try:
        yield
    finally:
        _state.holds -= 1


def stored() -> bool:
    """Whether the command has stored its results."""
    return _state.stored


def mark_stored() -> None:
    """Says that the command has stored its results: from here on a signal loses nothing."""
    _state.stored = _state.installed


def end() -> None:
    """From here on signals are ignored: the process is about to end anyway.

    By the system: Python gives up its own handlers before the process ends.
    """
    _state.ended = _state.installed
    for number in _state.handled:
        signal.signal(number, signal.SIG_IGN)


def leave() -> None:
    """Ends the process where `install` was called, with a message and exit code 1, and without
    waiting for threads that compile what nobody wants any more."""
    if _state.installed:
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, f"fabgen: interrupted; {last_words()}\n".encode())
        os._exit(1)
