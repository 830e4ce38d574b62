"""Models by name."""

from __future__ import annotations

import functools

from fabgen.errors import InputError
from fabgen.model.base import ORDERS, ZERO, Model, Particle, Vertex

#: Built-in models and the fermions that each of them takes as massless.
_MODELS = {"sm": frozenset[str](), "sm-no_b_mass": frozenset({"b"})}


@functools.cache
def load_model(name: str) -> Model:
    """A model by its name. Raises InputError for an unknown one."""
    from fabgen.model.sm import standard_model

    if name not in _MODELS:
        raise InputError("unknown model", key="model", found=name, allowed=", ".join(_MODELS))
    return standard_model(name, _MODELS[name])


__all__ = ["ORDERS", "ZERO", "Model", "Particle", "Vertex", "load_model"]
