"""Line shapes: how a resonance's amplitude depends on the mass of the pair it decays into.

Names and formulas are those of LHCb's Lambda_c+ -> p K- pi+ model (LHCb, Phys. Rev. D 108 (2023)
012023, arXiv:2208.03262). Barrier factors: F. von Hippel and C. Quigg, Phys. Rev. D 5 (1972) 624;
broad scalars: D. V. Bugg, Phys. Lett. B 572 (2003) 1; coupled pairs: S. M. Flatte, Phys. Lett. B 63
(1976) 224. Numerators are 1, not M Gamma.

A new line shape is a function and an entry of LINE_SHAPES. It returns real and imaginary parts on
the first axis, (2, resonances, events).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import factorial
from types import MappingProxyType
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.numerics import safe_sqrt


class Decay(NamedTuple):
    """Where resonances stand: 0 -> R k, R -> i j. Masses in GeV, radii in 1/GeV, s in GeV^2.

    Arrays are (resonances, events) or broadcast to it. orbital_production, orbital_decay
    (resonances, 1): angular momenta of either step. coupled: masses of a second pair that the
    resonances decay into.
    """

    s: Array
    parent: Array
    spectator: Array
    pair: tuple[Array, Array]
    orbital_production: np.ndarray
    orbital_decay: np.ndarray
    radius_production: Array
    radius_decay: Array
    coupled: tuple[Array, Array] | None = None


Parameters = Mapping[str, Array]


def breit_wigner(decay: Decay, p: Parameters) -> Array:
    """Breit-Wigner with mass-dependent width and barrier factors of both steps.

    F_p(q_p) F_d(q_d) / (M^2 - s - i M Gamma(s)), the F relative to their values at s = M^2 and
    Gamma(s) = Gamma (q/q0)^(2 L + 1) (M/sqrt(s)) F_d^2. L is the smallest that spins (and in the
    decay parity) allow.
    """
    mass, width = p["mass"], p["width"]
    square = momentum_squared(decay.s, *decay.pair)
    square_0 = momentum_squared(mass**2, *decay.pair)
    factor = barrier(square, square_0, decay.orbital_decay, decay.radius_decay)
    phase_space = safe_sqrt(square / square_0) * mass / jnp.sqrt(decay.s)
    width = width * factor**2 * phase_space
    return production_barrier(decay, mass) * factor * pole(decay.s, mass, mass * width)


def bugg(decay: Decay, p: Parameters) -> Array:
    """A broad scalar: width with an Adler zero and an exponential form factor, no barriers.

    1/(M^2 - s - i M Gamma exp(-gamma s) (s - s_A)/(M^2 - s_A)), s_A = m_K^2 - m_pi^2/2 (the heavier
    and the lighter of the pair).
    """
    mass = p["mass"]
    heavy, light = jnp.maximum(*decay.pair), jnp.minimum(*decay.pair)
    zero = heavy**2 - 0.5 * light**2
    width = p["width"] * jnp.exp(-p["gamma"] * decay.s) * (decay.s - zero) / (mass**2 - zero)
    return pole(decay.s, mass, mass * width)


def flatte(decay: Decay, p: Parameters) -> Array:
    """Two coupled pairs in relative S waves: the observed one (width_1) and `coupled` (width_2).

    1/(M^2 - s - i M (Gamma_1 q_1 + Gamma_2 q_2)/q_0 M/sqrt(s)). Both momenta are measured in q_0,
    that of the coupled pair at s = M^2, since the observed pair may be closed there. Below a
    threshold q = i |q|.
    """
    assert decay.coupled is not None
    mass = p["mass"]
    square_0 = momentum_squared(mass**2, *decay.coupled)
    width, shift = jnp.zeros(()), jnp.zeros(())
    for pair, partial in ((decay.pair, p["width_1"]), (decay.coupled, p["width_2"])):
        ratio = momentum_squared(decay.s, *pair) / square_0
        width = width + partial * safe_sqrt(ratio)
        shift = shift + partial * safe_sqrt(-ratio)
    scale = mass**2 / jnp.sqrt(decay.s)
    return production_barrier(decay, mass) * inverse(
        mass**2 - decay.s + scale * shift, scale * width
    )


def production_barrier(decay: Decay, mass: Array) -> Array:
    """Barrier factor of 0 -> R k relative to its value at s = M^2."""
    square, square_0 = (
        momentum_squared(decay.parent**2, m, decay.spectator) for m in (jnp.sqrt(decay.s), mass)
    )
    return barrier(square, square_0, decay.orbital_production, decay.radius_production)


def pole(s: Array, mass: Array, mass_width: Array) -> Array:
    """1/(M^2 - s - i M Gamma)."""
    return inverse(mass**2 - s, mass_width)


def inverse(real: Array, imaginary: Array) -> Array:
    """1/(real - i imaginary)."""
    return jnp.stack([real, imaginary]) / (real**2 + imaginary**2)


def momentum_squared(s: Array, first: Array, second: Array) -> Array:
    """Squared momentum in GeV^2 of two particles of total mass squared s; negative if closed."""
    return (s - (first + second) ** 2) * (s - (first - second) ** 2) / (4.0 * s)


def barrier(square: Array, square_0: Array, orbital: np.ndarray, radius: Array) -> Array:
    """Blatt-Weisskopf factor F_L(q)/F_L(q_0), with its threshold factor (q/q_0)^L."""
    highest = int(orbital.max())
    if highest == 0:
        return jnp.ones(())
    # F_L^2 = z^L/P_L(z) up to a constant, z = (q R)^2; the coefficients of P_L, highest first.
    rows = [_polynomial(int(n), highest) for n in orbital.ravel()]
    coefficients = np.array(rows).T.reshape(highest + 1, *orbital.shape)
    bottom, bottom_0 = (
        functools.reduce(lambda sum_, c: sum_ * x + c, coefficients)
        for x in (square * radius**2, square_0 * radius**2)
    )
    momentum = safe_sqrt(square / square_0)
    threshold = jnp.ones(())
    for n in range(highest):
        threshold = threshold * jnp.where(n < orbital, momentum, 1.0)
    return threshold * jnp.sqrt(bottom_0 / bottom)


def _polynomial(orbital: int, highest: int) -> list[float]:
    """Coefficients of P_L(z) = sum_n c_n z^(L - n), from z^highest down to 1.

    c_n = (2 n)! (L + n)! / (n!^2 (L - n)! 4^n); P_L is z^L |x h_L(x)|^2 with a spherical Hankel
    function at x = sqrt(z).
    """
    coefficients = []
    for n in range(orbital + 1):
        top = factorial(2 * n) * factorial(orbital + n)
        coefficients.append(top / (factorial(n) ** 2 * factorial(orbital - n) * 4**n))
    return [0.0] * (highest - orbital) + coefficients


@dataclass(frozen=True)
class LineShape:
    """A line shape as a data file may ask for it.

    value: the function. parameters: keys in the data file with the prefix of their parameter's
    name, which ends in the resonance's. pole_and_width: the two of them that a map of phase space
    follows. coupled: whether it wants a second pair. production_barrier, decay_barrier: whether it
    takes momenta of these steps relative to those at s = M^2.
    """

    value: Callable[[Decay, Parameters], Array]
    parameters: Mapping[str, str]
    pole_and_width: tuple[str, str] = ("mass", "width")
    coupled: bool = False
    production_barrier: bool = False
    decay_barrier: bool = False


_BREIT_WIGNER = MappingProxyType({"mass": "M", "width": "G"})
LINE_SHAPES: Mapping[str, LineShape] = MappingProxyType(
    {
        "BreitWignerMinL": LineShape(
            breit_wigner, _BREIT_WIGNER, production_barrier=True, decay_barrier=True
        ),
        "BuggBreitWignerMinL": LineShape(
            bugg, MappingProxyType({**_BREIT_WIGNER, "gamma": "gamma"})
        ),
        "Flatte1405": LineShape(
            flatte,
            MappingProxyType({"mass": "M", "width_1": "G1", "width_2": "G2"}),
            pole_and_width=("mass", "width_2"),
            coupled=True,
            production_barrier=True,
        ),
    }
)
