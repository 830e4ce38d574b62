"""Operations, counted."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import pytest

from fabgen.run.auto import costs
from fabgen.run.auto.cost_table import GROUPS, NANOSECONDS, OTHER, group_of, weight
from fabgen.run.auto.costs import TURNS, operations

N = 10
X = jax.ShapeDtypeStruct((N,), "float64")
ADD, MUL, EXP, SIN, SUM, LESS = (
    weight(name) for name in ("add", "mul", "exp", "sin", "reduce_sum", "lt")
)


def turned(x):
    return jax.lax.scan(lambda c, row: (c + row, row * row), jnp.zeros(()), x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, 0.0),
        (lambda x: x + x, N * ADD),
        (lambda x: jnp.exp(x) * x + x, N * (EXP + MUL + ADD)),
        (lambda x: jnp.sum(jnp.exp(x)), N * (EXP + SUM)),
        (jax.jit(lambda x: jax.jit(jnp.exp)(x) + x), N * (EXP + ADD)),
        (jax.checkpoint(lambda x: x * x), N * MUL),
        # what nothing depends on is left out, within calls and loops, too
        (lambda x: (jnp.sin(x), jnp.exp(x))[1], N * EXP),
        (lambda x: jax.jit(lambda x: (jnp.sin(x), jnp.exp(x)))(x)[1], N * EXP),
        (lambda x: turned(x)[0], N * ADD),
        # loops
        (lambda x: jax.lax.map(jnp.exp, x), N * EXP),
        (lambda x: jax.lax.fori_loop(0, 7, lambda i, x: x * x, x), 7 * (N * MUL + ADD)),
        (
            lambda x: jax.lax.while_loop(lambda x: jnp.sum(x) < 1.0, lambda x: x * x, x),
            TURNS * (N * (MUL + SUM) + LESS),
        ),
        # a product of matrices, a sort
        (lambda x: jnp.dot(jnp.ones((3, N)), x), 3 * N * weight("dot_general")),
        (lambda x: jax.lax.sort(x), N * math.log2(N) * weight("sort")),
    ],
)
def test_small_functions(function, expected):
    free = weight("broadcast_in_dim")
    found = operations(function, X)
    assert found == pytest.approx(expected, abs=3 * N * free)  # constants, made first
    assert found >= expected


def test_a_sum_is_exact():
    assert operations(lambda x: jnp.exp(x) * x + x, X) == N * (EXP + MUL + ADD)
    seconds = costs.seconds(lambda x: x + x, X)
    assert seconds == pytest.approx(1e-9 * NANOSECONDS * N * ADD)


def test_of_branches_the_mean_counts_and_of_pauses_nothing():
    number = jax.ShapeDtypeStruct((), "int32")

    def switch(branches):
        return operations(lambda i, x: jax.lax.switch(i, branches, x), number, X)

    look = switch([jnp.exp, jnp.exp]) - N * EXP  # for the branch
    assert 0.0 < look <= 2.0 * ADD
    assert switch([jnp.exp, jnp.sin]) == pytest.approx(look + N * (EXP + SIN) / 2)
    assert switch([jnp.exp, jnp.sin, jnp.sin]) == pytest.approx(look + N * (EXP + 2 * SIN) / 3)
    assert switch([jnp.exp, lambda x: x]) == pytest.approx(look + N * EXP)


def test_a_scan_counts_as_often_as_it_turns():
    long, short = (jax.ShapeDtypeStruct((n, N), "float64") for n in (60, 20))

    def total(rows):
        return jax.lax.scan(lambda c, row: (c + jnp.exp(row), None), jnp.zeros(N), rows)[0]

    assert operations(total, long) == pytest.approx(3.0 * operations(total, short), rel=1e-2)
    assert operations(total, short) == pytest.approx(20 * N * (EXP + ADD), rel=1e-2)


def test_kinds_of_numbers():
    found = {
        dtype: operations(lambda x: x * x, jax.ShapeDtypeStruct((N,), dtype))
        for dtype in ("float64", "float32", "complex128")
    }
    assert found["float32"] == N * weight("mul", "narrow") < found["float64"] == N * MUL
    assert found["complex128"] == N * weight("mul", "complex") > found["float64"]


def test_the_table():
    assert weight("a primitive of a later jax") == OTHER
    assert group_of("add") == "arithmetic"
    names = [name for group in GROUPS.values() for name in group.names.split()]
    assert len(names) == len(set(names))
    assert weight("nothing of the kind", "narrow") < OTHER < weight("no such", "complex")


def test_values_do_not_matter_and_nothing_runs():
    def fails(x):
        jax.debug.callback(lambda x: 1 / 0, x)
        return x + x

    assert operations(fails, jnp.ones(N)) == pytest.approx(N * ADD, abs=N * OTHER)
    assert operations(jnp.exp, jnp.zeros(N)) == operations(jnp.exp, X)
