"""The decisions, with invented costs."""

from __future__ import annotations

import math

import pytest

from fabgen.card import card_of_process
from fabgen.run.auto import rule
from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.auto.messages import duration
from fabgen.run.auto.rule import FlowSize

GOAL = Goal(samples=100_000, events=1_000_000)
SMALL, LARGE = FlowSize(4, 8, (32, 32)), FlowSize(6, 10, (64, 64))


def measured(acceptance: float, microseconds: float = 10.0, eps: float | None = None) -> Measured:
    eps = min(2.0 * acceptance, 1.0) if eps is None else eps
    return Measured(eps, 0.9 * acceptance, acceptance, 1e-6 * microseconds, 65_536)


def test_the_goal_counts_points():
    assert GOAL.points(0.5) == 2_100_000
    assert GOAL.seconds(measured(0.5)) == pytest.approx(21.0)
    assert GOAL.points(0.0) == math.inf
    integral = Goal(samples=100_000, events=0)
    assert integral.rate(measured(0.1, eps=0.4)) == 0.4
    assert integral.seconds(measured(0.1, eps=0.4)) == pytest.approx(2.5)


def test_the_goal_of_a_card():
    card = card_of_process("e+ e- > z h", ["training.auto.efficiency=0.9", "generation.events=7"])
    assert Goal.of(card, events=True) == Goal(100_000, 7, 0.9)
    assert Goal.of(card, events=False) == Goal(100_000, 0, 0.9)


def test_the_least_time_wins():
    candidates = {"uniform": measured(0.1), "grid": measured(0.5), "vegas": measured(0.8, 30.0)}
    assert rule.best(GOAL, candidates) == "grid"


def test_where_nobody_notices_the_time_the_fewest_points_win():
    few = Goal(samples=1000, events=1000)
    candidates = {"uniform": measured(0.1), "grid": measured(0.5, 20.0), "vegas": measured(0.4)}
    assert rule.best(few, candidates) == "grid"


def test_an_efficiency_goes_before_time():
    candidates = {"uniform": measured(0.45), "grid": measured(0.49, 1000.0)}
    assert rule.best(Goal(1000, 10**6, efficiency=0.95), candidates) == "grid"
    assert rule.best(Goal(1000, 10**6, efficiency=0.9), candidates) == "uniform"
    # none is efficient enough: the most efficient one
    assert rule.best(Goal(1000, 10**6, efficiency=0.99), candidates) == "grid"


@pytest.mark.parametrize(
    ("goal", "untrained", "tried"),
    [
        (GOAL, measured(0.01), True),  # 2 s of VEGAS against 1000 s
        (Goal(1000, 100), measured(0.9), True),  # against less, but 2 s are always tried
        (GOAL, measured(0.9, 100.0), True),  # 20 s against 121 s
        (GOAL, measured(0.99, 100.0), False),  # nothing to gain
        (Goal(1000, 100), measured(0.5, 1e4), False),  # half an hour against 12 s
        (Goal(1000, 100, efficiency=0.9), measured(0.4, 1e4), True),  # whatever it takes
    ],
)
def test_grids_are_tried_where_they_are_quick_or_may_pay(goal, untrained, tried):
    assert rule.worth_adapting(goal, untrained, 200_000) is tried


def test_a_flow_costs_its_compilation_a_round_and_its_own_time():
    seconds = rule.flow_seconds(GOAL, measured(0.25), 1e-5, 2e-5, batch=1000)
    training = 256 * 1000 * (1e-5 + rule.GRADIENT * 2e-5)
    generation = (100_000 + 1_000_000 / 0.5) * 3e-5
    assert seconds == pytest.approx(rule.COMPILATION + training + generation)
    hopeless = Measured(0.0, 0.0, 0.0, 1e-5, 65_536)
    assert math.isfinite(rule.flow_seconds(GOAL, hopeless, 1e-5, 2e-5, batch=1000))


def test_cheap_functions_need_no_flow_and_rare_events_do():
    """A flow pays where the points that it saves take longer than its training."""
    for acceptance, events, microseconds, pays in [
        (0.4, 10_000, 2.0, False),
        (0.02, 10_000, 20.0, False),
        (0.02, 1_000_000, 20.0, True),
        (0.4, 10_000_000, 2.0, False),  # q costs more than f
        (0.0005, 100_000, 50.0, True),
        (0.3, 100_000, 1000.0, False),  # a round of training takes as long as the events
        (0.05, 100_000, 1000.0, True),
    ]:
        goal, start = Goal(100_000, events), measured(acceptance, microseconds)
        flow = rule.flow_seconds(goal, start, 1e-6 * microseconds, 15e-6, batch=1024)
        assert (flow < goal.seconds(start)) is pays, (acceptance, events, microseconds)


@pytest.mark.parametrize(
    ("dim", "seconds_of_f", "larger"),
    [(8, 1e-5, False), (8, 1e-3, True), (2, 1e-3, False)],
)
def test_the_larger_flow_is_for_functions_that_cost_more(dim, seconds_of_f, larger):
    assert rule.takes_larger(dim, SMALL, LARGE, seconds_of_f, 15e-6) is larger


def test_sizes():
    assert LARGE.smaller() == SMALL
    assert SMALL.smaller() == SMALL
    assert FlowSize(2, 20, (16, 400)).smaller() == FlowSize(2, 8, (16, 32))
    assert 3.0 < LARGE.operations(8) / SMALL.operations(8) < 6.0
    assert not rule.takes_larger(8, SMALL, SMALL, 1.0, 1e-6)


def test_the_outlook_follows_the_power_of_the_last_round():
    # 1/a - 1: 3 after 256 steps, 1 after 768: the first power of the steps; 3/7 after 1792
    rounds = [(256, measured(0.25)), (768, measured(0.5))]
    seen = rule.outlook(GOAL, rounds, 1792, seconds_per_step=0.05)
    assert seen.saved == pytest.approx((2.0 - (1.0 + 3.0 / 7.0)) * 1e6 * 1e-5)
    assert seen.cost == pytest.approx(1024 * 0.05 + 65_536 * 1e-5)


def test_the_outlook_of_a_noisy_acceptance_follows_the_sampling_efficiency():
    # 1/eps - 1: 1 after 256 steps, 1/2 after 1024: the root of the steps
    rounds = [(256, measured(0.2, eps=0.5)), (1024, measured(0.2, eps=2.0 / 3.0))]
    seen = rule.outlook(GOAL, rounds, 4096, seconds_per_step=0.05)
    assert seen.saved == pytest.approx((5.0 - 3.0) * 1e6 * 1e-5)


def test_the_outlook_after_one_round_is_a_guess_and_after_a_bad_one_hopeless():
    first = rule.outlook(GOAL, [(256, measured(0.5))], 1024, 0.05)
    assert first.saved == pytest.approx(0.5 * 1e6 * 1e-5)  # half the inefficiency at 4 x the steps
    worse = rule.outlook(GOAL, [(256, measured(0.5)), (768, measured(0.4))], 1792, 0.05)
    assert worse.saved == 0.0
    nothing = Measured(0.0, 0.0, 0.0, 1e-5, 65_536)
    assert rule.outlook(GOAL, [(256, nothing)], 768, 0.05).saved == math.inf


def test_an_efficiency_that_stops_rising():
    assert not rule.is_stalled([(256, measured(0.4, eps=0.9))])
    assert not rule.is_stalled([(256, measured(0.4, eps=0.9)), (768, measured(0.4, eps=0.92))])
    assert rule.is_stalled([(256, measured(0.4, eps=0.9)), (768, measured(0.4, eps=0.901))])


def test_durations():
    said = [duration(s) for s in (0.0123, 4.0, 73.0, 250.0, 9000.0, 1e6, math.inf)]
    assert said == ["less than 0.1 s", "4 s", "73 s", "4.2 min", "2.5 h", "278 h", "forever"]


@pytest.mark.parametrize(
    ("untrained", "grid", "finds"),
    [
        (0.5, 0.6, True),
        (0.02, 0.03, True),
        (5e-3, 0.1, None),
        (5e-3, 0.6, True),
        (5e-4, 0.1, False),
        (5e-4, 0.6, True),
        (0.0, 0.0, False),
    ],
)
def test_what_no_map_finds_is_not_trained_by_its_variance(untrained, grid, finds):
    candidates = {"uniform": measured(1e-3, eps=untrained), "grid": measured(1e-3, eps=grid)}
    assert rule.finds_f(candidates) is finds
