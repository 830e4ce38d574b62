"""The card of every training: those of the paper's Tables 1 and 2 as far as fabgen has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from records import digest

from fabgen.card import Card, card_from_table, with_channels

Table = dict[str, Any]

#: Camel backs: fixed or trained weights, from which prior.
CAMEL_ROWS: dict[str, tuple[str, bool]] = {
    "uniform": ("flat", False),
    "optimal": ("densities", False),
    "learned, flat prior": ("flat", True),
    "learned, optimal prior": ("densities", True),
}
#: Crossed ring: maps and prior. "Mode-specific" priors take the ring's or the line's density for a
#: flat map's; the last row is what the paper says of a flat prior, without a number.
RING_ROWS: dict[str, tuple[str, str]] = {
    "flat": ("flat", "flat"),
    "flat, flat": ("flat@ring flat@line", "densities"),
    "flat, flat, flat": ("flat@ring flat@ring flat@line", "densities"),
    "ring, flat": ("ring flat", "flat"),
    "ring, line": ("ring line", "flat"),
    "ring, line, flat": ("ring line flat", "flat"),
    "flat, flat (flat prior)": ("flat flat", "flat"),
}
COUPLINGS = ("affine", "spline")
#: A shorter training of the crossed ring has as much larger a learning rate, up to this factor.
MOST_FASTER = 10.0
#: Rows of the buffered trainings: R, with 1/R of the fresh points and as many updates.
BUFFERED = (1, 5)


@dataclass(frozen=True)
class Experiment:
    """One training with its evaluation: what is asked for.

    variant: "" for camel backs, the coupling of the crossed ring; gain: R of the buffer. fraction:
    of the paper's steps.
    """

    toy: str
    row: str
    variant: str = ""
    gain: int = 1
    seed: int = 1
    fraction: float = 1.0

    @property
    def name(self) -> str:
        """The name of its files."""
        row = self.row.replace(", ", "-").replace(" ", "_").replace("(", "").replace(")", "")
        parts = (self.toy, row, self.variant, f"R{self.gain}", f"seed{self.seed}")
        return "--".join(part for part in parts if part) + (
            f"--{self.fraction:g}" if self.fraction != 1.0 else ""
        )


def card_of(experiment: Experiment) -> Card:
    table = _camel(experiment) if "camel" in experiment.toy else _ring(experiment)
    training = table["training"]
    updates = round(training["steps"] * experiment.fraction)
    steps = max(updates // experiment.gain, 1)
    training |= {
        "method": "variance",
        "seed": experiment.seed,
        "steps": steps,
        "log_every": max(steps // 100, 1),
        "checkpoint_every": max(steps // 10, 1),
    }
    training["madnis"] |= {"buffer_gain": experiment.gain, "vegas_pretraining": False}
    return with_channels(card_from_table({"process": f"toy:{experiment.toy}", **table}))


def _camel(experiment: Experiment) -> Table:
    """Table 1, left: 20 epochs of 100 batches of 128 points, as many of each channel."""
    prior, trained = CAMEL_ROWS[experiment.row]
    return {
        "channels": {"prior": prior, "trained_weights": trained, "hidden": [16, 16, 16]},
        "surrogate": {"kind": "uniform"},
        "training": {
            "steps": 2000,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "madnis": {"stratified": False},
        },
    }


def _ring(experiment: Experiment) -> Table:
    """Table 2, left: 100 epochs of 500 batches of 1024 points; smaller networks beside a ring."""
    maps, prior = RING_ROWS[experiment.row]
    has_ring = maps.startswith("ring")
    faster = min(1.0 / experiment.fraction, MOST_FASTER)
    return {
        "channels": {"maps": maps, "prior": prior, "hidden": [16, 16]},
        "surrogate": {
            "layers": 6,
            "bins": 10,
            "hidden": [16, 16] if has_ring else [32, 32, 32],
            "coupling": experiment.variant,
            "permutation": "rotation",
        },
        "training": {
            "steps": 50_000,
            "batch_size": 1024,
            "learning_rate": faster * (1e-3 if has_ring else 5e-4),
            "madnis": {},
        },
    }


def experiments(part: str, trainings: int, fraction: float) -> list[Experiment]:
    """All of a part. Trainings outermost: a table of one is there first."""
    rows: list[tuple[str, str, str, int]] = []
    if part == "camel":
        rows = [(toy, row, "", 1) for toy in ("camel-back", "cut-camel-back") for row in CAMEL_ROWS]
    if part == "ring":
        rows = [("crossed-ring", row, v, 1) for v in COUPLINGS for row in RING_ROWS]
    if part == "buffered":
        rows = [("crossed-ring", "ring, line", "spline", gain) for gain in BUFFERED]
        rows += [("camel-back", "learned, flat prior", "", gain) for gain in BUFFERED]
    seeds = range(1, trainings + 1)
    return [Experiment(*row, seed, fraction) for seed in seeds for row in rows]


def settings_hash(experiment: Experiment) -> str:
    """A hash of all that a result depends on, but for the versions of the programs."""
    return digest(card_of(experiment))
