"""A surrogate over a floor: the mixture (1 - a) q + a of its density and the uniform one.

Where q has missed a tail of f the weights f/q have no bound; those of the mixture are at most f/a
(defensive sampling: T. Hesterberg, Technometrics 37 (1995) 185; A. Owen, Y. Zhou, JASA 95 (2000)
135). A good surrogate loses next to nothing: of the order of a^2.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int, PRNGKeyArray

from fabgen.surrogate.base import Params
from fabgen.surrogate.channels import AnyChannels


def sample_above_floor(
    surrogate: AnyChannels,
    floor: float,
    params: Params,
    key: PRNGKeyArray,
    channel: Int[Array, " n"],
) -> tuple[Float[Array, "n dim"], Float[Array, " n"]]:
    """u (n, dim) of the mixture in the channels (n,), and the log of its density (n,).

    The nearest whole number of the n points is uniform, at places drawn evenly: any number of the
    points is a sample of the mixture with that share, which the density has, too.
    """
    n = channel.shape[0]
    flat = _flat_points(floor, n)
    key, key_places, key_flat = jax.random.split(key, 3)
    u, log_q = surrogate.sample_and_log_prob(params, key, channel)
    places = jax.random.permutation(key_places, n)[:flat]
    v = jax.random.uniform(key_flat, (flat, u.shape[1]), u.dtype)
    u = u.at[places].set(v)
    log_q = log_q.at[places].set(surrogate.log_prob(params, v, channel[places]))
    return u, log_above_floor(log_q, floor)


def log_above_floor(log_q: Float[Array, " n"], floor: float) -> Float[Array, " n"]:
    """log of the density of the mixture at points (n,) with log q, as n of them are drawn."""
    n = log_q.shape[0]
    share: Any = _flat_points(floor, n) / n
    return jnp.logaddexp(jnp.log1p(-share) + log_q, jnp.log(share))


def _flat_points(floor: float, n: int) -> int:
    return round(floor * n)
