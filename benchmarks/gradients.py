"""What all channels of a process cost: their maps, their densities, f, and the gradients.

    python benchmarks/gradients.py [www mumubb ...] [--points 512] [--repeats 5]

For each process seconds until a program is there (traced, compiled) and milliseconds of one call,
the best of several. Nothing comes from a cache of compiled programs. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

sys.path.insert(0, str(Path(__file__).resolve().parent))
from channels import PROCESSES
from tables import head

from fabgen.build import build_integrand
from fabgen.card import card_of_process
from fabgen.integrand.base import Integrand
from fabgen.training.target import density_of, value_and_gradient

COLUMNS = ("process", "channels", "program", "traced (s)", "compiled (s)", "call (ms)")


def programs(f: Integrand, n: int) -> Iterator[tuple[str, Callable[..., Any], Any]]:
    """(name, function, its argument): n points spread evenly over the channels."""
    u = jax.random.uniform(jax.random.key(1), (n, f.dim), "float64")
    channel = jnp.arange(n) % f.n_channels

    def at(u: jax.Array) -> jax.Array:
        return f.map(u, channel).final

    log_alpha_f = density_of(f, channel)
    yield "maps", at, u
    yield "maps, gradient", functools.partial(value_and_gradient, at), u
    yield "alpha f", log_alpha_f, u
    yield "alpha f, gradient", functools.partial(value_and_gradient, log_alpha_f), u


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processes", nargs="*", default=["www", "mumubb"], help=" ".join(PROCESSES))
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(head(COLUMNS))
    for name in options.processes:
        process, settings, _ = PROCESSES[name]
        f = build_integrand(card_of_process(process, [*settings, "channels.use=all"]))
        for program, function, argument in programs(f, options.points):
            start = time.perf_counter()
            lowered = jax.jit(function).lower(argument)
            traced = time.perf_counter() - start
            compiled = lowered.compile()
            made = time.perf_counter() - start - traced
            best = float("inf")
            for _ in range(options.repeats):
                start = time.perf_counter()
                jax.block_until_ready(compiled(argument))
                best = min(best, time.perf_counter() - start)
            figures = f"{traced:.1f} | {made:.1f} | {1e3 * best:.2f}"
            print(f"| {name} | {f.n_channels} | {program} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
