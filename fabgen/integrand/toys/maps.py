"""Maps of the unit cube onto the space of a toy, normalized densities in both directions.

u (dim, events) in [0, 1], x (dim, events). T. Heimel et al., MadNIS, SciPost Phys. 15 (2023) 141,
section 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

#: A parameter of a density or of a map: a number, or a traced one.
Number = float | Float[Array, ""]
#: Points of the cube or of the space of a toy.
Points = Float[Array, "dim events"]
#: The same as a caller may give them.
Given = Float[Array | np.ndarray, "dim events"]
#: A number for each of them.
OfEach = Float[Array, " events"]


@runtime_checkable
class ToyMap(Protocol):
    """x = G^-1(u), and the density g(x) = |du/dx| that uniform u give x."""

    def forward(self, u: Points) -> Points: ...

    def log_density(self, x: Points) -> OfEach:
        """log g (events,); -inf where the map does not reach."""
        ...


@dataclass(frozen=True)
class Box:
    """The constant density on [low, high]^dim."""

    dim: int
    low: Number
    high: Number

    def forward(self, u: Points) -> Points:
        return self.low + (self.high - jnp.asarray(self.low)) * u

    def inverse(self, x: Points) -> Points:
        return (x - self.low) / (self.high - jnp.asarray(self.low))

    def log_density(self, x: Points) -> OfEach:
        inside = jnp.all((x >= self.low) & (x <= self.high), axis=0)
        width = jnp.asarray(self.high) - self.low
        return jnp.where(inside, -self.dim * jnp.log(width), -jnp.inf)


@dataclass(frozen=True)
class Cauchy:
    """Eq. 41: x = centre + width tan(pi (u - 1/2)), on the real line."""

    centre: Number
    width: Number

    def forward(self, u: Points) -> Points:
        return self.centre + self.width * jnp.tan(math.pi * (u - 0.5))

    def log_density(self, x: Points) -> OfEach:
        return _log_cauchy(x[0] - self.centre, self.width) - math.log(math.pi)


@dataclass(frozen=True)
class Line:
    """Eqs. 45 and 46: along and across the diagonal x2 = x1, both within [-reach, reach].

    A Cauchy density of each, cut off at the reach.
    """

    along: Number
    across: Number
    reach: Number

    def forward(self, u: Points) -> Points:
        y1 = _between(u[0], self.along, -jnp.asarray(self.reach), self.reach)
        y2 = _between(u[1], self.across, -jnp.asarray(self.reach), self.reach)
        return jnp.stack([y1 - y2, y1 + y2]) / math.sqrt(2.0)

    def log_density(self, x: Points) -> OfEach:
        y = along_and_across(x)
        total = jnp.zeros(x.shape[1:])
        for coordinate, width in zip(y, (self.along, self.across), strict=True):
            angle = 2.0 * jnp.arctan(jnp.asarray(self.reach) / width)
            total += _log_cauchy(coordinate, width) - jnp.log(angle)
        return jnp.where(jnp.all(jnp.abs(y) <= self.reach, axis=0), total, -jnp.inf)


@dataclass(frozen=True)
class Ring:
    """Eqs. 47 and 48: uniform in the azimuth, a Cauchy density of the radius in [0, reach]."""

    radius: Number
    width: Number
    reach: Number

    def forward(self, u: Points) -> Points:
        low, high = -jnp.asarray(self.radius), jnp.asarray(self.reach) - self.radius
        r = self.radius + _between(u[0], self.width, low, high)
        azimuth = 2.0 * math.pi * u[1]
        return r * jnp.stack([jnp.cos(azimuth), jnp.sin(azimuth)])

    def log_density(self, x: Points) -> OfEach:
        r = radius_of(x)
        angle = jnp.arctan((jnp.asarray(self.reach) - self.radius) / self.width)
        angle += jnp.arctan(jnp.asarray(self.radius) / self.width)
        inside = (r <= self.reach) & (r > 0.0)
        log_g = _log_cauchy(r - self.radius, self.width) - jnp.log(angle)
        log_length = jnp.log(2.0 * math.pi * jnp.where(inside, r, 1.0))
        return jnp.where(inside, log_g - log_length, -jnp.inf)


def along_and_across(x: Float[Array | np.ndarray, "2 events"]) -> Float[Array, "2 events"]:
    """Coordinates (2, events) along and across the diagonal x2 = x1."""
    return jnp.stack([x[0] + x[1], x[1] - x[0]]) / math.sqrt(2.0)


def radius_of(x: Float[Array | np.ndarray, "2 events"]) -> OfEach:
    """sqrt(x1^2 + x2^2) with a finite derivative at the origin."""
    square = jnp.sum(x**2, axis=0)
    return jnp.sqrt(jnp.where(square > 0.0, square, 1.0)) * (square > 0.0)


def _between(u: OfEach, width: Number, low: Number, high: Number) -> OfEach:
    """The Cauchy density of this width around 0, cut off at low and high."""
    first = jnp.arctan(jnp.asarray(low) / width)
    return width * jnp.tan(first + (jnp.arctan(jnp.asarray(high) / width) - first) * u)


def _log_cauchy(x: OfEach, width: Number) -> OfEach:
    """log(width / (width^2 + x^2))."""
    return -jnp.log(width) - jnp.log1p((x / width) ** 2)
