"""The course of an automatic training: survey, plan, rounds, choice."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fabgen.card import Card
from fabgen.card.auto import round_ends
from fabgen.errors import FabgenError, InputError
from fabgen.run.auto import measure, messages, nominal, rule
from fabgen.run.auto.goal import Goal
from fabgen.run.auto.modes import has_several_modes
from fabgen.run.auto.record import (
    FAB,
    FLOW,
    FLOWS,
    SMALL_FLOW,
    UNIFORM,
    VARIANCE,
    VEGAS,
    Choice,
    RoundRecord,
    read,
)
from fabgen.run.grids import (
    Grids,
    planned_evaluations,
    survey_grids,
    survey_grids_if_possible,
    template,
)
from fabgen.run.session import Session, Trained
from fabgen.run.surrogate import describe_training, pretrains, surrogate_of
from fabgen.run.training import train_flow

if TYPE_CHECKING:
    from fabgen.run.files import RunDirectory
    from fabgen.training import Snapshot


def automatic_surrogate(session: Session, goal: Goal, evaluations: int = 0) -> Trained:
    """The surrogate that reaches the goal soonest: found now, finished, or read from the run.

    A run has one choice: later commands use it whatever their goal is. evaluations: of f, that the
    goal took.
    """
    return _Automatic(session, goal, evaluations).surrogate()


def has_chosen(run: RunDirectory) -> bool:
    """Whether the run holds a finished choice."""
    choice = read(run.auto)
    return choice is not None and choice.chosen is not None


def read_choice(run: RunDirectory) -> Choice | None:
    """The choice of a run, finished or not; None before its survey is done."""
    return read(run.auto)


def goals_of(parts: Sequence[Session], *, events: bool) -> list[tuple[Goal, int]]:
    """The goal of each part of a run, and the evaluations of f that it took.

    Several parts share the events by their cross sections, as a few points of the untrained maps
    see them; those that have chosen keep the goals that they have chosen for, if these add up to
    the same events.
    """
    card = parts[0].card
    if len(parts) == 1 or not events:
        return [(Goal.of(card, events=events), 0) for _ in parts]
    choices = [read(part.run.auto) for part in parts]
    known = [c.goal for c in choices if c is not None and c.chosen is not None]
    if len(known) == len(parts):
        total = sum(goal.events for goal in known)
        if 0 <= total - card.generation.events < len(parts):  # each of them was rounded up
            return [
                (dataclasses.replace(Goal.of(card, events=True), events=goal.events), 0)
                for goal in known
            ]
        sizes = [(float(goal.events), 0) for goal in known]
    else:
        sizes = [measure.size(part) for part in parts]
    whole = sum(size for size, _ in sizes)
    shares = [size / whole if whole else 1.0 / len(parts) for size, _ in sizes]
    return [
        (Goal.of(card, events=True, share=share), calls)
        for share, (_, calls) in zip(shares, sizes, strict=True)
    ]


def card_of(card: Card, name: str, n_channels: int = 1, method: str = VARIANCE) -> Card:
    """The card with the flow `name` spelled out, and the method that it is trained by.

    Batches are as large as its channels need them at least.
    """
    from fabgen.training.stratification import FEWEST_POINTS

    options = card.surrogate
    batch_size = max(card.training.batch_size, FEWEST_POINTS * n_channels)
    size = size_of(card).smaller() if name == SMALL_FLOW else size_of(card)
    return dataclasses.replace(
        card,
        surrogate=dataclasses.replace(options, kind="flow", **dataclasses.asdict(size)),
        training=dataclasses.replace(card.training, method=method, batch_size=batch_size),
    )


def size_of(card: Card) -> rule.FlowSize:
    options = card.surrogate
    return rule.FlowSize(options.layers, options.bins, tuple(options.hidden))


#: Numbers of the measurements of rounds are their steps, above those of the survey.
_FIRST_OF_ROUNDS = 1000


class _Automatic:
    """One command at work on the choice of one run."""

    def __init__(self, session: Session, goal: Goal, evaluations: int = 0):
        self.session = session
        self.goal = goal
        self.evaluations = evaluations

    @property
    def run(self) -> RunDirectory:
        return self.session.run

    @functools.cached_property
    def grids(self) -> Grids:
        """The VEGAS grids; a run that was killed adapts the same ones again."""
        return survey_grids(self.session)

    def surrogate(self) -> Trained:
        choice = read(self.run.auto)
        if choice is None:
            self.run.truncate_logs(None)
            choice = self._survey().store(self.run.auto)
            self.session.reporter.note(choice.why)
        elif choice.chosen is None:
            self._refuse_other_costs(choice)
        else:
            self.session.reporter.note(f"chosen before: {choice.why}")
            if choice.goal != self.goal:
                self.session.reporter.note(
                    f"the choice was made for {choice.goal.name}; --restart makes another one"
                )
        if choice.plan not in FLOWS:
            return self._simple(choice)
        if choice.chosen is not None and choice.chosen not in FLOWS:
            return self._simple(choice)
        return self._flow(choice)

    def _refuse_other_costs(self, choice: Choice) -> None:
        """An unfinished choice from before there was a table: its seconds are not to be compared
        with nominal ones."""
        costs = self.session.card.training.auto.costs
        if choice.costs != costs:
            raise InputError(
                "the run has begun to choose by other costs",
                key="training.auto.costs",
                found=f'"{costs}"',
                allowed=f'"{choice.costs}", as in {self.run.auto}',
                hint="--restart trains anew, --run DIR elsewhere",
            )

    # --- before any flow is trained ---------------------------------------------------------------

    def _survey(self) -> Choice:
        """Measures the untrained map and VEGAS grids, and plans what to become."""
        session, goal = self.session, self.goal
        with session.watch("import"):
            from fabgen.surrogate import untrained_surrogate
        flat = untrained_surrogate(session.integrand.dim, session.layout)
        params = flat.init(measure.key(session, 0))
        block = session.block
        untrained, calls = measure.measure(session, flat, params, block, 0)
        evaluations = self.evaluations + calls
        samples = block
        if untrained.seconds_per_point * block < measure.SLOW:
            samples = measure.BLOCKS * block
            untrained, calls = measure.measure(session, flat, params, samples, 1)
            evaluations += calls
        candidates = {UNIFORM: untrained}
        grids = None
        if rule.worth_adapting(goal, untrained, planned_evaluations(session)):
            with session.watch("train"):
                grids = survey_grids_if_possible(session)
        if grids is not None:
            self.grids = grids
            evaluations += grids.evaluations
            for i, (name, (surrogate, params)) in enumerate(grids.surrogates.items()):
                candidates[name], calls = measure.measure(
                    session, surrogate, params, samples, 2 + i
                )
                evaluations += calls
        if all(m.acceptance == 0.0 for m in candidates.values()):
            raise FabgenError(
                f"the integrand vanishes at all {evaluations} points tried: "
                "the cuts may leave no phase space"
            )
        finds = rule.finds_f(candidates)
        if finds is None and session.integrand.n_channels == 1:
            several, calls = has_several_modes(session)
            finds, evaluations = not several, evaluations + calls
        method = FAB if finds is False else VARIANCE
        costs = session.card.training.auto.costs
        choice = Choice(goal, candidates, evaluations, UNIFORM, "", method=method, costs=costs)
        return self.planned(choice)

    def planned(self, choice: Choice) -> Choice:
        """The choice that follows from the survey: a grid, or a flow of some size."""
        session, goal, candidates = self.session, self.goal, choice.candidates
        simple = rule.best(goal, candidates)
        reached = goal.reached(candidates[simple])
        own_size = session.card.surrogate.kind == "flow"
        by = messages.by_fab(candidates) if choice.method == FAB else ""
        if own_size:
            why = messages.plan_with_flow(FLOW, goal, simple, candidates, None, choice.costs)
            return dataclasses.replace(choice, plan=FLOW, why=why + by)
        start = candidates[simple]
        small = card_of(session.card, SMALL_FLOW, session.integrand.n_channels)
        batch = small.training.batch_size
        seconds_of_f = candidates[UNIFORM].seconds_per_point
        seconds = rule.flow_seconds(goal, start, seconds_of_f, 0.0, batch)
        seconds_of_q = None
        if not reached or goal.seconds(start) > seconds:
            with session.watch("import"):
                surrogate = surrogate_of(small, session.integrand)
            params = surrogate.init(measure.key(session, 0))
            seconds_of_q = measure.seconds_to_draw(session, surrogate, params)
            seconds = rule.flow_seconds(goal, start, seconds_of_f, seconds_of_q, batch)
        if seconds_of_q is None or (reached and goal.seconds(start) <= seconds):
            why = messages.plan_without_flow(goal, simple, candidates, seconds, choice.costs)
            return dataclasses.replace(choice, plan=simple, why=why, seconds_of_q=seconds_of_q)
        larger = rule.takes_larger(
            session.integrand.dim,
            size_of(small),
            size_of(session.card),
            seconds_of_f,
            seconds_of_q,
        )
        plan = FLOW if larger else SMALL_FLOW
        why = messages.plan_with_flow(plan, goal, simple, candidates, seconds, choice.costs)
        return dataclasses.replace(choice, plan=plan, why=why + by, seconds_of_q=seconds_of_q)

    # --- an untrained map, a grid -----------------------------------------------------------------

    def _simple(self, choice: Choice) -> Trained:
        """The surrogate without a flow that was chosen, stored."""
        name = choice.chosen or choice.plan
        figures: dict[str, Any] = {}
        if name == UNIFORM:
            from fabgen.surrogate import untrained_surrogate

            flat = untrained_surrogate(self.session.integrand.dim, self.session.layout)
            surrogate, params, figures = flat, flat.init(measure.key(self.session, 0)), {}
        else:
            surrogate, params, figures = self._stored_grid(name)
        if choice.chosen is None:
            choice = dataclasses.replace(choice, chosen=name).store(self.run.auto)
        calls = choice.evaluations + choice.training_evaluations
        return Trained(surrogate, params, calls, 0, figures, choice=choice.as_dict())

    def _stored_grid(self, name: str) -> tuple[Any, Any, dict[str, Any]]:
        """A grid of the run; one that is not there yet is stored."""
        with self.session.watch("import"):
            from fabgen.training import Checkpointer, load_surrogate, save_surrogate
        description = describe_training(self.session.card) | {"surrogate": name}
        method = {"method": "vegas" if name == VEGAS else "vegas-grid"}
        folder = self.run.surrogate
        if not self._holds(name):
            surrogate, params = self.grids.surrogates[name]
            self.run.truncate_logs(None)
            for line in self.grids.log:
                self.run.append_log(line)
            save_surrogate(folder, params, description)
            return surrogate, params, method | self.grids.figures
        surrogate, like = template(self.session, name)
        assert Checkpointer(folder, description).finished
        return surrogate, load_surrogate(folder, like, description), method

    def _holds(self, name: str) -> bool:
        """Whether the run's folder holds this grid, and not the training of a flow."""
        from fabgen.training.checkpoint import read_manifest

        manifest = read_manifest(self.run.surrogate)
        return manifest is not None and manifest["description"].get("surrogate") == name

    # --- flows ------------------------------------------------------------------------------------

    def _flow(self, choice: Choice) -> Trained:
        """The flow of the plan, trained round by round; a grid if that turned out to be faster."""
        session = self.session
        card = card_of(session.card, choice.plan, session.integrand.n_channels, choice.method)
        with session.watch("import"):
            surrogate = surrogate_of(card, session.integrand)
        ends = round_ends(card.training.steps)
        known = choice

        def decide(step: int, params: Any, pace: float) -> bool:
            nonlocal known
            if known.round_at(step) is None:
                if measure.by_table(session):
                    pace = nominal.seconds_per_step(session, surrogate, card)
                known = self._with_round(known, surrogate, step, params, pace, ends)
                known.store(self.run.auto)
                session.reporter.note(f"after {step:,} steps: {known.rounds[-1].why}")
            record = known.round_at(step)
            return record is not None and not record.goes_on

        def enough(snapshot: Snapshot) -> bool:
            pace = snapshot.seconds_per_step
            return decide(
                snapshot.step,
                snapshot.params,
                snapshot.seconds / snapshot.step if pace is None else pace,
            )

        def start() -> Any:
            has_grids = pretrains(card, session.integrand.n_channels) and len(choice.candidates) > 1
            if not has_grids:
                return None
            # The choice has counted these already.
            return self.grids.pretrained._replace(target_evaluations=0, zero_values=0)

        trained = train_flow(session, surrogate, card, start, ends, enough)
        steps = trained.figures["steps"]
        decide(steps, trained.params, trained.figures["training_seconds"] / steps)
        if known.chosen is None:
            known = self.with_verdict(known, trained.target_evaluations).store(self.run.auto)
            session.reporter.note(known.why)
        if known.chosen not in FLOWS:
            return self._simple(known)
        calls = known.evaluations + trained.target_evaluations
        return dataclasses.replace(trained, target_evaluations=calls, choice=known.as_dict())

    def _with_round(
        self,
        choice: Choice,
        surrogate: Any,
        step: int,
        params: Any,
        pace: float,
        ends: tuple[int, ...],
    ) -> Choice:
        """The choice with the round that ended at `step`, and what it means for the next one.

        pace: seconds per step. ends: of all rounds that there may be.
        """
        goal, samples = choice.goal, choice.candidates[UNIFORM].samples
        measured, calls = measure.measure(
            self.session, surrogate, params, samples, _FIRST_OF_ROUNDS + step
        )
        rounds = [*choice.ends, (step, measured)]
        goes_on = False
        if step == ends[-1]:
            why = messages.end_of_steps(step)
        else:
            end = ends[ends.index(step) + 1]
            if goal.reached(measured):
                seen = rule.outlook(goal, rounds, end, pace)
                goes_on = seen.saved > seen.cost
                why = messages.outlook(seen, end - step, choice.costs)
            elif rule.is_stalled(rounds):
                why = messages.end_by_stalling(measured, goal)
            else:
                goes_on, why = True, messages.short_of_efficiency(measured, goal, end - step)
        return choice.with_round(RoundRecord(step, pace, measured, goes_on, why), calls)

    def with_verdict(self, choice: Choice, evaluations: int) -> Choice:
        """The last word; evaluations: of f by the training of the flow."""
        simple = rule.best(choice.goal, choice.candidates)
        # The fastest measurement: what else the machine does at times is no cost of the flow.
        fastest = min(record.measured.seconds_per_point for record in choice.rounds)
        last = dataclasses.replace(choice.rounds[-1].measured, seconds_per_point=fastest)
        chosen = choice.plan
        if self.session.card.surrogate.kind != "flow":
            chosen = rule.best(choice.goal, {choice.plan: last, simple: choice.candidates[simple]})
        by = messages.by_fab(choice.candidates) if choice.method == FAB else ""
        return dataclasses.replace(
            choice,
            chosen=chosen,
            why=messages.verdict(choice, chosen, simple) + by,
            training_evaluations=0 if chosen == choice.plan else evaluations,
        )
