"""Normalizing flow: rational-quadratic spline couplings on the unit hypercube.

Muller et al., Neural importance sampling, arXiv:1808.03856; Durkan et al., Neural spline flows,
arXiv:1906.04032.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from fabgen.errors import InputError
from fabgen.surrogate.base import Params, Surrogate
from fabgen.surrogate.conditioner import apply_conditioner, init_conditioner
from fabgen.surrogate.permutations import Split, coupling_splits
from fabgen.surrogate.spline import spline_forward, spline_inverse

if TYPE_CHECKING:
    import distrax

_PRECISIONS = {"float32": jnp.float32, "float64": jnp.float64}


@dataclass(frozen=True)
class Flow(Surrogate):
    """u = T(z) with z uniform on [0, 1]^dim and T a chain of coupling layers.

    layers, permutation: see `permutations.coupling_splits`. bins: of each spline. hidden: sizes of
    the hidden layers of the conditioners. precision: of the networks; coordinates, splines behind
    the knots and log q are float64. boundary: the support is [boundary, 1 - boundary]^dim.

    The density is the hot path (HMC), so it runs the splines forward, z = T^-1(u); sampling runs
    their closed-form inverse. With new parameters T is the identity.
    """

    layers: int = 6
    bins: int = 10
    hidden: tuple[int, ...] = (64, 64)
    permutation: str = "log"
    precision: str = "float32"
    boundary: float = 0.0

    def __post_init__(self) -> None:
        if self.precision not in _PRECISIONS:
            raise InputError(
                "unknown precision",
                key="surrogate.precision",
                found=self.precision,
                allowed=" | ".join(_PRECISIONS),
            )
        if not 0.0 <= self.boundary < 0.5:
            raise InputError(
                "the boundary leaves no room in the cube",
                key="surrogate.boundary",
                found=self.boundary,
                allowed="0 <= boundary < 0.5",
            )
        _ = self.splits  # refuses an unknown permutation

    @property
    def splits(self) -> tuple[Split, ...]:
        """Transformed and conditioning dimensions of each layer, first is next to u."""
        return coupling_splits(self.permutation, self.dim, self.layers)

    def init(self, key: jax.Array) -> Params:
        dtype = _PRECISIONS[self.precision]
        keys = jax.random.split(key, len(self.splits))
        return tuple(
            init_conditioner(
                k,
                len(split.conditioning),
                (3 * self.bins + 1) * len(split.transformed),
                self.hidden,
                dtype,
            )
            for k, split in zip(keys, self.splits, strict=True)
        )

    def sample_and_log_prob(
        self, params: Params, key: jax.Array, n: int
    ) -> tuple[jax.Array, jax.Array]:
        z = jax.random.uniform(key, (n, self.dim), jnp.float64)
        u, log_det = self.from_base(params, z)
        return u, -log_det

    def log_prob(self, params: Params, u: jax.Array) -> jax.Array:
        u = u.astype(jnp.float64)
        inside = jnp.all((u >= self.boundary) & (u <= 1.0 - self.boundary), axis=-1)
        # points outside are replaced, not clipped: a clip would halve gradients on the faces
        _, log_det = self.to_base(params, jnp.where(inside[:, None], u, 0.5))
        return jnp.where(inside, log_det, -jnp.inf)

    def to_base(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = T^-1(u) (n, dim) and log|dz/du| = log q(u) (n,), for u inside the support."""
        scale = 1.0 - 2.0 * self.boundary
        x = (u - self.boundary) / scale
        layers = zip(self.splits, params, strict=True)
        z, log_det = _run(spline_forward, self.bins, layers, x.T)
        return z.T, log_det - self.dim * math.log(scale)

    def from_base(self, params: Params, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u = T(z) (n, dim) and log|du/dz| = -log q(u) (n,), for z in [0, 1]^dim."""
        scale = 1.0 - 2.0 * self.boundary
        layers = zip(reversed(self.splits), reversed(params), strict=True)
        x, log_det = _run(spline_inverse, self.bins, layers, z.T)
        u = self.boundary + scale * x.T
        u = jnp.clip(u, self.boundary, 1.0 - self.boundary) if self.boundary > 0.0 else u
        return u, log_det + self.dim * math.log(scale)

    def distribution(self, params: Params) -> distrax.Transformed:
        """The same density as a distrax.Transformed, events (dim,)."""
        from fabgen.surrogate.bijector import flow_distribution

        return flow_distribution(self, params)


def _run(
    spline: Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]],
    bins: int,
    layers,
    x: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Chain of coupling layers on x (dim, n), with the sum of the log slopes (n,)."""
    log_det = jnp.zeros(x.shape[1], x.dtype)
    order = tuple(range(x.shape[0]))
    for split, layer in layers:
        order, x = split.transformed + split.conditioning, _reorder(x, order, *split)
        n = len(split.transformed)
        raw = apply_conditioner(layer, x[n:])
        moved, log_slope = spline(raw.reshape(3 * bins + 1, n, x.shape[1]), x[:n])
        x = jnp.concatenate([moved, x[n:]])
        log_det = log_det + log_slope.sum(axis=0)
    return _reorder(x, order, tuple(range(x.shape[0]))), log_det


def _reorder(x: jax.Array, old: tuple[int, ...], *new: tuple[int, ...]) -> jax.Array:
    """Rows of x (dim, n), now in the order `old`, in the order of `new`."""
    permutation = np.array([old.index(axis) for part in new for axis in part])
    if np.all(np.diff(permutation) == 1):
        return x
    return _take_rows(x, permutation, np.argsort(permutation))


@jax.custom_vjp
def _take_rows(x: jax.Array, permutation: np.ndarray, inverse: np.ndarray) -> jax.Array:
    """x[permutation]. The derivative is a gather too; JAX, which cannot know that rows are not
    taken twice, would scatter, which takes longer to compile.
    """
    return x.at[permutation].get(mode="promise_in_bounds", unique_indices=True)


def _take_rows_forward(x, permutation, inverse):
    return _take_rows(x, permutation, inverse), (permutation, inverse)


def _take_rows_transposed(residuals, bar):
    permutation, inverse = residuals
    return _take_rows(bar, inverse, permutation), None, None


_take_rows.defvjp(_take_rows_forward, _take_rows_transposed)
