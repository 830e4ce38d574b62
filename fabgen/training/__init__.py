"""Training of surrogates. Names are loaded when first used: JAX, BlackJAX and Orbax are heavy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fabgen.training.registry import METHODS

__all__ = [
    "METHODS",
    "Checkpointer",
    "LogRecord",
    "Progress",
    "TrainResult",
    "load_surrogate",
    "save_surrogate",
    "train",
]

if TYPE_CHECKING:
    from fabgen.training.checkpoint import Checkpointer, load_surrogate, save_surrogate
    from fabgen.training.loop import LogRecord, Progress, TrainResult, train

_LAZY = {
    "Checkpointer": "checkpoint",
    "LogRecord": "loop",
    "Progress": "loop",
    "TrainResult": "loop",
    "load_surrogate": "checkpoint",
    "save_surrogate": "checkpoint",
    "train": "loop",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
