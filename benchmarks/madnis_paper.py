"""The toys of the MadNIS paper (T. Heimel et al., SciPost Phys. 15 (2023) 141), section 4.

    python benchmarks/madnis_paper.py --parts camel
    python benchmarks/madnis_paper.py --parts ring buffered --fraction 0.1
    python benchmarks/madnis_paper.py --report

Trains channel weights and flows on the camel backs and the crossed ring and states the relative
error of the integral at 10^4 events next to the published one. Every training is one file in
--out (and a run below --out/runs): an interrupted benchmark goes on where it was, a training that
is there already with the same settings is used again. Ends with the tables of all trainings, as
Markdown, CSV and pictures in --out; --report writes these to benchmarks/results, with the trainings
themselves (madnis_paper.jsonl): they are used again from there, too.
--fraction takes so much of the paper's number of steps (the crossed ring then has a larger learning
rate), --quick only enough to see that it works. --report takes the longest trainings of each toy.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from madnis.report import write_report
from madnis.runs import KEPT, result
from madnis.settings import COUPLINGS, experiments
from records import known_records, write_records

PARTS = ("camel", "ring", "buffered")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--trainings", type=int, default=10, help="how many of each row")
    parser.add_argument("--rows", nargs="+", help="only rows of these names")
    parser.add_argument("--couplings", nargs="+", choices=COUPLINGS, help="of the crossed ring")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the paper's steps")
    parser.add_argument("--quick", action="store_true", help="the same as --fraction 0.02")
    parser.add_argument("--out", type=Path, default=Path("runs/madnis_paper"))
    parser.add_argument("--report", action="store_true", help="tables alone, for the record")
    options = parser.parse_args()
    fraction = 0.02 if options.quick else options.fraction
    options.out.mkdir(parents=True, exist_ok=True)
    for part in () if options.report else options.parts:
        for experiment in experiments(part, options.trainings, fraction):
            row = not options.rows or experiment.row in options.rows
            coupling = not options.couplings or experiment.variant in ("", *options.couplings)
            if row and coupling:
                result(experiment, options.out)
    if options.report:
        write_records(KEPT, known_records(options.out, KEPT))
    target = KEPT.parent if options.report else options.out / "report"
    file = write_report(options.out, target, None if options.report else fraction)
    print(file.read_text())
    print(f"({file})", file=sys.stderr)


if __name__ == "__main__":
    main()
