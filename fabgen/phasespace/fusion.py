"""What XLA's fusion on CPUs must be kept from: computing the same numbers again and again.

It repeats sums and products at each place of their use, and of those places there are several more
at every step of a chain of frames: the work grows exponentially with its length. Divisions and
elementary functions it does not repeat. A slice of an array is worse where it is differentiated:
the gradient of the array is then a sum of padded ones, and all that leads there is computed anew
for each of its rows. (The gradient of one density of mu+ mu- b b~ at 512 points took 1650 ms, and
takes less than 1 ms; benchmarks/gradients.py.)
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from fabgen.arrays import PerEvent

#: A tuple of arrays (..., events), or a tuple of such tuples.
Values = TypeVar("Values", bound=tuple[Any, ...])


def computed_once(values: Values, like: PerEvent) -> Values:
    """The same numbers, and the gradients that come back, each computed once.

    like (events,): anything that comes of a division or a function, and so is not computed again
    here; where it is NaN the values must not matter. An array that is about to be spread over a
    further axis needs it, too: XLA would compute it anew for all of that.
    """
    one = _one(like)
    found: Values = jax.tree.map(lambda value: value / one, values)
    return found


@jax.custom_jvp
def gradient_once(value: PerEvent) -> PerEvent:
    """The same number, where only the gradients that come back need to be summed once.

    It costs nothing where nothing is differentiated. value (events,): of a root or a division, else
    it is computed twice.
    """
    return value


@gradient_once.defjvp
def _gradient_once_jvp(
    primals: tuple[PerEvent], tangents: tuple[PerEvent]
) -> tuple[PerEvent, PerEvent]:
    (value,), (tangent,) = primals, tangents
    return value, tangent / _one(value)


def rows(array: Float[Array, " n *row"]) -> tuple[Float[Array, "*row"], ...]:
    """The rows array[i], whose gradients are put together by one concatenation."""
    parts = lax.split(array, (1,) * array.shape[0])
    return tuple(lax.squeeze(part, (0,)) for part in parts)


def _one(like: PerEvent) -> PerEvent:
    """A one that XLA cannot know to be one: it would leave out a division by that."""
    return lax.stop_gradient(jnp.where(like > -jnp.inf, 1.0, 2.0))
