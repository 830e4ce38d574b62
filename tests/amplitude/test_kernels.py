"""Kernels against explicit gamma matrices and tensors, in NumPy and in JAX."""

from __future__ import annotations

import inspect

import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.amplitude import kernels, products
from fabgen.amplitude.kernels import PROPAGATOR_KERNELS, VERTEX_KERNELS

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
PAULI = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
GAMMA = np.zeros((4, 4, 4), dtype=complex)
GAMMA[:, :2, 2:] = PAULI
GAMMA[:, 2:, :2] = PAULI * np.array([1, -1, -1, -1])[:, None, None]
LEFT, RIGHT = np.diag([1, 1, 0, 0]), np.diag([0, 0, 1, 1])
GL, GR = 0.3 + 0.2j, -0.7 + 0.1j


@pytest.fixture
def draw():
    """draw() -> four complex components, draw(real=True) -> a momentum."""
    rng = np.random.default_rng(5)

    def one(real=False):
        made = rng.normal(size=4)
        return list(made) if real else list(made + 1j * rng.normal(size=4))

    return one


def slash(vector) -> np.ndarray:
    return np.einsum("m,mij->ij", METRIC @ np.array(vector), GAMMA)


def close(found, expected) -> None:
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-12, atol=1e-13)


def test_gamma_matrices():
    for m in range(4):
        for n in range(4):
            close(GAMMA[m] @ GAMMA[n] + GAMMA[n] @ GAMMA[m], 2 * METRIC[m, n] * np.eye(4))


def test_fermion_vector(draw):
    bra, ket, vector = draw(), draw(), draw()
    chiral = GL * LEFT + GR * RIGHT
    close(kernels.ffv_vector(bra, ket, GL, GR), [np.array(bra) @ g @ chiral @ ket for g in GAMMA])
    close(kernels.ffv_ket(ket, vector, GL, GR), slash(vector) @ chiral @ ket)
    close(kernels.ffv_bra(bra, vector, GL, GR), np.array(bra) @ slash(vector) @ chiral)


def test_fermion_scalar(draw):
    bra, ket, scalar = draw(), draw(), draw()
    chiral = GL * LEFT + GR * RIGHT
    close(kernels.ffs_scalar(bra, ket, GL, GR)[0], np.array(bra) @ chiral @ ket)
    close(kernels.ffs_spinor(ket, scalar, GL, GR), scalar[0] * (chiral @ ket))
    close(kernels.ffs_spinor(bra, scalar, GL, GR), scalar[0] * (np.array(bra) @ chiral))


def three_vectors(a, b, c, ka, kb):
    """The Feynman rule written out, all momenta incoming."""
    a, b, c, ka, kb = map(np.array, (a, b, c, ka, kb))
    kc = -ka - kb

    def dot(x, y):
        return x @ METRIC @ y

    return dot(a, b) * dot(ka - kb, c) + dot(b, c) * dot(kb - kc, a) + dot(c, a) * dot(kc - ka, b)


def add_up(terms, named) -> np.ndarray:
    """The sum of products (x.y) z for the vectors and momenta that stand behind the names."""

    def vector(factor) -> np.ndarray:
        if isinstance(factor, products.Momentum):
            return sum(c * np.array(named[legs]) for legs, c in factor.terms)
        return np.array(named[factor])

    return sum(t.factor * (vector(t.x) @ METRIC @ vector(t.y)) * vector(t.z) for t in terms)


def test_three_vectors(draw):
    a, b, c, ka, kb = draw(), draw(), draw(), draw(real=True), draw(real=True)
    named = {"a": a, "b": b, 0b01: ka, 0b10: kb}
    current = add_up(products.three_vectors("a", "b", 0b01, 0b10), named)
    close(current @ METRIC @ c, three_vectors(a, b, c, ka, kb))
    swapped = add_up(products.three_vectors("b", "a", 0b10, 0b01), named)
    close(swapped, -current)  # antisymmetric, like the colour structure


def test_four_vectors(draw):
    a, b, c, d = (np.array(draw()) for _ in range(4))

    def dot(x, y):
        return x @ METRIC @ y

    for weights in ((2, -1, -1), (0, 1, -1), (1, 0, 3)):
        terms = products.four_vectors("a", "b", "c", weights)
        assert len(terms) == np.count_nonzero(weights)
        current = add_up(terms, {"a": a, "b": b, "c": c})
        expected = (
            weights[0] * dot(a, b) * dot(c, d)
            + weights[1] * dot(a, c) * dot(b, d)
            + weights[2] * dot(a, d) * dot(b, c)
        )
        close(dot(current, d), expected)


def test_scalars_and_vectors(draw):
    a, b, s, t = draw(), draw(), draw(), draw()
    dot = np.array(a) @ METRIC @ b
    close(kernels.vvs_scalar(a, b, GL), [GL * dot, 0, 0, 0])
    close(kernels.vvs_vector(a, s, GL), GL * s[0] * np.array(a))
    close(kernels.vvss_scalar(a, b, s, GL), [GL * s[0] * dot, 0, 0, 0])
    close(kernels.vvss_vector(a, s, t, GL), GL * s[0] * t[0] * np.array(a))
    close(kernels.scalars(s, t, GL), [GL * s[0] * t[0], 0, 0, 0])
    close(kernels.scalars(s, t, a, GL), [GL * s[0] * t[0] * a[0], 0, 0, 0])


def test_propagators(draw):
    p, mass, width = draw(real=True), 1.3, 0.2
    spinor, vector = draw(), draw()
    square = np.array(p) @ METRIC @ p
    factor = 1j / (square - mass**2 + 1j * mass * width)
    close(
        kernels.propagate_ket(spinor, p, mass, width),
        factor * ((slash(p) + mass * np.eye(4)) @ spinor),
    )
    # A bra flows against its momentum.
    close(
        kernels.propagate_bra(spinor, p, mass, width),
        factor * (np.array(spinor) @ (-slash(p) + mass * np.eye(4))),
    )
    unitary = METRIC - np.outer(p, p) / mass**2  # contravariant
    close(
        kernels.propagate_massive_vector(vector, p, mass, width),
        -factor * unitary @ METRIC @ vector,
    )
    close(kernels.propagate_massless_vector(vector, p, 0.0, 0.0), -1j / square * np.array(vector))
    close(kernels.propagate_scalar(vector, p, mass, width), [factor * vector[0], 0, 0, 0])


def arguments(kernel, draw) -> list:
    """Something for every argument of a kernel, by its name."""
    made = []
    for name, parameter in inspect.signature(kernel).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            made += [draw(), draw(), GL]
        elif name == "p":
            made.append(draw(real=True))
        elif name in ("left", "right", "coupling"):
            made.append(GL)
        elif name in ("mass", "width"):
            made.append(1.5)
        else:
            made.append(draw())
    return made


@pytest.mark.parametrize("name", [*VERTEX_KERNELS, *PROPAGATOR_KERNELS])
def test_jax_agrees_with_numpy(name, draw):
    kernel = {**VERTEX_KERNELS, **PROPAGATOR_KERNELS}[name]
    given = arguments(kernel, draw)
    in_jax = [[jnp.asarray(x) for x in a] if isinstance(a, list) else a for a in given]
    close(kernel(*in_jax), kernel(*given))
