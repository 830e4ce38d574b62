"""Assembles all finished trainings of a folder: Markdown, CSV, pictures. Nothing by hand."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from records import known_records

from fabgen.files import write_atomic
from fabgen.plot.style import REFERENCE, SURROGATE, TARGET, encode, new_figure, style
from fabgen.run.pictures.draw import draw_channels
from madnis.published import PUBLISHED
from madnis.runs import FLOOR, KEPT, stored_arrays, trained_of
from madnis.settings import BUFFERED, CAMEL_ROWS, COUPLINGS, RING_ROWS, Experiment

Record = dict[str, Any]
_ERRORS = ("optimal", "equal", "floor", "sampled")

HEADER = """\
# The toys of the MadNIS paper

T. Heimel et al., MadNIS, SciPost Phys. 15 (2023) 141, section 4, beside fabgen. Written by
`python benchmarks/madnis_paper.py --report` from finished trainings; all of them are in
[madnis_paper.csv](madnis_paper.csv).

Relative errors of the integral (%) at 10^4 events, mean ± standard deviation over the trainings:
with the best numbers of points per channel, with equal ones, and as one sample of 10^4 events
(equal numbers) estimates its own error. The first two are by quadrature over the unit cube of each
channel, so they hold tails that a sample rarely shows; the third is what the paper quotes.

What differs from the paper:

- The learning rate falls as a cosine, not as an inverse of time.
- Camel backs: uniform weights give weights with a heavy tail, which few samples of 10^4 events
  show; the published 2.553 % and 3.412 % are not what quadrature says.
- Crossed ring: the box [-a, a]^2 with a = 1.5 in which ring and line are normalized, and the
  widths of the channels, sqrt(40) times those of f, are fabgen's choice, so that ratios between
  rows compare and absolute numbers only roughly. Maps end at the corners of the box.
- Crossed ring: points are allotted in proportion to the deviations, a tenth evenly. Activations
  are gelu; "soft" permutations are trainable rotations, affine couplings act between logit and
  sigmoid. A shorter training has a larger learning rate: a tenth of the steps, ten times the rate.
"""
#: Of the crossed ring (%): the error of flat points is 2.1.
DIVERGED = 2.1
#: Of the crossed ring: what its columns are.
RING_NOTE = f"""\
The first two columns are as sampled, which is what the paper quotes. Where an affine density
vanishes at a face of the cube and f does not (at the azimuth 0 of a ring) the variance is infinite
or nearly so, and a sample of 10^4 events hardly shows it: quadrature of p^2/q gives anything up to
10^100. A share of uniform points (evaluation.floor of a card, here {FLOOR:g}) makes it finite: the
last two columns are by quadrature with it and the best numbers of points per channel. Trainings
that end above {DIVERGED:g} % there, which flat points have without any training, are counted as
diverged and left out of the means: ten times the paper's learning rate is close to what is stable.
"""


BUFFERED_NOTE = """\
As many gradient steps with 1/R of the evaluations of f. The crossed ring has a tenth of the
paper's steps, which leaves R = 5 with 1000 fresh batches: the error is a third larger (one of its
trainings ends at 0.36, the others at 0.05 to 0.08). R = 1 with as few evaluations (1000 steps) gave
0.092 to 0.106 in three trainings; a buffer of 1000 batches instead of 50 changes nothing (0.074 and
0.067 for the seeds that have 0.072 and 0.068).
"""


def write_report(out: Path, target: Path, fraction: float | None = None) -> Path:
    """Writes madnis_paper.md, .csv and the pictures into `target`; returns the Markdown file.

    Of the trainings with this fraction of the paper's steps, else of the longest ones of each toy.
    Pictures of trainings that are not in `out` any more stay as they are in `target`.
    """
    results = [record for _, record in sorted(known_records(out, KEPT).items())]
    longest: dict[str, float] = {}
    for experiment in (record["experiment"] for record in results):
        known = longest.get(experiment["toy"], 0.0)
        longest[experiment["toy"]] = fraction or max(experiment["fraction"], known)
    records = [r for r in results if r["experiment"]["fraction"] == longest[r["experiment"]["toy"]]]
    groups: dict[tuple[str, str, str, int], list[Record]] = defaultdict(list)
    for record in records:
        e = record["experiment"]
        groups[e["toy"], e["row"], e["variant"], e["gain"]].append(record)
    target.mkdir(parents=True, exist_ok=True)
    shorter = [
        f"- {toy}: {part:g} of the paper's number of steps.\n"
        for toy, part in longest.items()
        if part != 1.0 and any(record["experiment"]["toy"] == toy for record in records)
    ]
    parts = [HEADER.rstrip() if shorter else HEADER, *shorter]
    for toy in ("camel-back", "cut-camel-back"):
        rows = [(row, groups[toy, row, "", 1]) for row in CAMEL_ROWS if (toy, row, "", 1) in groups]
        if rows:
            parts += [f"## {toy}\n", _table(toy, rows)]
    ring = [
        (row, [groups.get(("crossed-ring", row, v, 1), []) for v in COUPLINGS]) for row in RING_ROWS
    ]
    if any(any(cells) for _, cells in ring):
        parts += ["## crossed-ring\n", RING_NOTE, _ring_table(ring)]
    parts += _buffered(groups)
    with style():
        for name, caption, figure in _pictures(groups, out):
            if figure is not None:
                write_atomic(target / f"{name}.png", encode(figure, "png"))
            if not (target / f"{name}.png").exists():
                continue
            parts.append(f"![{caption}]({name}.png)\n")
    parts.append(_small_print(records))
    write_atomic(target / "madnis_paper.csv", _csv(records))
    file = target / "madnis_paper.md"
    write_atomic(file, "\n".join(parts))
    return file


def _spread(records: Sequence[Record], figure: str) -> str:
    values = np.array([record[figure] for record in records], float)  # None becomes NaN
    if not len(values):
        return "–"
    return (
        f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values[0]:.3f}"
    )


def _published(toy: str, row: str) -> str:
    mean, deviation = PUBLISHED.get((toy, row), (None, None))
    return "–" if mean is None else f"{mean:.3f} ± {deviation:.3f}"


def _table(toy: str, rows: Sequence[tuple[str, Sequence[Record]]]) -> str:
    lines = [
        "| weights | published | equal | optimal | sampled | trainings |",
        "|---|---|---|---|---|---|",
    ]
    for row, records in rows:
        cells = [_spread(records, figure) for figure in ("equal", "optimal", "sampled")]
        lines.append(f"| {row} | {_published(toy, row)} | {' | '.join(cells)} | {len(records)} |")
    return "\n".join(lines) + "\n"


def _ring_table(rows: Sequence[tuple[str, Sequence[Sequence[Record]]]]) -> str:
    lines = [
        "| channels | published | affine | spline | affine, floor | spline, floor | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, both in rows:
        kept = [[r for r in records if not _has_diverged(r)] for records in both]
        cells = [_spread(records, "sampled") for records in kept]
        cells += [_spread(records, "floor") for records in kept]
        counts = ", ".join(map(_count, both)) + " trainings"
        published = _published("crossed-ring", row)
        lines.append(f"| {row} | {published} | {' | '.join(cells)} | {counts} |")
    return "\n".join(lines) + "\n"


def _has_diverged(record: Record) -> bool:
    return record["floor"] is None or record["floor"] > DIVERGED


def _count(records: Sequence[Record]) -> str:
    diverged = sum(map(_has_diverged, records))
    return f"{len(records)} ({diverged} diverged)" if diverged else str(len(records))


def _buffered(groups: dict[tuple[str, str, str, int], list[Record]]) -> list[str]:
    lines = []
    for toy, row, variant in (
        ("crossed-ring", "ring, line", "spline"),
        ("camel-back", "learned, flat prior", ""),
    ):
        for gain in BUFFERED:
            records = groups.get((toy, row, variant, gain), [])
            if records and (toy, row, variant, max(BUFFERED)) in groups:
                calls, count = f"{records[0]['target_evaluations']:,}", str(len(records))
                if toy == "crossed-ring":
                    count, records = _count(records), [r for r in records if not _has_diverged(r)]
                cells = f"{_spread(records, 'optimal')} | {_spread(records, 'equal')}"
                lines.append(f"| {toy}, {row} | {gain} | {calls} | {cells} | {count} |")
    if not lines:
        return []
    head = [
        "## Buffered training\n",
        BUFFERED_NOTE,
        "| training | R | target evaluations | optimal | equal | trainings |",
        "|---|---|---|---|---|---|",
    ]
    return [*head[:2], "\n".join([*head[2:], *lines]) + "\n"]


def _pictures(groups: dict[tuple[str, str, str, int], list[Record]], out: Path):
    """Names, captions and figures: learned weights of the camel backs, channels of the ring."""
    for toy in ("camel-back", "cut-camel-back"):
        learned = [row for row in CAMEL_ROWS if (toy, row, "", 1) in groups and CAMEL_ROWS[row][1]]
        if learned:
            yield f"madnis_paper-{toy}", f"learned weights of the {toy}", _weights(groups, toy, out)
    for (toy, row, variant, gain), records in groups.items():
        if (toy, variant, gain) == ("crossed-ring", "affine", 1) and ", " in row:
            best = min(records, key=lambda record: record["floor"])
            experiment = Experiment(**best["experiment"])
            name = "madnis_paper-ring-" + experiment.name.split("--")[1]
            caption = f"channels {row} of the best affine training"
            if not (out / "runs" / experiment.name).exists():
                yield name, caption, None
                continue
            session, trained = trained_of(experiment, out)
            for _, figure in draw_channels(session, trained, 50_000):
                yield name, caption, figure


def _weights(
    groups: dict[tuple[str, str, str, int], list[Record]], toy: str, out: Path
) -> Figure | None:
    """Figures 6 and 7: the weights of all trainings, dotted the fixed ones they start from.

    None without the curves of all of them.
    """
    own = [r for key, records in groups.items() if key[0] == toy and key[3] == 1 for r in records]
    if not all(stored_arrays(record, out) for record in own):
        return None
    figure = new_figure(2.6, 6.8)
    panels = figure.subplots(1, 2, sharey=True)
    starts = {"learned, flat prior": "uniform", "learned, optimal prior": "optimal"}
    for axes, (row, start) in zip(panels, starts.items(), strict=True):
        for records, line in (
            (groups.get((toy, row, "", 1), []), "-"),
            (groups.get((toy, start, "", 1), [])[:1], ":"),
        ):
            for record in records:
                arrays = stored_arrays(record, out)
                for alpha, colour in zip(arrays["alpha"], (TARGET, SURROGATE), strict=True):
                    axes.plot(arrays["x"], alpha, line, color=colour, lw=0.8)
                scaled = arrays["f"] / arrays["f"].max()
                axes.fill_between(arrays["x"], scaled, color=REFERENCE, alpha=0.04)
        axes.set_title(row)
        axes.set_xlabel("$x$")
    panels[0].set_ylabel(r"$\alpha_i(x)$")
    return figure


def _small_print(records: Sequence[Record]) -> str:
    def each(values) -> str:
        return ", ".join(sorted(set(values)))

    if not records:
        return "No trainings.\n"
    packages = each(" ".join(f"{n} {v}" for n, v in r["versions"].items()) for r in records)
    return (
        f"{packages}; {each(r['device'] for r in records)}; {each(r['date'] for r in records)}.\n"
    )


def _csv(records: Sequence[Record]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    keys = ("toy", "row", "variant", "gain", "seed", "fraction")
    figures = (*_ERRORS, "integral", "target_evaluations", "seconds")
    writer.writerow((*keys, *figures, "shares", "date", "device"))
    for record in records:
        experiment = record["experiment"]
        writer.writerow(
            (
                *(experiment[key] for key in keys),
                *(record.get(figure, "") for figure in figures),
                " ".join(f"{share:.4f}" for share in record["shares"]),
                record["date"],
                record["device"],
            )
        )
    return stream.getvalue()
