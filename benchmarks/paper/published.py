"""What the paper publishes: its Tables 1 and 2, and the exact integrals of its two targets.

Every entry is (mean, standard deviation over three trainings). Percent for the efficiencies.
Table 2 calls two rows rKLD; the first of them is fKLD, whose efficiency Table 1 repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

Entry = tuple[float, float] | None

METHODS = ("vegas", "fkld", "rkld", "fab-nobuffer", "fab")
#: Those of the paper and, below them, what fabgen has besides: FAB with as many gradient steps as
#: rKLD takes for the same evaluations, and the loss of its own settings.
ALL_METHODS = (*METHODS, "fab-updates", "variance")
#: What a comparison consists of, by its settings.
USUAL = {"paper": METHODS, "fabgen": (*METHODS, "variance")}
NAMES = {
    "vegas": "VEGAS+",
    "fkld": "fKLD",
    "rkld": "rKLD",
    "fab-nobuffer": "FAB (w/o buffer)",
    "fab": "FAB (w/ buffer)",
    "fab-updates": "FAB (w/ buffer, more updates)",
    "variance": "variance loss",
}

#: Integrals of the targets in the paper's normalization: 2D by Gauss-Legendre quadrature, 8D (no
#: flux, no (2 pi)^-8, no pb) by quasi-random integration, +- 0.019.
INTEGRALS = {2: 8923.525, 8: 2208.195}


@dataclass(frozen=True)
class Published:
    """One row: E_p[log(p/q)] with the unnormalized p, efficiencies in percent, the integral, and
    what the text says of its target evaluations. below: the unweighting efficiency is a bound."""

    cross_entropy: Entry
    efficiency: Entry
    integral: Entry
    unweighting: Entry
    evaluations: str
    below: bool = False


PUBLISHED: dict[int, dict[str, Published]] = {
    2: {
        "vegas": Published(None, (67.52, 0.21), (8926, 2), (16.30, 0.42), "1.6e6"),
        "fkld": Published((9.1581, 0.0011), (87.02, 0.08), (8925, 3), (22.50, 0.37), "10^4 events"),
        "rkld": Published((9.0978, 0.0005), (99.67, 0.01), (8924, 4), (75.42, 1.87), "3e7"),
        "fab-nobuffer": Published(
            (9.1009, 0.0003), (99.26, 0.08), (8912, 7), (67.59, 1.38), "as rKLD"
        ),
        "fab": Published((9.0988, 0.0005), (99.56, 0.05), (8911, 2), (68.69, 0.89), "as rKLD"),
    },
    8: {
        "vegas": Published(None, (0.02, 0.01), (1761, 309), (0.01, 0.0), "8.2e5", below=True),
        "fkld": Published((8.35, 0.16), (1.75, 1.26), (2116, 9), (0.02, 0.01), "10^6 events"),
        "rkld": Published((7.74, 0.02), (56.51, 40.14), (2267, 88), (0.29, 0.20), "1e11"),
        "fab-nobuffer": Published((7.79, 0.03), (84.25, 4.51), (2208, 1), (1.15, 0.27), "as rKLD"),
        "fab": Published(
            (7.747, 0.002), (90.59, 0.01), (2207.0, 0.1), (0.67, 0.07), "as rKLD, 2 of 3 runs"
        ),
    },
}
