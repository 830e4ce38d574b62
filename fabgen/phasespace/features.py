"""What trained channel weights look at: invariants of an event, as numbers of order one."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from .kinematics import mass_squared

#: Invariants below this share of s are taken for it.
_SMALLEST = 1e-8
#: ln(s_ij / s) is of the order of -2, and varies as much.
_SCALE = 0.25


def n_event_features(n_initial: int, n_final: int, n_shares: int = 0) -> int:
    """How many numbers `event_features` gives."""
    pairs = n_final * (n_final - 1) // 2
    return pairs + (n_final if n_initial == 2 else 0) + n_shares


def event_features(
    momenta: Float[Array, "n_external 4 events"],
    n_initial: int,
    shares: Float[Array, "2 #events"] | None = None,
) -> Float[Array, "n_features events"]:
    """(n_features, events) of momenta (n_external, 4, events) in GeV, incoming first.

    Logarithms of the invariant masses of all pairs of final particles; with two beams also, of each
    final particle, the difference of the logarithms of its momentum transfers from both, which for
    a massless one is its rapidity. shares (2, events): of partons in the momenta of their beams, of
    which ln(x1 x2) and ln(x1/x2) come last.
    """
    final = momenta[n_initial:]
    s = mass_squared(momenta[:n_initial].sum(axis=0))

    def log_share(square: Float[Array, " events"]) -> Float[Array, " events"]:
        share = jnp.maximum(jnp.abs(square) / s, _SMALLEST)
        return 1.0 + _SCALE * jnp.log(share)

    found = [
        log_share(mass_squared(final[i] + final[j]))
        for i, j in itertools.combinations(range(len(final)), 2)
    ]
    if n_initial == 2:
        for p in final:
            towards, away = (log_share(mass_squared(beam - p)) for beam in momenta[:2])
            found.append(towards - away)
    if shares is not None:
        first, second = jnp.log(jnp.broadcast_to(shares, (2, momenta.shape[-1])))
        found += [1.0 + _SCALE * (first + second), _SCALE * (first - second)]
    return jnp.stack(found)
