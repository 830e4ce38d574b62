"""Time of parton densities: nanoseconds of one core per event and beam, all flavours at once.

    python benchmarks/densities.py > benchmarks/results/densities.md

The default set, x and Q spread evenly in their logarithms, Q below 10 TeV. The CPU time of the best
of several runs, three at a time in turn, so that it holds on a busy machine. Blocks: a call for all
events, or one after the other for blocks of the size that |M|^2 runs in. "outside": one event in
each call is below the grid, so that all of them take the way of the continuation.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + os.environ.get("XLA_FLAGS", "")

import jax
import jax.numpy as jnp
import numpy as np

import fabgen
from fabgen.beams.pdf import DEFAULT_SET, Densities, load_member, xf

GLUON, QUARKS = (21,), (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 21)
EVENTS, BLOCK, RUNS = 8192, 128, 25
Function = Callable[[Densities, jax.Array, jax.Array], Any]


class Case(NamedTuple):
    name: str
    flavours: tuple[int, ...]
    beams: int = 1
    block: int = EVENTS
    outside: bool = False


CASES = (
    Case("all 14 flavours", ()),
    Case("gluon and 5 quarks", QUARKS),
    Case("gluon", GLUON),
    Case("gluon and 5 quarks, two beams", QUARKS, beams=2),
    Case("all 14 flavours, blocks", (), block=BLOCK),
    Case("gluon and 5 quarks, two beams, blocks", QUARKS, beams=2, block=BLOCK),
    Case("gluon and 5 quarks, outside", QUARKS, outside=True),
)


def values(flavours: tuple[int, ...]) -> Function:
    return lambda densities, x, q: xf(densities, x, q, flavours)


def gradient(flavours: tuple[int, ...]) -> Function:
    """Of the sum of squares, in x and Q: reverse mode."""

    def total(densities: Densities, x: jax.Array, q: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(xf(densities, x, q, flavours)))

    return jax.grad(total, argnums=(1, 2))


def in_blocks(function: Function, block: int) -> Function:
    """One block after the other; events are the last axis."""

    def run(densities: Densities, x: jax.Array, q: jax.Array) -> Any:
        split = [jnp.moveaxis(a.reshape(*a.shape[:-1], -1, block), -2, 0) for a in (x, q)]
        return jax.lax.map(lambda arrays: function(densities, *arrays), tuple(split))

    return function if block == EVENTS else run


def points(case: Case) -> tuple[jax.Array, jax.Array]:
    random = np.random.default_rng(1)
    x = np.exp(random.uniform(np.log(1e-6), np.log(0.95), (case.beams, EVENTS)))
    q = np.exp(random.uniform(np.log(2.0), np.log(9e3), EVENTS))
    if case.outside:
        x[:, :: case.block] = 1e-10
    return jnp.asarray(x if case.beams > 1 else x[0]), jnp.asarray(q)


def main() -> None:
    member = load_member(DEFAULT_SET)
    timed = []
    for case in CASES:
        flavours = case.flavours or member.grid.flavours
        densities = jax.tree.map(jnp.asarray, member.densities.of(flavours))
        arguments = densities, *points(case)
        for make in (values, gradient):
            program = jax.jit(in_blocks(make(flavours), case.block))
            start = time.process_time()
            jax.block_until_ready(program(*arguments))
            timed.append((program, arguments, time.process_time() - start, []))
    for _ in range(RUNS):
        for program, arguments, _, seconds in timed:
            for _ in range(3):
                start = time.process_time()
                jax.block_until_ready(program(*arguments))
                seconds.append(time.process_time() - start)
    found = [(1e9 * min(seconds) / EVENTS, compiled) for _, _, compiled, seconds in timed]
    print("# Parton densities\n")
    print(
        f"`python benchmarks/densities.py`; fabgen {fabgen.__version__}, jax {jax.__version__}, "
        f"one core, {datetime.date.today()}; {DEFAULT_SET}, {EVENTS} events, best of {3 * RUNS}.\n"
    )
    print("| flavours | x f: ns per event and beam | its gradient in x and Q | CPU s to compile |")
    print("|---|---|---|---|")
    for case, (value, first), (both, second) in zip(CASES, found[::2], found[1::2], strict=True):
        name = case.name + (f" of {case.block}" if case.block != EVENTS else "")
        print(
            f"| {name} | {value / case.beams:.0f} | {both / case.beams:.0f} "
            f"| {first:.1f}, {second:.1f} |"
        )


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    main()
