"""report.json."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fabgen.json_files import dump_report
from fabgen.metrics import WeightSum
from fabgen.run.report import build_report
from fabgen.sampling.integrate import survey
from fabgen.sampling.unweight import Totals

KEYS = {
    *("process", "model", "seed", "fabgen_version", "unit", "integral", "integral_error"),
    *("cross_section_pb", "cross_section_error_pb", "sampling_efficiency"),
    *("unweighting_efficiency_999", "forward_kl", "forward_kl_error"),
    *("unweighting_efficiency", "evaluation_samples", "max_weight", "events", "overweight"),
    *("target_evaluations", "gradient_evaluations", "timing_s", "device"),
}
TIMES = ["import", "compile", "train", "evaluate", "generate", "write", "total"]


def report(**changes):
    w = np.array([1.0, 2.0, 3.0])
    values = {
        "process": "e+ e- > mu+ mu-",
        "model": "sm",
        "seed": 1,
        "version": "0.1.0",
        "unit": "pb",
        "survey": survey(WeightSum.of(np.log(w)), np.log(w), 0.0, 4),
        "totals": Totals(10, 1, 20.0, 3.0, 64),
        "target_evaluations": {"training": 1000},
        "gradient_evaluations": {"training": 900},
        "timing_s": {"train": 1.5, "total": 2.0},
        "device": "cpu",
        **changes,
    }
    return build_report(**values)


def test_all_keys_of_the_contract() -> None:
    r = report()
    assert set(r) >= KEYS
    assert r["cross_section_pb"] == pytest.approx(2.0)
    assert r["target_evaluations"] == {"training": 1000, "evaluation": 4, "generation": 64}
    assert r["gradient_evaluations"] == {"training": 900, "evaluation": 0, "generation": 0}
    assert r["overweight"] == {"events": 1, "cross_section_fraction": pytest.approx(0.15)}
    assert list(r["timing_s"]) == TIMES
    assert r["events"] == 10 and r["evaluation_samples"] == 3


def test_warnings_are_a_list() -> None:
    assert report()["warnings"] == []
    assert report(warnings=("a", "b"))["warnings"] == ["a", "b"]


@pytest.mark.parametrize("unit", ["GeV", "none"])
def test_no_picobarns_without_a_cross_section(unit: str) -> None:
    r = report(unit=unit)
    assert r["cross_section_pb"] is None and r["cross_section_error_pb"] is None
    assert r["integral"] == pytest.approx(2.0)


def test_strict_json() -> None:
    r = report(extra={"a": math.nan, "b": [np.float64(1.5), np.inf], "c": np.int64(3)})
    assert json.loads(dump_report(r)) == r
    assert r["extra"] == {"a": None, "b": [1.5, None], "c": 3}
    assert "NaN" not in dump_report({"x": math.nan})


def test_misspelt_stages_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        report(timing_s={"trian": 1.0})
    with pytest.raises(ValueError, match="unit"):
        report(unit="fb")
