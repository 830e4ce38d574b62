"""Relative errors (%) at 10^4 events, mean and deviation over ten trainings.

T. Heimel et al., MadNIS, SciPost Phys. 15 (2023) 141, Tables 1 and 2.
"""

from __future__ import annotations

#: (toy, row) -> (mean, deviation).
PUBLISHED: dict[tuple[str, str], tuple[float, float]] = {
    ("camel-back", "uniform"): (2.553, 0.017),
    ("camel-back", "optimal"): (0.769, 0.006),
    ("camel-back", "learned, flat prior"): (0.770, 0.005),
    ("camel-back", "learned, optimal prior"): (0.767, 0.006),
    ("cut-camel-back", "uniform"): (3.412, 0.048),
    ("cut-camel-back", "optimal"): (1.031, 0.006),
    ("cut-camel-back", "learned, flat prior"): (1.032, 0.017),
    ("cut-camel-back", "learned, optimal prior"): (1.030, 0.009),
    ("crossed-ring", "flat"): (1.17, 0.13),
    ("crossed-ring", "flat, flat"): (0.71, 0.15),
    ("crossed-ring", "flat, flat, flat"): (0.50, 0.15),
    ("crossed-ring", "ring, flat"): (0.30, 0.11),
    ("crossed-ring", "ring, line"): (0.14, 0.06),
    ("crossed-ring", "ring, line, flat"): (0.29, 0.14),
}
