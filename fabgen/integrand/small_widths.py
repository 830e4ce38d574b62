"""Widths that stand for smaller ones (build/small_widths.py says where), and the factor for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class SmallWidths:
    """The widths that the subprocesses of a component are generated with.

    share: the least width, in masses. decayed: names of mass and width of the decayed particles
    that are generated with at least this width, one pair for each of them.
    """

    share: float = 0.0
    decayed: tuple[tuple[str, str], ...] = ()

    def used(self, derived: Mapping[str, Any]) -> dict[str, Any]:
        """The derived parameters with the widths that are used; plain numbers stay plain."""
        widths = {w: _larger(derived[w], self.share * derived[m]) for m, w in self.decayed}
        return {**derived, **widths}

    def factor(self, derived: Mapping[str, Any]) -> Any:
        """The factor on the cross section with these widths: 1 where none is replaced."""
        used = self.used(derived)
        return math.prod(used[width] / derived[width] for _, width in self.decayed)


#: All widths are used as they are.
NONE_SMALL = SmallWidths()


def _larger(first: Any, second: Any) -> Any:
    traced = isinstance(first, jax.Array) or isinstance(second, jax.Array)
    return (jnp if traced else np).maximum(first, second)
