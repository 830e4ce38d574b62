"""Channel weights before training: what they cost, and how well the channels then fit f.

    python benchmarks/priors.py [ttg ttgg ...] [--priors densities invariants propagators] [--keep]

For each process and prior the sampling efficiency of the untrained maps, each channel with its
best share of the points; CPU seconds to compile the densities and microseconds of them per point;
and of f with them. Points are the same for all priors of a process. --keep writes the table to
benchmarks/results/priors.md. Times depend on the machine: compare rows of one run.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import jax
import jax.numpy as jnp
import numpy as np
from tables import head

from fabgen import __version__
from fabgen.build import build_integrand
from fabgen.card import card_of_process
from fabgen.files import write_atomic

RESULTS = Path(__file__).parent / "results"
_BEAMS = "beams.energy=[500.0,500.0]"
_LOW = "beams.energy=[250.0,250.0]"
_JETS = "cuts={ptj=20.0,etaj=5.0,drjj=0.4}"
PROCESSES = {
    "ww": ("e+ e- > w+ w-", [_LOW]),
    "tt": ("g g > t t~", [_BEAMS]),
    "vvh": ("e+ e- > ve ve~ h", [_BEAMS]),
    "mumua": (
        "e+ e- > mu+ mu- a",
        [_BEAMS, "cuts={pta=10.0,etaa=2.5,dral=0.4,mmll=10.0}"],
    ),
    "aaa": ("e+ e- > a a a", [_BEAMS, "cuts={pta=10.0,etaa=2.5,draa=0.4}"]),
    "wjj": ("u d~ > w+ g g", [_BEAMS, _JETS]),
    "www": ("u d~ > w+ w+ w-", [_BEAMS]),
    "wwz": ("e+ e- > w+ w- z", [_BEAMS]),
    "wwh": ("e+ e- > w+ w- h", [_BEAMS]),
    "ttg": ("g g > t t~ g", [_BEAMS, "cuts={ptj=20.0,etaj=5.0}"]),
    "ggg": ("u u~ > g g g", [_BEAMS, "cuts={ptj=20.0,etaj=2.5,drjj=0.4}"]),
    "ugg": ("u g > u g g", [_BEAMS, _JETS]),
    "gggg": ("g g > g g g", [_BEAMS, _JETS]),
    "mumuvv": ("e+ e- > mu+ mu- vm vm~", [_LOW, "cuts={mmll=10.0,ptl=10.0,etal=2.5}"]),
    "mumubb": ("e+ e- > mu+ mu- b b~", [_LOW, "cuts={mmll=10.0,mmbb=10.0}"]),
    "eeuu": ("u u~ > e+ e- u u~", [_BEAMS, _JETS.replace("}", ",mmll=50.0}")]),
    "wbwb": ("e+ e- > w+ b w- b~", [_BEAMS]),
    "eemumu": ("e+ e- > e+ e- mu+ mu-", [_LOW, "cuts={ptl=10.0,etal=2.5,mmll=10.0}"]),
    "wwzz": ("e+ e- > w+ w- z z", [_BEAMS]),
    "ttgg": ("g g > t t~ g g", [_BEAMS, _JETS]),
}
PRIORS = ("densities", "invariants", "propagators")
COLUMNS = (
    *("process", "channels", "prior", "efficiency (%)", "compile (CPU s)"),
    *("densities (µs)", "f (µs)"),
)
BLOCK = 16384


def measured(name: str, prior: str) -> list[str]:
    """One line of the table."""
    process, settings = PROCESSES[name]
    own = [*settings, "channels.use=all", f"channels.prior={prior}"]
    f = build_integrand(card_of_process(process, own))
    n, programs = f.n_channels, f.map_programs
    arguments = jax.device_put(programs.arguments)
    like = jax.ShapeDtypeStruct((BLOCK, f.dim), "float64"), jax.ShapeDtypeStruct((BLOCK,), "int32")
    points = jax.eval_shape(programs.place, *like, arguments)
    place, evaluate = jax.jit(programs.place), jax.jit(f.evaluate_with)
    densities: Any = None
    compiling = 0.0
    if f.needs_densities:
        start = time.process_time()
        densities = jax.jit(programs.densities).lower(points, arguments).compile()
        compiling = time.process_time() - start
    sums, seconds, whole = np.zeros((3, n)), [], []
    for block in range(-(-max(65536, 4096 * n) // BLOCK)):
        u = jax.random.uniform(jax.random.key(block), like[0].shape, jnp.float64)
        channel = (jnp.arange(BLOCK, dtype=jnp.int32) + block) % n
        points = jax.block_until_ready(place(u, channel, arguments))
        start = time.process_time()
        logs = jax.block_until_ready(densities(points, arguments)) if densities else None
        seconds.append(time.process_time() - start)
        point = jax.block_until_ready(evaluate(points, logs))
        whole.append(time.process_time() - start)
        own_weight = point.log_prior[channel, jnp.arange(BLOCK)]
        weight = np.exp(np.asarray(point.log_f + point.log_jacobian + own_weight))
        moments = np.stack([np.ones(BLOCK), weight, weight**2])
        sums += np.stack([np.bincount(channel, moment, n) for moment in moments])
    mean, square = sums[1] / sums[0], sums[2] / sums[0]
    efficiency = mean.sum() ** 2 / np.sqrt(square).sum() ** 2
    times = (f"{compiling:.1f}", *(f"{1e6 * min(spent) / BLOCK:.2f}" for spent in (seconds, whole)))
    return [name, str(n), prior, f"{100 * efficiency:.2f}", *times]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processes", nargs="*", default=list(PROCESSES), help=" ".join(PROCESSES))
    parser.add_argument("--priors", nargs="+", default=list(PRIORS))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    lines = [head(COLUMNS)]
    print(lines[0], flush=True)
    for name in options.processes:
        for prior in options.priors:
            lines.append("| " + " | ".join(measured(name, prior)) + " |")
            print(lines[-1], flush=True)
    if options.keep:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        how = f"`python benchmarks/priors.py {' '.join(sys.argv[1:])}`"
        made = f"{how}; fabgen {__version__}, jax {jax.__version__}, one core, {day}."
        text = ["# Channel weights before training", "", made, "", *lines, ""]
        write_atomic(RESULTS / "priors.md", "\n".join(text))


if __name__ == "__main__":
    main()
