"""Whether f has several modes: between its largest values it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fabgen.run.auto.measure import key
from fabgen.run.session import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Points of the largest f that are looked at, in pairs.
_LARGEST = 64
#: f halfway between two of them that is so much smaller (e^-3) lies in a valley,
_DEEP = 3.0
#: and so many of the pairs on both sides of one make several modes.
_MANY = 0.25
#: The number of the random key, among those of measurements.
_NUMBER = 500


def has_several_modes(session: Session) -> tuple[bool, int]:
    """Whether f has several modes in the cube of its only channel; the calls of f that it took."""
    import jax
    import numpy as np

    def log_f(u: NDArray[np.float64]) -> NDArray[np.float64]:
        values = session.values(u, np.zeros(len(u), np.int32))
        found: NDArray[np.float64] = np.nan_to_num(np.asarray(values.log_f), nan=-np.inf)
        return found

    first, second = jax.random.split(key(session, _NUMBER))
    u = np.asarray(jax.random.uniform(first, (session.block, session.integrand.dim), "float64"))
    values = log_f(u)
    largest = np.argsort(-values, kind="stable")[:_LARGEST]
    largest = largest[np.isfinite(values[largest])]
    order = np.asarray(jax.random.permutation(second, largest))
    one, other = order[: len(order) // 2], order[len(order) // 2 : len(order) // 2 * 2]
    if not len(one):
        return False, session.block
    block = np.full_like(u, 0.5)  # blocks have one size, so that f is compiled once
    block[: len(one)] = 0.5 * (u[one] + u[other])
    between = log_f(block)[: len(one)]
    valleys = between < np.minimum(values[one], values[other]) - _DEEP
    return bool(np.mean(valleys) >= _MANY), 2 * session.block
