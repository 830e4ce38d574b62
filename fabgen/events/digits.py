"""Many floats to fixed-width text at once.

Python's own formatting takes 0.8 us per number, most of the time of writing an event. Here the 15
digits of all numbers come from integer arithmetic on whole arrays, about twenty times as fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fabgen.errors import FabgenError

#: Significant digits of every float in an event file, and the format that writes them.
DIGITS = 15
FLOAT_FORMAT = " .14e"
#: Characters of one float in that format: sign, 1 + point + 14 digits, e, sign, 2 digits.
WIDTH = 21

_EXPONENTS = 99
_POWERS = np.array([float(f"1e{k}") for k in range(_EXPONENTS + DIGITS + 1)])
_FOUR_DIGITS = np.array([list(f"{k:04d}".encode()) for k in range(10_000)], dtype=np.uint8)


def round_digits(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """x rounded to 15 significant digits: the value that its written form is read back as."""
    mantissa, exponent = _decompose(x)
    return np.copysign(_times_power(mantissa.astype(np.float64), exponent - (DIGITS - 1)), x) + 0.0


def scientific(x: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The text of x (...) in `FLOAT_FORMAT` as ASCII codes (..., WIDTH).

    Equal to Python's format for values that `round_digits` has rounded. Below 1e-99 writes zero;
    1e100 and more, infinities and NaN raise FabgenError.
    """
    mantissa, exponent = _decompose(x)
    text = np.empty((*x.shape, WIDTH), dtype=np.uint8)
    text[..., 0] = np.where(np.signbit(x) & (mantissa > 0), ord("-"), ord(" "))
    high, low = np.divmod(mantissa, 100_000_000)
    first, second = np.divmod(high, 10_000)
    third, fourth = np.divmod(low, 10_000)
    text[..., 1:4] = _FOUR_DIGITS[first][..., 1:]  # one digit, then two that move behind the point
    text[..., 4:5] = text[..., 3:4]
    text[..., 3:4] = text[..., 2:3]
    text[..., 2] = ord(".")
    text[..., 5:9] = _FOUR_DIGITS[second]
    text[..., 9:13] = _FOUR_DIGITS[third]
    text[..., 13:17] = _FOUR_DIGITS[fourth]
    text[..., 17] = ord("e")
    text[..., 18] = np.where(exponent < 0, ord("-"), ord("+"))
    text[..., 19:21] = _FOUR_DIGITS[np.abs(exponent)][..., 2:]
    return text


def _decompose(x: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """|x| = mantissa x 10^(exponent - 14) with mantissa in [10^14, 10^15), or 0 x 10^-14."""
    if not np.all(np.isfinite(x)):
        raise FabgenError("an event holds a number that is not finite")
    size = np.abs(x)
    if np.any(size >= 10.0**_EXPONENTS):
        raise FabgenError(f"an event holds a number of 1e{_EXPONENTS} or more")
    zero = size < 10.0**-_EXPONENTS
    size = np.where(zero, 1.0, size)
    exponent = np.floor(np.log10(size)).astype(np.int64)
    mantissa = np.rint(_times_power(size, DIGITS - 1 - exponent))
    # log10 may be off by one ulp next to a power of ten, and rounding may reach the next one.
    off = (mantissa >= 1e15).astype(np.int64) - (mantissa < 1e14)
    exponent += off
    mantissa = np.where(
        off == 0, mantissa, np.rint(_times_power(size, DIGITS - 1 - exponent))
    ).astype(np.int64)
    return np.where(zero, 0, mantissa), np.where(zero, 0, exponent)


def _times_power(x: NDArray[np.float64], k: NDArray[np.int64]) -> NDArray[np.float64]:
    """x 10^k; powers of ten up to 10^22 are exact floats, so divide for negative k."""
    power = _POWERS[np.abs(k)]
    return np.where(k >= 0, x * power, x / power)
