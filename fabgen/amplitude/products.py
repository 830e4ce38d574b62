"""Vertices of vectors alone as sums of products (x.y) z of vectors.

The three- and the four-vector vertex share most of their Minkowski products with others: of all
spin states of one arm, of all colour structures of one vertex. Written as products, each is
evaluated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Momentum(NamedTuple):
    """A sum of momenta that flow out of sets of legs: ((bit mask, coefficient), ...)."""

    terms: tuple[tuple[int, int], ...]


class Product(NamedTuple):
    """factor (x.y) z; x, y and z are whatever stands for the vectors."""

    x: object
    y: object
    z: object
    factor: float


def three_vectors(a: object, b: object, legs_a: int, legs_b: int) -> tuple[Product, ...]:
    """g12 (k1 - k2)^3 + g23 (k2 - k3)^1 + g31 (k3 - k1)^2 with k3 = -k1 - k2, slot 3 open.

    a, b: the vectors in slots 1 and 2; legs_a, legs_b: the legs that their momenta flow out of.
    """

    def momentum(coefficient_a: int, coefficient_b: int) -> Momentum:
        return Momentum(((legs_a, coefficient_a), (legs_b, coefficient_b)))

    return (
        Product(a, b, momentum(1, -1), 1.0),
        Product(momentum(1, 2), a, b, 1.0),
        Product(momentum(2, 1), b, a, -1.0),
    )


def four_vectors(a: object, b: object, c: object, weights: Sequence[int]) -> tuple[Product, ...]:
    """weights[0] g12 g34 + weights[1] g13 g24 + weights[2] g14 g23, slot 4 open."""
    orders = ((a, b, c), (a, c, b), (b, c, a))
    return tuple(
        Product(x, y, z, float(weight))
        for (x, y, z), weight in zip(orders, weights, strict=True)
        if weight
    )
