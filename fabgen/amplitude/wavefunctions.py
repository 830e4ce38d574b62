"""Wave functions of external particles.

Massless particles have states of definite helicity, so that most combinations vanish identically
and are dropped; massive ones have the spin along z in their rest frame, boosted to p without a
rotation (canonical states): smooth for every p, at rest too, and as good a basis for sums over
spins. There is no singular direction: where a phase jumps, on the equator, no squared amplitude
sees it. With helicity=True massive particles have states of definite helicity too, in the order of
`helicities`.

momentum: (4, events), physical (positive energy), GeV. Every function returns (states, 4, events).
"""

from __future__ import annotations

import math
from typing import Any

Array = Any


#: |p| / E below which a particle is at rest: the direction of p is rounding.
_AT_REST = 1e-12


def helicities(spin: int, massless: bool, particle: bool) -> tuple[int, ...]:
    """Of the states, in their order: +-1 for fermions (+-1/2) and vectors, 0 for the others.

    They are those of the physical particle, incoming or outgoing: the spinors in a v of helicity h
    are those of helicity -h.
    """
    if spin == 2:
        return (-1, 1) if particle else (1, -1)
    if spin == 3:
        return (1, -1) if massless else (1, -1, 0)
    return (0,)


def _direction(xp: Any, p: Array) -> tuple[Array, list[Array]]:
    """|p| in GeV and the unit vector along p: the z axis for a particle at rest."""
    size = xp.sqrt(p[1] ** 2 + p[2] ** 2 + p[3] ** 2)
    moves = size > _AT_REST * p[0]
    safe = xp.where(moves, size, 1.0)
    return size, [xp.where(moves, p[i] / safe, 1.0 if i == 3 else 0.0) for i in (1, 2, 3)]


def _massless_spinors(xp: Any, p: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Two-component spinors of helicity + and - along p, normalized to sqrt(2 E)."""
    forward = p[3] >= 0
    large = xp.sqrt(p[0] + xp.abs(p[3]))
    perp = (p[1] + 1j * p[2]) / large
    conj = (p[1] - 1j * p[2]) / large
    plus = xp.where(forward, large, conj), xp.where(forward, perp, large)
    minus = xp.where(forward, -conj, -large), xp.where(forward, large, perp)
    return plus, minus


def _helicity_spinors(xp: Any, p: Array, mass: Array, sign: float) -> list[list[Array]]:
    """(sqrt(p.sigma) s, sign sqrt(p.sigmabar) s) for spinors s of helicity - and + along p."""
    size, n = _direction(xp, p)
    plus, minus = _massless_spinors(xp, [xp.ones_like(size), *n])
    large = xp.sqrt((p[0] + size) / 2)  # over the norm sqrt(2) of the spinors
    small = mass / (2 * large)
    return [
        [*(large * x for x in minus), *(sign * small * x for x in minus)],
        [*(small * x for x in plus), *(sign * large * x for x in plus)],
    ]


def spinor(
    xp: Any, p: Array, mass: Array | None, particle: bool, bra: bool, helicity: bool = False
) -> Array:
    """u (particle) or v (antiparticle), or as bra ubar or vbar."""
    zero = 0j * p[0]
    one = zero + 1.0
    states = []
    if mass is None:
        plus, minus = _massless_spinors(xp, p)
        states = [[*minus, zero, zero], [zero, zero, *plus]]
    elif helicity:
        states = _helicity_spinors(xp, p, mass, 1.0 if particle else -1.0)
    else:
        norm = xp.sqrt(2 * (p[0] + mass))
        perp, conj = p[1] + 1j * p[2], p[1] - 1j * p[2]
        total = p[0] + mass
        sign = 1.0 if particle else -1.0
        # sqrt(p.sigma) = ((E + m) - p.s) / sqrt(2 (E + m)) on the spin states (1, 0) and (0, 1).
        for left, right in (
            ((total - p[3], -perp), (total + p[3], perp)),
            ((-conj, total + p[3]), (conj, total - p[3])),
        ):
            states.append(
                [one * (x / norm) for x in left] + [one * (sign * x / norm) for x in right]
            )
    if bra:
        states = [[xp.conj(s[i]) for i in (2, 3, 0, 1)] for s in states]
    return xp.stack([xp.stack(state) for state in states])


def vector(xp: Any, p: Array, mass: Array | None, outgoing: bool, helicity: bool = False) -> Array:
    """Polarization vectors, contravariant; complex conjugate for outgoing particles."""
    zero = 0.0 * p[0]
    one = zero + 1.0
    if mass is None or helicity:
        # A right-handed orthonormal frame without square roots of small numbers
        # (T. Duff et al., Building an Orthonormal Basis, Revisited, JCGT 6 (2017) 1).
        if mass is None:
            n = [p[i] / p[0] for i in (1, 2, 3)]
        else:
            size, n = _direction(xp, p)
            third = [size / mass, *(p[0] / mass * x for x in n)]
        s = xp.where(n[2] >= 0, 1.0, -1.0)
        a = -1.0 / (s + n[2])
        b = n[0] * n[1] * a
        first = [zero, 1.0 + s * n[0] ** 2 * a, s * b, -s * n[0]]
        second = [zero, b, s + n[1] ** 2 * a, -n[1]]
    else:
        # The boost of the unit vectors of the rest frame.
        def boosted(axis: int) -> list[Array]:
            along = p[axis] / (mass * (p[0] + mass))
            return [p[axis] / mass] + [
                along * p[i] + (one if i == axis else zero) for i in (1, 2, 3)
            ]

        first, second, third = boosted(1), boosted(2), boosted(3)
    half = 1 / math.sqrt(2.0)
    states = [
        [half * (sign * x + 1j * y) for x, y in zip(first, second, strict=True)]
        for sign in (1.0, -1.0)
    ]
    if mass is not None:
        states.append([x + 0j for x in third])
    if outgoing:
        states = [[xp.conj(x) for x in state] for state in states]
    return xp.stack([xp.stack(state) for state in states])


def scalar(xp: Any, p: Array) -> Array:
    one, zero = 1.0 + 0j * p[0], 0j * p[0]
    return xp.stack([xp.stack([one, zero, zero, zero])])
