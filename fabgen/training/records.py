"""Records of a training along its way: log lines, progress, snapshots."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jax import Array

from fabgen.training.counters import Counters, IntervalStats
from fabgen.training.target import Params


@dataclass(frozen=True)
class LogRecord:
    """One line of training.jsonl. Means are over the steps since the line before.

    None where a figure does not exist for the method or nothing was measured.
    """

    step: int
    loss: float | None
    validation_loss: float | None  # of fkld, at the end of the last epoch
    eps: float | None  # sampling efficiency of the fresh samples of q
    target_evaluations: int
    gradient_evaluations: int
    seconds: float
    acceptance: float | None
    step_size: float | None
    learning_rate: float
    skipped: int
    clipped: int
    nonfinite_values: int
    nonfinite_gradients: int

    def as_dict(self) -> dict[str, int | float | None]:
        """Field names and plain numbers, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Figures for a progress bar: `done` of `total` steps (warm-up included), the last figures."""

    done: int
    total: int
    step: int  # negative during the warm-up
    loss: float | None
    eps: float | None
    target_evaluations: int


@dataclass(frozen=True)
class Snapshot:
    """The parameters after `step` steps, at a step that the caller has asked for.

    Those of the last step are the ones that the training ends with. The next step overwrites
    `params`: whoever wants to keep them copies them. seconds_per_step: of the steps of this call
    alone, without compilation and what is done between them; None before the first one.
    """

    step: int
    params: Params
    target_evaluations: int
    gradient_evaluations: int
    seconds: float
    seconds_per_step: float | None


def _number(value: Any) -> float | None:
    value = float(value)
    return value if math.isfinite(value) else None


def _mean(total: Any, count: Any) -> float | None:
    return _number(total / count) if count > 0 else None


def progress_of(
    step: int, warm_up: int, steps: int, counters: Counters, meter: IntervalStats
) -> Progress:
    return Progress(
        done=step + warm_up,
        total=steps + warm_up,
        step=step,
        loss=_mean(meter.loss, meter.updates),
        eps=_efficiency(meter),
        target_evaluations=int(counters.target_evaluations),
    )


def _efficiency(meter: IntervalStats) -> float | None:
    """eps = (sum w)^2 / (N sum w^2) (Kish) of the samples since the last log line."""
    if meter.samples == 0 or not np.isfinite(meter.log_sum_w):
        return None
    return _number(np.exp(2.0 * meter.log_sum_w - meter.log_sum_w2) / meter.samples)


def log_record(
    step: int,
    counters: Counters,
    meter: IntervalStats,
    seconds: float,
    rate: float,
    validation_loss: Array | None,
) -> LogRecord:
    return LogRecord(
        step=step,
        loss=_mean(meter.loss, meter.updates),
        validation_loss=None if validation_loss is None else _number(validation_loss),
        eps=_efficiency(meter),
        target_evaluations=int(counters.target_evaluations),
        gradient_evaluations=int(counters.gradient_evaluations),
        seconds=seconds,
        acceptance=_mean(meter.acceptance, meter.transitions),
        step_size=_mean(meter.step_size, meter.transitions),
        learning_rate=rate,
        skipped=int(counters.skipped),
        clipped=int(counters.clipped),
        nonfinite_values=int(counters.nonfinite_values),
        nonfinite_gradients=int(counters.nonfinite_gradients),
    )
