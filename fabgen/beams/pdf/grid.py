"""Parton densities at the knots of their grid, and their slopes there as LHAPDF takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from fabgen.arrays import Table, array_module


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """x f(x, Q) of one member of a set.

    x (n_x,) and q (n_q,) in GeV: the knots. Subgrids, which meet at thresholds of flavours, stand
    one behind the other: the knot where two of them meet is there twice. sizes: how many of the
    knots in Q each subgrid has. flavours: PDG ids, 21 for gluons. values (n_x, n_q, n_flavours).
    """

    x: Float[np.ndarray, " n_x"]
    q: Float[np.ndarray, " n_q"]
    sizes: tuple[int, ...]
    flavours: tuple[int, ...]
    values: Float[np.ndarray, "n_x n_q n_flavours"]


def slopes(
    values: Float[Table, "n ..."],
    knots: Float[np.ndarray, " n"],
    sizes: Sequence[int] | None = None,
) -> Float[Table, "n ..."]:
    """d(values)/d(knots) at the knots, along the first axis; NumPy or JAX, as values are.

    The mean of the difference quotients to both sides; at the ends, and at those of each of the
    subgrids with `sizes` knots, the quotient to the one side (Buckley et al., arXiv:1412.7420).
    """
    parts = []
    start = 0
    for size in sizes or (len(knots),):
        own, at = values[start : start + size], knots[start : start + size]
        widths = np.diff(at).reshape(-1, *[1] * (values.ndim - 1))
        quotients = (own[1:] - own[:-1]) / widths
        inner = 0.5 * (quotients[1:] + quotients[:-1])
        parts += [quotients[:1], inner, quotients[-1:]]
        start += size
    found: Table = array_module([values]).concatenate(parts)
    return found
