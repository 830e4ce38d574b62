"""Rows in blocks of one size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fabgen.sampling.blocks import in_blocks


@given(st.integers(0, 100), st.integers(1, 40))
def test_blocks_hold_every_row_once_and_then_their_last(n, size):
    rows, found = np.arange(n) + 7, []
    for part, filled in in_blocks(n, size):
        block = rows[filled]
        length = part.stop - part.start
        assert len(block) == size
        np.testing.assert_array_equal(block[:length], rows[part])
        assert np.all(block[length:] == rows[part.stop - 1])
        found.extend(block[:length])
    assert found == list(rows)
