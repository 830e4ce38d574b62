"""Scales: keys that have to fit together, and MadGraph's numbers of dynamic ones."""

from __future__ import annotations

from fabgen.card.schema import DYNAMIC_SCALES, Scales
from fabgen.errors import InputError

#: The names that the dynamical_scale_choice of a run card has here.
BY_CHOICE = dict(zip((1, 2, 3, 4, -1), DYNAMIC_SCALES, strict=True))


def check_scales(scales: Scales) -> None:
    """Raises InputError for a factor that has nothing to multiply."""
    dynamic = {scales.renormalization, scales.factorization} & set(DYNAMIC_SCALES)
    if scales.factor != 1.0 and not dynamic:
        raise InputError(
            "the factor multiplies dynamic scales, and there is none",
            key="scales.factor",
            found=scales.factor,
            allowed=f"1, or at least one dynamic scale: {', '.join(DYNAMIC_SCALES)}",
        )
