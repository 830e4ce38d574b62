"""Training of surrogates. Names are loaded when first used: JAX, BlackJAX and Orbax are heavy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fabgen.training.objectives.registry import METHODS

__all__ = [
    "METHODS",
    "Checkpointer",
    "LogRecord",
    "Progress",
    "Sample",
    "Snapshot",
    "TrainResult",
    "load_surrogate",
    "log_spaced",
    "save_surrogate",
    "split_sample",
    "train",
]

if TYPE_CHECKING:
    from fabgen.training.checkpoint import Checkpointer, load_surrogate, save_surrogate
    from fabgen.training.loop import TrainResult, train
    from fabgen.training.records import LogRecord, Progress, Snapshot
    from fabgen.training.sample import Sample, split_sample
    from fabgen.training.stops import log_spaced

_LAZY = {
    "Checkpointer": "checkpoint",
    "LogRecord": "records",
    "Progress": "records",
    "Sample": "sample",
    "Snapshot": "records",
    "TrainResult": "loop",
    "load_surrogate": "checkpoint",
    "log_spaced": "stops",
    "save_surrogate": "checkpoint",
    "split_sample": "sample",
    "train": "loop",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
