"""What every map between the unit hypercube and phase space offers."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Masses, Number


class Kinematics(NamedTuple):
    """The numbers a map needs, in GeV; all may be traced, and maps are differentiable in them."""

    sqrt_s: Number  #: total energy in the rest frame of the total momentum
    masses: Float[Array, " n_final"]  #: of the final particles
    resonance_masses: Float[Array, " k"]  #: of the propagators that a tree refers to by index
    resonance_widths: Float[Array, " k"]
    #: of the exchanged particles that the scatterings of a tree refer to by index
    exchanged_masses: Float[Array | np.ndarray, " m"] = np.zeros(0)
    #: (2,) of the beams, which scatterings start from; (0,): massless
    incoming_masses: Float[Array | np.ndarray, " n_initial"] = np.zeros(0)
    #: lowest and highest rapidity in the lab of the rest frame of the total momentum, for cuts in
    #: the lab; they differ where beams may be exchanged, which turns the frame around
    boosts: tuple[Number, Number] = (0.0, 0.0)


def kinematics(
    sqrt_s: Number,
    masses: Masses | Sequence[float],
    resonance_masses: Float[Array | np.ndarray, " k"] | Sequence[float] = (),
    resonance_widths: Float[Array | np.ndarray, " k"] | Sequence[float] = (),
    exchanged_masses: Float[Array | np.ndarray, " m"] | Sequence[float] = (),
    incoming_masses: Float[Array | np.ndarray, " n_initial"] | Sequence[float] = (),
    boost: Number = 0.0,
) -> Kinematics:
    """Kinematics from plain numbers or sequences, as float64 arrays."""
    boost = jnp.asarray(boost, dtype=float)
    given = sqrt_s, masses, resonance_masses, resonance_widths, exchanged_masses, incoming_masses
    names = Kinematics._fields[: len(given)]
    arrays = {n: jnp.asarray(v, dtype=float) for n, v in zip(names, given, strict=True)}
    return Kinematics(**arrays, boosts=(boost, boost))


class Mapping(abc.ABC):
    """Invertible map u in [0, 1]^dim <-> momenta of n_final particles, dim = 3 n_final - 4.

    The measure is dPhi_n = prod d^3p / ((2 pi)^3 2 E) (2 pi)^4 delta^4(P - sum p), in
    GeV^(2 n - 4). Instances are static and hashable. Where phase space is closed the log Jacobian
    is -inf and the momenta are finite but mean nothing; nothing raises under jit. Where it is open
    both are finite on the closed cube, faces included.
    """

    n_final: int

    @property
    def dim(self) -> int:
        """Dimension of the unit hypercube."""
        return 3 * self.n_final - 4

    @abc.abstractmethod
    def forward(
        self, u: Float[Array, " {self.dim} *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "{self.n_final} 4 *events"], Float[Array, "*events"]]:
        """u (dim, events) -> momenta (n_final, 4, events) in GeV and log(dPhi/du) (events,).

        Momenta are (E, px, py, pz) in the rest frame of the total momentum.
        """

    @abc.abstractmethod
    def inverse(
        self, momenta: Float[Array, "{self.n_final} 4 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " {self.dim} *events"], Float[Array, "*events"]]:
        """momenta (n_final, 4, events) -> u (dim, events) and the forward map's log(dPhi/du).

        The density of the map's points in phase space is exp(-log(dPhi/du)). Where windows and cuts
        keep the map from reaching the momenta it is zero: the logarithm returned is +inf, and u is
        some point of the cube.
        """
