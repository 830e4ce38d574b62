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
#: The text of 0000 .. 9999, four ASCII codes in one integer each.
_FOUR_DIGITS = np.frombuffer("".join(f"{k:04d}" for k in range(10_000)).encode(), dtype=np.uint32)


def round_digits(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """x rounded to 15 significant digits: the value that its written form is read back as."""
    mantissa, exponent = _decompose(x)
    return np.copysign(_times_power(mantissa.astype(np.float64), exponent - (DIGITS - 1)), x) + 0.0


def scientific(x: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The text of x (...) in `FLOAT_FORMAT` as ASCII codes (..., WIDTH).

    Rounds as `round_digits` does, for whose values it equals Python's format. Below 1e-99 writes
    zero; 1e99 and more, infinities and NaN raise FabgenError.
    """
    mantissa, exponent = _decompose(x)
    text = np.empty((*x.shape, WIDTH), dtype=np.uint8)
    text[..., 0] = np.where(np.signbit(x) & (mantissa > 0), ord("-"), ord(" "))
    high, low = np.divmod(mantissa, 100_000_000)
    first, second = np.divmod(high, 10_000)
    third, fourth = np.divmod(low, 10_000)
    leading = _four_digits(first)  # 0abc
    text[..., 1] = leading[..., 1]
    text[..., 2] = ord(".")
    text[..., 3:5] = leading[..., 2:]
    text[..., 5:9] = _four_digits(second)
    text[..., 9:13] = _four_digits(third)
    text[..., 13:17] = _four_digits(fourth)
    text[..., 17] = ord("e")
    text[..., 18] = np.where(exponent < 0, ord("-"), ord("+"))
    text[..., 19:21] = _four_digits(np.abs(exponent))[..., 2:]
    return text


def _four_digits(k: NDArray[np.int64]) -> NDArray[np.uint8]:
    """ASCII codes (..., 4) of integers in [0, 9999]."""
    return np.take(_FOUR_DIGITS, k)[..., None].view(np.uint8)


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
    mantissa = _times_power(size, DIGITS - 1 - exponent)
    # log10 may round up to a power of ten just above x; then again, x may be rounded up to it.
    low = mantissa < 1e14
    if np.any(low):
        exponent -= low
        mantissa = np.where(low, _times_power(size, DIGITS - 1 - exponent), mantissa)
    mantissa = np.rint(mantissa)
    high = mantissa >= 1e15
    if np.any(high):
        exponent += high
        mantissa = np.where(high, np.rint(mantissa / 10.0), mantissa)
    mantissa[zero] = 0.0
    exponent[zero] = 0
    return mantissa.astype(np.int64), exponent


def _times_power(x: NDArray[np.float64], k: NDArray[np.int64]) -> NDArray[np.float64]:
    """x 10^k; powers of ten up to 10^22 are exact floats, so divide for negative k."""
    power = _POWERS[np.abs(k)]
    return np.where(k >= 0, x * power, x / power)
