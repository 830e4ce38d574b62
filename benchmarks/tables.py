"""What tables of runs share: a Markdown head, means over seeds, what a run was made with."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fabgen import __version__


def head(columns: Sequence[str]) -> str:
    """The first two lines of a Markdown table."""
    return "| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|"


def mean(values: Iterable[float], digits: int) -> str:
    """Mean and, of several values, standard deviation."""
    values = list(values)
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{spread}"


def made(command: str, record: Mapping[str, Any]) -> str:
    """The line that says how a table was made; record: one of its runs."""
    return (
        f"`{command}`; fabgen {__version__}, jax {record['jax']}, {record['cores']} cores,"
        f" {record['date']}; {record['evaluation_samples']:,} fresh samples each."
    )
