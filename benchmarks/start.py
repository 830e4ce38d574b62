"""From the command line to unweighted events: CPU seconds with an empty cache, and with a full one.

    python benchmarks/start.py [mumu ttg ...] [--events 10000] [--other CHECKOUT] [--keep]

For each process `fabgen generate PROCESS -n EVENTS --quiet` twice, each in a process of its own on
one core, both with the same folder for what is compiled. --other: the same with the fabgen of
another checkout, in turns, so that both sides see the same machine. --keep writes the table to
benchmarks/results/start.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tables import head

from fabgen import __version__
from fabgen.files import write_atomic

RESULTS = Path(__file__).parent / "results"
HERE = Path(__file__).resolve().parent.parent
_BEAMS = "beams.energy=[500.0,500.0]"
PROCESSES = {
    "mumu": ("e+ e- > mu+ mu-", [_BEAMS, "cuts={ptl=10.0,etal=2.5,drll=0.4}"]),
    "mumuvv": (
        "e+ e- > mu+ mu- vm vm~",
        ["beams.energy=[250.0,250.0]", "cuts={mmll=10.0,ptl=10.0,etal=2.5}"],
    ),
    "ttg": ("g g > t t~ g", [_BEAMS, "cuts={ptj=20.0,etaj=5.0}"]),
    "ttgg": ("g g > t t~ g g", [_BEAMS, "cuts={ptj=20.0,etaj=5.0,drjj=0.4}"]),
}
COLUMNS = ("process", "checkout", "cold (CPU s)", "warm (CPU s)", "memory (MB)")


def run(process: str, settings: list[str], events: int, checkout: Path, folder: Path) -> list[str]:
    """CPU seconds of the first and of the second run, and the memory that the second took."""
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": str(checkout),
    }
    options = [word for setting in settings for word in ("--set", setting)]
    seconds, memory = [], 0.0
    for number in (1, 2):
        command = [sys.executable, "-m", "fabgen", "generate", process, "-n", str(events)]
        command += ["--quiet", "--run", str(folder / f"run{number}"), *options]
        started = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, preexec_fn=_one_core
        )
        _, status, used = os.wait4(started.pid, 0)
        if status:
            return ["failed", "failed", "—"]
        seconds.append(used.ru_utime + used.ru_stime)
        memory = used.ru_maxrss / 1024
    return [*(f"{value:.1f}" for value in seconds), f"{memory:.0f}"]


def _one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processes", nargs="*", default=list(PROCESSES), help=" ".join(PROCESSES))
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--named", default="an earlier version", help="what the other is")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    checkouts = {"this": HERE} | ({"other": options.other.resolve()} if options.other else {})
    lines = [head(COLUMNS)]
    print(lines[0], flush=True)
    for name in options.processes:
        process, settings = PROCESSES[name]
        for label, checkout in checkouts.items():
            with tempfile.TemporaryDirectory() as folder:
                found = run(process, settings, options.events, checkout, Path(folder))
            lines.append("| " + " | ".join((name, label, *found)) + " |")
            print(lines[-1], flush=True)
    if options.keep:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        names = " ".join(options.processes)
        made = f"`python benchmarks/start.py {names}`, {options.events:,} events; fabgen"
        made += f" {__version__}, one core, {day}."
        if options.other:
            made += f" The other checkout: {options.named}."
        write_atomic(RESULTS / "start.md", "\n".join(["# Starting", "", made, "", *lines, ""]))


if __name__ == "__main__":
    main()
