"""Decisions as one plain sentence each, for the terminal, report.json and auto.json."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.auto.record import NAMES, TABLE, UNIFORM, Choice
from fabgen.run.auto.rule import Outlook


def plan_without_flow(
    goal: Goal, simple: str, candidates: Mapping[str, Measured], flow_seconds: float, costs: str
) -> str:
    """Why no flow is trained. flow_seconds: what one would be expected to take, to the goal.

    costs: where seconds come from (`Choice`).
    """
    seconds = {name: goal.seconds(measured) for name, measured in candidates.items()}
    other = "" if simple == UNIFORM else f" ({NAMES[UNIFORM]}: {duration(seconds[UNIFORM])})"
    return (
        f"{NAMES[simple]}: {of(costs)}{duration(seconds[simple])} for {goal.name}{other}; "
        f"with a flow, its training included, about {duration(flow_seconds)}"
    )


def plan_with_flow(
    plan: str,
    goal: Goal,
    simple: str,
    candidates: Mapping[str, Measured],
    flow_seconds: float | None,
    costs: str,
) -> str:
    """Why a flow is trained. flow_seconds: what one is expected to take; None: the card asks."""
    start = candidates[simple]
    if flow_seconds is None:
        return f"{NAMES[plan]}: the card asks for one"
    if not goal.reached(start):
        return (
            f"{NAMES[plan]}: the card asks for a sampling efficiency of {goal.efficiency:g}, "
            f"the {NAMES[simple]} has {start.sampling_efficiency:.4f}"
        )
    without = f"{of(costs)}{duration(goal.seconds(start))}"
    return (
        f"{NAMES[plan]}: {goal.name} would take {without} with the "
        f"{NAMES[simple]}, with a flow, its training included, about {duration(flow_seconds)}"
    )


def by_fab(candidates: Mapping[str, Measured]) -> str:
    """Why a flow is not trained by its variance."""
    found = candidates[UNIFORM].sampling_efficiency
    return (
        f"; trained by FAB, since the {NAMES[UNIFORM]} finds little of f (sampling efficiency "
        f"{found:.2g})"
    )


def end_of_steps(step: int) -> str:
    return f"training.steps = {step:,} are done"


def end_by_stalling(measured: Measured, goal: Goal) -> str:
    return (
        f"the sampling efficiency, {measured.sampling_efficiency:.4f}, has stopped rising below "
        f"the {goal.efficiency:g} that the card asks for"
    )


def short_of_efficiency(measured: Measured, goal: Goal, steps: int) -> str:
    return (
        f"{steps:,} more steps, since the sampling efficiency is {measured.sampling_efficiency:.4f}"
        f" and the card asks for {goal.efficiency:g}"
    )


def outlook(seen: Outlook, steps: int, costs: str) -> str:
    return (
        f"{steps:,} more steps would take {of(costs)}{duration(seen.cost)} and save "
        f"{duration(seen.saved)}"
    )


def verdict(choice: Choice, chosen: str, simple: str) -> str:
    """The last word on a flow that was trained."""
    goal, last, before = choice.goal, choice.rounds[-1], choice.candidates[simple]
    flow, steps = NAMES[choice.plan], f"after {last.step:,} steps"
    if not goal.reached(before):
        eps = last.measured.sampling_efficiency
        reason = (
            f"the card asks for a sampling efficiency of {goal.efficiency:g}, the {flow} has "
            f"{eps:.4f} {steps}, the {NAMES[simple]} {before.sampling_efficiency:.4f}"
        )
        return f"{NAMES[chosen]}: {reason}"
    with_flow, without = duration(goal.seconds(last.measured)), duration(goal.seconds(before))
    kind = of(choice.costs)
    if chosen == simple:
        return (
            f"{NAMES[simple]}: {kind}{without} for {goal.name}, with the {flow} {steps} {with_flow}"
        )
    return (
        f"{flow}: {kind}{with_flow} for {goal.name} {steps}, with the {NAMES[simple]} {without}; "
        f"{last.why}"
    )


def of(costs: str) -> str:
    """The word before the first duration of a sentence, where none was measured."""
    return "nominal " if costs == TABLE else ""


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if not math.isfinite(seconds):
        return "forever"
    if seconds < 0.1:
        return "less than 0.1 s"
    size, unit = next(
        (size, unit)
        for size, unit in ((1.0, "s"), (60.0, "min"), (3600.0, "h"))
        if seconds < 100.0 * size or unit == "h"
    )
    number = seconds / size
    return f"{number:.2g} {unit}" if number < 100.0 else f"{number:,.0f} {unit}"
