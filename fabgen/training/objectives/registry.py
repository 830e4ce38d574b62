"""Names of the training methods. A new one is a file, a line here, a choice in card/schema.py."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fabgen.errors import InputError

if TYPE_CHECKING:
    from fabgen.training.objectives.base import Objective

METHODS = {
    "fab": "fabgen.training.objectives.fab:Fab",
    "fab-nobuffer": "fabgen.training.objectives.fab_nobuffer:FabNoBuffer",
    "rkld": "fabgen.training.objectives.rkld:ReverseKl",
    "fkld": "fabgen.training.objectives.fkld:ForwardKl",
    "variance": "fabgen.training.objectives.variance:Variance",
    "kl": "fabgen.training.objectives.kl:WeightedKl",
    "variance-inverse": "fabgen.training.objectives.inverse:InverseVariance",
    "kl-inverse": "fabgen.training.objectives.inverse:InverseKl",
    "rkld-forward": "fabgen.training.objectives.rkld:ForwardReverseKl",
}


def objective_class(method: str) -> type[Objective]:
    """The objective behind a name of `training.method`; loads only that one's modules."""
    if method not in METHODS:
        raise InputError(
            "unknown training method",
            key="training.method",
            found=method,
            allowed=", ".join(METHODS),
        )
    module, name = METHODS[method].split(":")
    return getattr(importlib.import_module(module), name)
