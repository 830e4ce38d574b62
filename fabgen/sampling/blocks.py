"""Any number of points in blocks of one size, as a compiled program wants them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fabgen.sampling.sampler import DEFAULT_BLOCK

Places = NDArray[np.intp]


def in_blocks(n: int, size: int = DEFAULT_BLOCK) -> Iterator[tuple[slice, Places]]:
    """The places of n rows block by block: which they are, and `size` of them, the last block
    filled up with its last row."""
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield slice(start, stop), np.minimum(np.arange(start, start + size), stop - 1)
