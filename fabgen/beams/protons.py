"""Beams of partons: the shares x1 and x2 of both protons' momenta are variables of each event.

The first variable draws s = x1 x2 S along the distribution that the channel asks for, the second
the rapidity y = ln(x1/x2)/2 of the partons' rest frame, flat. Protons and partons are massless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from fabgen.arrays import Number, PerEvent
from fabgen.beams.collision import Beams, Collision, Energies, Limits, along_z
from fabgen.beams.pdf import Densities, xf
from fabgen.phasespace.invariants import NU_OF_BEAMS, Shape
from fabgen.phasespace.invariants import Limits as Range
from fabgen.units import PB_GEV2

PROTON = 2212
#: GeV: partons of less energy together are none of perturbation theory, and of no density.
LEAST_ENERGY = 1.0
#: Smallest range of s relative to its lower end: maps stay finite where it is empty.
_SMALLEST = 1e-14


class ProtonBeams(Beams):
    """Two protons of given energies, GeV.

    partons: their densities; None where only collisions are asked for. single: the final state is
    one particle on its mass shell, which fixes s: the one variable is y. description: for reports.
    """

    particles = (PROTON, PROTON)

    def __init__(
        self,
        energies: Energies,
        partons: Densities | None = None,
        single: bool = False,
        description: Mapping[str, Any] = MappingProxyType({}),
    ):
        self.energies = cast("tuple[float, float]", energies)
        self.partons, self.single = partons, single
        self.dim = 1 if single else 2
        self.flavours = () if partons is None else tuple(map(int, partons.flavours))
        self.description = description

    def with_numbers(self, numbers: tuple[Any, ...]) -> ProtonBeams:
        """Without densities: collisions do not depend on them."""
        first, second = numbers
        return ProtonBeams((first, second), None, self.single)

    def collide(
        self,
        u: Float[Array | np.ndarray, "{self.dim} events"],
        masses: Sequence[ArrayLike],
        limits: Limits,
    ) -> tuple[Collision, PerEvent]:
        if self.single:
            s = jnp.broadcast_to(jnp.asarray(limits.sqrt_s) ** 2, u.shape[1:])
            log_ds, is_open = jnp.zeros(()), s < self.square
        else:
            whole, is_open = self._range(limits)
            x, ds_du = _shape(limits).forward(jnp.asarray(u[0]), whole)
            s, log_ds = whole.low + x, jnp.log(ds_du)
        low, width = self._rapidities(s, limits)
        y = low + u[-1] * width
        return self._made(s, y), self._log_jacobian(log_ds, width, is_open)

    def separate(
        self, collision: Collision, limits: Limits
    ) -> tuple[Float[Array, "{self.dim} events"], PerEvent]:
        x1, x2 = collision.x
        s, y = x1 * x2 * self.square, 0.5 * jnp.log(x1 / x2)
        variables, log_ds = [], jnp.zeros(())
        is_open: Array = jnp.ones((), bool)
        if not self.single:
            whole, is_open = self._range(limits)
            x = s - whole.low
            is_open &= (x >= -_SMALLEST * s) & (x <= whole.span + _SMALLEST * s)
            v, ds_du = _shape(limits).inverse(jnp.clip(x, 0.0, whole.span), whole)
            variables, log_ds = [jnp.clip(v, 0.0, 1.0)], jnp.log(ds_du)
        low, width = self._rapidities(s, limits)
        variables.append(jnp.clip((y - low) / jnp.maximum(width, _SMALLEST), 0.0, 1.0))
        return jnp.stack(variables), self._log_jacobian(log_ds, width, is_open)

    def of_total(
        self, total: Float[Array | np.ndarray, "4 events"], masses: Sequence[ArrayLike]
    ) -> Collision:
        plus, minus = jnp.asarray(total[0] + total[3]), jnp.asarray(total[0] - total[3])
        first, second = self.energies
        x1, x2 = plus / (2.0 * first), minus / (2.0 * second)
        return self._made(x1 * x2 * self.square, 0.5 * jnp.log(x1 / x2))

    def densities(
        self, collision: Collision, scale: Float[Array | np.ndarray, " events"]
    ) -> Float[Array, "{len(self.flavours)} 2 events"]:
        assert self.partons is not None
        found = xf(self.partons, collision.x, jnp.asarray(scale), self.flavours)
        return jnp.swapaxes(found / collision.x[:, None], 0, 1)

    @property
    def square(self) -> Number:
        """S of both protons, GeV^2."""
        first, second = self.energies
        return 4.0 * first * second

    def _range(self, limits: Limits) -> tuple[Range, Array]:
        """Of s, and whether it is open."""
        low = jnp.asarray(limits.sqrt_s, float) ** 2
        high = jnp.minimum(self.square, jnp.asarray(limits.most, float) ** 2)
        span = high - low
        return Range(low, jnp.maximum(span, _SMALLEST * low)), span > 0.0

    def _rapidities(self, s: PerEvent, limits: Limits) -> tuple[PerEvent, PerEvent]:
        """The smallest rapidity of the partons in the frame of both protons, and its range."""
        first, second = self.energies
        half = 0.5 * jnp.log(self.square / s)
        lab = 0.5 * jnp.log(jnp.asarray(first, float) / second)
        low = jnp.maximum(-half, -limits.rapidity - lab)
        return low, jnp.minimum(half, limits.rapidity - lab) - low

    def _log_jacobian(self, log_ds: PerEvent, width: PerEvent, is_open: Array) -> PerEvent:
        """Of d(x1) d(x2) = ds dy/S; for one final particle of dx1 dx2 delta(s - M^2)."""
        is_open = is_open & (width > 0.0)
        value = log_ds - jnp.log(self.square) + jnp.log(jnp.where(is_open, width, 1.0))
        return jnp.where(is_open, value, -jnp.inf)

    def _made(self, s: PerEvent, y: PerEvent) -> Collision:
        first, second = self.energies
        root = jnp.sqrt(s / self.square)
        x1, x2 = root * jnp.exp(y), root * jnp.exp(-y)
        half = 0.5 * jnp.sqrt(s)
        return Collision(
            incoming=along_z(half, half, half, half),
            lab=along_z(x1 * first, x1 * first, x2 * second, x2 * second),
            sqrt_s=2.0 * half,
            rapidity=y + 0.5 * jnp.log(jnp.asarray(first, float) / second),
            flux_factor=PB_GEV2 / (2.0 * s),
            x=jnp.stack([x1, x2]),
        )


def _shape(limits: Limits) -> Shape:
    return Shape.power_law(NU_OF_BEAMS) if limits.shape is None else limits.shape
