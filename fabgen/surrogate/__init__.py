"""Densities on the unit hypercube that can be sampled and evaluated: uniform, flow, VEGAS+."""

from __future__ import annotations

from fabgen.surrogate.base import Params, Surrogate
from fabgen.surrogate.build import (
    build_channels,
    build_surrogate,
    gridded_channels,
    untrained_surrogate,
)
from fabgen.surrogate.channel_weights import ChannelLayout, ChannelWeights
from fabgen.surrogate.channels import MultiChannel, MultiChannelParams
from fabgen.surrogate.flow.flow import Flow
from fabgen.surrogate.uniform import Uniform
from fabgen.surrogate.vegas.axis_grid import Gridded
from fabgen.surrogate.vegas.grid import VegasGrid, VegasGridParams

__all__ = [
    "ChannelLayout",
    "ChannelWeights",
    "Flow",
    "Gridded",
    "MultiChannel",
    "MultiChannelParams",
    "Params",
    "Surrogate",
    "Uniform",
    "VegasGrid",
    "VegasGridParams",
    "build_channels",
    "build_surrogate",
    "gridded_channels",
    "untrained_surrogate",
]
