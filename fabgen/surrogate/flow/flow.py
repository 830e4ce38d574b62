"""Normalizing flow: spline (or affine) couplings on the unit hypercube.

Muller et al., Neural importance sampling, arXiv:1808.03856; Durkan et al., Neural spline flows,
arXiv:1906.04032.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Float64, Int, PRNGKeyArray

from fabgen.errors import InputError
from fabgen.surrogate.base import Params, Surrogate
from fabgen.surrogate.flow.affine import affine_forward, affine_inverse, logit, sigmoid
from fabgen.surrogate.flow.conditioner import apply_conditioner, init_conditioner
from fabgen.surrogate.flow.permutations import Split, coupling_splits
from fabgen.surrogate.flow.rotation import RotatedLayer, no_rotation, rotate, rotate_in_cube
from fabgen.surrogate.flow.spline import identity_with_fine_ends, spline_forward, spline_inverse

if TYPE_CHECKING:
    import distrax

PRECISIONS = {"float32": jnp.float32, "float64": jnp.float64}
_Coupling = Callable[
    [Float[Array, "raw axes n"], Float[Array, "axes n"]],
    tuple[Float[Array, "axes n"], Float[Array, "axes n"]],
]
_Rows = Float[Array, "dim n"]
_Order = Int[Array | np.ndarray, " dim"]
_COUPLINGS: dict[str, tuple[_Coupling, _Coupling]] = {
    "spline": (spline_forward, spline_inverse),
    "affine": (affine_forward, affine_inverse),
}


@dataclass(frozen=True)
class Flow(Surrogate):
    """u = T(z) with z uniform on [0, 1]^dim and T a chain of coupling layers.

    layers, permutation: see `permutations.coupling_splits`. bins: of each spline. hidden: sizes of
    the hidden layers of the conditioners. precision: of the networks; coordinates, splines behind
    the knots and log q are float64. boundary: the support is [boundary, 1 - boundary]^dim.
    coupling: what a layer does to its coordinates, "spline" or "affine" (which has no bins).
    n_context: how many further inputs, the `context` (n_context, n) of a call, the conditioners
    have: the flow is then a density of u at a given context.

    The density is the hot path (HMC), so it runs the splines forward, z = T^-1(u); sampling runs
    their closed-form inverse. With new parameters T is the identity.
    """

    layers: int = 6
    bins: int = 10
    hidden: tuple[int, ...] = (64, 64)
    permutation: str = "log"
    precision: str = "float32"
    boundary: float = 0.0
    coupling: str = "spline"
    n_context: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(
                "unknown precision",
                key="surrogate.precision",
                found=self.precision,
                allowed=" | ".join(PRECISIONS),
            )
        if not 0.0 <= self.boundary < 0.5:
            raise InputError(
                "the boundary leaves no room in the cube",
                key="surrogate.boundary",
                found=self.boundary,
                allowed="0 <= boundary < 0.5",
            )
        if self.coupling not in _COUPLINGS:
            raise InputError(
                "unknown coupling",
                key="surrogate.coupling",
                found=self.coupling,
                allowed=" | ".join(_COUPLINGS),
            )
        _ = self.splits  # refuses an unknown permutation

    @property
    def splits(self) -> tuple[Split, ...]:
        """Transformed and conditioning dimensions of each layer, first is next to u."""
        return coupling_splits(self.permutation, self.dim, self.layers)

    @property
    def _identity(self) -> Float64[np.ndarray, " n_raw"]:
        """What makes a coupling the identity: numbers for each coordinate, (n_raw,)."""
        return identity_with_fine_ends(self.bins) if self.coupling == "spline" else np.zeros(2)

    def init(self, key: PRNGKeyArray) -> Params:
        dtype = PRECISIONS[self.precision]
        keys = jax.random.split(key, len(self.splits))
        networks = tuple(
            init_conditioner(
                k,
                len(split.conditioning),
                np.repeat(self._identity, len(split.transformed)),
                self.hidden,
                dtype,
                self.n_context,
            )
            for k, split in zip(keys, self.splits, strict=True)
        )
        if self.permutation == "rotation" and self.dim > 1:
            return tuple(RotatedLayer(no_rotation(self.dim), network) for network in networks)
        return networks

    def sample_and_log_prob(
        self,
        params: Params,
        key: PRNGKeyArray,
        n: int,
        context: Float[Array, "{self.n_context} n"] | None = None,
    ) -> tuple[Float64[Array, "{n} {self.dim}"], Float64[Array, " {n}"]]:
        z = jax.random.uniform(key, (n, self.dim), jnp.float64)
        u, log_det = self.from_base(params, z, context)
        return u, -log_det

    def log_prob(
        self,
        params: Params,
        u: Float[Array, "n {self.dim}"],
        context: Float[Array, "{self.n_context} n"] | None = None,
    ) -> Float64[Array, " n"]:
        u = u.astype(jnp.float64)
        inside = jnp.all((u >= self.boundary) & (u <= 1.0 - self.boundary), axis=-1)
        # points outside are replaced, not clipped: a clip would halve gradients on the faces
        _, log_det = self.to_base(params, jnp.where(inside[:, None], u, 0.5), context)
        return jnp.where(inside, log_det, -jnp.inf)

    def to_base(
        self,
        params: Params,
        u: Float[Array, "n {self.dim}"],
        context: Float[Array, "{self.n_context} n"] | None = None,
    ) -> tuple[Float[Array, "n {self.dim}"], Float[Array, " n"]]:
        """z = T^-1(u) (n, dim) and log|dz/du| = log q(u) (n,), for u inside the support."""
        scale = 1.0 - 2.0 * self.boundary
        x = (u - self.boundary) / scale
        z, log_det = self._run(params, x.T, context, inverse=False)
        return z.T, log_det - self.dim * math.log(scale)

    def from_base(
        self,
        params: Params,
        z: Float[Array, "n {self.dim}"],
        context: Float[Array, "{self.n_context} n"] | None = None,
    ) -> tuple[Float[Array, "n {self.dim}"], Float[Array, " n"]]:
        """u = T(z) (n, dim) and log|du/dz| = -log q(u) (n,), for z in [0, 1]^dim."""
        scale = 1.0 - 2.0 * self.boundary
        x, log_det = self._run(params, z.T, context, inverse=True)
        u = self.boundary + scale * x.T
        u = jnp.clip(u, self.boundary, 1.0 - self.boundary) if self.boundary > 0.0 else u
        return u, log_det + self.dim * math.log(scale)

    def distribution(self, params: Params) -> distrax.Transformed:
        """The same density as a distrax.Transformed, events (dim,)."""
        from fabgen.surrogate.flow.bijector import cube_distribution

        transforms = (functools.partial(t, params) for t in (self.from_base, self.to_base))
        return cube_distribution(self.dim, *transforms)

    def _run(
        self,
        params: Params,
        x: Float[Array, "{self.dim} n"],
        context: Float[Array, "{self.n_context} n"] | None,
        *,
        inverse: bool,
    ) -> tuple[Float[Array, "{self.dim} n"], Float[Array, " n"]]:
        """The chain on x (dim, n), with the sum of the log slopes (n,).

        Splines act on the cube. Affine couplings act on logits, which are taken once: between the
        layers the sigmoid of one would meet the logit of the next.
        """
        if self.coupling == "spline":
            return self._layers(params, x, context, inverse=inverse)
        x, log_dx = logit(x)
        y, log_dy = self._layers(params, x, context, inverse=inverse)
        v, log_dv = sigmoid(y)
        return v, log_dx.sum(axis=0) + log_dy + log_dv.sum(axis=0)

    def _layers(
        self,
        params: Params,
        x: Float[Array, "{self.dim} n"],
        context: Float[Array, "{self.n_context} n"] | None,
        *,
        inverse: bool,
    ) -> tuple[Float[Array, "{self.dim} n"], Float[Array, " n"]]:
        """All layers, of logits if the couplings are affine."""
        couple = _COUPLINGS[self.coupling][inverse]
        in_cube = self.coupling == "spline"
        layers = list(zip(self.splits, params, strict=True))
        axes = tuple(range(self.dim))
        log_det = jnp.zeros(x.shape[1], x.dtype)
        order = axes

        def turned(
            angles: Float[Array, " n_angles"], x: Float[Array, "dim n"]
        ) -> tuple[Float[Array, "dim n"], Float[Array, " n"] | float]:
            x = _reorder(x, order, axes)
            if in_cube:
                return rotate_in_cube(angles, x, inverse=inverse)
            return rotate(angles, x, inverse=inverse), 0.0

        for split, layer in reversed(layers) if inverse else layers:
            rotated = isinstance(layer, RotatedLayer)
            network = layer.network if rotated else layer
            if rotated and not inverse:
                x, log_slope = turned(layer.angles, x)
                order, log_det = axes, log_det + log_slope
            order, x = split.transformed + split.conditioning, _reorder(x, order, *split)
            n = len(split.transformed)
            condition = x[n:] if in_cube else jax.nn.sigmoid(x[n:])
            raw = apply_conditioner(network, condition, context)
            moved, log_slope = couple(raw.reshape(-1, n, x.shape[1]), x[:n])
            x = jnp.concatenate([moved, x[n:]])
            log_det = log_det + log_slope.sum(axis=0)
            if rotated and inverse:
                x, log_slope = turned(layer.angles, x)
                order, log_det = axes, log_det + log_slope
        return _reorder(x, order, axes), log_det


def _reorder(
    x: Float[Array, "dim n"], old: tuple[int, ...], *new: tuple[int, ...]
) -> Float[Array, "dim n"]:
    """Rows of x (dim, n), now in the order `old`, in the order of `new`."""
    permutation = np.array([old.index(axis) for part in new for axis in part])
    if np.all(np.diff(permutation) == 1):
        return x
    return _take_rows(x, permutation, np.argsort(permutation))


@jax.custom_vjp
def _take_rows(x: _Rows, permutation: _Order, inverse: _Order) -> _Rows:
    """x[permutation]. The derivative is a gather too; JAX, which cannot know that rows are not
    taken twice, would scatter, which takes longer to compile.
    """
    return x.at[permutation].get(mode="promise_in_bounds", unique_indices=True)


def _take_rows_forward(
    x: _Rows, permutation: _Order, inverse: _Order
) -> tuple[_Rows, tuple[_Order, _Order]]:
    return _take_rows(x, permutation, inverse), (permutation, inverse)


def _take_rows_transposed(residuals: tuple[_Order, _Order], bar: _Rows) -> tuple[_Rows, None, None]:
    permutation, inverse = residuals
    return _take_rows(bar, inverse, permutation), None, None


_take_rows.defvjp(_take_rows_forward, _take_rows_transposed)
