"""Densities on the unit hypercube that can be sampled and evaluated: uniform, flow, VEGAS+."""

from __future__ import annotations

from fabgen.surrogate.base import Params, Surrogate
from fabgen.surrogate.build import build_surrogate
from fabgen.surrogate.flow import Flow
from fabgen.surrogate.uniform import Uniform
from fabgen.surrogate.vegas_grid import VegasGrid, VegasGridParams

__all__ = [
    "Flow",
    "Params",
    "Surrogate",
    "Uniform",
    "VegasGrid",
    "VegasGridParams",
    "build_surrogate",
]
