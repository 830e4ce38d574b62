"""How a command ends: its message and exit code, and what becomes of them where stdout or stderr is
full, closed or left by its reader."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NoReturn, TextIO

import typer

from fabgen import interrupts
from fabgen.errors import FabgenError
from fabgen.plain_text import shortened, visible


@contextlib.contextmanager
def messages(*, restart: bool = False) -> Iterator[None]:
    """Turns every error into one message on stderr and the exit code that belongs to it.

    restart: whether the command, given again, would throw away what it has done so far.
    """
    again = "the same command without --restart" if restart else "the same command"
    try:
        interrupts.begin(f"{again} goes on from here")
        yield
        interrupts.check()
        interrupts.end()
    except BrokenPipeError:
        raise  # `fabgen show ... | head` has seen enough; typer ends without a word
    except FabgenError as error:
        interrupts.end()
        say(f"fabgen: {error}")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        _interrupted()
    except Exception as error:
        if interrupts.requested():
            _interrupted()  # compiled code has made another exception of it
        interrupts.end()
        if os.environ.get("FABGEN_DEBUG"):
            raise
        first = str(error).strip().splitlines()[:1]
        what = visible(shortened(": ".join([type(error).__name__, *first])))
        say(f"fabgen: {what} (FABGEN_DEBUG=1 shows where)")
        raise typer.Exit(1) from None


def _interrupted() -> NoReturn:
    """Says that a signal has ended the command, and ends it."""
    interrupts.end()
    with contextlib.suppress(OSError):
        flush(sys.stdout)
    interrupts.leave()
    say(f"fabgen: interrupted; {interrupts.last_words()}")
    raise typer.Exit(1) from None


@contextlib.contextmanager
def output() -> Iterator[None]:
    """A block that prints results. Raises FabgenError where stdout takes them no more.

    A reader that has seen enough (`fabgen show ... | head`) raises BrokenPipeError, for typer to
    end without a word; but not where results are stored that it has not seen.
    """
    try:
        yield
        flush(sys.stdout)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and not interrupts.stored():
            raise
        raise unwritable(error) from error


def unwritable(error: OSError) -> FabgenError:
    """The error for a stdout that cannot be written."""
    stored = "; the results are stored" if interrupts.stored() else ""
    return FabgenError(f"the output cannot be written: {error.strerror or error}{stored}")


def say(text: str) -> None:
    """A message on stderr; where it cannot be written, the exit code has to do."""
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def flush(stream: TextIO | None) -> None:
    """Flushes a stream, if there is one: the caller may have closed it."""
    if stream is not None:
        stream.flush()


def drop_unwritten() -> None:
    """Drops what the streams have not taken: Python would try again as it ends, complain, and
    change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            flush(stream)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
