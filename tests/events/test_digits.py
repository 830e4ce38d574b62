"""Vectorized float formatting against Python's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fabgen.errors import FabgenError
from fabgen.events.digits import FLOAT_FORMAT, WIDTH, round_digits, scientific

numbers = st.floats(min_value=-1e98, max_value=1e98)


def text(x: np.ndarray) -> list[str]:
    return [bytes(row).decode() for row in scientific(x)]


@given(st.lists(numbers, min_size=1, max_size=20).map(np.array))
@example(np.array([9.999999999999999e22, 1e23, -1e-5, 999999999999999.9, 1.0, 0.1, 0.0, -0.0]))
@example(np.array([9.99999999999999e-99, 1e-99, 1e-98, 9.99999999999999e98]))
@settings(max_examples=200)
def test_rounded_values_are_written_as_python_does(x: np.ndarray) -> None:
    rounded = round_digits(x)
    for line, value in zip(text(rounded), rounded, strict=True):
        assert len(line) == WIDTH
        assert float(line) == pytest.approx(value, rel=3e-16, abs=0.0)
        if 1e-7 < abs(value) < 1e22 or value == 0:
            assert line == format(value, FLOAT_FORMAT)
            assert float(line) == value


@given(numbers)
@settings(max_examples=200)
def test_rounding_error(x: float) -> None:
    rounded = round_digits(np.array([x]))[0]
    assert abs(rounded - x) <= 0.51e-14 * abs(x) or abs(x) <= 1e-99
    assert round_digits(np.array([rounded]))[0] == pytest.approx(rounded, rel=3e-16)


def test_any_shape() -> None:
    assert scientific(np.ones((2, 3, 4))).shape == (2, 3, 4, WIDTH)


def test_negative_zero_has_no_sign() -> None:
    assert text(round_digits(np.array([-0.0, -1e-120]))) == [format(0.0, FLOAT_FORMAT)] * 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e99, -1e200])
def test_numbers_that_cannot_be_written(bad: float) -> None:
    with pytest.raises(FabgenError, match="an event holds a number"):
        scientific(np.array([1.0, bad]))
