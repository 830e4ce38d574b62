"""Eight Gaussians far from each other: what a surrogate that collapses onto some of them misses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp
from jaxtyping import Float, Float64, PRNGKeyArray

from fabgen.integrand.toys.densities import Range, in_unit_cube
from fabgen.integrand.toys.maps import Box, Given, Number, OfEach, Points
from fabgen.integrand.toys.truncated import draw_truncated, log_truncated

#: Parts of the integral, and widths in units of the largest: no order of one in the other.
SHARES = np.arange(1.0, 9.0) / 36.0
WIDTHS = np.array([0.9, 1.0, 0.8, 0.95, 0.85, 1.0, 0.8, 0.9])
_MARGIN = 0.2


@dataclass(frozen=True)
class Modes:
    """Eight Gaussians in the unit cube of `dim` dimensions, with the shares 1/36 ... 8/36.

    separation: the distance of the closest two centres in units of the largest width; so one width
    follows for all axes of a mode (`WIDTHS`). Each Gaussian is cut off at the faces of the cube and
    normalized inside of it.
    """

    dim: int = 8
    separation: Number = 12.0

    default_maps: ClassVar[str] = "flat"
    lengths: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[Mapping[str, tuple[int, int]]] = {"dim": (2, 32)}
    #: Closer ones are no modes; double precision does not resolve those much further apart.
    ranges: ClassVar[Mapping[str, Range]] = {"separation": (1.0, 1e4)}

    def refuse_empty(self) -> None:
        """There is nothing to refuse: the centres lie in the cube."""

    def log_density(self, x: Given) -> OfEach:
        parts = log_truncated(x, jnp.asarray(self.centres)[..., None], self.widths[:, None, None])
        log_f = logsumexp(parts.sum(axis=1) + jnp.log(SHARES)[:, None], axis=0)
        return in_unit_cube(x, log_f)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "{self.dim} {n}"]:
        """x (dim, n): n independent points of f."""
        mode_key, point_key = jax.random.split(key)
        # Rounding may leave the last sum below 1; nothing lies above 1.
        edges = np.append(np.cumsum(SHARES)[:-1], 1.0)
        mode = jnp.searchsorted(edges, jax.random.uniform(mode_key, (n,)), side="right")
        v = jax.random.uniform(point_key, (self.dim, n))
        return draw_truncated(v, jnp.asarray(self.centres)[mode].T, self.widths[mode])

    def maps(self) -> Mapping[str, Box]:
        return {"flat": Box(self.dim, 0.0, 1.0)}

    def features(self, x: Points) -> Points:
        return 2.0 * x - 1.0

    @property
    def centres(self) -> Float64[np.ndarray, "8 {self.dim}"]:
        """(8, dim), at least 0.2 from the faces: the sequence of M. Roberts, as even as Sobol's.

        frac(1/2 + k a), a_j = g^-j with g^(dim + 1) = g + 1, the golden ratio in one dimension.
        """
        g = 1.5
        for _ in range(60):  # each step takes off a factor of dim + 1 and more of the distance
            g = (1.0 + g) ** (1.0 / (self.dim + 1))
        steps = np.outer(np.arange(1, 9), g ** -np.arange(1.0, self.dim + 1))
        inner: Float64[np.ndarray, "8 dim"] = (0.5 + steps) % 1.0
        return _MARGIN + (1.0 - 2.0 * _MARGIN) * inner

    @property
    def widths(self) -> Float[Array, " 8"]:
        """(8,) standard deviations, the same along all axes."""
        centres = self.centres
        first, second = np.triu_indices(len(centres), 1)
        closest = np.linalg.norm(centres[first] - centres[second], axis=-1).min()
        widths: Float[Array, " 8"] = WIDTHS * closest / jnp.asarray(self.separation)
        return widths
