"""Time to 10,000 unweighted events of protons by the default card, and where it goes.

    python benchmarks/time_to_events.py [NAME ...] [--events 10000] [--keep]

`fabgen generate` twice for each process, with an empty cache and with what the first run left
there: CPU and wall seconds on all cores, memory, and the stages of both runs. --keep writes the
table to benchmarks/results/time_to_events.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tables import head

from fabgen import __version__
from fabgen.files import write_atomic

RESULTS = Path(__file__).parent / "results"
HERE = Path(__file__).resolve().parent.parent
_BEAMS = ('beams.kind="proton"', "beams.energy=[6500.0,6500.0]")
_SCALES = (
    'scales.renormalization="half_transverse_mass"',
    'scales.factorization="half_transverse_mass"',
)
_JETS = "cuts={ptj=20.0,etaj=5.0,drjj=0.4}"
PROCESSES = {
    "ee": ("p p > e+ e-", ["cuts={mmll=50.0}"]),
    "tt": ("p p > t t~", [*_SCALES]),
    "wj": ("p p > w+ j", [*_SCALES, "cuts={ptj=20.0,etaj=5.0}"]),
    "ttj": ("p p > t t~ j", [*_SCALES, _JETS]),
    "wjj": ("p p > w+ j j", [*_SCALES, _JETS]),
    "jjj": ("p p > j j j", [*_SCALES, _JETS]),
    "ttjj": ("p p > t t~ j j", [*_SCALES, _JETS]),
}
STAGES = ("import", "compile", "train", "evaluate", "generate", "write")
COLUMNS = (
    *("process", "cache", "CPU s", "wall s", "GB", *STAGES),
    *("pb", "unweighting eff. (%)", "chosen"),
)


def run(name: str, cache: str, events: int, folder: Path) -> list[str]:
    """A row: one run from the command line."""
    process, settings = PROCESSES[name]
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": str(HERE),
    }
    options = [word for setting in (*_BEAMS, *settings) for word in ("--set", setting)]
    directory = folder / f"run-{cache}"
    command = [sys.executable, "-m", "fabgen", "generate", process, "-n", str(events)]
    command += ["--quiet", "--run", str(directory), *options]
    start = time.monotonic()
    started = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(started.pid, 0)
    wall = time.monotonic() - start
    if status:
        return [process, cache, "failed", *[""] * (len(COLUMNS) - 3)]
    report: dict[str, Any] = json.loads((directory / "report.json").read_text())
    choice = report.get("auto") or {}
    return [
        *(process, cache, f"{used.ru_utime + used.ru_stime:.0f}", f"{wall:.0f}"),
        f"{used.ru_maxrss / 2**20:.1f}",
        *(f"{report['timing_s'].get(stage, 0.0):.0f}" for stage in STAGES),
        f"{report['cross_section_pb']:.5g} ± {report['cross_section_error_pb']:.1g}",
        f"{100 * report['unweighting_efficiency']:.1f}",
        str(choice.get("chosen", "")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(PROCESSES), help=" ".join(PROCESSES))
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    lines = [head(COLUMNS)]
    print(lines[0], flush=True)
    for name in options.names:
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("cold", "warm"):
                row = run(name, cache, options.events, Path(folder))
                lines.append("| " + " | ".join(row) + " |")
                print(lines[-1], flush=True)
    if options.keep:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        made = f"`python benchmarks/time_to_events.py`, {options.events:,} events; fabgen"
        made += f" {__version__}, {os.cpu_count()} cores, {day}. Stages in wall seconds."
        text = ["# Time to events of protons", "", made, "", *lines, ""]
        write_atomic(RESULTS / "time_to_events.md", "\n".join(text))


if __name__ == "__main__":
    main()
