"""Cross sections of protons at 13 TeV against other programs, as pulls.

    python benchmarks/protons.py [NAME ...] [--samples 400000] [--out runs/protons] [--report]

Integrated with VEGAS grids of all channels; a run that is there is used again. --report writes the
table of all runs to benchmarks/results/protons.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import jax
from records import how_to_run
from tables import head, made

from fabgen import run
from fabgen.card import card_from_table
from fabgen.files import write_atomic

RESULTS = Path(__file__).parent / "results"
HALF = {"renormalization": "half_transverse_mass", "factorization": "half_transverse_mass"}
JETS = {"ptj": 20.0, "etaj": 5.0, "drjj": 0.4}
#: Process, tables of the card, pb and error, where these are from (None: nothing to compare with).
PROCESSES: Mapping[str, tuple[str, Mapping[str, Any], float | None, float, str]] = {
    "ggtt": ("g g > t t~", {}, 635.0, 0.3, "MadGraph5_aMC 3, 10,000 events"),
    "ggtt-mt": ("g g > t t~", {"scales": HALF}, 440.4, 0.23, "MadGraph5_aMC 3, 10,000 events"),
    "ee": ("p p > e+ e-", {"cuts": {"mmll": 50.0}}, 1513.79, 0.3, "direct convolution"),
    "ee-5f": (
        "p p > e+ e-",
        {"cuts": {"mmll": 50.0}, "model": "sm-no_b_mass"},
        *(1565.6, 0.3, "direct convolution"),
    ),
    "tt": ("p p > t t~", {}, 718.432756, 0.359, "own phase space and luminosity, VEGAS; Pythia 8"),
    "wj": (
        "p p > w+ j",
        {"cuts": {"ptj": 30.0, "etaj": 5.0}},
        *(12623.425384, 6.31, "own phase space and luminosity, VEGAS; Pythia 8"),
    ),
    "zz": ("p p > z z", {}, 9.268376, 0.00463, "own phase space and luminosity, VEGAS; Pythia 8"),
    "z": ("p p > z", {}, None, 0.0, ""),
    "w": ("p p > w+", {}, None, 0.0, ""),
    "jj": ("p p > j j", {"cuts": JETS, "scales": HALF}, None, 0.0, ""),
    "ttj": ("p p > t t~ j", {"cuts": JETS, "scales": HALF}, None, 0.0, ""),
    "wjj": ("p p > w+ j j", {"cuts": JETS, "scales": HALF}, None, 0.0, ""),
    "jjj": ("p p > j j j", {"cuts": JETS, "scales": HALF}, None, 0.0, ""),
}
COLUMNS = (
    *("process", "settings", "pb", "others", "pull", "sampling eff. (%)", "unweighting eff. (%)"),
    *("abs(M)^2", "channels", "CPU s"),
)


def main() -> None:
    options = _arguments()
    for name in options.names or PROCESSES:
        record = integrated(name, options)
        print(line(name, record), flush=True)
    if options.report:
        known = [(name, options.out / name / "record.json") for name in PROCESSES]
        records = {name: json.loads(path.read_text()) for name, path in known if path.exists()}
        write_atomic(RESULTS / "protons.md", document(records) + "\n")


def integrated(name: str, options: argparse.Namespace) -> Mapping[str, Any]:
    """The report of a run, the one that is there if there is one."""
    directory = options.out / name
    path = directory / "record.json"
    if path.exists():
        found: Mapping[str, Any] = json.loads(path.read_text())
        return found
    process, tables, *_ = PROCESSES[name]
    card = card_from_table({
        "process": process,
        "beams": {"kind": "proton", "energy": [6500.0, 6500.0]},
        "channels": {"use": "all"},
        "surrogate": {"kind": "vegas"},
        "evaluation": {"samples": options.samples},
        **tables,
    })  # fmt: skip
    start = time.process_time()
    report = run.integrate(card, directory, how_to_run(card, directory, options.out))
    record = {
        **report,
        "cpu": time.process_time() - start,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
    }
    write_atomic(path, json.dumps(record, indent=1) + "\n")
    return record


def line(name: str, record: Mapping[str, Any]) -> str:
    process, tables, others, error, _ = PROCESSES[name]
    own, own_error = record["cross_section_pb"], record["cross_section_error_pb"]
    known, pull = "", ""
    if others is not None:
        known = f"{others:.6g} ± {error:.2g}"
        pull = f"{(own - others) / math.hypot(own_error, error):+.2f}"
    cells = (
        f"`{process}`",
        "; ".join(map(str, _settings(tables))),
        f"{own:.6g} ± {own_error:.2g}",
        *(known, pull),
        f"{100 * record['sampling_efficiency']:.1f}",
        f"{100 * record['unweighting_efficiency']:.1f}",
        str(record.get("matrix_elements", "")),
        str(len(record.get("channels") or [])),
        f"{record['cpu']:.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def _settings(tables: Mapping[str, Any]) -> Sequence[str]:
    found = []
    for key, value in tables.items():
        if key == "scales":
            found.append("mu = half_transverse_mass")
        elif isinstance(value, Mapping):
            found.append(", ".join(f"{name} {bound:g}" for name, bound in value.items()))
        else:
            found.append(str(value))
    return found


def document(records: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [line(name, record) for name, record in records.items()]
    sources = [
        f"- `{process}` {others:g} pb: {source}"
        for process, _, others, _, source in PROCESSES.values()
        if others is not None
    ]
    last = list(records.values())[-1]
    start = ["# Protons", "", made("python benchmarks/protons.py --report", last), ""]
    text = (
        "13 TeV, NNPDF2.3 LO (alpha_s(MZ) = 0.130, two loops), scales 91.188 GeV where nothing "
        "else is said, four flavours where the model is sm. CPU seconds of all cores, compilation "
        "and grids included."
    )
    return "\n".join([*start, text, "", head(COLUMNS), *rows, "", *sources])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROCESSES))
    parser.add_argument("--samples", type=int, default=400_000)
    parser.add_argument("--out", type=Path, default=Path("runs/protons"))
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROCESSES):
        parser.error(f"no such process: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
