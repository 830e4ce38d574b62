"""Any number of points in blocks of one size, as a compiled program wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fabgen.sampling.sampler import DEFAULT_BLOCK

Places = NDArray[np.intp]


def in_blocks(n: int, size: int = DEFAULT_BLOCK) -> Iterator[tuple[slice, Places]]:
    """The places of n rows block by block: which they are, and `size` of them, the last block
    filled up with its last row."""
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield slice(start, stop), np.minimum(np.arange(start, start + size), stop - 1)


def mapped(function: Callable[..., ArrayLike], *rows: NDArray[Any]) -> NDArray[np.float64]:
    """function(*rows), of functions of single rows (n > 0, ...) -> (n, ...)."""
    found = [
        np.asarray(function(*(array[filled] for array in rows)))[: part.stop - part.start]
        for part, filled in in_blocks(len(rows[0]))
    ]
    return np.concatenate(found)
