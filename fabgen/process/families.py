"""Exchanges of families of a model that leave all amplitudes as they are."""

from __future__ import annotations

import itertools

from fabgen.model import Model


def renamings(model: Model) -> tuple[dict[str, str], ...]:
    """New names of the particles whose families change places; the first one changes nothing."""
    choices = [
        [tuple(zip(group, shuffled, strict=True)) for shuffled in itertools.permutations(group)]
        for group in model.families
    ]
    found = []
    for choice in itertools.product(*choices):
        pairs = itertools.chain.from_iterable(choice)
        found.append({a: b for old, new in pairs for a, b in zip(old, new, strict=True)})
    return tuple(found)
