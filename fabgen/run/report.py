"""report.json: the figures of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fabgen.sampling.integrate import ChannelSurvey, Survey
from fabgen.sampling.unweight import Totals

STAGES = ("training", "evaluation", "generation")
TIMES = ("import", "compile", "train", "evaluate", "generate", "write", "total")
UNITS = ("pb", "GeV", "none")


def build_report(
    *,
    process: str | list[str],
    model: str,
    seed: int,
    version: str,
    unit: str,
    survey: Survey,
    totals: Totals,
    target_evaluations: Mapping[str, int],
    gradient_evaluations: Mapping[str, int],
    timing_s: Mapping[str, float],
    device: str,
    weighted: bool = False,
    warnings: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """The report of a run, ready for strict JSON: numbers that are not finite become null.

    survey: of the evaluation sample. totals: of the generated events (Totals() if there are none).
    target_evaluations, gradient_evaluations: by stage (training, evaluation, generation); those of
    evaluation and generation are taken from survey and totals unless given. warnings: why not to
    believe the figures. timing_s: seconds by
    stage, see TIMES; a stage that did not run took 0 s. `more` is added as it is.
    """
    if unit not in UNITS:
        raise ValueError(f"unit {unit!r} is none of {UNITS}")
    metrics = survey.metrics
    calls = {
        "training": 0,
        "evaluation": survey.target_evaluations,
        "generation": totals.target_evaluations,
        **target_evaluations,
    }
    report = {
        "process": process,
        "model": model,
        "seed": seed,
        "fabgen_version": version,
        "unit": unit,
        "cross_section_pb": metrics.integral if unit == "pb" else None,
        "cross_section_error_pb": metrics.integral_error if unit == "pb" else None,
        "integral": metrics.integral,
        "integral_error": metrics.integral_error,
        "sampling_efficiency": metrics.sampling_efficiency,
        "unweighting_efficiency": metrics.unweighting_efficiency,
        "unweighting_efficiency_999": metrics.unweighting_efficiency_999,
        "forward_kl": metrics.forward_kl,
        "forward_kl_error": metrics.forward_kl_error,
        "evaluation_samples": metrics.n,
        "zero_samples": metrics.zero,
        "nonfinite_samples": metrics.nonfinite,
        "max_weight": metrics.max_weight,
        "reference_weight": math.exp(survey.log_w_max),
        "acceptance": survey.acceptance,
        "events": totals.events,
        "weighted": weighted,
        "overweight": {
            "events": totals.overweight_events,
            "cross_section_fraction": totals.overweight_share,
        },
        "target_evaluations": _by_name(calls, STAGES),
        "gradient_evaluations": _by_name(gradient_evaluations, STAGES),
        "timing_s": _by_name(timing_s, TIMES),
        "device": device,
        **({"channels": [_channel(c) for c in survey.channels]} if survey.channels else {}),
        "warnings": list(warnings),
        **more,
    }
    return _finite(report)


def dump_report(report: Mapping[str, Any]) -> str:
    """The report as strict JSON (RFC 8259: no NaN, no infinity), floats as they round-trip."""
    return json.dumps(_finite(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _channel(channel: ChannelSurvey) -> dict[str, Any]:
    """The figures of one of several channels; zero if no weight was above zero."""
    m = channel.metrics
    return {
        "share": channel.share,
        "samples": m.n if m else 0,
        "integral": m.integral if m else 0.0,
        "integral_error": m.integral_error if m else 0.0,
        "sampling_efficiency": m.sampling_efficiency if m else 0.0,
        "unweighting_efficiency": m.unweighting_efficiency if m else 0.0,
        "max_weight": m.max_weight if m else 0.0,
    }


def _by_name(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    unknown = set(values) - set(names)
    if unknown:
        raise ValueError(f"unknown: {sorted(unknown)}; known: {names}")
    return {name: values.get(name, 0) for name in names}


def _finite(value: Any) -> Any:
    """Plain Python values, null for numbers that JSON does not know."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "item"):  # numpy and JAX scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
