"""Phase space of one particle on its mass shell: no variable, the beams have its energy.

dPhi_1 = d^3p/((2 pi)^3 2 E) (2 pi)^4 delta^4(P - p) = 2 pi delta(s - m^2): the delta function is
taken by the beams (`beams.ProtonBeams`), 2 pi is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from .kinematics import TWO_PI
from .mapping import Kinematics, Mapping


@dataclass(frozen=True)
class Single(Mapping):
    """One particle at rest."""

    n_final: int = 1

    @property
    def dim(self) -> int:
        return 0

    def forward(
        self, u: Float[Array, " {self.dim} *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, "{self.n_final} 4 *events"], Float[Array, "*events"]]:
        one = jnp.ones(u.shape[1:])
        energy = kinematics.sqrt_s * one
        momentum = jnp.stack([energy, *[jnp.zeros_like(energy)] * 3])
        return momentum[None], jnp.log(TWO_PI) * one

    def inverse(
        self, momenta: Float[Array, "{self.n_final} 4 *events"], kinematics: Kinematics
    ) -> tuple[Float[Array, " {self.dim} *events"], Float[Array, "*events"]]:
        events = momenta.shape[2:]
        return jnp.zeros((0, *events)), jnp.log(TWO_PI) * jnp.ones(events)
