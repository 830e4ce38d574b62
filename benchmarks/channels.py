"""Efficiencies of several channels on five processes, beside VEGAS grids and the untrained maps.

    python benchmarks/channels.py [tops wbwb mumubb eemumu www] [--seeds 3] [--samples 1000000]
        [--surrogates none vegas flow] [--set KEY=VALUE ...] [--out runs/channels] [--report]

Every row is a training of its own, evaluated with fresh samples of the mixture of channels; target
evaluations are those of the training, the ones of the VEGAS grids that it starts from included. A
run that is there is used again, an interrupted one goes on. --report writes the table of all runs,
with means and deviations over the seeds, to benchmarks/results/channels.md, and the runs themselves
to channels.jsonl beside it: they are used again from there, too.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import jax
from records import Record, how_to_run, read_record, read_records, write_records
from tables import head, made, mean

from fabgen import run
from fabgen.card import card_of_process
from fabgen.files import write_atomic

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "channels.jsonl"
BEAMS_500, BEAMS_250 = "beams.energy=[500.0, 500.0]", "beams.energy=[250.0, 250.0]"
#: Process, settings, and the efficiencies (percent) and evaluations to reach.
PROCESSES: Mapping[str, tuple[str, tuple[str, ...], tuple[float, float, float]]] = {
    "tops": (
        "e+ e- > t t~, t > w+ b, t~ > w- b~",
        (
            *(BEAMS_500, "phase_space.bw_cutoff=inf", "training.steps=2300"),
            *("surrogate.bins=16", "training.madnis.buffer_gain=4"),
        ),
        (99.5, 50.0, 5e6),
    ),
    "wbwb": (
        "e+ e- > w+ b w- b~",
        (BEAMS_500, "training.steps=4700"),
        (95.0, 20.0, 1e7),
    ),
    "mumubb": (
        "e+ e- > mu+ mu- b b~",
        (BEAMS_250, "cuts={mmll = 10.0, mmbb = 10.0}", "training.steps=4700"),
        (95.0, 15.0, 1e7),
    ),
    "eemumu": (
        "e+ e- > e+ e- mu+ mu-",
        (BEAMS_250, "cuts={ptl = 10.0, etal = 2.5, mmll = 10.0}", "training.steps=4600"),
        (85.0, 5.0, 1e7),
    ),
    "www": (
        "u d~ > w+ w+ w-",
        (BEAMS_500, "training.steps=4700"),
        (99.0, 40.0, 1e7),
    ),
}
TRAINING = (
    *("training.method=variance", "training.batch_size=2048", "training.madnis.buffer_gain=2"),
    "channels.use=all",
)
#: What the unweighting efficiency hangs on, looked at point by point.
LARGEST_WEIGHTS = """\
The unweighting efficiency is that of the largest of 10^6 weights, and that moves: fresh samples of
the first flow of wbwb gave 13 and 31 %. The channel of two tops (79 % of the cross section)
decides. Its weights of 2 to 3 times the mean lie where mostly both W b pairs are tens of GeV from
the mass of the top and b b~ is often close to the Z: other channels have most of f there, and the
flow of this one draws few points to learn from. Those of 1.5 to 1.7 lie in thin layers of the mass
of one pair (221 to 239 GeV), right above the border of the last bin of the VEGAS grid in the tail
of the top. A larger floor buys a smaller maximum: 0.12 gave 97.3 and 28 to 38 %, 0.2 gave 95.4 and
41 to 45 % (the first flow again, two samples each).
Of tops those of 2 to 2.6 lie 5 to 50 widths above the mass.
"""
#: The record of a run, in its folder.
RECORD = "benchmark.json"
#: Of the flows: what they have missed far out in the tails is not worth a large maximum.
FLOOR = "evaluation.floor=0.04"
SURROGATES = {"none": "uniform", "vegas": "vegas", "flow": "flow"}
COLUMNS = (
    *("process", "surrogate", "sampling eff. (%)", "unweighting eff. (%)", "pb"),
    *("target evaluations", "shortest training (s)", "runs"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processes", nargs="*", metavar="process", help=" ".join(PROCESSES))
    parser.add_argument("--seeds", type=int, default=3, help="how many: 1, 2, ...")
    parser.add_argument("--samples", type=int, default=1_000_000, help="of the evaluation")
    parser.add_argument("--surrogates", nargs="+", choices=SURROGATES, default=list(SURROGATES))
    parser.add_argument("--set", action="append", default=[], help="a key of the cards")
    parser.add_argument("--out", type=Path, default=Path("runs/channels"))
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    unknown = set(options.processes) - set(PROCESSES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PROCESSES)}")
    print(head(COLUMNS), flush=True)
    for name in options.processes or PROCESSES:
        for surrogate in options.surrogates:
            # Without a training the seed only changes the points of the evaluation.
            for seed in range(1, (1 if surrogate == "none" else options.seeds) + 1):
                record = result(name, surrogate, seed, options)
                print(line([record]), flush=True)
    if options.report:
        records = stored(options.out, KEPT)
        write_records(KEPT, records)
        write_atomic(RESULTS / "channels.md", document(list(records.values())))


def result(name: str, surrogate: str, seed: int, options: argparse.Namespace) -> Record:
    """The report of one training, of --out if it is there."""
    process, settings, _ = PROCESSES[name]
    floor = [FLOOR] if surrogate == "flow" else []
    kind = f"surrogate.kind={SURROGATES[surrogate]}"
    asked = [*TRAINING, *settings, *floor, *options.set, kind]
    if surrogate == "none":
        asked.append("channels.trained_weights=false")  # nothing is trained, not even those
    known = {"name": name, "surrogate": surrogate, "seed": seed, "settings": asked}
    return integrated(process, f"{name}-{surrogate}-seed{seed}", known, options, KEPT)


def integrated(
    process: str, run_name: str, known: Record, options: argparse.Namespace, kept: Path
) -> Record:
    """The report of `fabgen integrate` with known["settings"], one that is there if there is one.

    known: what goes into the record besides. options: samples, and out, the folder of the runs and
    of what was compiled. kept: the file of the repository.
    """
    directory, asked = options.out / run_name, known["settings"]
    old = stored(options.out, kept).get(run_name)
    same = old is not None and sorted(old["settings"]) == sorted(asked)
    if old and same and old["evaluation_samples"] == options.samples:
        return old
    sizes = (f"training.seed={known['seed']}", f"evaluation.samples={options.samples}")
    card = card_of_process(process, [*asked, *sizes])
    record = {
        **known,
        **run.integrate(card, directory, how_to_run(card, directory, options.out)),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
    }
    write_atomic(directory / RECORD, json.dumps(record, indent=1) + "\n")
    return record


def stored(out: Path, kept: Path) -> dict[str, Record]:
    """Name of a run -> its record: those of `out`, and what else the repository keeps."""
    own = {f.parent.name: read_record(f, out) for f in sorted(out.glob(f"*/{RECORD}"))}
    return read_records(kept) | own


def line(records: Sequence[Record]) -> str:
    """One row: means and deviations of runs of one process and surrogate."""
    # The shortest: long jobs ran beside each other, and some were halted for a while.
    seconds = min(r["training"].get("training_seconds", 0.0) for r in records)
    cells = (
        records[0]["name"],
        records[0]["surrogate"],
        mean((100 * r["sampling_efficiency"] for r in records), 2),
        mean((100 * r["unweighting_efficiency"] for r in records), 2),
        f"{records[0]['integral']:.6g} +- {records[0]['integral_error']:.2g}",
        f"{statistics.fmean(r['target_evaluations']['training'] for r in records):,.0f}",
        f"{seconds:.0f}",
        str(len(records)),
    )
    return "| " + " | ".join(cells) + " |"


def document(records: Sequence[Record]) -> str:
    """The table of all runs, what is aimed at, and what the numbers depend on."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["name"], record["surrogate"]), []).append(record)
    order = [(name, surrogate) for name in PROCESSES for surrogate in SURROGATES]
    rows = [line(groups[key]) for key in order if key in groups]
    aims = [
        f"- {name}: `{process}`, {', '.join(settings)}; aim {eps:g} % and {uw:g} % within {n:.0e}"
        for name, (process, settings, (eps, uw, n)) in PROCESSES.items()
    ]
    start = ["# Several channels", ""]
    if records:
        start += [made("python benchmarks/channels.py --report", records[-1]), ""]
    common = f"All with {', '.join(TRAINING)}; flows with {FLOOR}."
    return "\n".join([*start, common, "", *aims, "", head(COLUMNS), *rows, "", LARGEST_WEIGHTS])


if __name__ == "__main__":
    main()
