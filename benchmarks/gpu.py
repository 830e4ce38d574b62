"""Evaluations per second on a GPU, beside one core of the same machine; takes at most five minutes.

    python benchmarks/gpu.py [--seconds 280] [--keep]

|M|^2, maps, densities and f in blocks of the size that a run takes there, a flow, steps of
training, and unweighted events per second, all of programs that are compiled already. Each device
has a process of its own, the CPU's bound to one core. Rows that the time does not suffice for are
left out. --keep writes the table to benchmarks/results/gpu.md.

MadGraph's CUDA code (madgraph4gpu) has on a V100 in double precision, |M|^2 per second: 3.9e8 for
e+ e- > mu+ mu-, and 7.6e7, 1.3e7 and 4.4e5 for g g > t t~ with 0, 1 and 2 gluons.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import jax
import jax.numpy as jnp
from tables import head

from fabgen import __version__, run
from fabgen.build import build_integrand
from fabgen.card import Card, card_from_table
from fabgen.files import write_atomic
from fabgen.integrand.process import ProcessIntegrand
from fabgen.run.surrogate import surrogate_of
from fabgen.sampling.values import CompiledIntegrand
from fabgen.training.loop import make_trainer

RESULTS = Path(__file__).parent / "results"
PROCESSES = {
    "e+ e- > mu+ mu-": {"ptl": 10.0},
    "g g > t t~": {},
    "g g > t t~ g": {"ptj": 20.0},
    "g g > t t~ g g": {"ptj": 20.0, "drjj": 0.4},
}
#: Of those that take longest, |M|^2 alone.
ALONE = ("g g > t t~ g g",)
BATCH, STEPS, EVENTS = 8192, 10, 100_000
COLUMNS = ("what", "GPU (1/s)", "block", "one core (1/s)", "block", "GPU / core")


def card_of(process: str, **tables: Any) -> Card:
    cuts = PROCESSES[process]
    beams = {"energy": [500.0, 500.0]}
    return card_from_table({"process": process, "beams": beams, "cuts": cuts, **tables})


def rate(call: Callable[[], Any], n: int) -> float:
    """n per call and second: the best of three, after one that nobody times."""
    jax.block_until_ready(call())
    spent = []
    while len(spent) < 3:
        start = time.perf_counter()
        jax.block_until_ready(call())
        spent.append(time.perf_counter() - start)
    return n / min(spent)


def of_process(process: str) -> Iterator[tuple[str, int, float]]:
    """|M|^2, and the programs that a run evaluates blocks of points with."""
    integrand = build_integrand(card_of(process, channels={"use": "all"}))
    assert isinstance(integrand, ProcessIntegrand)
    compiled = CompiledIntegrand(integrand)
    n, programs = compiled.block, integrand.map_programs
    u = jax.random.uniform(jax.random.key(1), (n, integrand.dim), jnp.float64)
    channel = jnp.arange(n, dtype=jnp.int32) % integrand.n_channels
    points = compiled.map(u, channel)
    momenta = jnp.concatenate([points.collision.incoming, points.final])
    element, derived = integrand.components[0].element, integrand.derived
    squared = jax.jit(lambda momenta: element.evaluate(momenta, derived))
    yield f"abs(M)^2, {process}", n, rate(lambda: squared(momenta), n)
    yield f"map, {process}", n, rate(lambda: compiled.map(u, channel), n)
    if process in ALONE:
        return
    if integrand.needs_densities and programs.densities is not None:
        densities, arguments = jax.jit(programs.densities), jax.device_put(programs.arguments)
        of_all = n * integrand.n_channels
        yield f"densities, {process}", n, rate(lambda: densities(points, arguments), of_all)
    yield f"f, {process}", n, rate(lambda: compiled.values(u, channel), n)


def of_flow() -> Iterator[tuple[str, int, float]]:
    """Points of a flow with their densities."""
    card = card_of("g g > t t~ g", channels={"use": "one"}, surrogate={"kind": "flow"})
    integrand = build_integrand(card)
    flow, n = surrogate_of(card, integrand), CompiledIntegrand(integrand).block
    params = flow.init(jax.random.key(0))
    draw = jax.jit(lambda params, key: flow.sample_and_log_prob(params, key, n))
    key = jax.random.key(1)
    yield f"flow, {integrand.dim} dimensions", n, rate(lambda: draw(params, key), n)


def of_training(method: str) -> Iterator[tuple[str, int, float]]:
    """Points of a batch that a training learns from, per second."""
    training = {"method": method, "batch_size": BATCH, "steps": 1000}
    one = {"channels": {"use": "one"}, "surrogate": {"kind": "flow"}}
    card = card_of("g g > t t~", training=training, **one)
    integrand = build_integrand(card)
    trainer = make_trainer(integrand, surrogate_of(card, integrand), card.training)
    state = jax.jit(trainer.init)(1)
    advance = jax.jit(trainer.advance)
    data = trainer.objective.data
    state = advance(state, jnp.int64(1), data)
    stop = state.step + STEPS
    yield f"training, {method}", BATCH, rate(lambda: advance(state, stop, data), STEPS * BATCH)


def of_events() -> Iterator[tuple[str, int, float]]:
    """Unweighted events written, e+ e- > mu+ mu-, of a run whose programs are compiled."""
    card = card_of("e+ e- > mu+ mu-", generation={"events": EVENTS})
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        run.generate(card, directory)
        start = time.perf_counter()
        run.generate(card, directory)
        spent = time.perf_counter() - start
    yield "events, e+ e- > mu+ mu-", EVENTS, EVENTS / spent


def measure(seconds: float) -> None:
    """Prints a line of JSON for each row as long as there is time."""
    start = time.perf_counter()
    parts: list[Callable[[], Iterator[tuple[str, int, float]]]] = [
        *(lambda process=process: of_process(process) for process in PROCESSES),
        of_flow,
        *(lambda method=method: of_training(method) for method in ("rkld", "variance", "fab")),
        of_events,
    ]
    device = jax.devices()[0]
    print(json.dumps({"device": f"{device.platform}: {device.device_kind}"}), flush=True)
    for part in parts:
        for row in part():
            print(json.dumps(row), flush=True)
            if time.perf_counter() - start > seconds:
                return


def rows_of(seconds: float, platform: str | None) -> tuple[str, dict[str, tuple[int, float]]]:
    """The name of a device and its rows, from another process."""
    environment = os.environ | ({"JAX_PLATFORMS": platform} if platform else {})
    command = [sys.executable, __file__, "--measure", "--seconds", str(seconds)]
    one_core = platform == "cpu" and hasattr(os, "sched_setaffinity")
    try:
        told = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=1.2 * seconds + 20.0,
            preexec_fn=_one_core if one_core else None,
        ).stdout
    except subprocess.TimeoutExpired as error:  # in the middle of a row
        told = (error.stdout or b"").decode()
    lines = [json.loads(line) for line in told.splitlines() if line.endswith(("}", "]"))]
    return lines[0]["device"], {name: (n, value) for name, n, value in lines[1:]}


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=280.0, help="of both devices")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.measure:
        measure(options.seconds)
        return
    device, found = rows_of(0.5 * options.seconds, None)
    core, beside = rows_of(0.5 * options.seconds, "cpu")
    lines = [f"{device}, beside {core}", "", head(COLUMNS)]
    for name, (n, value) in found.items():
        cells = [name, f"{value:.2e}", f"{n:,}"]
        if name in beside:
            cells += [
                f"{beside[name][1]:.2e}",
                f"{beside[name][0]:,}",
                f"{value / beside[name][1]:.1f}",
            ]
        lines.append("| " + " | ".join([*cells, *[""] * (len(COLUMNS) - len(cells))]) + " |")
    print("\n".join(lines))
    if options.keep:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        made = f"`python benchmarks/gpu.py`; fabgen {__version__}, jax {jax.__version__}, {day}."
        write_atomic(RESULTS / "gpu.md", "\n".join(["# On a GPU", "", made, "", *lines, ""]))


if __name__ == "__main__":
    main()
