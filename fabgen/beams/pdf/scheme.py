"""Whether a set has the flavours that a model takes for massless."""

from __future__ import annotations

from fabgen.beams.pdf.info import SetInfo


def scheme_warning(info: SetInfo, n_massless: int) -> str | None:
    """What is wrong with a set for a model of n_massless massless quarks, or None.

    A set of fewer flavours has no density of the others. One whose number of flavours is fixed
    evolves with just these. A variable number that goes beyond the model's is what MadGraph, too,
    combines with a massive b quark at leading order; it is no reason for a warning.
    """
    n = info.n_flavours
    if not n or n == n_massless:
        return None
    if n < n_massless:
        return (
            f"the densities {info.name} have {n} flavours, the model {n_massless} massless quarks: "
            "the others are not in the proton"
        )
    if info.scheme == "fixed":
        return (
            f"the densities {info.name} evolve with {n} flavours, of which the model has only "
            f"{n_massless} without a mass"
        )
    return None
