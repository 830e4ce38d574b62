"""Renormalization and factorization scales, a value of each for every event."""

from __future__ import annotations

import abc
import dataclasses

import jax.numpy as jnp
from jax import Array


class Scales(abc.ABC):
    """(mu_R, mu_F) of events; static."""

    @abc.abstractmethod
    def __call__(self, momenta: Array, n_initial: int) -> Array:
        """(2, events) in GeV of momenta (n_external, 4, events) in the lab, incoming first."""


@dataclasses.dataclass(frozen=True)
class FixedScales(Scales):
    """The same for all events, GeV."""

    renormalization: float
    factorization: float

    def __call__(self, momenta: Array, n_initial: int) -> Array:
        scales = jnp.array([[self.renormalization], [self.factorization]])
        return jnp.broadcast_to(scales, (2, momenta.shape[-1]))
