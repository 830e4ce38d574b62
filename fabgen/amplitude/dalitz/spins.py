"""Spins, orbital angular momenta and Wigner's small d functions.

Spins and projections are integers that count halves: 1 is 1/2, 2 is 1. Small d functions as in the
PDG Review (Clebsch-Gordan coefficients, spherical harmonics and d functions): d^{1/2}_{1/2,-1/2} =
-sin(theta/2).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from fabgen.numerics import safe_sqrt


class HalfAngle(NamedTuple):
    """cos and sin (events,) of half an angle."""

    cos: Array
    sin: Array

    def __neg__(self) -> HalfAngle:
        return HalfAngle(self.cos, -self.sin)


def half_angle(along: Array, across: Array) -> HalfAngle:
    """Half the angle in [0, pi] of a vector with components `along` and `across` >= 0 to an axis.

    Neither an arc cosine nor a difference of cosines is taken: values and derivatives stay accurate
    where the vector is parallel to the axis. A vector of length zero has angle 0.
    """
    square = along * along + across * across
    size = safe_sqrt(square)
    size = jnp.where(size > 0.0, size, 1.0)
    cos = jnp.where(square > 0.0, along / size, 1.0)
    larger = jnp.sqrt(0.5 * (1.0 + jnp.abs(cos)))
    smaller = 0.5 * across / (size * larger)
    ahead = cos >= 0.0
    return HalfAngle(jnp.where(ahead, larger, smaller), jnp.where(ahead, smaller, larger))


def projections(spin: int) -> range:
    """All projections of a spin, from the lowest."""
    return range(-spin, spin + 1, 2)


def is_projection(projection: int, spin: int) -> bool:
    """Whether a spin has this projection."""
    return abs(projection) <= spin and (spin - projection) % 2 == 0


def sign(exponent: int) -> int:
    """(-1)^exponent with the exponent in halves; it must be whole."""
    return -1 if (exponent // 2) % 2 else 1


def couplings(first: int, second: int) -> range:
    """The spins that two spins add up to."""
    return range(abs(first - second), first + second + 1, 2)


def orbital_momenta(total: int, first: int, second: int) -> Iterator[int]:
    """Orbital angular momenta (in wholes) with which a spin decays into two, one by one."""
    found = {
        orbital // 2
        for spin in couplings(first, second)
        for orbital in couplings(total, spin)
        if orbital % 2 == 0
    }
    return iter(sorted(found))


def small_d_terms(spin: int, first: int, second: int) -> Iterator[tuple[tuple[int, int], float]]:
    """Wigner's formula for d^j_{m'm}, j = spin/2, m' = first/2, m = second/2.

    Exponents of cos and sin of half the angle with the coefficient of their product.
    """
    plus, minus = (spin + first) // 2, (spin - first) // 2
    plus_, minus_ = (spin + second) // 2, (spin - second) // 2
    norm = math.sqrt(math.prod(map(math.factorial, (plus, minus, plus_, minus_))))
    change = plus - plus_
    for n in range(max(0, -change), min(plus_, minus) + 1):
        parts = (plus_ - n, n, change + n, minus - n)
        coefficient = (-1) ** (change + n) * norm / math.prod(map(math.factorial, parts))
        yield (spin - change - 2 * n, change + 2 * n), coefficient


def small_d(spin: int, angle: HalfAngle) -> Array:
    """d^j_{m'm}(angle), (2 j + 1, 2 j + 1, events): j = spin/2, from the lowest projections on."""

    def entry(first: int, second: int) -> Array:
        terms = small_d_terms(spin, first, second)
        return functools.reduce(jnp.add, (c * monomial(angle, powers) for powers, c in terms))

    every = projections(spin)
    return jnp.stack([jnp.stack([entry(a, b) for b in every]) for a in every])


def monomial(angle: HalfAngle, exponents: tuple[int, int]) -> Array:
    """cos^a sin^b of half an angle."""
    return angle.cos ** exponents[0] * angle.sin ** exponents[1]


def clebsch_gordan(j1: int, m1: int, j2: int, m2: int, total: int, m: int) -> float:
    """<j1 m1; j2 m2 | J M> in the Condon-Shortley phase convention (Racah's formula)."""
    if m1 + m2 != m or total not in couplings(j1, j2):
        return 0.0
    if not all(is_projection(*pair) for pair in ((m1, j1), (m2, j2), (m, total))):
        return 0.0

    def f(*halves: int) -> int:
        return math.prod(math.factorial(h // 2) for h in halves)

    triangle = f(j1 + j2 - total, total + j1 - j2, total + j2 - j1) / f(j1 + j2 + total + 2)
    norm = f(total + m, total - m, j1 + m1, j1 - m1, j2 + m2, j2 - m2)
    terms = 0.0
    for n in range((j1 + j2 - total) // 2 + 1):
        parts = (
            2 * n,
            j1 + j2 - total - 2 * n,
            j1 - m1 - 2 * n,
            j2 + m2 - 2 * n,
            total - j2 + m1 + 2 * n,
            total - j1 - m2 + 2 * n,
        )
        if min(parts) >= 0:
            terms += (-1) ** n / f(*parts)
    return math.sqrt((total + 1) * triangle * norm) * terms
