"""Numbers as people read them: estimates with their errors, times."""

from __future__ import annotations

import math

#: Relative errors up to this are rounding.
_ROUNDING = 1e-15


def estimate(value: float | None, error: float | None, unit: str) -> str:
    """A value with as many digits as its error allows: two digits of the error are shown.

    None stands for what is not finite, as in report.json. An error below the rounding of a double,
    as of weights that are all equal, is none.
    """
    if value is None or not math.isfinite(value):
        return "not finite"
    if error is None or not math.isfinite(error) or error < 0.0:
        return f"{value:.6g}{unit}, error not known"
    if error <= _ROUNDING * abs(value):
        return f"{value:.10g}{unit} (exact)" if value else f"0{unit}"
    if error < 1e-9 * abs(value):
        return f"{value:.10g} +- {error:.1e}{unit}"
    digits = max(0, 1 - _exponent(error))
    if digits <= 8 and abs(value) < 1e6:
        return f"{value:.{digits}f} +- {error:.{digits}f}{unit}"
    precision = max(0, _exponent(value) - _exponent(error) + 1)
    return f"{value:.{precision}e} +- {error:.1e}{unit}"


def _exponent(number: float) -> int:
    return int(f"{abs(number):e}".split("e")[1])


def format_seconds(seconds: float) -> str:
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
