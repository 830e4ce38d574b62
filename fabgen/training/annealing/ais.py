"""Annealed importance sampling from q towards p^2/q (Midgley et al., FAB, ICLR 2023, section 3).

    log pi_b = (1-b) log q + b (2 log p - log q),     b_i = i/(M+1), i = 0..M+1
    log w    = sum_{i=0..M} [log pi_(i+1) - log pi_i](x_i),    x_i from x_(i-1) by HMC at b_i

Every summand is 2/(M+1) log(p/q)(x_i), so the weight is a running sum of log p - log q, and the
mean of w over samples of q is the integral of p^2/q.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.training.annealing.hmc import Chains, Evaluate, transition
from fabgen.training.target import InvalidCounts, Values


class Annealed(NamedTuple):
    """The end of n annealed chains.

    u (n, dim), log_q (n,) there, log_w (n,) the annealed log weights (-inf where f = 0 on the way),
    initial_log_w (n,) the log of f/q at the start, acceptance (M,), faults of all evaluations;
    start: what f was there.
    """

    u: Array
    log_q: Array
    log_w: Array
    initial_log_w: Array
    acceptance: Array
    faults: InvalidCounts
    start: Values


def evaluations_per_sample(intermediate: int, leapfrog_steps: int, moves: int = 1) -> int:
    """1 + M L: one at the start, one for every leapfrog step (of each HMC move)."""
    return 1 + intermediate * moves * leapfrog_steps


def anneal(
    evaluate: Evaluate,
    u: Array,
    key: Array,
    step_sizes: Array,
    leapfrog_steps: int,
    moves: int = 1,
) -> Annealed:
    """Anneals samples u (n, dim) of q through M = len(step_sizes) intermediate distributions.

    `moves` HMC transitions at each of them. Costs 1 + M L moves evaluations per sample, all with
    gradient. The first of them, at the start, is written as a transition with one step of size
    zero: XLA then compiles f once and not twice.
    """
    intermediate = step_sizes.shape[0]
    beta = jnp.arange(intermediate + 1, dtype=u.dtype) / (intermediate + 1)
    sizes = jnp.concatenate([jnp.zeros(1, step_sizes.dtype), step_sizes])
    lengths = jnp.full(intermediate + 1, leapfrog_steps).at[0].set(1)
    # The start, then every distribution `moves` times; x_i, the point that weighs, is the last.
    order = np.concatenate([[0], np.repeat(np.arange(intermediate) + 1, moves)])
    repeated: tuple[Array, ...] = ()
    if moves > 1:  # with one move each the program is the plain one, to the last bit
        beta, sizes, lengths = beta[order], sizes[order], lengths[order]
        repeated = (jnp.asarray(np.append(order[:-1] != order[1:], True)),)
    keys = jax.random.split(key, len(order))

    def stage(carry, xs):
        chains, log_w, faults, first = carry
        beta, size, length, key, *weighs = xs
        chains, acceptance, new = transition(evaluate, chains, beta, size, length, key)
        log_ratio = chains.parts.log_weight
        added = log_w + 2.0 / (intermediate + 1) * log_ratio
        log_w = jnp.where(weighs[0], added, log_w) if weighs else added
        first = jax.tree.map(lambda old, new: jnp.where(beta == 0.0, new, old), first, chains.parts)
        return (chains, log_w, jax.tree.map(jnp.add, faults, new), first), (acceptance, log_ratio)

    start = Chains.unevaluated(u)
    (chains, log_w, faults, first), (acceptance, log_ratio) = jax.lax.scan(
        stage,
        (start, jnp.zeros(u.shape[:1], u.dtype), InvalidCounts.none(), start.parts),
        (beta, sizes, lengths, keys, *repeated),
    )
    acceptance = acceptance[1:]
    if moves > 1:
        acceptance = acceptance.reshape(intermediate, moves).mean(axis=1)
    known = jnp.isfinite(first.log_p)
    values = Values(first.log_p, first.grad_p, ~known, known)
    return Annealed(chains.u, chains.parts.log_q, log_w, log_ratio[0], acceptance, faults, values)
