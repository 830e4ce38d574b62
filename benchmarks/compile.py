"""What it takes to compile the maps of all channels, and what a point costs then.

    python benchmarks/compile.py [ttg ttgg mumubb ...] [--gradients] [--points 16384] [--keep]

CPU seconds until the programs of maps and of densities are there (traced and compiled, nothing from
a cache on disk), and nanoseconds of a point, or of a point and channel: the least of several calls.
The table of channels is an argument of the programs: the last column names the process whose
programs are the same, word for word, and which a run finds in the cache. --gradients: those of the
maps, too. --keep writes the table to benchmarks/results/compile.md. CPU seconds depend on the
machine: compare rows of one run.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import jax
import jax.numpy as jnp
from tables import head

from fabgen import __version__
from fabgen.build import build_integrand
from fabgen.card import card_of_process
from fabgen.files import write_atomic
from fabgen.integrand.base import Integrand

RESULTS = Path(__file__).parent / "results"
_BEAMS = "beams.energy=[500.0,500.0]"
_JETS = "cuts={ptj=20.0,etaj=5.0,drjj=0.4}"
#: Name -> process, settings.
PROCESSES = {
    "mumu": ("e+ e- > mu+ mu-", ["cuts={ptl=10.0,etal=2.5,drll=0.4}"]),
    "tth": ("e+ e- > t t~ h", []),
    "ttg": ("g g > t t~ g", ["cuts={ptj=20.0,etaj=5.0}"]),
    "uxggg": ("u u~ > g g g", [_JETS]),
    "mumubb": ("e+ e- > mu+ mu- b b~", ["cuts={mmll=10.0}"]),
    "ttgg": ("g g > t t~ g g", [_JETS]),
    "uxgggg": ("u u~ > g g g g", [_JETS]),
}
COLUMNS = ("process", "channels", "program", "CPU s to compile", "ns", "the same as of")


def cost(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[float, float, Any, str]:
    """CPU seconds to compile, those of a call, its result, and the text of the program."""
    start = time.process_time()
    lowered = jax.jit(function).lower(*arguments)
    compiled = lowered.compile()
    compiling = time.process_time() - start
    result = jax.block_until_ready(compiled(*arguments))
    calls = []
    for _ in range(8):
        start = time.process_time()
        jax.block_until_ready(compiled(*arguments))
        calls.append(time.process_time() - start)
    return compiling, min(calls), result, lowered.as_text()


def rows(name: str, f: Integrand, n: int, gradients: bool, known: dict[str, str]) -> list[str]:
    """The lines of a process. known: texts of programs, and the process that had them first."""
    programs = f.map_programs
    arguments = jax.device_put(programs.arguments)
    u = jax.random.uniform(jax.random.key(1), (n, f.dim), "float64")
    channel = jax.random.randint(jax.random.key(2), (n,), 0, f.n_channels, "int32")
    found: list[str] = []

    def line(program: str, measured: tuple[float, float, Any, str], calls: int) -> None:
        compiling, call, _, text = measured
        first = known.setdefault(text, name)
        shared = first if first != name else ""
        values = (f"{compiling:.1f}", f"{1e9 * call / calls:.0f}", shared)
        found.append("| " + " | ".join((name, str(f.n_channels), program, *values)) + " |")
        print(found[-1], flush=True)

    placed = cost(programs.place, (u, channel, arguments))
    line("maps", placed, n)
    assert programs.densities is not None
    line("densities", cost(programs.densities, (placed[2], arguments)), n * f.n_channels)
    if gradients:

        def of_maps(u: jax.Array) -> jax.Array:
            points = f.map(u, channel[:2048])
            return jnp.sum(points.log_jacobian) + 1e-3 * jnp.sum(points.final)

        line("maps, gradient", cost(jax.grad(of_maps), (u[:2048],)), 2048)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processes", nargs="*", default=list(PROCESSES), help=" ".join(PROCESSES))
    parser.add_argument("--points", type=int, default=16384)
    parser.add_argument("--gradients", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    print(head(COLUMNS))
    lines, known = [head(COLUMNS)], dict[str, str]()
    for name in options.processes:
        process, settings = PROCESSES[name]
        f = build_integrand(card_of_process(process, [_BEAMS, *settings, "channels.use=all"]))
        lines += rows(name, f, options.points, options.gradients, known)
    if options.keep:
        how = f"`python benchmarks/compile.py {' '.join(sys.argv[1:])}`"
        made = f"{how}; fabgen {__version__}, jax {jax.__version__}, {os.cpu_count()} cores"
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        text = ["# Compiling the maps", "", f"{made}, {platform.machine()}, {day}.", "", *lines, ""]
        write_atomic(RESULTS / "compile.md", "\n".join(text))


if __name__ == "__main__":
    main()
