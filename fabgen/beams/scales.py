"""Renormalization and factorization scales, a value of each for every event."""

from __future__ import annotations

import abc
import dataclasses

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float


class Scales(abc.ABC):
    """(mu_R, mu_F) of events; static."""

    @abc.abstractmethod
    def __call__(
        self, momenta: Float[Array | np.ndarray, "n_external 4 events"], n_initial: int
    ) -> Float[Array, "2 events"]:
        """(2, events) in GeV of momenta (n_external, 4, events), incoming first, in the rest frame
        of what collides."""


@dataclasses.dataclass(frozen=True)
class FixedScales(Scales):
    """The same for all events, GeV."""

    renormalization: float
    factorization: float

    def __call__(
        self, momenta: Float[Array | np.ndarray, "n_external 4 events"], n_initial: int
    ) -> Float[Array, "2 events"]:
        scales = jnp.array([[self.renormalization], [self.factorization]])
        return jnp.broadcast_to(scales, (2, momenta.shape[-1]))
