"""The numbers of the training curve."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.training import column, has_curve, robust_limits

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
