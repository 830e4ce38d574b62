"""Event files through Pythia 8: showered and hadronized, with all that it complains about.

    pip install pythia8mc
    python benchmarks/pythia.py FILE.lhe.gz [FILE ...] [--events 20000]

Pythia's built-in densities shower the partons of protons (its default, whatever the file was made
with). The exit code is 1 if an event was aborted, or a file has events that Pythia did not take.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: Messages that say nothing about the event file.
_HARMLESS = ("PDFset", "initialization", "Info from")


def main() -> int:
    options = _arguments()
    failed = False
    for path in options.files:
        with _printed() as printed:
            events, aborted, charged = _shower(path, options.events)
        complaints = _complaints(printed.getvalue())
        failed |= aborted > 0 or events == 0
        print(f"{path}: {events} events, {aborted} aborted, {charged:.1f} charged particles each")
        for line in complaints:
            print(f"    {line}")
    return int(failed)


def _shower(path: Path, most: int) -> tuple[int, int, float]:
    """Events that were showered, those that were not, and charged final particles of an event."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for setting in (
        "Beams:frameType = 4",
        f"Beams:LHEF = {path}",
        "Next:numberShowEvent = 0",
        "Next:numberShowProcess = 0",
        "Next:numberShowInfo = 0",
        "Next:numberShowLHA = 0",
        "Next:numberCount = 0",
    ):
        pythia.readString(setting)
    if not pythia.init():
        return 0, 0, 0.0
    good = aborted = charged = 0
    while good + aborted < most:
        if pythia.next():
            good += 1
            charged += sum(p.isFinal() and p.isCharged() for p in pythia.event)
        elif pythia.infoPython().atEndOfFile():
            break
        else:
            aborted += 1
    pythia.stat()
    return good, aborted, charged / max(good, 1)


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    """What C++ prints meanwhile."""
    kept, text = os.dup(1), io.StringIO()
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        os.dup2(file.fileno(), 1)
        try:
            yield text
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            text.write(file.read().decode(errors="replace"))


def _complaints(text: str) -> list[str]:
    """Warnings and errors of the statistics at the end, with how often each occurred."""
    found = re.findall(r"^\s*\|\s*(\d+)\s+((?:Warning|Error|Abort)\b.*?)\s*\|?\s*$", text, re.M)
    return [f"{count} x {what}" for count, what in found if not any(h in what for h in _HARMLESS)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--events", type=int, default=20_000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
