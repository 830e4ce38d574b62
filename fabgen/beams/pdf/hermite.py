"""Cells of a grid, and what the knots around a number weigh in a cubic Hermite polynomial."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.arrays import Table

#: For the knots below and above: what the value there weighs, and what its derivative does.
Weights = tuple[tuple[Float[Array, " events"], Float[Array, " events"]], ...]


class Place(NamedTuple):
    """Where numbers (events,) lie: the knot below, the fraction of the cell, its width."""

    knot: Int[Array, " events"]
    fraction: Float[Array, " events"]
    width: Float[Array, " events"]


def place(at: Float[Array, " events"], knots: Float[Table, " n"], factor: float) -> Place:
    """The cells of `at` among ascending knots, in the coordinate factor * ln(at).

    A knot belongs to the cell above it, the last one to the last cell; of a knot that stands twice
    it is the upper one. Knots are compared themselves: logarithms may differ in their last digit.
    """
    knots = jnp.asarray(knots)
    knot = jnp.searchsorted(knots, at, side="right") - 1
    knot = jnp.clip(knot, 0, knots.shape[0] - 2)
    coordinates = factor * jnp.log(knots)
    low = coordinates[knot]
    width = coordinates[knot + 1] - low
    return Place(knot, (factor * jnp.log(at) - low) / width, width)


def value_weights(place: Place, linear: Bool[Array, " events"]) -> Weights:
    """Of the polynomial in a cell; it is a straight line where `linear` (events,)."""
    t, left = place.fraction, 1.0 - place.fraction
    above = jnp.where(linear, t, t * t * (3.0 - 2.0 * t))
    width = jnp.where(linear, 0.0, place.width)
    return (1.0 - above, t * left * left * width), (above, -t * t * left * width)


def derivative_weights(place: Place, linear: Bool[Array, " events"]) -> Weights:
    """Of its derivative in the fraction of the cell."""
    t, left = place.fraction, 1.0 - place.fraction
    above = jnp.where(linear, 1.0, 6.0 * t * left)
    width = jnp.where(linear, 0.0, place.width)
    return (-above, left * (1.0 - 3.0 * t) * width), (above, t * (3.0 * t - 2.0) * width)
