"""Event files through Pythia 8: showered and hadronized, with all that it complains about.

    pip install pythia8mc
    python benchmarks/pythia.py FILE.lhe.gz [FILE ...] [--events 20000] [--own NAME ...] [--report]

Pythia's built-in densities shower the partons of protons (its default, whatever the file was made
with). Complaints that may be the fault of a file are those of the check of the event, of colours,
of scales and of what reads files. For each event with one, momenta in the file are checked, and the
event is showered --again many times with other random numbers: what is wrong with it shows again.
--own showers as many events of Pythia's own, for comparison. --report writes all to
benchmarks/results/pythia.md. The exit code is 1 if an event was aborted, if Pythia took no event of
a file, or if a complaint came again for more than a tenth of the times.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import html
import math
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
#: Complaints that may be the fault of an event file.
_WATCHED = re.compile(r"Pythia::check|ProcessContainer|colou?r|scale|(?<!S)LHA", re.I)
_MESSAGE = re.compile(r"\s*PYTHIA ((?:Warning|Error|Abort) (?:in|from) \S+: .*)")
#: Details of a message, which its statistics leave out.
_DETAILS = re.compile(r"( for id = .*|\s*[:(;]? ?(?:event|in event) \d+.*)$")
_QUIET = (
    *("Next:numberShowEvent = 0", "Next:numberShowProcess = 0", "Next:numberShowInfo = 0"),
    *("Next:numberShowLHA = 0", "Next:numberCount = 0", "Print:verbosity = 3"),
)
#: Processes of Pythia that are like those of files.
OWN: Mapping[str, tuple[str, ...]] = {
    "Z": (
        *("WeakSingleBoson:ffbar2gmZ = on", "PhaseSpace:mHatMin = 50"),
        *("23:onMode = off", "23:onIfAny = 11"),
    ),
    "W+jet": (
        "WeakBosonAndParton:qqbar2Wg = on",
        "WeakBosonAndParton:qg2Wq = on",
        "PhaseSpace:pTHatMin = 20",
    ),
    "tops": ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on"),
    "jets": ("HardQCD:all = on", "PhaseSpace:pTHatMin = 20"),
}


@dataclass
class Shower:
    """What became of events: events, those aborted, charged particles of all others, and the
    numbers of the events (from 1; 0: before the first) with each complaint."""

    events: int = 0
    aborted: int = 0
    charged: int = 0
    complaints: dict[str, list[int]] = field(default_factory=dict)

    @property
    def watched(self) -> list[tuple[int, str]]:
        """Events with complaints that may be the fault of their file."""
        found = [(n, c) for c, numbers in self.complaints.items() for n in numbers]
        return sorted({(n, c) for n, c in found if _WATCHED.search(c)})


def shower(settings: Sequence[str], most: int, seed: int = 0) -> Shower:
    """At most so many events; seed 0: Pythia's default."""
    import pythia8mc

    found = Shower()
    with _printed() as printed:
        pythia = pythia8mc.Pythia("", False)
        random = ("Random:setSeed = on", f"Random:seed = {seed}") if seed else ()
        for setting in (*_QUIET, *random, *settings):
            pythia.readString(setting)
        ready = pythia.init()
        while ready and found.events + found.aborted < most:
            os.write(1, f"@{found.events + found.aborted + 1}\n".encode())
            if pythia.next():
                found.events += 1
                found.charged += sum(p.isFinal() and p.isCharged() for p in pythia.event)
            elif pythia.infoPython().atEndOfFile():
                break
            else:
                found.aborted += 1
    number = 0
    for line in printed[0].splitlines():
        if line.startswith("@"):
            number = int(line[1:])
        elif match := _MESSAGE.match(line):
            complaint = _DETAILS.sub("", match[1]).strip()
            found.complaints.setdefault(complaint, []).append(number)
    return found


@contextlib.contextmanager
def _printed() -> Iterator[list[str]]:
    """What C++ prints meanwhile: the one element of the list, afterwards."""
    kept, text = os.dup(1), []
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        os.dup2(file.fileno(), 1)
        try:
            yield text
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            text.append(file.read().decode(errors="replace"))


@dataclass(frozen=True)
class EventFile:
    """An event file of fabgen."""

    path: Path

    @property
    def settings(self) -> tuple[str, ...]:
        return "Beams:frameType = 4", f"Beams:LHEF = {self.path}"

    @cached_property
    def head(self) -> str:
        """All above the first event."""
        return next(self._blocks())

    def events(self, numbers: Sequence[int]) -> dict[int, str]:
        """The text of events by their numbers, from 1."""
        return {n: text for n, text in enumerate(self._blocks()) if n in numbers}

    def _blocks(self) -> Iterator[str]:
        """What stands before the first event, then each event without its first tag."""
        lines: list[str] = []
        opened = gzip.open if self.path.suffix == ".gz" else open
        with opened(self.path, "rt") as file:
            for line in file:
                if line.strip() == "<event>":
                    yield "".join(lines)
                    lines = []
                else:
                    lines.append(line)
        yield "".join(lines).partition("</LesHouchesEvents>")[0]

    def title(self) -> tuple[str, str]:
        """The process, and its scales and cuts."""
        process = re.search(r"^process: (.*)$", self.head, re.M)
        card = re.search(r"<fabgen_card>(.*?)</fabgen_card>", self.head, re.S)
        table: dict[str, Any] = tomllib.loads(html.unescape(card[1])) if card else {}
        scale = table.get("scales", {}).get("factorization", "")
        cuts = [f"{key} {bound:g}" for key, bound in table.get("cuts", {}).items()]
        name = html.unescape(process[1]) if process else self.path.name
        return name, "; ".join(filter(None, [f"mu = {scale}", ", ".join(cuts)]))

    def again(self, number: int, times: int) -> Shower:
        """One event, many times, with random numbers that are not Pythia's default."""
        (text,) = self.events([number]).values()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "again.lhe"
            body = f"<event>\n{text}" * times
            path.write_text(f"{self.head}{body}</LesHouchesEvents>\n", encoding="utf-8")
            return shower(EventFile(path).settings, times, seed=number)


def balance(event: str) -> tuple[float, float]:
    """How well an event conserves energy and momentum, and how far its particles are off shell.

    The largest sum over components of |E, p| of incoming less final particles, and of each
    intermediate one less what it decays into, in units of the energy that comes in; the largest
    |sqrt(E^2 - p^2) - m| in units of E, and of at least 1 GeV: as Pythia's check has them.
    """
    rows = [line.split() for line in event.splitlines()[1:] if line.startswith(" ")]
    legs = [[int(x) for x in row[:4]] for row in rows]
    momenta = [[float(x) for x in row[6:11]] for row in rows]
    coming = sum(p[3] for leg, p in zip(legs, momenta, strict=True) if leg[1] == -1)

    def difference(plus: Sequence[int], minus: Sequence[int]) -> float:
        return sum(
            abs(math.fsum(momenta[i][k] for i in plus) - math.fsum(momenta[i][k] for i in minus))
            for k in range(4)
        )

    incoming = [i for i, leg in enumerate(legs) if leg[1] == -1]
    final = [i for i, leg in enumerate(legs) if leg[1] == 1]
    sums = [difference(incoming, final)]
    for mother, leg in enumerate(legs):
        if leg[1] == 2:
            sums.append(difference([mother], [i for i, x in enumerate(legs) if x[2] == mother + 1]))
    off_shell = []
    for x, y, z, energy, mass in momenta:
        square = (energy - abs(z)) * (energy + abs(z)) - x * x - y * y
        found = math.copysign(math.sqrt(abs(square)), square)
        off_shell.append(abs(found - mass) / max(energy, 1.0))
    return max(sums) / coming, max(off_shell)


@dataclass(frozen=True)
class Suspect:
    """An event that Pythia complained about."""

    process: str
    number: int
    complaint: str
    imbalance: float
    off_shell: float
    repeated: int
    times: int


def suspects(file: EventFile, found: Shower, times: int) -> list[Suspect]:
    numbers = [number for number, _ in found.watched]
    texts, name = file.events(numbers), file.title()[0]
    result = []
    for number, complaint in found.watched:
        if number in texts:  # else it is about the head of the file
            again = file.again(number, times)
            repeated = len(again.complaints.get(complaint, [])) + again.aborted
            result.append(
                Suspect(name, number, complaint, *balance(texts[number]), repeated, times)
            )
    return result


def main() -> int:
    options = _arguments()
    showers: dict[str, Shower] = {}
    notes, found = [], []
    for path in options.files:
        file = EventFile(path)
        name, settings = file.title()
        showers[name] = shower(file.settings, options.events)
        print(text_of(name, showers[name]), flush=True)
        found += suspects(file, showers[name], options.again)
        notes.append(f"- `{name}`: {settings}")
    for suspect in found:
        print(suspect)
    beams = ("Beams:idB = 2212", "Beams:eCM = 13000")
    for own in options.own:
        name = f"Pythia's {own}"
        showers[name] = shower((*beams, *OWN[own]), options.events)
        print(text_of(name, showers[name]), flush=True)
    if options.report:
        table = "\n".join(document(showers, found, notes, options))
        (RESULTS / "pythia.md").write_text(table + "\n", encoding="utf-8")
    failed = any(s.aborted or not s.events for s in showers.values())
    return int(failed or any(s.repeated > 0.1 * s.times for s in found))


def text_of(name: str, found: Shower) -> str:
    each = found.charged / max(found.events, 1)
    lines = [f"{name}: {found.events} events, {found.aborted} aborted, {each:.1f} charged each"]
    for complaint, numbers in sorted(found.complaints.items()):
        lines.append(f"    {len(numbers)} x {complaint}")
    return "\n".join(lines)


def document(
    showers: Mapping[str, Shower],
    found: Sequence[Suspect],
    notes: Sequence[str],
    options: argparse.Namespace,
) -> list[str]:
    """A table of all showers, a column each, and one of the events to look at."""
    import pythia8mc

    version = pythia8mc.Pythia("", False).settings.parm("Pythia:versionNumber")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    names = [name if name.startswith("Pythia") else f"`{name}`" for name in showers]
    complaints = {c for shower in showers.values() for c in shower.complaints}
    rows = [
        ["events", *(f"{s.events:,}" for s in showers.values())],
        ["aborted", *(str(s.aborted) for s in showers.values())],
        ["charged particles", *(f"{s.charged / max(s.events, 1):.1f}" for s in showers.values())],
    ]
    for complaint in sorted(complaints, key=lambda c: (not _WATCHED.search(c), c)):
        numbers = [shower.complaints.get(complaint, []) for shower in showers.values()]
        rows.append([complaint, *map(_count, numbers)])
    looked_at = [
        [
            *(f"`{s.process}`", str(s.number), s.complaint.partition(": ")[2]),
            *(f"{s.imbalance:.0e}", f"{s.off_shell:.0e}", f"{s.repeated} of {s.times}"),
        ]
        for s in found
    ]
    return [
        *("# Pythia 8", ""),
        f"`python benchmarks/pythia.py FILES --own {' '.join(options.own)} --report`;"
        f" Pythia {version:.3f}, {today}; at most {options.events:,} events each, 13 TeV,"
        " densities NNPDF2.3 LO.",
        *("", *notes, ""),
        "How often Pythia complained of what (in how many events, if several times in one). Its"
        " own columns are events of its own processes: q q~ > Z/photon > e+ e- above 50 GeV, W +"
        " jet and two jets above a pT of 20 GeV, and top pairs.",
        *("", *_table(["", *names], rows), ""),
        "Events with complaints of the check of the event, of colours, scales, or the reading of"
        " files. Imbalance: sum of |incoming less final (E, p)|, or of a resonance less its"
        " products, over the energy that comes in; off shell: |sqrt(E^2 - p^2) - m|/E, which 15"
        " digits determine to 10^-7 for massless particles; both of the event as the file has it."
        " Again: how often the complaint came back when the event was showered with other random"
        " numbers. Pythia warns of 10^-6 of the energy of the beams (Check:epTolWarn); its manual"
        " says that rounding errors have a very long tail.",
        "",
        *_table(["process", "event", "complaint", "imbalance", "off shell", "again"], looked_at),
    ]


def _count(numbers: Sequence[int]) -> str:
    """How often, and in how many events if several times in one."""
    events = len(set(numbers))
    return f"{len(numbers)} in {events}" if events < len(numbers) else str(events or "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--again", type=int, default=200)
    parser.add_argument(
        "--own", nargs="+", default=[], choices=OWN, metavar="NAME", help=" ".join(OWN)
    )
    parser.add_argument("--report", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
