"""The card of every training of the comparison, and how many steps a budget of evaluations pays.

A budget counts every target evaluation of the training: HMC, the filling of the buffer, the warm-up
of VEGAS+, and all that drawing the own events of fkld takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from records import digest

from fabgen.card import Card, card_from_table, with_channels
from fabgen.errors import InputError

Table = dict[str, Any]

_PROCESS: dict[int, Table] = {
    2: {"process": "Lambda_c+ > p K- pi+", "model": "lc2pkpi"},
    8: {"process": "e+ e- > t t~, t > w+ b, t~ > w- b~", "beams": {"energy": [500.0, 500.0]}},
}
MAPPINGS = {2: ("dalitz",), 8: ("rambo", "channels")}

#: 8D on a CPU: 14 layers of 400 x 400, as in the paper, are too dear there.
_SMALL_NETWORK: Table = {"layers": 10, "bins": 14, "hidden": [128, 128]}

#: FAB as the paper has it, whatever fabgen's own form of it is.
_CHAINS: Table = {"intermediate": 2, "tempered": False, "even_draws": 0.0}
#: fabgen's own settings, on top of the card's defaults.
_OWN: dict[int, Table] = {
    2: {
        "surrogate": {"bins": 16},
        "training": {"fab": {**_CHAINS, "updates": 8, "buffer_minimum": 5}},
    },
    8: {
        "surrogate": {"bins": 14},
        "training": {"fab": {**_CHAINS, "updates": 4, "step_size": 0.005}, "anneal_widths": 1.0},
        "evaluation": {"floor": 0.04},
    },
}
#: Points of the survey that plans the own events of fkld.
SURVEY = 16_384


@dataclass(frozen=True)
class Experiment:
    """One training with its evaluation: what is asked for.

    samples: fresh points of the evaluation. along: how often it is evaluated along the training.
    """

    dim: int
    mapping: str
    settings: str  # paper | fabgen
    method: str
    budget: int
    seed: int
    samples: int = 1_000_000
    along: int = 20

    @property
    def name(self) -> str:
        """The name of its files."""
        parts = (f"{self.dim}d", self.mapping, self.settings, self.method, self.budget)
        return "-".join(str(part) for part in (*parts, f"seed{self.seed}"))


def evaluations_per_step(method: str, batch: int, fab: Mapping[str, int]) -> int:
    """Target evaluations of one training step; fab: intermediate, hmc_moves, leapfrog_steps."""
    if method in ("rkld", "variance"):
        return batch
    return batch * (1 + fab["intermediate"] * fab["hmc_moves"] * fab["leapfrog_steps"])


def steps_within(budget: int, method: str, batch: int, fab: Mapping[str, int]) -> int:
    """The most training steps that a budget pays for, the filling of the buffer included."""
    filling = fab["buffer_minimum"] if method in ("fab", "fab-updates") else 0
    steps = budget // evaluations_per_step(method, batch, fab) - filling
    if steps < 1:
        least = (filling + 1) * evaluations_per_step(method, batch, fab)
        raise InputError(
            f"the budget does not pay for one step of {method}",
            key="--budget",
            found=budget,
            allowed=f"at least {least}",
        )
    return steps


def vegas_points(budget: int, iterations: int, warmup_iterations: int, warmup: int) -> int:
    """Points of one iteration of VEGAS+: what the warm-up leaves of the budget, evenly."""
    points = (budget - warmup_iterations * warmup) // iterations
    if points < 1000:
        least = 1000 * iterations + warmup_iterations * warmup
        raise InputError(
            "the budget is too small for VEGAS+",
            key="--budget",
            found=budget,
            allowed=f"at least {least}",
        )
    return points


def events_within(budget: int, spent: int, acceptance: float, per_event: int, block: int) -> int:
    """Own events of fkld: each costs 1/acceptance evaluations to draw, and `per_event` more.

    Two blocks and 3 % are kept in reserve: a drawing ends with a whole block, and the acceptance is
    known from the points of a survey.
    """
    events = 0.97 * (budget - spent - 2 * block) / (1.0 / acceptance + per_event)
    if events < 1.0:
        raise InputError(
            "the budget does not pay for the events of fkld",
            key="--budget",
            found=budget,
            allowed=f"more than {spent + 2 * block}",
        )
    return int(events)


def gradient_steps(budget: int, batch: int) -> int:
    """Gradient steps of fkld, which cost no evaluation: as many as rkld takes."""
    return max(budget // batch, 1)


def _merge(*tables: Mapping[str, Any]) -> Table:
    merged: Table = {}
    for table in tables:
        for key, value in table.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = _merge(merged[key], value) if both else value
    return merged


def _physics(dim: int, mapping: str) -> Table:
    phase_space: Table = {"mapping": mapping}
    if dim == 8:
        phase_space["bw_cutoff"] = float("inf")
    return {**_PROCESS[dim], "phase_space": phase_space}


def _settings(experiment: Experiment) -> Table:
    if experiment.settings == "fabgen":
        return _OWN[experiment.dim]
    preset: Table = {"preset": f"fab-paper-{experiment.dim}d"}
    return preset | ({"surrogate": _SMALL_NETWORK} if experiment.dim == 8 else {})


def card_of(experiment: Experiment, data: str = "", events: int = 0) -> Card:
    """The card of an experiment. fkld: `data` is the file of its `events` own events."""
    return with_channels(card_from_table(_table(experiment, data, events)))


def _table(experiment: Experiment, data: str, events: int) -> Table:
    method, budget = experiment.method, experiment.budget
    flow = {"vegas": "rkld", "fab-updates": "fab"}.get(method, method)
    common: Table = {
        "training": {"method": flow, "seed": experiment.seed},
        "evaluation": {
            "samples": experiment.samples,
            "along_training": experiment.along,
            "along_samples": min(experiment.samples, 10_000 if experiment.dim == 2 else 100_000),
        },
    }
    base = _merge(_physics(experiment.dim, experiment.mapping), _settings(experiment), common)
    defaults = card_from_table(base)
    training = defaults.training
    if method == "vegas":
        old = defaults.surrogate.vegas
        points = vegas_points(budget, old.iterations, old.warmup_iterations, old.warmup_evaluations)
        grid = {"kind": "vegas", "vegas": {"evaluations": points}}
        return _merge(base, {"surrogate": grid, "evaluation": {"floor": 0.0}})
    batch, fab = training.batch_size, asdict(training.fab)
    own: Table
    steps = gradient_steps(budget, batch)
    if method == "fkld":
        used = events - round(training.fkld.validation * events)
        epochs = max(steps // max(used // batch, 1), 1)
        own = {"fkld": {"data": data, "epochs": epochs, "warmup_epochs": 0}}
    else:
        grids = defaults.surrogate.vegas
        start = grids.iterations * grids.evaluations if method == "variance" else 0
        steps = steps_within(budget - start, method, batch, fab)
        own = {"steps": steps}
        if method == "fab-updates":
            own |= {"fab": {"updates": evaluations_per_step(method, batch, fab) // batch}}
    if training.schedule == "warmup-cosine":
        own["warmup_steps"] = min(training.warmup_steps or 1000, steps // 10)
    own |= {"log_every": max(steps // 200, 1), "checkpoint_every": max(steps // 10, 1)}
    return _merge(base, {"training": own})


def events_card(experiment: Experiment, events: int) -> Card:
    """The card of the own events of fkld: the untrained map that follows the propagators."""
    mapping = "dalitz" if experiment.dim == 2 else "channels"
    return card_from_table(
        _merge(
            _physics(experiment.dim, mapping),
            {
                "surrogate": {"kind": "uniform"},
                "training": {"seed": experiment.seed},
                "evaluation": {"samples": SURVEY},
                "generation": {"events": events, "max_overweight": 0.01},
            },
        )
    )


def settings_hash(experiment: Experiment) -> str:
    """A hash of all that a result depends on, but for the versions of the programs."""
    cards = [card_of(experiment)]
    if experiment.method == "fkld":
        cards.append(events_card(experiment, 1))
    return digest(*cards)
