"""Densities in closed form, and those of the MadNIS paper: integral 1, all of them.

T. Heimel et al., SciPost Phys. 15 (2023) 141, section 4. Field names are the parameters of a card's
[parameters]; all but whole numbers may be traced. `maps` are the channels that a density knows, by
the name they have in a card's `channels.maps`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import erf
from jaxtyping import Float, PRNGKeyArray

from fabgen.errors import InputError
from fabgen.integrand.toys.maps import (
    Box,
    Cauchy,
    Given,
    Line,
    Number,
    OfEach,
    Points,
    Ring,
    ToyMap,
    along_and_across,
    radius_of,
)

_WIDEN = math.sqrt(40.0)

#: The least and the largest value of a parameter.
Range = tuple[float, float]


@runtime_checkable
class ToyDensity(Protocol):
    """f(x) of x (dim, events), the maps that fit it, and what trained weights look at."""

    @property
    def dim(self) -> int: ...

    default_maps: ClassVar[str]
    #: Parameters that are widths or lengths: above 0.
    lengths: ClassVar[tuple[str, ...]]
    #: Those that are whole numbers, with their limits. Shapes depend on them: they are not traced.
    whole: ClassVar[Mapping[str, tuple[int, int]]]
    #: Others with limits.
    ranges: ClassVar[Mapping[str, Range]]

    def refuse_empty(self) -> None:
        """Raises InputError where parameters that are fine by themselves leave nothing."""

    def log_density(self, x: Given) -> OfEach:
        """log f (events,); -inf where f = 0."""
        ...

    def maps(self) -> Mapping[str, ToyMap]: ...

    def features(self, x: Points) -> Points:
        """(dim, events), bounded and of order one."""
        ...


@runtime_checkable
class SampledDensity(Protocol):
    """A density that draws its own points: exact ones, neither weighted nor correlated."""

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "dim {n}"]:
        """x (dim, n): n independent points of f."""
        ...

    def maps(self) -> Mapping[str, Box]: ...


def in_unit_cube(x: Given, log_f: OfEach) -> OfEach:
    """log f (events,) at x (dim, events), -inf outside of the unit cube."""
    return jnp.where(jnp.all((x >= 0.0) & (x <= 1.0), axis=0), log_f, -jnp.inf)


@dataclass(frozen=True)
class CamelBack:
    """Eq. 40: a share of a Gaussian at m1, the rest of one at m2; Cauchy channels of eq. 41.

    f is zero below `cut` (eq. 43: cut = m1 + s1; the integral is then no longer 1). The interval of
    the flat map, [m1 - 6 s1, m2 + 6 s2] for the default, holds all but 10^-9 of f.
    """

    m1: Number = 2.0
    m2: Number = 5.0
    s1: Number = 0.5
    s2: Number = 0.1
    share: Number = 0.35
    cut: Number = -math.inf
    low: Number = -1.0
    high: Number = 6.0

    dim: ClassVar[int] = 1
    default_maps: ClassVar[str] = "left right"
    lengths: ClassVar[tuple[str, ...]] = ("s1", "s2")
    whole: ClassVar[Mapping[str, tuple[int, int]]] = {}
    ranges: ClassVar[Mapping[str, Range]] = {}

    def refuse_empty(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise InputError(
                "the share of the left hump is out of range",
                key="parameters.share",
                found=f"{self.share:g}",
                allowed=">= 0 and <= 1",
            )
        if not self.low < self.high:
            raise InputError(
                "the interval of the flat map is empty",
                key="parameters.low",
                found=f"{self.low:g}",
                allowed=f"below parameters.high = {self.high:g}",
            )

    def log_density(self, x: Given) -> OfEach:
        parts = [
            jnp.log(a) - 0.5 * ((x[0] - m) / s) ** 2 - jnp.log(math.sqrt(2.0 * math.pi) * s)
            for a, m, s in ((self.share, self.m1, self.s1), (1.0 - self.share, self.m2, self.s2))
        ]
        return jnp.where(x[0] >= self.cut, jnp.logaddexp(*parts), -jnp.inf)

    def maps(self) -> Mapping[str, ToyMap]:
        return {
            "left": Cauchy(self.m1, math.sqrt(2.0) * self.s1),
            "right": Cauchy(self.m2, math.sqrt(2.0) * self.s2),
            "flat": Box(1, self.low, self.high),
        }

    def features(self, x: Points) -> Points:
        # f has long vanished where this clips: channels reach to infinity, networks should not.
        middle, half = 0.5 * (self.m1 + self.m2), 0.5 * (self.m2 - self.m1)
        return jnp.clip((x - middle) / half, -4.0, 4.0)


@dataclass(frozen=True)
class CrossedRing:
    """Eq. 44: half a Gaussian ring, half a Gaussian line on its diagonal, in a box [-a, a]^2.

    The paper does not give its box. Here the ring (r0, s0) lies in it but for 10^-12, the line (s1
    along, s2 across) is cut off by it, and each of them is normalized to 1 in the box; f = 0
    outside. widen: the widths of the ring and line channels over those of f (the paper's eq. 49 is
    "wide"; its number is not legible).
    """

    r0: Number = 1.0
    s0: Number = 0.05
    s1: Number = 3.0
    s2: Number = 0.05
    a: Number = 1.5
    widen: Number = _WIDEN

    dim: ClassVar[int] = 2
    default_maps: ClassVar[str] = "ring line"
    lengths: ClassVar[tuple[str, ...]] = ("r0", "s0", "s1", "s2", "a", "widen")
    whole: ClassVar[Mapping[str, tuple[int, int]]] = {}
    ranges: ClassVar[Mapping[str, Range]] = {}

    def refuse_empty(self) -> None:
        """There is nothing to refuse: a ring that does not fit into its box leaves the line."""

    def log_density(self, x: Given) -> OfEach:
        inside = jnp.all(jnp.abs(x) <= self.a, axis=0)
        parts = jnp.logaddexp(self.log_ring(x), self.log_line(x)) - math.log(2.0)
        return jnp.where(inside, parts, -jnp.inf)

    def log_ring(self, x: Given) -> OfEach:
        """The normalization is that of the whole plane, int r exp(-(r - r0)^2 / (2 s0^2)) dr."""
        r0, s0 = jnp.asarray(self.r0), jnp.asarray(self.s0)
        gauss = s0 * r0 * math.sqrt(0.5 * math.pi) * (1.0 + erf(r0 / (math.sqrt(2.0) * s0)))
        norm = 2.0 * math.pi * (gauss + s0**2 * jnp.exp(-0.5 * (r0 / s0) ** 2))
        return -0.5 * ((radius_of(x) - r0) / s0) ** 2 - jnp.log(norm)

    def log_line(self, x: Given) -> OfEach:
        along, across = along_and_across(x)
        exponent: OfEach = -0.5 * ((along / self.s1) ** 2 + (across / self.s2) ** 2)
        return exponent - jnp.log(self._line_in_box())

    def _line_in_box(self) -> Float[Array, ""]:
        """The integral of the line over the box: midpoints along, in closed form across."""
        length = math.sqrt(2.0) * jnp.asarray(self.a)
        y = length * (jnp.arange(4000) + 0.5) / 4000
        across = erf((length - y) / (math.sqrt(2.0) * self.s2))
        inner = math.sqrt(2.0 * math.pi) * self.s2 * across
        total: Float[Array, ""] = jnp.sum(jnp.exp(-0.5 * (y / self.s1) ** 2) * inner)
        width: Float[Array, ""] = 2.0 * length / 4000
        return width * total

    def maps(self) -> Mapping[str, ToyMap]:
        reach = math.sqrt(2.0) * self.a  # the corners of the box
        return {
            "ring": Ring(self.r0, self.widen * self.s0, reach),
            "line": Line(self.widen * self.s1, self.widen * self.s2, reach),
            "flat": Box(2, -self.a, self.a),
        }

    def features(self, x: Points) -> Points:
        return x / self.a
