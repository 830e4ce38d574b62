"""auto.json: what was measured and decided so far. Every decision is there before it takes effect.

Where decisions depend on measured times, a second measurement would give others: a run that was
killed goes on with those that it finds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fabgen.files import write_atomic
from fabgen.json_files import damaged, read_json
from fabgen.run.auto.goal import Goal, Measured

#: What can be chosen: the map as it is, VEGAS's map of each axis, that with VEGAS+ strata, a small
#: flow and one of the size that the card says.
UNIFORM, GRID, VEGAS, SMALL_FLOW, FLOW = "uniform", "grid", "vegas", "small-flow", "flow"
FLOWS = (SMALL_FLOW, FLOW)
#: How a flow is trained: by the variance, or by FAB where no map finds f.
VARIANCE, FAB = METHODS = ("variance", "fab")
#: Where seconds come from (training.auto.costs): counted operations, or the clock.
TABLE, MEASURED = COSTS = ("table", "measured")
NAMES = {
    UNIFORM: "untrained map",
    GRID: "VEGAS grid",
    VEGAS: "VEGAS+ grid",
    SMALL_FLOW: "small flow",
    FLOW: "flow",
}


@dataclass(frozen=True)
class RoundRecord:
    """A round of training: the step of its end, seconds per step, what came out, what follows.

    evaluations: of f, for what came out.
    """

    step: int
    seconds_per_step: float
    measured: Measured
    goes_on: bool
    why: str
    evaluations: int = 0


@dataclass(frozen=True)
class Choice:
    """The course of the decisions.

    candidates: what was measured before any flow was trained. seconds_of_q: of a point drawn from
    the small flow; None where that was not needed. evaluations: of f, for the survey with VEGAS and
    for the rounds' measurements. plan: what is to become the surrogate; chosen: what did, None
    until then. training_evaluations: of a flow that was trained and not chosen. method: the one
    that a flow is trained by. costs: where all seconds come from; files without it are from before
    there was a table.
    """

    goal: Goal
    candidates: dict[str, Measured]
    evaluations: int
    plan: str
    why: str
    seconds_of_q: float | None = None
    rounds: tuple[RoundRecord, ...] = field(default=())
    chosen: str | None = None
    training_evaluations: int = 0
    method: str = VARIANCE
    costs: str = MEASURED

    def round_at(self, step: int) -> RoundRecord | None:
        return next((r for r in self.rounds if r.step == step), None)

    def with_round(self, record: RoundRecord, evaluations: int) -> Choice:
        rounds = (*self.rounds, replace(record, evaluations=evaluations))
        return replace(self, rounds=rounds, evaluations=self.evaluations + evaluations)

    @property
    def ends(self) -> list[tuple[int, Measured]]:
        """Where the rounds ended, and how."""
        return [(record.step, record.measured) for record in self.rounds]

    def as_dict(self) -> dict[str, Any]:
        """For auto.json and report.json: plain values, with the last word first."""
        values = asdict(self) | {"rounds": [asdict(record) for record in self.rounds]}
        return {name: values[name] for name in ("chosen", "why")} | values

    def store(self, file: Path) -> Choice:
        """Writes auto.json, whole or not at all."""
        write_atomic(file, json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n")
        return self


def read(file: Path) -> Choice | None:
    """The choice of a run; None if it has made none. Raises InputError for a damaged file."""
    if not file.exists():
        return None
    choice: Choice = read_json(file, Choice)
    named = [choice.plan, *([choice.chosen] if choice.chosen is not None else [])]
    if unknown := (set(named) | set(choice.candidates)) - set(NAMES):
        raise damaged(file, f"the surrogate {min(unknown)}")
    if choice.method not in METHODS:
        raise damaged(file, f"the method {choice.method}")
    if choice.costs not in COSTS:
        raise damaged(file, f"the costs {choice.costs}")
    if UNIFORM not in choice.candidates:
        raise damaged(file, f"candidates: {UNIFORM} is missing")
    return choice
