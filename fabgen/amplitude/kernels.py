"""Feynman rules as vectorized kernels: vertices that emit a current, and propagators.

A current has four complex components: a spinor (chiral representation, left-handed components
first), a contravariant vector, or a scalar in component 0. Components are lists of arrays that
broadcast over (rows, events). Kernels use arithmetic operators only, so they run on NumPy and JAX
arrays alike.

Spinors: a ket is u or v, a bra is ubar or vbar. With sigma = (1, s), sigmabar = (1, -s),
gamma^mu = ((0, sigma^mu), (sigmabar^mu, 0)). All momenta flow into the vertex.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any
Components = list[Array]


def dot(a: Components, b: Components) -> Array:
    """Minkowski product."""
    return a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]


def _sigma_dot(v: Components, x: Array, y: Array) -> tuple[Array, Array]:
    """v_mu sigma^mu (x, y), v contravariant: (v0 - v.s) (x, y)."""
    perp, conj = v[1] + 1j * v[2], v[1] - 1j * v[2]
    return (v[0] - v[3]) * x - conj * y, (v[0] + v[3]) * y - perp * x


def _sigmabar_dot(v: Components, x: Array, y: Array) -> tuple[Array, Array]:
    """v_mu sigmabar^mu (x, y): (v0 + v.s) (x, y)."""
    perp, conj = v[1] + 1j * v[2], v[1] - 1j * v[2]
    return (v[0] + v[3]) * x + conj * y, (v[0] - v[3]) * y + perp * x


def _dot_sigma(x: Array, y: Array, v: Components) -> tuple[Array, Array]:
    """(x, y) v_mu sigma^mu."""
    perp, conj = v[1] + 1j * v[2], v[1] - 1j * v[2]
    return x * (v[0] - v[3]) - y * perp, y * (v[0] + v[3]) - x * conj


def _dot_sigmabar(x: Array, y: Array, v: Components) -> tuple[Array, Array]:
    """(x, y) v_mu sigmabar^mu."""
    perp, conj = v[1] + 1j * v[2], v[1] - 1j * v[2]
    return x * (v[0] + v[3]) + y * perp, y * (v[0] - v[3]) + x * conj


def ffv_vector(bra: Components, ket: Components, left: Array, right: Array) -> Components:
    """bra gamma^mu (gL PL + gR PR) ket."""
    l0, l1, l2, l3 = bra[2] * ket[0], bra[3] * ket[1], bra[2] * ket[1], bra[3] * ket[0]
    r0, r1, r2, r3 = bra[0] * ket[2], bra[1] * ket[3], bra[0] * ket[3], bra[1] * ket[2]
    return [
        left * (l0 + l1) + right * (r0 + r1),
        right * (r2 + r3) - left * (l2 + l3),
        1j * (left * (l2 - l3) - right * (r2 - r3)),
        right * (r0 - r1) - left * (l0 - l1),
    ]


def ffv_ket(ket: Components, vector: Components, left: Array, right: Array) -> Components:
    """vector-slash (gL PL + gR PR) ket."""
    up = _sigma_dot(vector, right * ket[2], right * ket[3])
    down = _sigmabar_dot(vector, left * ket[0], left * ket[1])
    return [*up, *down]


def ffv_bra(bra: Components, vector: Components, left: Array, right: Array) -> Components:
    """bra vector-slash (gL PL + gR PR)."""
    up = _dot_sigmabar(left * bra[2], left * bra[3], vector)
    down = _dot_sigma(right * bra[0], right * bra[1], vector)
    return [*up, *down]


def ffs_scalar(bra: Components, ket: Components, left: Array, right: Array) -> Components:
    """bra (gL PL + gR PR) ket."""
    value = left * (bra[0] * ket[0] + bra[1] * ket[1]) + right * (bra[2] * ket[2] + bra[3] * ket[3])
    return _scalar(value)


def ffs_spinor(spinor: Components, scalar: Components, left: Array, right: Array) -> Components:
    """scalar (gL PL + gR PR) spinor, for kets and bras alike."""
    return [
        left * scalar[0] * spinor[0],
        left * scalar[0] * spinor[1],
        right * scalar[0] * spinor[2],
        right * scalar[0] * spinor[3],
    ]


def vvs_scalar(a: Components, b: Components, coupling: Array) -> Components:
    return _scalar(coupling * dot(a, b))


def vvs_vector(vector: Components, scalar: Components, coupling: Array) -> Components:
    factor = coupling * scalar[0]
    return [factor * component for component in vector]


def vvss_scalar(a: Components, b: Components, scalar: Components, coupling: Array) -> Components:
    return _scalar(coupling * scalar[0] * dot(a, b))


def vvss_vector(vector: Components, s: Components, t: Components, coupling: Array) -> Components:
    factor = coupling * s[0] * t[0]
    return [factor * component for component in vector]


def scalars(*fields_and_coupling: Array) -> Components:
    """SSS and SSSS: the product of the scalars and the coupling."""
    *fields, value = fields_and_coupling
    for field in fields:
        value = value * field[0]
    return _scalar(value)


def _scalar(value: Array) -> Components:
    zero = 0 * value
    return [value, zero, zero, zero]


#: Vertices by their Lorentz structure and what leaves them; those of vectors alone are `products`.
VERTEX_KERNELS: dict[str, Callable[..., Components]] = {
    "FFV>vector": ffv_vector,
    "FFV>ket": ffv_ket,
    "FFV>bra": ffv_bra,
    "FFS>scalar": ffs_scalar,
    "FFS>ket": ffs_spinor,
    "FFS>bra": ffs_spinor,
    "VVS>scalar": vvs_scalar,
    "VVS>vector": vvs_vector,
    "VVSS>scalar": vvss_scalar,
    "VVSS>vector": vvss_vector,
    "SSS>scalar": scalars,
    "SSSS>scalar": scalars,
}


def _denominator(p: Components, mass: Array, width: Array) -> Array:
    """i / (p^2 - m^2 + i m Gamma), by real divisions: complex ones take ten times as long."""
    off_shell, damping = dot(p, p) - mass**2, mass * width
    norm = 1.0 / (off_shell**2 + damping**2)
    return damping * norm + 1j * (off_shell * norm)


def propagate_ket(ket: Components, p: Components, mass: Array, width: Array) -> Components:
    """i (p-slash + m) / (p^2 - m^2 + i m Gamma) ket."""
    factor = _denominator(p, mass, width)
    ket = [factor * component for component in ket]
    up = _sigma_dot(p, ket[2], ket[3])
    down = _sigmabar_dot(p, ket[0], ket[1])
    return [
        up[0] + mass * ket[0],
        up[1] + mass * ket[1],
        down[0] + mass * ket[2],
        down[1] + mass * ket[3],
    ]


def propagate_bra(bra: Components, p: Components, mass: Array, width: Array) -> Components:
    """bra i (-p-slash + m) / (p^2 - m^2 + i m Gamma): p flows against the fermion line."""
    factor = _denominator(p, mass, width)
    bra = [factor * component for component in bra]
    up = _dot_sigmabar(bra[2], bra[3], p)
    down = _dot_sigma(bra[0], bra[1], p)
    return [
        mass * bra[0] - up[0],
        mass * bra[1] - up[1],
        mass * bra[2] - down[0],
        mass * bra[3] - down[1],
    ]


def propagate_massless_vector(
    v: Components, p: Components, mass: Array, width: Array
) -> Components:
    """-i g / p^2."""
    factor = -1j / dot(p, p)
    return [factor * component for component in v]


def propagate_massive_vector(v: Components, p: Components, mass: Array, width: Array) -> Components:
    """-i (g - p p / m^2) / (p^2 - m^2 + i m Gamma)."""
    factor = -_denominator(p, mass, width)
    along = dot(p, v) / mass**2
    return [factor * (v[i] - along * p[i]) for i in range(4)]


def propagate_scalar(s: Components, p: Components, mass: Array, width: Array) -> Components:
    """i / (p^2 - m^2 + i m Gamma)."""
    return _scalar(_denominator(p, mass, width) * s[0])


PROPAGATOR_KERNELS: dict[str, Callable[..., Components]] = {
    "ket": propagate_ket,
    "bra": propagate_bra,
    "massless vector": propagate_massless_vector,
    "massive vector": propagate_massive_vector,
    "scalar": propagate_scalar,
}
