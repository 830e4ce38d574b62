"""The comparison of the FAB paper (A. Kofler et al., MLST 6 (2025) 025061) with fabgen.

    python benchmarks/fab_paper.py --dim 2 --budget 3000000 --seeds 3
    python benchmarks/fab_paper.py --dim 8 --mapping channels --settings fabgen --budget 3000000
    python benchmarks/fab_paper.py --report

Trains VEGAS+, fkld, rkld, fab-nobuffer and fab (with fabgen's own settings `variance`, too) at
equal numbers of target evaluations and evaluates each with fresh samples. Every result is one file
in --out (with its histograms beside it, and the run below --out/runs): an interrupted benchmark
goes on where it was, a run that is there already with the same settings is used again. Ends with
the tables of all runs, as Markdown, CSV and pictures in --out; --report writes these to
benchmarks/results, with the runs themselves (fab_paper.jsonl): they are used again from there, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from paper.published import ALL_METHODS, USUAL
from paper.report import write_report
from paper.runs import KEPT, result
from paper.settings import MAPPINGS, Experiment
from records import known_records, write_records

from fabgen.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dim", type=int, choices=(2, 8))
    parser.add_argument("--mapping", choices=MAPPINGS[8], help="8D: default rambo, as the paper")
    parser.add_argument("--budget", type=int, nargs="+", default=[3_000_000])
    parser.add_argument("--seeds", type=int, default=3, help="how many: 1, 2, ...")
    parser.add_argument("--methods", nargs="+", choices=ALL_METHODS)
    parser.add_argument("--settings", choices=("paper", "fabgen"), default="paper")
    parser.add_argument("--samples", type=int, default=1_000_000, help="of the evaluation")
    parser.add_argument("--along", type=int, default=20, help="evaluations along a training")
    parser.add_argument("--out", type=Path, default=Path("runs/fab_paper"))
    parser.add_argument("--report", action="store_true", help="tables of all runs, for the record")
    options = parser.parse_args()
    if options.dim is None and not options.report:
        parser.error("--dim 2 or 8, or --report alone")
    if options.dim == 2 and options.mapping:
        parser.error("--mapping is for --dim 8")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.dim is not None:
        mapping = options.mapping or MAPPINGS[options.dim][0]
        # Seeds outermost: a table of one seed is there first.
        for seed in range(1, options.seeds + 1):
            for budget in options.budget:
                for method in options.methods or USUAL[options.settings]:
                    experiment = Experiment(
                        options.dim,
                        mapping,
                        options.settings,
                        method,
                        budget,
                        seed,
                        options.samples,
                        options.along,
                    )
                    try:
                        result(experiment, options.out)
                    except InputError as error:
                        print(f"{experiment.name}: {error}", file=sys.stderr)
                        sys.exit(2)
    if options.report:
        write_records(KEPT, known_records(options.out, KEPT))
    file = write_report(options.out, KEPT.parent if options.report else options.out / "report")
    print(file.read_text())
    print(f"({file})", file=sys.stderr)


if __name__ == "__main__":
    main()
