"""A narrow curved ridge: all coordinates depend on each other, none of them alone tells of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from fabgen.integrand.toys.densities import Range, in_unit_cube
from fabgen.integrand.toys.maps import Box, Given, Number, OfEach, Points
from fabgen.integrand.toys.truncated import draw_truncated, log_truncated

_AMPLITUDE = 0.3


@dataclass(frozen=True)
class Ridge:
    """x_1 is uniform, each further coordinate is normal of `width` about a curve of x_1.

    The curve of x_j is 1/2 + 0.3 sin(2 pi (m x_1 + (j - 2)/(2 dim - 2))), m = 1 for even j and 2
    for odd j. Each normal distribution is cut off at the faces of the unit cube and normalized
    inside of it.
    """

    dim: int = 4
    width: Number = 0.02

    default_maps: ClassVar[str] = "flat"
    lengths: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[Mapping[str, tuple[int, int]]] = {"dim": (2, 32)}
    #: Double precision does not resolve much narrower ones.
    ranges: ClassVar[Mapping[str, Range]] = {"width": (1e-6, 1.0)}

    def refuse_empty(self) -> None:
        """There is nothing to refuse: the curve lies in the cube."""

    def log_density(self, x: Given) -> OfEach:
        log_f = log_truncated(x[1:], self.curve(x[0]), self.width).sum(axis=0)
        return in_unit_cube(x, log_f)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "{self.dim} {n}"]:
        """x (dim, n): n independent points of f."""
        v = jax.random.uniform(key, (self.dim, n))
        return jnp.concatenate([v[:1], draw_truncated(v[1:], self.curve(v[0]), self.width)])

    def maps(self) -> Mapping[str, Box]:
        return {"flat": Box(self.dim, 0.0, 1.0)}

    def features(self, x: Points) -> Points:
        return 2.0 * x - 1.0

    def curve(
        self, first: Float[Array | np.ndarray, " events"]
    ) -> Float[Array, "{self.dim}-1 events"]:
        """The centres (dim - 1, events) of the other coordinates at x_1 (events,)."""
        j = jnp.arange(self.dim - 1)[:, None]
        turns = (1 + j % 2) * first + j / (2 * self.dim - 2)
        return 0.5 + _AMPLITUDE * jnp.sin(2.0 * math.pi * turns)
