"""The divergence along trainings, at the same numbers of target evaluations for all methods."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from paper.published import NAMES
from paper.table import Record

#: Methods whose evaluations come step by step; fkld's and VEGAS's are counted when they start.
METHODS = ("rkld", "fab-nobuffer", "fab", "fab-updates")
#: Steps of the grid of evaluations in each power of ten.
_STEPS = (1, 2, 5)


def along_table(records: Sequence[Record]) -> str | None:
    """KL(p, q) at round numbers of evaluations, medians over the seeds; last that of the final
    state, from the fresh points of its evaluation.

    None where no training was looked at on its way. Between two evaluations of a training its
    logarithm is linear in that of their number.
    """
    good = {
        method: [r for r in records if r["experiment"]["method"] == method and "failed" not in r]
        for method in METHODS
    }
    curves = {method: [_curve(r) for r in own] for method, own in good.items()}
    curves = {method: [c for c in found if c] for method, found in curves.items()}
    curves = {method: found for method, found in curves.items() if found}
    if not curves:
        return None
    last = max(c[-1][0] for found in curves.values() for c in found)
    first = min(c[0][0] for found in curves.values() for c in found)
    lines = [
        "| target evaluations | " + " | ".join(NAMES[method] for method in curves) + " |",
        "|" + "---|" * (len(curves) + 1),
    ]
    for number in _grid(first, last):
        cells = [_cell([_at(c, number) for c in found]) for found in curves.values()]
        if any(cell != "—" for cell in cells):
            lines.append(f"| {number:,} | " + " | ".join(cells) + " |")
    ends = [_cell([r["metrics"]["forward_kl"] for r in good[method]]) for method in curves]
    lines.append("| final state, as in the table above | " + " | ".join(ends) + " |")
    return "\n".join(lines) + "\n"


def _curve(record: Record) -> list[tuple[int, float]]:
    """Target evaluations and divergence, where that is known and positive."""
    points = [(a["target_evaluations"], a["forward_kl"]) for a in record.get("along") or ()]
    return [(n, kl) for n, kl in points if kl is not None and kl > 0.0]


def _grid(first: int, last: int) -> list[int]:
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    return [s * 10**p for p in powers for s in _STEPS if first <= s * 10**p <= last]


def _at(curve: Sequence[tuple[int, float]], number: int) -> float | None:
    for (n, kl), (n_next, kl_next) in pairwise(curve):
        if n <= number <= n_next:
            share = math.log(number / n) / math.log(n_next / n) if n_next > n else 0.0
            return kl ** (1.0 - share) * kl_next**share
    # A budget is filled up to the last whole step.
    return curve[-1][1] if 0.99 * number <= curve[-1][0] < number else None


def _cell(values: Sequence[float | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{statistics.median(known):.3g}" if known else "—"
