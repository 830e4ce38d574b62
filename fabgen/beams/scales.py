"""Renormalization and factorization scales, a value of each for every event.

The dynamical ones are those of MadGraph's dynamical_scale_choice; sums run over all final legs of
the event, products of decays as they are.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from fabgen.numerics import safe_divide, safe_sqrt
from fabgen.phasespace.kinematics import components

_Momenta = Float[Array, "n_external 4 events"]
_PerEvent = Float[Array, " events"]


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


@dataclasses.dataclass(frozen=True)
class EventScales(Scales):
    """Each a number in GeV, or one of the DYNAMICAL by its name, times `factor`."""

    renormalization: float | str
    factorization: float | str
    factor: float = 1.0

    def __call__(
        self, momenta: Float[Array | np.ndarray, "n_external 4 events"], n_initial: int
    ) -> Float[Array, "2 events"]:
        def one(scale: float | str) -> _PerEvent:
            if isinstance(scale, str):
                return self.factor * DYNAMICAL[scale](jnp.asarray(momenta), n_initial)
            return jnp.full(momenta.shape[-1], scale)

        return jnp.stack([one(self.renormalization), one(self.factorization)])


def transverse_energy(momenta: _Momenta, n_initial: int) -> _PerEvent:
    """The sum of E sin(theta), GeV; 0 for what is at rest, as MadGraph has it."""
    energy, x, y, z = components(momenta[n_initial:])
    pt2 = x * x + y * y
    return jnp.sum(energy * safe_sqrt(safe_divide(pt2, pt2 + z * z)), axis=0)


def transverse_mass(momenta: _Momenta, n_initial: int) -> _PerEvent:
    """The sum of sqrt((E + p_z)(E - p_z)), GeV."""
    return jnp.sum(_transverse_masses(momenta, n_initial), axis=0)


def half_transverse_mass(momenta: _Momenta, n_initial: int) -> _PerEvent:
    """Half of `transverse_mass`, GeV."""
    return 0.5 * transverse_mass(momenta, n_initial)


def mean_transverse_mass(momenta: _Momenta, n_initial: int) -> _PerEvent:
    """The geometric mean of the transverse masses, GeV: sqrt(m_T m_T) of two particles."""
    masses = _transverse_masses(momenta, n_initial)
    positive = jnp.all(masses > 0.0, axis=0)
    logs = jnp.mean(jnp.log(jnp.where(positive, masses, 1.0)), axis=0)
    return jnp.where(positive, jnp.exp(logs), 0.0)


def partonic_energy(momenta: _Momenta, n_initial: int) -> _PerEvent:
    """sqrt(s-hat), GeV, of what comes in along the z axis."""
    energy, _, _, z = components(jnp.sum(momenta[:n_initial], axis=0))
    return safe_sqrt((energy + z) * (energy - z))


def half_partonic_energy(momenta: _Momenta, n_initial: int) -> _PerEvent:
    """Half of sqrt(s-hat), GeV."""
    return 0.5 * partonic_energy(momenta, n_initial)


def _transverse_masses(
    momenta: _Momenta, n_initial: int
) -> Float[Array, "n_external-{n_initial} events"]:
    energy, _, _, z = components(momenta[n_initial:])
    return safe_sqrt((energy + z) * (energy - z))


#: Functions of momenta (n_external, 4, events) as `Scales` gets them, and of how many of them come
#: in. A card may name the first four; the others are what "ckkw" stands for.
DYNAMICAL: Mapping[str, Callable[[_Momenta, int], _PerEvent]] = MappingProxyType(
    {
        "transverse_energy": transverse_energy,
        "transverse_mass": transverse_mass,
        "half_transverse_mass": half_transverse_mass,
        "partonic_energy": partonic_energy,
        "half_partonic_energy": half_partonic_energy,
        "mean_transverse_mass": mean_transverse_mass,
    }
)
