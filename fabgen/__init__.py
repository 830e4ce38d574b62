"""fabgen: event generation with differentiable matrix elements and normalizing flows.

Importing the package switches JAX to 64-bit numbers and does nothing else. The public functions are
loaded when they are first used, so that the command line answers before JAX is up.
"""

from __future__ import annotations

import importlib
import os
import sys

__version__ = "0.1.0"

__all__ = ["__version__", "build_integrand", "load_card", "matrix_element"]

TYPE_CHECKING = False  # `typing` would delay the handlers of signals
if TYPE_CHECKING:
    from fabgen.amplitude.matrix_element import matrix_element
    from fabgen.build import build_integrand
    from fabgen.card import load_card

# Importing JAX takes 0.9 s, ten times as long as the rest of `fabgen --help`. Before that its
# switch is the environment variable it reads, afterwards its configuration.
if "jax" in sys.modules:
    sys.modules["jax"].config.update("jax_enable_x64", True)
else:
    os.environ["JAX_ENABLE_X64"] = "1"

_LAZY = {
    "build_integrand": "fabgen.build",
    "load_card": "fabgen.card",
    "matrix_element": "fabgen.amplitude.matrix_element",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
