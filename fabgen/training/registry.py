"""Names of the training methods. A new one is one file and one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fabgen.errors import InputError

if TYPE_CHECKING:
    from fabgen.training.objective import Objective

METHODS = {
    "fab": "fabgen.training.fab:Fab",
    "fab-nobuffer": "fabgen.training.fab_nobuffer:FabNoBuffer",
    "rkld": "fabgen.training.rkld:ReverseKl",
    "fkld": "fabgen.training.fkld:ForwardKl",
    "variance": "fabgen.training.variance:Variance",
    "kl": "fabgen.training.kl:WeightedKl",
    "variance-inverse": "fabgen.training.inverse:InverseVariance",
    "kl-inverse": "fabgen.training.inverse:InverseKl",
    "rkld-forward": "fabgen.training.rkld:ForwardReverseKl",
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
