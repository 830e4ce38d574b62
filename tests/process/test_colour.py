"""The colour algebra against explicit matrices and known invariants."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabgen.process import colour

N = colour.N_COLOURS


def gell_mann() -> np.ndarray:
    """The generators T^a = lambda^a / 2, (8, 3, 3)."""
    made = []
    for i, j in itertools.combinations(range(3), 2):
        symmetric, antisymmetric = np.zeros((2, 3, 3), dtype=complex)
        symmetric[i, j] = symmetric[j, i] = 1
        antisymmetric[i, j], antisymmetric[j, i] = -1j, 1j
        made += [symmetric, antisymmetric]
    made += [np.diag([1, -1, 0]), np.diag([1, 1, -2]) / np.sqrt(3)]
    return np.array(made) / 2


T = gell_mann()


def explicit(structure, kinds) -> np.ndarray:
    """A structure as an array with one axis per label, in the order of `kinds`.

    kinds: label -> "g" (axis of 8), "q" or "q~" (axis of 3).
    """
    letters = {label: chr(ord("a") + n) for n, label in enumerate(kinds)}
    spare = iter("zyxwvutsrqponm")
    operands, subscripts = [], []
    for kind, *labels in structure:
        if kind == "trace":
            gluons, first = labels, next(spare)
            last = first
        else:
            first, *gluons, last = labels[0], *labels[1:-1], labels[-1]
            first, last = letters[first], letters[last]
        row = first
        for n, gluon in enumerate(gluons):
            column = last if n == len(gluons) - 1 else next(spare)
            operands.append(T)
            subscripts.append(letters[gluon] + row + column)
            row = column
        if not gluons:
            operands.append(np.eye(3))
            subscripts.append(first + last)
    output = "".join(letters.values())
    return np.einsum(",".join(subscripts) + "->" + output, *operands)


def array(tensor, kinds) -> np.ndarray:
    return sum(float(c) * explicit(structure, kinds) for structure, c in tensor.items())


def single(*strings) -> colour.Tensor:
    return {tuple(sorted(strings)): Fraction(1)}


def trace(*labels):
    return ("trace", *labels)


def chain(*labels):
    return ("open", *labels)


def test_generators():
    np.testing.assert_allclose(np.einsum("aij,bji->ab", T, T), np.eye(8) / 2, atol=1e-15)


# -- contractions -----------------------------------------------------------------------------


def invariant(structure) -> Fraction:
    """The sum over all colours of the square of a structure."""
    return colour.interference(structure, structure)


@pytest.mark.parametrize(
    ("structure", "value"),
    [
        ((), 1),
        ((chain(0, 1),), N),  # quark and antiquark
        ((chain(0, 2, 1),), Fraction(N * N - 1, 2)),  # Tr(T^a T^a)
        ((trace(0, 1),), Fraction(N * N - 1, 4)),
        ((chain(0, 2, 3, 1),), Fraction((N * N - 1) ** 2, 4 * N)),  # C_F^2 N
        ((chain(0, 1), chain(2, 3)), N * N),
        ((chain(0, 1), trace(2, 3)), Fraction(N * (N * N - 1), 4)),
        ((trace(0, 1, 2),), Fraction((N * N - 1) * (N * N - 2), 8 * N)),
    ],
)
def test_squares(structure, value):
    assert invariant(structure) == value


def test_casimirs():
    """f^{acd} f^{bcd} = N delta^{ab} and T^a T^a = C_F."""
    f = colour.vertex_tensor("if")
    a, b, c = (colour.colour_slot(n) for n in range(3))
    first = colour.relabel(colour.relabel(colour.relabel(f, a, 1), b, 3), c, 4)
    second = colour.relabel(colour.relabel(colour.relabel(f, a, 2), b, 6), c, 5)
    product = colour.multiply(first, second)
    product = colour.contract_adjoint(colour.contract_adjoint(product, 3, 5), 4, 6)
    # (i f^{1 3 4}) (i f^{2 4 3}) = -f^{134} f^{243} = f^{134} f^{234} = N delta = 2 N Tr(T^1 T^2)
    assert product == {(trace(1, 2),): Fraction(2 * N)}
    string = single(chain(0, 5, 6, 1))
    assert colour.contract_adjoint(string, 5, 6) == {(chain(0, 1),): Fraction(N * N - 1, 2 * N)}


def test_structure_constants():
    kinds = {colour.colour_slot(n): "g" for n in range(3)}
    f = np.einsum("aij,bjk,cki->abc", T, T, T)
    f = 2 * (f - f.transpose(1, 0, 2))
    np.testing.assert_allclose(array(colour.vertex_tensor("if"), kinds), f, atol=1e-14)
    np.testing.assert_allclose(f, -f.transpose(1, 0, 2), atol=1e-14)
    np.testing.assert_allclose(f.real, 0, atol=1e-14)  # i f


@pytest.mark.parametrize("pairs", ["12|34", "13|24", "14|23"])
def test_four_gluon_structures(pairs):
    kinds = {colour.colour_slot(n): "g" for n in range(4)}
    f = array(colour.vertex_tensor("if"), {colour.colour_slot(n): "g" for n in range(3)}) / 1j
    letters = "abcd"
    left, right = ("".join(letters[int(i) - 1] for i in pair) for pair in pairs.split("|"))
    expected = np.einsum(f"{left}e,{right}e->abcd", f, f)
    found = array(colour.vertex_tensor(f"ff:{pairs}"), kinds)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_fierz():
    """T^a_ij T^a_kl = (d_il d_kj - d_ij d_kl / N) / 2."""
    product = single(chain(0, 8, 1), chain(2, 9, 3))
    assert colour.contract_adjoint(product, 8, 9) == {
        (chain(0, 3), chain(2, 1)): Fraction(1, 2),
        (chain(0, 1), chain(2, 3)): Fraction(-1, 2 * N),
    }


LABELS = {0: "q~", 1: "q", 2: "g", 3: "g", 4: "g"}


@st.composite
def structures(draw):
    """Strings and traces with one quark line and three gluons."""
    gluons = draw(st.permutations([2, 3, 4]))
    cut = draw(st.sampled_from([0, 1, 3]))  # no trace of a single gluon
    strings = [chain(0, *gluons[:cut], 1)]
    if gluons[cut:]:
        strings.append(trace(*gluons[cut:]))
    structure, factor = colour.canonical_form(strings)
    assert factor == 1
    return structure


@given(first=structures(), second=structures())
def test_interference(first, second):
    """Against the sum over explicit matrices."""
    expected = np.vdot(explicit(second, LABELS), explicit(first, LABELS))
    assert float(colour.interference(first, second)) == pytest.approx(expected.real, abs=1e-12)
    assert expected.imag == pytest.approx(0.0, abs=1e-12)
    assert colour.interference(first, second) == colour.interference(second, first)


@given(structure=structures(), shift=st.integers(1, 50))
def test_interference_does_not_depend_on_labels(structure, shift):
    moved = tuple((s[0], *(label + shift for label in s[1:])) for s in structure)
    assert invariant(moved) == invariant(structure) > 0


@given(structure=structures(), first=st.sampled_from([2, 3, 4]), second=st.sampled_from([2, 3, 4]))
def test_contraction_of_gluons(structure, first, second):
    if first == second:
        return
    contracted = colour.contract_adjoint({structure: Fraction(1)}, first, second)
    kinds = {k: v for k, v in LABELS.items() if k not in (first, second)}
    whole = explicit(structure, LABELS)
    expected = np.trace(whole, axis1=first, axis2=second)
    found = array(contracted, kinds) if contracted else 0 * expected
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_contraction_of_quarks():
    product = single(chain(0, 2, 5), chain(6, 3, 1))
    assert colour.contract_fundamental(product, 5, 6) == single(chain(0, 2, 3, 1))
    assert colour.contract_fundamental(single(chain(6, 2, 3, 5)), 5, 6) == single(trace(2, 3))
    assert colour.contract_fundamental(single(chain(6, 5)), 5, 6) == {(): Fraction(N)}
    assert colour.contract_fundamental(single(chain(6, 2, 5)), 5, 6) == {}  # Tr(T^a) = 0


def test_traces_are_rotated_and_sorted():
    structure, factor = colour.canonical_form([trace(4, 2, 3), chain(0, 1)])
    assert (structure, factor) == ((chain(0, 1), trace(2, 3, 4)), 1)
    assert colour.canonical_form([trace()])[1] == N
    assert colour.canonical_form([trace(1)])[1] == 0


# -- linear algebra ---------------------------------------------------------------------------


def current(pairs, legs):
    """Two three-gluon vertices: legs a b join to a gluon, which joins c; the result is open."""
    (a, b), c = pairs, next(leg for leg in legs if leg not in pairs)
    leaf = {leg: (8, colour.leaf(8, leg)) for leg in legs}
    inner = colour.attach("if", 2, {0: leaf[a], 1: leaf[b]})
    return colour.attach("if", 2, {0: (8, inner), 1: leaf[c]})


def test_jacobi_identity():
    """f f over the three ways to join three gluons: two of them are independent."""
    legs = (0, 1, 2)
    tensors = [current(pair, legs) for pair in ((0, 1), (1, 2), (2, 0))]
    total: colour.Tensor = {}
    for tensor in tensors:
        for structure, value in tensor.items():
            total[structure] = total.get(structure, Fraction(0)) + value
    assert not any(total.values())
    basis, combinations = colour.independent_rows(tensors)
    assert basis == tensors[:2]
    assert combinations == [{0: 1, 2: -1}, {1: 1, 2: -1}]


rationals = st.fractions(min_value=-3, max_value=3, max_denominator=4)


@given(
    vectors=st.lists(
        st.dictionaries(st.integers(0, 3).map(lambda n: (chain(n, n + 1),)), rationals, max_size=4),
        min_size=1,
        max_size=6,
    )
)
def test_independent_rows(vectors):
    vectors = [{k: v for k, v in vector.items() if v} for vector in vectors]
    basis, combinations = colour.independent_rows(vectors)
    columns = sorted({structure for vector in vectors for structure in vector})
    dense = np.array([[float(v.get(c, 0)) for c in columns] for v in vectors])
    rank = np.linalg.matrix_rank(dense) if columns else 0
    assert len(basis) == rank
    for number, vector in enumerate(vectors):
        rebuilt: colour.Tensor = {}
        for element, combination in zip(basis, combinations, strict=True):
            for structure, value in element.items():
                rebuilt[structure] = rebuilt.get(structure, Fraction(0)) + (
                    combination.get(number, Fraction(0)) * value
                )
        assert {k: v for k, v in rebuilt.items() if v} == vector


def test_leaves_close_to_a_norm():
    """A quark line: what flows out of one leg into the other."""
    pair = colour.close(3, colour.leaf(3, 0), colour.leaf(-3, 1))
    assert pair == single(chain(1, 0))
    # d^{ab} = 2 Tr(T^a T^b)
    assert colour.close(8, colour.leaf(8, 0), colour.leaf(8, 1)) == {(trace(0, 1),): Fraction(2)}
    assert colour.close(1, colour.ONE, colour.ONE) == colour.ONE


def test_leading_terms():
    """The flow of a gluon exchange, not the one suppressed by 1/N."""
    product = single(chain(0, 8, 1), chain(2, 9, 3))
    assert colour.leading_in_n(colour.contract_adjoint(product, 8, 9)) == {
        (chain(0, 3), chain(2, 1))
    }
    both = colour.vertex_tensor("if")
    assert colour.leading_in_n(both) == set(both)
    assert colour.leading_in_n({}) == set()


def test_unknown_structure():
    with pytest.raises(ValueError, match="d\\^abc"):
        colour.vertex_tensor("d^abc")
