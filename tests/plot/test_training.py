"""The numbers of the training curve."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.training import (
    After,
    column,
    evaluations_shown,
    has_curve,
    is_squashed,
    robust_limits,
    training_curve,
)

FLOW = [
    {"step": 10, "loss": 2.0, "eps": None, "target_evaluations": 100},
    {"step": 20, "loss": 1.0, "eps": 0.5, "target_evaluations": 200},
]


def test_columns_have_gaps_where_nothing_was_measured():
    np.testing.assert_array_equal(column(FLOW, "eps"), [np.nan, 0.5])
    np.testing.assert_array_equal(column(FLOW, "loss"), [2.0, 1.0])
    np.testing.assert_array_equal(column(FLOW, "integral"), [np.nan, np.nan])


def test_what_can_be_drawn():
    assert has_curve(FLOW)
    assert has_curve([{"integral": 1.0, "loss": None}])
    assert not has_curve([])
    assert not has_curve([{"step": 10, "loss": None, "eps": None}])


def test_limits_leave_out_single_wild_values():
    values = np.append(np.linspace(1.0, 2.0, 50), 1e6)
    low, high = robust_limits(values)
    assert low == pytest.approx(0.92)
    assert high == pytest.approx(2.08)
    assert robust_limits(np.array([3.0, np.nan])) == pytest.approx((2.7, 3.3))
    assert robust_limits(np.array([np.nan])) == (0.0, 1.0)
    assert robust_limits(np.zeros(3)) == (-1.0, 1.0)


def course(loss, eps, start=1000):
    calls = start + 1000 * np.arange(len(loss))
    lines = zip(loss, eps, calls, strict=True)
    return [{"loss": a, "eps": b, "target_evaluations": int(c)} for a, b, c in lines]


def test_the_axis_of_evaluations_leaves_out_what_came_before_the_first_line():
    assert evaluations_shown(np.array([1.0, 5.0, 10.0])) == (0.0, 10.3)
    assert evaluations_shown(np.array([10.0])) == (0.0, 10.3)
    low, high = evaluations_shown(np.array([2.15, 5.38]))  # 40 % would be empty
    assert low == pytest.approx(1.99, abs=0.01)
    low, high = evaluations_shown(np.array([205.0, 261.0]))
    assert 200.0 < low < 205.0
    assert 261.0 < high < 265.0


def test_a_line_far_from_the_curve_squashes_it():
    assert is_squashed(np.array([0.993, 0.997]), 0.665)
    assert is_squashed(np.array([0.1, 0.2]), 0.9)
    assert not is_squashed(np.array([0.3, 0.9]), 0.2)
    assert not is_squashed(np.array([0.5, 0.9]), 0.7)
    assert not is_squashed(np.array([0.7]), 0.7)


@pytest.mark.parametrize(("untrained", "above"), [(0.01, False), (1.0, True)])
def test_an_untrained_line_far_away_has_a_strip_of_a_broken_axis(untrained, above):
    records = course([3.0, 2.0, 1.5], [0.8, 0.82, 0.83])
    figure = training_curve(records, "", "pb", After(3500, 0.84, untrained))
    _, *pair = figure.axes
    strip, main = pair if above else pair[::-1]
    assert main.get_ylim()[0] > 0.78
    assert main.get_ylim()[1] < 0.86
    assert strip.get_ylim()[0] < untrained < strip.get_ylim()[1]
    assert [text.get_text() for text in strip.get_yticklabels()] == [f"{untrained:g}"]
    labels = [text.get_text() for text in main.get_legend().get_texts()]
    assert labels == ["during training", "untrained map", "after training"]


def test_the_curve_ends_at_the_evaluations_of_the_report():
    figure = training_curve(
        course([3.0, 2.0], [0.3, 0.8], start=400_000), "", "pb", After(500_000, 0.8, 0.4)
    )
    lower = figure.axes[-1]
    star = next(line for line in lower.lines if line.get_label() == "after training")
    assert star.get_xdata()[0] == pytest.approx(5.0)
    assert lower.get_xlabel() == "target evaluations [$10^{5}$]"
    assert lower.get_xlim()[0] > 3.9


@pytest.mark.parametrize(
    ("loss", "scale"),
    [
        ([3e-3, 1e-3, 1e-4], "log"),
        ([3.0, 2.0, 1.5], "linear"),
        ([3.0, 1.0, -0.1], "linear"),
        ([3.0, None, 0.1], "log"),
    ],
)
def test_a_loss_of_different_sizes_has_a_logarithmic_axis(loss, scale):
    figure = training_curve(course(loss, [0.5, 0.6, 0.7]), "", "pb")
    assert figure.axes[0].get_yscale() == scale
