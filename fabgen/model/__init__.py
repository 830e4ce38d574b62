"""Models by name."""

from __future__ import annotations

import functools

from fabgen.errors import InputError
from fabgen.model.base import ORDERS, ZERO, Model, Particle, Vertex

_MODELS = ("sm", "sm-no_b_mass", "sm-zprime")


@functools.cache
def load_model(name: str) -> Model:
    """A model by its name. Raises InputError for an unknown one."""
    from fabgen.model.sm import standard_model
    from fabgen.model.zprime import zprime_model

    if name not in _MODELS:
        raise InputError("unknown model", key="model", found=name, allowed=", ".join(_MODELS))
    if name == "sm-zprime":
        return zprime_model(name)
    return standard_model(name, frozenset({"b"} if name == "sm-no_b_mass" else ()))


__all__ = ["ORDERS", "ZERO", "Model", "Particle", "Vertex", "load_model"]
