"""Results that the repository keeps, a line of JSON each: no table has to be made in one go.

A benchmark uses the line of a run again if its settings are still the same, and `--report` adds the
runs of its own folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fabgen.files import write_atomic

Record = dict[str, Any]


def read_records(file: Path) -> dict[str, Record]:
    """Name of a run -> its record; empty without the file."""
    if not file.exists():
        return {}
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {line.pop("run"): line for line in lines}


def write_records(file: Path, records: Mapping[str, Record]) -> None:
    """Writes all records, sorted by name."""
    lines = (json.dumps({"run": name, **records[name]}) for name in sorted(records))
    write_atomic(file, "".join(line + "\n" for line in lines))
