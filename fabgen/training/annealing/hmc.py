"""Hamiltonian Monte Carlo on the unit hypercube for a whole batch of chains.

The integrator is BlackJAX's velocity Verlet with our own position operator: BlackJAX's kernel keeps
one log density and gradient per chain, we have to keep their parts (log f, log q and gradients) so
that the next temperature can recombine them without a new evaluation.

Faces of the cube reflect. A density pi on the cube is continued to all of R^d by
pi(x) = pi(fold(x)) with fold the reflection of each coordinate back into [0, 1]. That even,
periodic continuation is unchanged by the reflections, and so are the dynamics: ordinary HMC on R^d,
which keeps it invariant, keeps pi invariant after folding. No trajectory is lost at a face, and the
momentum needs no flip (in the continued picture it is the gradient that changes sign).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from blackjax.mcmc.integrators import (
    IntegratorState,
    euclidean_momentum_update_fn,
    generalized_two_stage_integrator,
    velocity_verlet_coefficients,
)
from jax import Array

from fabgen.training.target import InvalidCounts, Parts

Evaluate = Callable[[Array], tuple[Parts, InvalidCounts]]

#: HMC step sizes stay in this range, in units of the edge of the cube.
MIN_STEP_SIZE, MAX_STEP_SIZE = 1e-8, 1.0
#: How fast a step size follows the acceptance: where nothing is accepted it shrinks by a quarter.
ADAPTATION_GAIN = 0.3


class Chains(NamedTuple):
    """Positions u (n, dim) in the cube with the parts of their densities."""

    u: Array
    parts: Parts

    @staticmethod
    def unevaluated(u: Array) -> Chains:
        """Chains before any evaluation: the first transition moves them with certainty."""
        nothing = jnp.full(u.shape[:1], -jnp.inf, u.dtype)
        return Chains(u, Parts(nothing, nothing, jnp.zeros_like(u), jnp.zeros_like(u)))


def tempered(parts: Parts, beta: Array) -> Array:
    """log pi_b = (1-b) log q + b (2 log p - log q), shape (n,); -inf where f = 0."""
    valid = parts.valid
    log_p = jnp.where(valid, parts.log_p, 0.0)
    log_q = jnp.where(valid, parts.log_q, 0.0)
    return jnp.where(valid, 2.0 * beta * log_p + (1.0 - 2.0 * beta) * log_q, -jnp.inf)


def tempered_gradient(parts: Parts, beta: Array) -> Array:
    """Gradient of log pi_b in u, shape (n, dim)."""
    return 2.0 * beta * parts.grad_p + (1.0 - 2.0 * beta) * parts.grad_q


def fold(x: Array) -> tuple[Array, Array]:
    """Reflects x back into [0, 1]; also du/dx = +-1. Points not finite go to the centre."""
    x = jnp.where(jnp.isfinite(x), x, 0.5)
    y = x - 2.0 * jnp.floor(0.5 * x)
    return jnp.where(y > 1.0, 2.0 - y, y), jnp.where(y > 1.0, -1.0, 1.0)


def _kinetic_energy(momentum: Array) -> Array:
    return 0.5 * jnp.sum(momentum**2)


def leapfrog(evaluate: Evaluate, beta: Array) -> Callable:
    """One velocity-Verlet step of all chains: (IntegratorState, step size) -> (state, info).

    The state lives in the continued space, its log density is (n,). info = (parts, faults) of the
    new positions, parts with gradients in the cube.
    """

    def position_update(position, kinetic_grad, step_size, coef, auxiliary_info=None):
        del auxiliary_info
        position = position + step_size * coef * kinetic_grad
        u, sign = fold(position)
        parts, faults = evaluate(u)
        log_pi = tempered(parts, beta)
        log_pi = jnp.where(jnp.all(jnp.isfinite(position), axis=-1), log_pi, -jnp.inf)
        return position, log_pi, sign * tempered_gradient(parts, beta), (parts, faults)

    def output(position, momentum, log_pi, gradient, kinetic_grad, info, momentum_info):
        del kinetic_grad, momentum_info
        return IntegratorState(position, momentum, log_pi, gradient), info

    return generalized_two_stage_integrator(
        euclidean_momentum_update_fn(_kinetic_energy),
        position_update,
        velocity_verlet_coefficients,
        format_output_fn=output,
    )


def transition(
    evaluate: Evaluate,
    chains: Chains,
    beta: Array,
    step_size: Array,
    steps: Array | int,
    key: Array,
) -> tuple[Chains, Array, InvalidCounts]:
    """One HMC transition of every chain at inverse temperature beta.

    `steps` leapfrog steps of `step_size`, `steps` evaluations per chain; both may be traced.
    Returns the moved chains, the acceptance averaged over the chains with a density (scalar; 1 if
    there is none), and the faults met. Proposals with f = 0 are rejected; a chain at f = 0 moves to
    the first valid proposal.
    """
    momentum_key, accept_key = jax.random.split(key)
    momentum = jax.random.normal(momentum_key, chains.u.shape, chains.u.dtype)
    log_pi = tempered(chains.parts, beta)
    step = leapfrog(evaluate, beta)

    def advance(_, carry):
        state, _, faults = carry
        state, (parts, new) = step(state, step_size)
        return state, parts, jax.tree.map(jnp.add, faults, new)

    start = IntegratorState(chains.u, momentum, log_pi, tempered_gradient(chains.parts, beta))
    end, parts, faults = jax.lax.fori_loop(
        0, steps, advance, (start, chains.parts, InvalidCounts.none())
    )

    def energy(state):
        return 0.5 * jnp.sum(state.momentum**2, axis=-1) - state.logdensity

    valid = jnp.isfinite(end.logdensity) & jnp.all(jnp.isfinite(end.momentum), axis=-1)
    # A chain without a density has energy +inf: any valid proposal is accepted.
    gain = jnp.where(valid, energy(start) - energy(end), -jnp.inf)
    uniform = jax.random.uniform(accept_key, gain.shape, gain.dtype)
    accepted = valid & (jnp.log(uniform) < gain)

    alive = jnp.isfinite(log_pi)
    probability = jnp.where(alive, jnp.exp(jnp.minimum(gain, 0.0)), 0.0)
    count = jnp.sum(alive)
    acceptance = jnp.where(count > 0, jnp.sum(probability) / jnp.maximum(count, 1), 1.0)

    proposal = Chains(fold(end.position)[0], parts)

    def choose(new, old):
        mask = accepted if new.ndim == 1 else accepted[:, None]
        return jnp.where(mask, new, old)

    return jax.tree.map(choose, proposal, chains), acceptance, faults


def adapt(step_sizes: Array, acceptance: Array, target_acceptance: float) -> Array:
    """Moves step sizes (M,) towards the target acceptance, multiplicatively as in FAB.

    The change is proportional to the distance from the target, so it fades out by itself.
    """
    factor = jnp.exp(ADAPTATION_GAIN * (acceptance - target_acceptance) / target_acceptance)
    return jnp.clip(step_sizes * factor, MIN_STEP_SIZE, MAX_STEP_SIZE)
