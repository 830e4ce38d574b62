"""The densities of a set as the arrays that a program reads.

Inside of the grid x f is a cubic Hermite polynomial in ln x, and then in ln Q^2. Sixteen numbers
make the polynomial of a cell: the values at its four corners, their derivatives in either
direction, and the mixed ones. All of these belong to the knots, so a table of four numbers for each
knot serves all cells, in a quarter of the memory that the coefficients of all cells would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.arrays import Table, array_module
from fabgen.beams.pdf.grid import Grid, slopes

#: PDG id of the gluon, for which 0 stands, too.
GLUON = 21
#: With fewer knots in Q than this a subgrid is bilinear.
_FEWEST_CUBIC = 4
#: The least value of x f by the key ForcePositive of a set.
_LEAST = {0: -np.inf, 1: 0.0, 2: 1e-10}


class Densities(NamedTuple):
    """A member of a set, fit to be an argument of programs; see `of_grid`.

    x (n_x,), q (n_q,): the knots, see `Grid`. linear (n_q,): whether what lies above a knot in Q is
    bilinear. flavours (n_flavours,): PDG ids. table (n_x n_q, 4 n_flavours): of each knot, q
    varying fastest, x f of all flavours, then its derivatives in ln Q^2, in ln x, and in both.
    least (): the smallest value that x f may have.
    """

    x: Float[Table, " n_x"]
    q: Float[Table, " n_q"]
    linear: Bool[Table, " n_q"]
    flavours: Int[Table, " n_flavours"]
    table: Float[Table, "n_knots n_columns"]
    least: Float[Table, ""]

    @classmethod
    def of_grid(
        cls,
        grid: Grid,
        *,
        force_positive: int = 0,
        values: Float[Array, "n_x n_q n_flavours"] | None = None,
    ) -> Densities:
        """Of a grid, or of other values at its knots: x f is differentiable in those.

        force_positive: 0 leaves x f as it is, 1 makes negative values 0, 2 raises all to 1e-10.
        """
        return cls(
            x=grid.x,
            q=grid.q,
            linear=np.repeat([size < _FEWEST_CUBIC for size in grid.sizes], grid.sizes),
            flavours=np.array(grid.flavours),
            table=table_of(grid, grid.values if values is None else values),
            least=np.asarray(_LEAST[force_positive]),
        )

    def of(self, flavours: Sequence[int]) -> Densities:
        """Those of these flavours only: a smaller table, of which an event reads less."""
        known = np.asarray(self.flavours)
        columns = np.flatnonzero(np.isin(known, [pdg_of(flavour) for flavour in flavours]))
        kept = self.table.reshape(-1, 4, len(known))[:, :, columns]
        return self._replace(flavours=known[columns], table=kept.reshape(len(kept), -1))


def pdg_of(flavour: int) -> int:
    """The PDG id of a flavour, for which LHAPDF lets 0 stand for gluons."""
    return GLUON if flavour == 0 else flavour


def table_of(
    grid: Grid, values: Float[Table, "n_x n_q n_flavours"]
) -> Float[Table, "n_knots n_columns"]:
    """The table of `Densities` from values at the knots of a grid; NumPy or JAX, as they are."""
    where = array_module([values])

    def in_q(values: Table) -> Table:
        turned = slopes(where.swapaxes(values, 0, 1), 2.0 * np.log(grid.q), grid.sizes)
        back: Table = where.swapaxes(turned, 0, 1)
        return back

    in_x = slopes(values, np.log(grid.x))
    four = where.stack([values, in_q(values), in_x, in_q(in_x)], axis=2)
    table: Table = four.reshape(len(grid.x) * len(grid.q), -1)
    return table
