"""Equal seeds: which runs a table holds, so that no row has a seed that another one lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paper.published import USUAL

Record = Mapping[str, Any]


def equal_seeds(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The runs of one table, and the further ones, which are listed below it.

    The seeds are those that all usual methods of the comparison have, as far as there are runs of
    them; another method is in the table if it has these, too. A failed run counts as one that is
    there: to leave out its seed would hide it.
    """
    seeds: dict[str, set[int]] = {}
    for record in records:
        experiment = record["experiment"]
        seeds.setdefault(experiment["method"], set()).add(experiment["seed"])
    usual = USUAL[records[0]["experiment"]["settings"]]
    deciding = [own for method, own in seeds.items() if method in usual] or list(seeds.values())
    shared = set.intersection(*deciding)
    methods = {method for method, own in seeds.items() if shared <= own}

    def is_in(record: Record) -> bool:
        return record["experiment"]["method"] in methods and record["experiment"]["seed"] in shared

    return [r for r in records if is_in(r)], [r for r in records if not is_in(r)]
