"""Channel weights before training, alpha_i(x) >= 0 with sum 1, for the channels of one
component.

flat         all alike
densities    g_i / sum_j g_j, g_i the density of the points of channel i in phase space
invariants   the same, roughly: each propagator and angle by itself (phasespace.rough)
propagators  the same with products of propagators, 1/|p^2 - m^2 + i m Gamma|^2
diagrams     |M_i|^2 / sum_j |M_j|^2 with the diagrams of each channel (F. Maltoni and
             T. Stelzer, JHEP 02 (2003) 027)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Number
from fabgen.model import ZERO, Model
from fabgen.numerics import log_weights, safe_log
from fabgen.phasespace.kinematics import mass_squared
from fabgen.process.resonances import Diagram

#: Kinds that are made of densities in phase space.
OF_DENSITIES = ("densities", "invariants")
#: No invariant counts as less than this share of s: massless propagators end at the cuts.
_SMALLEST = 1e-14


@dataclass(frozen=True)
class Denominator:
    """One propagator: of the sum of some external momenta, incoming ones with a minus sign."""

    signs: tuple[int, ...]
    mass: str
    width: str


@dataclass(frozen=True)
class Prior:
    """kind: one of those above; groups: the propagators of each channel."""

    kind: str
    groups: tuple[tuple[Denominator, ...], ...] = ()


def denominators(model: Model, diagram: Diagram, n: int) -> tuple[Denominator, ...]:
    """The propagators of a diagram with n legs that differ from event to event.

    Those in t have no width.
    """
    found = []
    for p in diagram.propagators:
        particle = model.particle(p.particle)
        signs = tuple(int(leg in p.legs) for leg in range(n))
        found.append(Denominator(signs, particle.mass, particle.width))
    for p in diagram.spacelike:
        particle = model.particle(p.particle)
        signs = tuple(-1 if leg == 0 else int(leg in p.legs) for leg in range(n))
        found.append(Denominator(signs, particle.mass, ZERO))
    return tuple(found)


def log_prior(
    prior: Prior | None,
    n_channels: int,
    momenta: Float[Array, "n_external 4 events"],
    single: Float[Array, "{n_channels} events"] | None,
    log_densities: Callable[[], Float[Array, "channels events"]],
    sqrt_s: Number,
    derived: Mapping[str, Any],
) -> Float[Array, "{n_channels} events"]:
    """log alpha (n_channels, events) at momenta (n_external, 4, events) in the rest frame.

    prior: None for one channel. single: |M_i|^2 of the diagrams of each channel, for the prior of
    diagrams. log_densities: log g_i of all channels. derived: all parameters of the model.
    """
    kind = prior.kind if prior else "flat"
    if kind in OF_DENSITIES:
        weights = log_densities()
    elif kind == "propagators" and prior:
        weights = log_propagators(prior.groups, momenta, derived, sqrt_s)
    elif kind == "diagrams":
        assert single is not None
        weights = safe_log(single)
    else:
        weights = jnp.zeros((n_channels, momenta.shape[-1]))
    # Where no channel has a weight, by rounding at the edge of all, they share alike.
    return log_weights(weights)


def log_propagators(
    groups: Sequence[Sequence[Denominator]],
    momenta: Float[Array, "n_external 4 events"],
    derived: Mapping[str, Any],
    sqrt_s: Number,
) -> Float[Array, "{len(groups)} events"]:
    """The logarithm of the product of propagators of each channel, (n_channels, events).

    momenta (n_external, 4, events) and sqrt_s, the total energy in the rest frame, in GeV; each of
    `groups` holds the propagators of one channel.
    """
    distinct = list(dict.fromkeys(d for group in groups for d in group))
    smallest = _SMALLEST * sqrt_s**2
    logs = {}
    for d in distinct:
        p = functools.reduce(
            jnp.add, (sign * momenta[leg] for leg, sign in enumerate(d.signs) if sign)
        )
        mass = derived[d.mass] if d.mass != ZERO else 0.0
        width = derived[d.width] if d.width != ZERO else 0.0
        distance = mass_squared(p) - mass**2
        logs[d] = -jnp.log(distance**2 + (mass * width) ** 2 + smallest**2)
    zero = jnp.zeros(momenta.shape[2:])
    return jnp.stack([sum((logs[d] for d in group), zero) for group in groups])
