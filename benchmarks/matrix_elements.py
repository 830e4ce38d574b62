"""Speed of the matrix elements: compile time, and evaluations per second and core.

    python benchmarks/matrix_elements.py [PROCESS ...]

float64, all helicities and colours. Rates are taken from CPU time (one core does all the work),
the best of several runs in turn over the processes, so that they hold on a busy machine; compile
time is the CPU time of a cold trace and compilation, with JAX's persistent cache off.
"""

from __future__ import annotations

import sys
import time

import jax
import numpy as np
from jax import numpy as jnp

import fabgen
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo

# evaluations per second and core: what is aimed at
PROCESSES = {
    "e+ e- > mu+ mu-": 1e6,
    "g g > t t~": 5e5,
    "g g > t t~ g": 1e5,
    "g g > t t~ g g": 1e4,
}
EVENTS, RUNS, SQRT_S = 8192, 9, 1000.0


def random_momenta(masses: np.ndarray, n_events: int) -> jax.Array:
    """Flat phase space of two massless beams, (events, legs, 4)."""
    final = masses[2:]
    u = jax.random.uniform(jax.random.key(1), (3 * len(final) - 4, n_events))
    out, _ = Rambo(len(final)).forward(u, kinematics(SQRT_S, final))
    half = SQRT_S / 2
    beams = jnp.array([[half, 0, 0, half], [half, 0, 0, -half]])
    beams = jnp.broadcast_to(beams[..., None], (2, 4, n_events))
    return jnp.moveaxis(jnp.concatenate([beams, out]), -1, 0)


def main(processes: list[str]) -> None:
    jax.config.update("jax_enable_compilation_cache", False)
    rows = {}
    for process in processes:
        start = time.process_time()
        me2 = fabgen.matrix_element(process)
        build = time.process_time() - start
        momenta = random_momenta(me2.masses, EVENTS)
        start = time.process_time()
        me2(momenta).block_until_ready()
        rows[process] = (me2, momenta, build, time.process_time() - start, [])
    for _ in range(RUNS):
        for me2, momenta, _, _, seconds in rows.values():
            start = time.process_time()
            me2(momenta).block_until_ready()
            seconds.append(time.process_time() - start)
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}, {EVENTS} events, {RUNS} runs\n")
    print("| process | diagrams | helicities | build (s) | compile (s) | evaluations/s | aim |")
    print("|---|---|---|---|---|---|---|")
    for process, (me2, _, build, compiled, seconds) in rows.items():
        rate, aim = EVENTS / min(seconds), PROCESSES.get(process)
        print(
            f"| {process} | {me2.n_diagrams} | {me2.n_helicities} | {build:.2f} | {compiled:.1f} "
            f"| {rate:,.0f} | {f'{aim:,.0f}' if aim else ''} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(PROCESSES))
