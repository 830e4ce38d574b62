"""What every surrogate density q(u) on the unit hypercube offers."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

from jax import Array
from jaxtyping import Float, Float64, PRNGKeyArray

Params = Any
"""A pytree of arrays."""


@dataclass(frozen=True)
class Surrogate(abc.ABC):
    """A density q(u) on [0, 1]^dim that can be sampled and evaluated.

    The object itself is static: hashable, without arrays, good as a closure of a compiled
    function. All arrays live in `params`, a pytree made by `init` and passed to every call.
    Points have the layout (n, dim) and are float64, as are the log densities (n,).
    """

    dim: int

    @abc.abstractmethod
    def init(self, key: PRNGKeyArray) -> Params:
        """Parameters to start from."""

    @abc.abstractmethod
    def sample_and_log_prob(
        self, params: Params, key: PRNGKeyArray, n: int
    ) -> tuple[Float64[Array, "{n} {self.dim}"], Float64[Array, " {n}"]]:
        """n independent points u (n, dim) from q and their log q (n,), natural logarithm."""

    @abc.abstractmethod
    def log_prob(self, params: Params, u: Float[Array, "n {self.dim}"]) -> Float64[Array, " n"]:
        """log q(u), natural logarithm: u (n, dim) -> (n,).

        -inf outside the support; value and gradient are free of NaN on the faces of the cube.
        """

    def sample(self, params: Params, key: PRNGKeyArray, n: int) -> Float64[Array, "{n} {self.dim}"]:
        """n independent points u (n, dim) from q."""
        return self.sample_and_log_prob(params, key, n)[0]
