"""Estimates and times as words."""

from __future__ import annotations

import pytest

from fabgen.cli.figures import estimate, format_seconds


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.159893, 0.000123, "0.15989 +- 0.00012 pb"),
        (7.196, 0.0051, "7.1960 +- 0.0051 pb"),
        (1234.5, 12.3, "1234 +- 12 pb"),
        (1.23456e-9, 1.2e-12, "1.2346e-09 +- 1.2e-12 pb"),
        (1.5e8, 2.0e5, "1.5000e+08 +- 2.0e+05 pb"),
        (1.4914721439113916, 1.3e-13, "1.491472144 +- 1.3e-13 pb"),
        (1.4914721439113916, 1.3e-18, "1.491472144 pb (exact)"),
        (2.5, 0.0, "2.5 pb (exact)"),
        (-2.5, 0.0, "-2.5 pb (exact)"),
        (2.5, None, "2.5 pb, error not known"),
        (2.5, float("nan"), "2.5 pb, error not known"),
        (2.5, float("inf"), "2.5 pb, error not known"),
        (0.0, 0.1, "0.00 +- 0.10 pb"),
        (0.0, 0.0, "0 pb"),
        (None, 0.1, "not finite"),
        (float("nan"), float("nan"), "not finite"),
    ],
)
def test_estimates_show_two_digits_of_the_error(value, error, expected):
    assert estimate(value, error, " pb") == expected


def test_seconds():
    assert [format_seconds(s) for s in (1.26, 75.0, 3700.0)] == [
        "1.3 s",
        "1 min 15 s",
        "1 h 01 min",
    ]
