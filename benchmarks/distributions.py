"""Spectra of proton events against independent ones: chi-squares, and pictures with their ratios.

    python benchmarks/distributions.py [ee wj] [--events 1000000] [--out DIR] [--report]

Events as `fabgen generate` writes them, unweighted and, with another seed, weighted, are read with
pylhe. Drell-Yan is compared with a direct convolution (spectra/drell_yan.py), the pT of the W in
W + jet with other programs (data/wj_pt.json). A run that is there is used again. --report writes
the tables of all runs to benchmarks/results/distributions.md with a picture of each process, and
the runs to distributions.jsonl. The exit code is 1 if a p-value is below 0.001.
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

sys.path.insert(0, str(Path(__file__).parent))

import jax
import numpy as np
import pylhe
from records import Record, how_to_run, known_records, write_records
from spectra.compare import Agreement, Floats, Observable, Reference, Spectrum, compared
from spectra.figures import draw
from spectra.processes import PROCESSES, Process
from tables import head, made

from fabgen import run
from fabgen.card import card_from_table
from fabgen.files import write_atomic

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "distributions.jsonl"
#: Seeds of the samples of each process.
KINDS = {"unweighted": 1, "weighted": 2}
#: A smaller p-value is a mistake until it is shown to be none.
LEAST_P = 1e-3
COLUMNS = (
    *("process", "events", "spectrum", "others", "bins", "fewest in a bin", "errors (%)"),
    *("chi-square", "p", "largest pull"),
)
TOTALS = ("process", "settings", "events", "pb", "others", "pull", "mean weight / pb", "CPU s")


def main() -> int:
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PROCESSES:
        for kind in KINDS:
            once(name, kind, options)
    records = known_records(options.out, KEPT)
    print(document(records))
    if options.report:
        write_records(KEPT, records)
        write_atomic(RESULTS / "distributions.md", document(records) + "\n")
        for name, process in PROCESSES.items():
            picture = draw(process, runs_of(name, records))
            write_atomic(RESULTS / f"distributions-{name}.png", picture)
    return int(min(found.p for *_, found in every_comparison(records)) < LEAST_P)


def runs_of(name: str, records: Mapping[str, Record]) -> dict[str, Record]:
    """Those of a process that there are, by their kind."""
    runs = {kind: f"{name}-{kind}" for kind in KINDS}
    return {kind: records[run] for kind, run in runs.items() if run in records}


def every_comparison(
    records: Mapping[str, Record],
) -> list[tuple[Process, str, Observable, Reference, Spectrum, Agreement]]:
    """All spectra of all runs with all of their references."""
    return [
        (process, kind, observable, *found)
        for name, process in PROCESSES.items()
        for kind, record in runs_of(name, records).items()
        for observable, others in zip(process.observables, process.references(), strict=True)
        for found in compared(record, observable, others)
    ]


def once(name: str, kind: str, options: argparse.Namespace) -> None:
    """Makes the record of a run, unless one is there with as many events."""
    known = known_records(options.out, KEPT).get(f"{name}-{kind}", {})
    if known.get("events") != options.events:
        record = histograms(name, kind, options)
        write_atomic(options.out / f"{name}-{kind}.json", json.dumps(record, indent=1) + "\n")


def histograms(name: str, kind: str, options: argparse.Namespace) -> Record:
    """A run, and the sums of weights and of their squares in the bins of all observables."""
    process, seed, events = PROCESSES[name], KINDS[kind], options.events
    table = process.card(
        training={"seed": seed},
        evaluation={"samples": events},
        generation={"events": events, "seed": seed},
    )
    card, directory = card_from_table(table), options.out / "runs" / f"{name}-{kind}"
    start = time.process_time()
    how = how_to_run(card, directory, options.out)
    report = run.generate(card, directory, how, weighted=kind == "weighted")
    momenta, weights = read_events(directory / "events.lhe.gz", process.particles)
    figures = ("cross_section_pb", "cross_section_error_pb", "evaluation_samples", "warnings")
    return {
        **{figure: report[figure] for figure in figures},
        "events": len(weights),
        "mean_weight": weights.mean(),
        "mean_weight_error": weights.std() / math.sqrt(len(weights)),
        "sums": {
            observable.name: [observable.sums(x, w).tolist() for w in (weights, weights**2)]
            for observable, x in zip(process.observables, process.values(momenta), strict=True)
        },
        "cpu": time.process_time() - start,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
    }


def read_events(path: Path, particles: Sequence[int]) -> tuple[Floats, Floats]:
    """Momenta (particles, 4, n) of final particles by their ids, GeV, and weights (n,) in pb."""
    momenta, weights = [], []
    for event in pylhe.LHEFile.fromfile(str(path)).events:
        final = {int(p.id): (p.e, p.px, p.py, p.pz) for p in event.particles if p.status == 1}
        momenta.append([final[pdg] for pdg in particles])
        weights.append(event.eventinfo.weight)
    return np.moveaxis(np.array(momenta), 0, -1), np.array(weights)


def document(records: Mapping[str, Record]) -> str:
    """Both tables, of all runs that there are."""
    rows = [_row(*found) for found in every_comparison(records)]
    totals = [
        _total(process, kind, record)
        for name, process in PROCESSES.items()
        for kind, record in runs_of(name, records).items()
    ]
    last = next(record for name in PROCESSES for record in runs_of(name, records).values())
    text = (
        "13 TeV, NNPDF2.3 LO, four flavours, both scales 91.188 GeV. A spectrum is the shares of "
        "the events' weights times the cross section of the report. Chi-squares have the errors of "
        "both sides, that of the cross section in all bins alike included, and as many degrees of "
        "freedom as bins; these include what is beyond the edges where the others have it. "
        "cos(e-): to the first beam, in the rest frame of the pair. Mean weight: of weighted "
        "events an estimate of its own. CPU seconds of the whole run, compilation and reading of "
        "the events included."
    )
    start = made("python benchmarks/distributions.py --report", last)
    pictures = [f"![{p.name}](distributions-{name}.png)" for name, p in PROCESSES.items()]
    return "\n".join([
        *("# Distributions of protons", "", start, "", text, ""),
        *(head(COLUMNS), *rows, "", head(TOTALS), *totals, "", *pictures),
    ])  # fmt: skip


def _row(
    process: Process,
    kind: str,
    observable: Observable,
    reference: Reference,
    spectrum: Spectrum,
    found: Agreement,
) -> str:
    errors = 100.0 * spectrum.error / spectrum.pb
    cells = (
        *(f"`{process.name}`", kind, observable.name, reference.label, str(len(found.pulls))),
        *(f"{spectrum.entries.min():.0f}", f"{errors.min():.2f} to {errors.max():.1f}"),
        *(f"{found.chi2:.1f}", f"{found.p:.3f}", f"{found.largest:+.1f}"),
    )
    return "| " + " | ".join(cells) + " |"


def _total(process: Process, kind: str, record: Record) -> str:
    own, error = record["cross_section_pb"], record["cross_section_error_pb"]
    (reference, *_), *_ = process.references()
    inside = reference.error[process.observables[0].inside]
    known, known_error = reference.pb.sum(), float(np.linalg.norm(inside))
    mean, mean_error = (record[key] / own for key in ("mean_weight", "mean_weight_error"))
    spread = f" ± {mean_error:.4f}" if kind == "weighted" else ""
    settings = ", ".join(f"{key} {bound:g}" for key, bound in process.tables["cuts"].items())
    cells = (
        *(f"`{process.name}`", settings, f"{record['events']:,} {kind}"),
        *(f"{own:.2f} ± {error:.2f}", f"{known:.2f} ± {known_error:.2g}"),
        f"{(own - known) / math.hypot(error, known_error):+.2f}",
        *(f"{mean:.4f}{spread}", f"{record['cpu']:.0f}"),
    )
    return "| " + " | ".join(cells) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(PROCESSES))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path("runs/distributions"))
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROCESSES):
        parser.error(f"no such process: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
