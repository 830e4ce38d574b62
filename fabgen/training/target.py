"""The integrand and the surrogate as training sees them, and f with its gradient.

With several channels the surrogate is a `MultiChannel`. One vector-Jacobian product gives the
gradients of a whole batch, because row i of the result depends on row i of u alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from fabgen.integrand.base import Integrand
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.channels import ChannelValues, as_multichannel, channel_values

Params = Any


class TrainableSurrogate(Protocol):
    """A normalized density q on the unit hypercube with a parameter pytree."""

    @property
    def dim(self) -> int: ...

    def init(self, key: Array) -> Params: ...

    def sample_and_log_prob(self, params: Params, key: Array, n: int) -> tuple[Array, Array]:
        """u (n, dim) and log q(u) (n,)."""
        ...

    def log_prob(self, params: Params, u: Array) -> Array:
        """log q (n,) at u (n, dim)."""
        ...


class Parts(NamedTuple):
    """log f and log q of a batch of points with their gradients in u.

    They travel with an annealed chain and are recombined at each new temperature, so that no point
    is evaluated twice. A point with f = 0 (or not finite) has log_p = -inf and a zero gradient.
    """

    log_p: Array  # (n,)
    log_q: Array  # (n,)
    grad_p: Array  # (n, dim)
    grad_q: Array  # (n, dim)

    @property
    def valid(self) -> Array:
        """(n,) where both densities are positive and finite."""
        return jnp.isfinite(self.log_p) & jnp.isfinite(self.log_q)

    @property
    def log_weight(self) -> Array:
        """log(f/q) (n,); -inf where f = 0."""
        valid = self.valid
        difference = jnp.where(valid, self.log_p, 0.0) - jnp.where(valid, self.log_q, 0.0)
        return jnp.where(valid, difference, -jnp.inf)


class InvalidCounts(NamedTuple):
    """Counts (int64) of the points that were set aside in one call of f."""

    zero_values: Array
    nonfinite_values: Array
    nonfinite_gradients: Array

    @staticmethod
    def none() -> InvalidCounts:
        return InvalidCounts(*(jnp.zeros((), jnp.int64) for _ in InvalidCounts._fields))


def value_and_gradient(log_density: Callable[[Array], Array], u: Array) -> tuple[Array, Array]:
    """Values (n,) and gradients (n, dim) of a row-wise function of u (n, dim)."""
    value, pullback = jax.vjp(log_density, u)
    (gradient,) = pullback(jnp.ones_like(value))
    return value, gradient


def clean(value: Array, gradient: Array) -> tuple[Array, Array, InvalidCounts]:
    """log f with NaN and +inf turned into -inf, a usable gradient, and how often that was needed.

    The gradient is zero wherever f is zero or any of its components is not finite. Leapfrog steps
    with any deterministic force are reversible and preserve volume, so HMC stays exact.
    """
    finite = jnp.isfinite(value)
    zero = jnp.isneginf(value)
    smooth = jnp.all(jnp.isfinite(gradient), axis=-1)
    faults = InvalidCounts(
        zero_values=jnp.sum(zero, dtype=jnp.int64),
        nonfinite_values=jnp.sum(~finite & ~zero, dtype=jnp.int64),
        nonfinite_gradients=jnp.sum(finite & ~smooth, dtype=jnp.int64),
    )
    value = jnp.where(finite, value, -jnp.inf)
    gradient = jnp.where((finite & smooth)[:, None], gradient, 0.0)
    return value, gradient, faults


class Values(NamedTuple):
    """log f (n,) and its gradient (n, dim), cleaned; where f is zero, and where it is positive with
    a finite gradient (n,)."""

    log_p: Array
    gradient: Array
    zero: Array
    smooth: Array

    @classmethod
    def of(cls, value: Array, gradient: Array) -> tuple[Values, InvalidCounts]:
        """Those of log f (n,) and its raw gradient (n, dim), and what was set aside."""
        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient), axis=-1)
        cleaned, smooth, faults = clean(value, gradient)
        return cls(cleaned, smooth, jnp.isneginf(value), finite), faults

    def log_weight(self, log_q: Array) -> Array:
        """log(f/q) (n,); -inf where f = 0 or q is not finite."""
        known = jnp.isfinite(self.log_p) & jnp.isfinite(log_q)
        return jnp.where(known, self.log_p - log_q, -jnp.inf)


def channels_in_turn(target: Integrand, n: int) -> Array:
    """channel (n,) of a batch: every channel the same number of points, but for the remainder."""
    return jnp.arange(n) % target.n_channels


def values_at(target: Integrand, u: Array, channel: Array | int) -> ChannelValues:
    """One evaluation of f at each u (n, dim) of channels (n,), or one for all."""
    return channel_values(target.point(u, channel))


def density_of(
    target: Integrand, channel: Array | int, surrogate: Any = None, params: Params = ()
) -> Callable[[Array], Array]:
    """log(alpha_i f_i) at points u (n, dim) of the channels (n,).

    With the weights alpha_i of a surrogate with its parameters, or those of the prior.
    """
    if target.n_channels == 1:
        return target.log_density

    def log_density(u: Array) -> Array:
        values = values_at(target, u, channel)
        given = values.log_prior, values.features, channel
        if surrogate is not None:
            return values.log_f + as_multichannel(surrogate).log_alpha(params, *given)
        layout = ChannelLayout(target.component_of_channel)
        return values.log_f + layout.select(values.log_prior, channel)

    return log_density


def evaluate(
    target: Integrand,
    surrogate: TrainableSurrogate,
    params: Params,
    u: Array,
    channel: Array | int = 0,
) -> tuple[Parts, InvalidCounts]:
    """One target evaluation with gradient, and one of the surrogate, at each row of u (n, dim).

    Of several channels f is alpha_i f_i and q is q_i, each row in its channel (n,).
    """
    log_density = density_of(target, channel, surrogate, params)
    log_p, grad_p, faults = clean(*value_and_gradient(log_density, u))
    log_prob = as_multichannel(surrogate).log_prob
    log_q, grad_q = value_and_gradient(lambda u: log_prob(params, u, channel), u)
    log_q, grad_q, _ = clean(log_q, grad_q)
    return Parts(log_p, log_q, grad_p, grad_q), faults
