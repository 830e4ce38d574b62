"""The tables: Markdown in the paper's columns, and every single run as CSV."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paper.published import ALL_METHODS, INTEGRALS, NAMES, PUBLISHED, Entry, Published

Record = Mapping[str, Any]
Group = tuple[int, str, str, int]  # dim, mapping, settings, budget

COLUMNS = (
    "method",
    "of",
    "E_p[log(p/q)]",
    "KL(p, q)",
    "eps (%)",
    "integral",
    "eps_uw (%)",
    "eps_uw, 99.9 % (%)",
    "target evaluations",
    "runs",
)
_FIELDS = ("dim", "mapping", "settings", "method", "budget", "seed", "samples")
_METRICS = (
    "forward_kl",
    "forward_kl_error",
    "sampling_efficiency",
    "unweighting_efficiency",
    "unweighting_efficiency_999",
    "max_weight",
    "zero",
    "nonfinite",
)


def group_of(record: Record) -> Group:
    """The table that a run belongs to."""
    e = record["experiment"]
    return e["dim"], e["mapping"], e["settings"], e["budget"]


def cell(values: Iterable[float], digits: int = 2) -> str:
    """median [smallest, largest], with `digits` decimals or as many as show two digits of the
    range; of a single value that alone.

    Three trainings of which one has gone astray have a median that still means something, unlike
    their mean and deviation.
    """
    known = sorted(values)
    if not known or not all(math.isfinite(v) for v in known):
        return "—"
    width = known[-1] - known[0]
    if 0.0 < width < 10.0:
        digits = max(digits, min(1 - math.floor(math.log10(width)), 6))
    middle = f"{statistics.median(known):.{digits}f}"
    if len(known) == 1:
        return middle
    return f"{middle} [{known[0]:.{digits}f}, {known[-1]:.{digits}f}]"


def table(records: Sequence[Record]) -> str:
    """The Markdown table of runs of one group, the paper's rows below fabgen's."""
    dim = records[0]["experiment"]["dim"]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for method in ALL_METHODS:
        own = [r for r in records if r["experiment"]["method"] == method]
        if own:
            lines.append(_row((NAMES[method], "fabgen", *_measured(own))))
        if method in PUBLISHED[dim]:
            lines.append(_row((NAMES[method], "paper", *_printed(PUBLISHED[dim][method], dim))))
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _measured(records: Sequence[Record]) -> tuple[str, ...]:
    good = [r for r in records if "failed" not in r]
    runs = str(len(good)) if len(good) == len(records) else f"{len(good)} of {len(records)}"
    if not good:
        return *(["—"] * (len(COLUMNS) - 3)), runs

    def metric(name: str, factor: float = 1.0) -> list[float]:
        return [factor * r["metrics"][name] for r in good]

    integral = cell([r["integral"] for r in good], 1)
    error = statistics.median(r["integral_error"] for r in good)
    calls = sorted(r["target_evaluations"] for r in good)
    return (
        cell([r["cross_entropy"] for r in good], 4),
        cell(metric("forward_kl"), 4),
        cell(metric("sampling_efficiency", 100.0)),
        f"{integral} ({error:.2g})",
        cell(metric("unweighting_efficiency", 100.0)),
        cell(metric("unweighting_efficiency_999", 100.0)),
        f"{calls[0]:,}" if calls[0] == calls[-1] else f"{calls[0]:,} to {calls[-1]:,}",
        runs,
    )


def _printed(row: Published, dim: int) -> tuple[str, ...]:
    def printed(entry: Entry) -> str:
        return "—" if entry is None else f"{entry[0]} ± {entry[1]}"

    kl = "—"
    if row.cross_entropy is not None:
        kl = f"{row.cross_entropy[0] - math.log(INTEGRALS[dim]):.4f}"
    unweighting = printed(row.unweighting)
    if row.below and row.unweighting is not None:
        unweighting = f"< {row.unweighting[0]}"
    return (
        printed(row.cross_entropy),
        kl,
        printed(row.efficiency),
        printed(row.integral),
        unweighting,
        "—",
        row.evaluations,
        "3",
    )


def further_runs(records: Sequence[Record]) -> str:
    """The runs that are not in the table, a line of Markdown each; empty without any."""
    if not records:
        return ""
    order = {method: i for i, method in enumerate(ALL_METHODS)}
    lines = ["Further seeds, not in the table since not all of its methods have them:\n"]
    for record in sorted(records, key=lambda r: order[r["experiment"]["method"]]):
        experiment = record["experiment"]
        name = f"- {NAMES[experiment['method']]}, seed {experiment['seed']}:"
        if "failed" in record:
            lines.append(f"{name} failed")
            continue
        metrics = record["metrics"]
        lines.append(
            f"{name} KL {metrics['forward_kl']:.4g}, "
            f"eps {100.0 * metrics['sampling_efficiency']:.3g} %, "
            f"eps_uw {100.0 * metrics['unweighting_efficiency']:.2g} %, "
            f"integral {record['integral']:.1f} ({record['integral_error']:.2g}), "
            f"{record['target_evaluations']:,} evaluations"
        )
    return "\n".join(lines) + "\n"


def single_runs(records: Iterable[Record]) -> str:
    """Every run as one line of CSV, failed ones too."""
    names = ("failed", "integral", "integral_error", "cross_entropy", "target_evaluations")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    times = ("seconds", "train_seconds", "date", "device")
    writer.writerow([*_FIELDS, *names, *_METRICS, *times, "settings_hash"])
    for record in records:
        metrics, experiment = record.get("metrics", {}), record["experiment"]
        writer.writerow(
            [
                *(experiment[name] for name in _FIELDS),
                *(record.get(name, "") for name in names),
                *(metrics.get(name, "") for name in _METRICS),
                *(record.get(name, "") for name in times),
                record["settings_hash"][:12],
            ]
        )
    return stream.getvalue()
