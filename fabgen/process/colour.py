"""SU(3) colour algebra, exact and symbolic, in the basis of colour flows.

A colour tensor is a sum of products of strings of generators, with rational coefficients:

- an open string (i, a, b, ..., j) stands for (T^a T^b ...)_{i j}: i is the index of an antiquark
  that comes in (or quark that goes out), j that of a quark that comes in;
- a trace (a, b, ...) stands for Tr(T^a T^b ...), rotated so that its smallest label comes first.

Labels are the numbers of external legs; OPEN is the index of a current that is not yet contracted.
Generators are normalized to Tr(T^a T^b) = 1/2, and gluon lines are contracted with the Fierz
identity T^a_ij T^a_kl = 1/2 (d_il d_kj - d_ij d_kl / N). With i f^{abc} = 2 (Tr(abc) - Tr(bac))
everything stays rational.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

N_COLOURS = 3
OPEN = -1
_OUT = -2  # the open index of a vertex while its arms are being contracted

#: ("open", i, ..., j) or ("trace", a, ...)
String = tuple
Structure = tuple[String, ...]
Tensor = dict[Structure, Fraction]

ONE: Tensor = {(): Fraction(1)}


def canonical_form(strings: Iterable[String]) -> tuple[Structure, Fraction]:
    """Rotate traces, drop empty ones (N each), sort; factor 0 for the trace of one generator."""
    factor = Fraction(1)
    kept = []
    for string in strings:
        if string[0] == "trace":
            labels = string[1:]
            if not labels:
                factor *= N_COLOURS
                continue
            if len(labels) == 1:
                return (), Fraction(0)
            first = labels.index(min(labels))
            string = ("trace", *labels[first:], *labels[:first])
        kept.append(string)
    return tuple(sorted(kept)), factor


def _collect(terms: Iterable[tuple[Iterable[String], Fraction]]) -> Tensor:
    tensor: Tensor = {}
    for strings, coefficient in terms:
        structure, factor = canonical_form(strings)
        value = tensor.get(structure, Fraction(0)) + coefficient * factor
        if value:
            tensor[structure] = value
        else:
            tensor.pop(structure, None)
    return tensor


def multiply(*tensors: Tensor) -> Tensor:
    """The product of tensors without common labels (or with labels contracted afterwards)."""
    result = ONE
    for tensor in tensors:
        result = _collect(
            (left + right, a * b) for left, a in result.items() for right, b in tensor.items()
        )
    return result


def relabel(tensor: Tensor, old: int, new: int) -> Tensor:
    return _collect(
        (
            [(s[0], *(new if label == old else label for label in s[1:])) for s in strings],
            coefficient,
        )
        for strings, coefficient in tensor.items()
    )


def _sides(string: String, label: int) -> tuple[tuple, tuple]:
    position = string.index(label, 1)
    return string[1:position], string[position + 1 :]


def contract_adjoint(tensor: Tensor, label: int, other: int) -> Tensor:
    """Sum over the gluon index that stands in the tensor once as `label` and once as `other`."""
    half = Fraction(1, 2)

    def pieces() -> Iterator[tuple[list[String], Fraction]]:
        for strings, coefficient in tensor.items():
            holders = [s for s in strings if label in s[1:] or other in s[1:]]
            rest = [s for s in strings if s not in holders]
            if len(holders) == 1:
                # T^a ... T^a within one string.
                (string,) = holders
                kind, labels = string[0], string[1:]
                i, j = sorted((labels.index(label), labels.index(other)))
                before, inside, after = labels[:i], labels[i + 1 : j], labels[j + 1 :]
                yield [*rest, (kind, *before, *after), ("trace", *inside)], coefficient * half
                joined = (kind, *before, *inside, *after)
                yield [*rest, joined], -coefficient * half / N_COLOURS
                continue
            first, second = holders
            if label not in first[1:]:
                first, second = second, first
            a, b = _sides(first, label)
            c, d = _sides(second, other)
            if first[0] == "trace" and second[0] == "trace":
                crossed = [("trace", *b, *a, *d, *c)]
            elif first[0] == "trace":
                crossed = [("open", *c, *b, *a, *d)]
            elif second[0] == "trace":
                crossed = [("open", *a, *d, *c, *b)]
            else:
                crossed = [("open", *a, *d), ("open", *c, *b)]
            yield [*rest, *crossed], coefficient * half
            plain = [(first[0], *a, *b), (second[0], *c, *d)]
            yield [*rest, *plain], -coefficient * half / N_COLOURS

    return _collect(pieces())


def contract_fundamental(tensor: Tensor, end: int, start: int) -> Tensor:
    """Sum over the quark index that ends one string as `end` and starts another as `start`."""

    def pieces() -> Iterator[tuple[list[String], Fraction]]:
        for strings, coefficient in tensor.items():
            left = next(s for s in strings if s[0] == "open" and s[-1] == end)
            right = next(s for s in strings if s[0] == "open" and s[1] == start)
            rest = [s for s in strings if s is not left and s is not right]
            if left is right:
                yield [*rest, ("trace", *left[2:-1])], coefficient
            else:
                yield [*rest, ("open", *left[1:-1], *right[2:])], coefficient

    return _collect(pieces())


def _trace_commutator(a: int, b: int, c: int) -> Tensor:
    """i f^{abc}."""
    return _collect([([("trace", a, b, c)], Fraction(2)), ([("trace", b, a, c)], Fraction(-2))])


# Slots of a vertex carry these labels while it is contracted with its arms.
def colour_slot(slot: int) -> int:
    return -10 - slot


def vertex_tensor(colour: str) -> Tensor:
    """The tensor of a vertex; slots are numbered from 0 inside."""
    if colour == "1":
        return ONE
    if colour == "delta":
        return {(("open", colour_slot(0), colour_slot(1)),): Fraction(1)}
    if colour == "T":
        return {(("open", colour_slot(0), colour_slot(2), colour_slot(1)),): Fraction(1)}
    if colour == "if":
        return _trace_commutator(colour_slot(0), colour_slot(1), colour_slot(2))
    if colour.startswith("ff:"):
        (a, b), (c, d) = ((colour_slot(int(x) - 1) for x in pair) for pair in colour[3:].split("|"))
        # f f = -(i f)(i f)
        product = multiply(_trace_commutator(a, b, -100), _trace_commutator(c, d, -101))
        return {k: -v for k, v in contract_adjoint(product, -100, -101).items()}
    raise ValueError(f"unknown colour structure {colour!r}")


_vertex_tensor_cached = functools.cache(vertex_tensor)


def attach(colour: str, out: int, arms: Mapping[int, tuple[int, Tensor]]) -> Tensor:
    """The colour of the current that leaves a vertex through slot `out`.

    arms: slot -> (colour representation of what flows in, its tensor with the index OPEN); the
    result has the index OPEN where slot `out` is coloured.
    """
    tensor = relabel(_vertex_tensor_cached(colour), colour_slot(out), _OUT)
    for slot, (representation, arm) in arms.items():
        if representation == 1:
            tensor = multiply(tensor, arm)
            continue
        label = colour_slot(slot)
        arm_label = -20 - slot
        tensor = multiply(tensor, relabel(arm, OPEN, arm_label))
        tensor = _join(tensor, representation, label, arm_label)
    return relabel(tensor, _OUT, OPEN)


def _join(tensor: Tensor, representation: int, label: int, arm_label: int) -> Tensor:
    """Contract the index `label` of a vertex with what flows in there with index `arm_label`."""
    if representation == 8:
        return contract_adjoint(tensor, label, arm_label)
    if representation == 3:  # a quark flows in: its open index starts the string of the arm
        return contract_fundamental(tensor, label, arm_label)
    return contract_fundamental(tensor, arm_label, label)


def close(representation: int, first: Tensor, second: Tensor) -> Tensor:
    """Contract a current (representation flows out of `first`) with the current it meets."""
    if representation == 1:
        return multiply(first, second)
    tensor = multiply(relabel(first, OPEN, -30), relabel(second, OPEN, -31))
    return _join(tensor, representation, -31, -30)


def leaf(representation: int, leg: int) -> Tensor:
    """The colour of an external leg seen as a current: its index is passed on."""
    if representation == 1:
        return ONE
    if representation == 3:
        return {(("open", OPEN, leg),): Fraction(1)}
    if representation == -3:
        return {(("open", leg, OPEN),): Fraction(1)}
    # d^{ab} = 2 Tr(T^a T^b)
    return {(("trace", OPEN, leg),): Fraction(2)}


def independent_rows(
    vectors: Sequence[Tensor],
) -> tuple[list[Tensor], list[dict[int, Fraction]]]:
    """A basis of the space that the tensors span, and the tensors in it.

    Returns the basis and, for each of its elements, the coefficients {number of the tensor: c} so
    that tensor_n = sum_k c_k[n] basis_k. The basis is the first linearly independent tensors.
    """
    basis: list[Tensor] = []
    combinations: list[dict[int, Fraction]] = []
    # Reduced rows: pivot structure -> (row, its expression in the basis).
    rows: list[tuple[Structure, Tensor, list[Fraction]]] = []
    for number, vector in enumerate(vectors):
        remainder = dict(vector)
        expression = [Fraction(0)] * len(basis)
        for pivot, row, in_basis in rows:
            factor = remainder.get(pivot)
            if not factor:
                continue
            for structure, value in row.items():
                difference = remainder.get(structure, Fraction(0)) - factor * value
                if difference:
                    remainder[structure] = difference
                else:
                    remainder.pop(structure, None)
            for k, value in enumerate(in_basis):
                expression[k] += factor * value
        if remainder:
            pivot = min(remainder)
            scale = remainder[pivot]
            row = {s: v / scale for s, v in remainder.items()}
            in_basis = [-value / scale for value in expression] + [1 / scale]
            basis.append(vector)
            combinations.append({number: Fraction(1)})
            rows.append((pivot, row, in_basis))
            continue
        for k, value in enumerate(expression):
            if value:
                combinations[k][number] = value
    return basis, combinations


def conjugate(structure: Structure) -> Structure:
    """(T^a T^b ...)*_ij = (... T^b T^a)_ji."""
    return tuple((string[0], *reversed(string[1:])) for string in structure)


def interference(first: Structure, second: Structure) -> Fraction:
    """sum over all colours of first x second*, exact; both carry the same external labels."""
    order: dict[int, int] = {}
    for string in first:
        for label in string[1:]:
            order.setdefault(label, len(order))
    renamed = tuple(
        tuple((s[0], *(order[label] for label in s[1:])) for s in structure)
        for structure in (first, second)
    )
    return _interference(*renamed)


@functools.cache
def _interference(first: Structure, second: Structure) -> Fraction:
    shift = 1000
    barred = [(s[0], *(label + shift for label in s[1:])) for s in conjugate(second)]
    tensor = _collect([([*first, *barred], Fraction(1))])
    for string in first:
        labels = string[1:]
        if string[0] == "open":
            start, end = labels[0], labels[-1]
            tensor = contract_fundamental(tensor, end, end + shift)
            tensor = contract_fundamental(tensor, start + shift, start)
            labels = labels[1:-1]
        for label in labels:
            tensor = contract_adjoint(tensor, label, label + shift)
    return tensor.get((), Fraction(0))


def leading_in_n(tensor: Tensor, pick: Callable[[Fraction], bool] | None = None) -> set[Structure]:
    """The structures of a tensor that are not suppressed by powers of 1/N: its colour flows.

    Every contraction of a gluon line gives a term without and one with 1/N; the flows of a diagram
    are those that survive for large N (those with the largest coefficients at N = 3).
    """
    largest = max((abs(c) for c in tensor.values()), default=Fraction(0))
    keep = pick or (lambda value: abs(value) * 2 > largest)
    return {structure for structure, value in tensor.items() if keep(value)}
