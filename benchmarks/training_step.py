"""What a training step costs, whole and in parts.

    python benchmarks/training_step.py [--cards CARD ...] [--repeats 10] [--against CHECKOUT]

For each card milliseconds of CPU time (all threads) and of wall time, the best of several repeats,
taken in turns over all parts: on a busy machine a slow minute hits all of them. --against measures
another checkout of fabgen in the same run, in turns with this one. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CARDS = ("cards/ee_ttbar.toml", "cards/lc2pkpi.toml")
#: Steps of one measurement of a whole step.
STEPS = 4
Part = tuple[str, Callable[[], Any], int]


def parts(file: str) -> Iterator[Part]:
    """(name, a call that waits for its result, how often it does the part) for one card."""
    import jax
    import numpy as np

    from fabgen.build import build_integrand
    from fabgen.card import load_card
    from fabgen.surrogate import build_surrogate
    from fabgen.training import split_sample
    from fabgen.training.annealing import ais, hmc
    from fabgen.training.loop import make_trainer
    from fabgen.training.target import evaluate, value_and_gradient

    card = load_card(ROOT / file, ["training.method=fab"])
    f = build_integrand(card)
    q = build_surrogate(f.dim, card.surrogate)
    options, fab = card.training, card.training.fab
    n, key = options.batch_size, jax.random.key(7)
    params = jax.jit(q.init)(key)
    u = jax.random.uniform(key, (n, f.dim), "float64")

    def ready(name: str, function: Callable, *args: Any, times: int = 1) -> Part:
        compiled = jax.jit(function).lower(*args).compile()
        return name, lambda: jax.block_until_ready(compiled(*args)), times

    def both(u):
        return evaluate(f, q, params, u)

    yield ready("q: sample, log q", lambda p, k: q.sample_and_log_prob(p, k, n), params, key)
    yield ready("log q", q.log_prob, params, u)
    yield ready(
        "log q, gradient in u",
        lambda p, u: value_and_gradient(lambda u: q.log_prob(p, u), u),
        params,
        u,
    )
    yield ready(
        "log q, gradient in parameters",
        jax.value_and_grad(lambda p, u: q.log_prob(p, u).sum()),
        params,
        u,
    )
    yield ready("f", f.log_density, u)
    yield ready("f, gradient", lambda u: value_and_gradient(f.log_density, u), u)
    yield ready("f and q, gradients in u", lambda p, u: evaluate(f, q, p, u), params, u)
    chains = jax.jit(lambda u: hmc.Chains(u, both(u)[0]))(u)
    size = np.float64(fab.step_size)
    yield ready(
        f"HMC transition ({fab.leapfrog_steps} leapfrog steps)",
        lambda p, c, k: hmc.transition(
            lambda u: evaluate(f, q, p, u), c, 0.5, size, fab.leapfrog_steps, k
        ),
        params,
        chains,
        key,
    )
    sizes = np.full(fab.intermediate, fab.step_size)
    yield ready(
        "AIS pass",
        lambda p, u, k: ais.anneal(lambda u: evaluate(f, q, p, u), u, k, sizes, fab.leapfrog_steps),
        params,
        u,
        key,
    )
    yield from _buffer(fab.buffer_batches, n, u, key, ready)
    trainer = make_trainer(f, q, options)
    gradient = jax.tree.map(lambda a: a + 0.01, params)
    state = jax.jit(trainer.optimizer.init)(params)
    yield ready("optimizer", trainer.optimizer.step, params, gradient, state, np.int64(5))
    sample = split_sample(np.tile(np.asarray(u), (20, 1)), np.ones(20 * n), 0.1, 1)
    for method in ("fab", "fab-nobuffer", "rkld", "fkld"):
        data = sample if method == "fkld" else None
        own = dataclasses.replace(options, method=method, steps=10**6)
        if method == "fkld":
            fkld = dataclasses.replace(own.fkld, epochs=10**5)
            own = dataclasses.replace(own, steps=0, fkld=fkld)
        yield _whole(method, f, q, own, data)


def _buffer(batches: int, n: int, u: Any, key: Any, ready: Callable[..., Part]) -> Iterator[Part]:
    """The buffer's operations, on a full one that they change in place as in the training."""
    import jax

    from fabgen.training.annealing import buffer

    log_w = jax.random.normal(key, (batches * n,), "float64")
    batch = buffer.Entries(u, log_w[:n], log_w[:n], jax.numpy.full(n, jax.numpy.inf))
    full = buffer.empty(batches * n, batch)
    full = full._replace(entries=full.entries._replace(log_w=log_w), filled=~full.filled)

    def in_place(name: str, function: Callable, *args: Any) -> Part:
        compiled = jax.jit(function, donate_argnums=0).lower(full, *args).compile()
        held = [jax.tree.map(jax.numpy.array, full)]

        def call() -> None:
            held[0] = jax.block_until_ready(compiled(held[0], *args))

        return name, call, 1

    law = jax.jit(buffer.law)(full)
    drawn = jax.jit(lambda b, k: buffer.draw(b, law, k, n))(full, key)
    yield in_place("buffer: add", buffer.add, batch)
    yield ready("buffer: law", buffer.law, full)
    yield ready("buffer: draw", lambda b, k: buffer.draw(b, law, k, n), full, key)
    yield in_place("buffer: adjust", buffer.adjust, drawn, batch.log_r)


def _whole(method: str, f: Any, q: Any, options: Any, data: Any) -> Part:
    """Steps of the training loop, past the warm-up, the state donated as there."""
    import jax
    import numpy as np

    from fabgen.training.loop import make_trainer

    trainer = make_trainer(f, q, options, data)
    state = jax.tree.map(jax.numpy.array, jax.jit(lambda: trainer.init(1))())
    advance = jax.jit(trainer.advance, donate_argnums=0).lower(state, np.int64(0), data).compile()
    held = [advance(state, np.int64(1), data)]
    done = [1]

    def call() -> None:
        done[0] += STEPS
        held[0] = jax.block_until_ready(advance(held[0], np.int64(done[0]), data))

    return f"whole step: {method}", call, STEPS


def worker() -> None:
    """Answers lines on stdin: a card compiles its parts, a number measures that part once."""
    ready: list[Part] = []
    for line in sys.stdin:
        word = line.strip()
        answer: Any
        if word.isdigit():
            _, call, times = ready[int(word)]
            cpu, wall = time.process_time(), time.perf_counter()
            call()
            answer = [1e3 * (time.process_time() - cpu) / times]
            answer.append(1e3 * (time.perf_counter() - wall) / times)
        else:
            ready = list(parts(word))
            for _, call, _ in ready:
                call()
            answer = [name for name, _, _ in ready]
        print(json.dumps(answer), flush=True)


class Side:
    """A process that measures one checkout of fabgen."""

    def __init__(self, root: Path):
        environment = {**os.environ, "PYTHONPATH": str(root)}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, word: str) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the measuring process has failed")
        return json.loads(line)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cards", nargs="+", default=CARDS)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker()
        return
    sides = {"this": Side(ROOT)}
    if options.against:
        sides = {"other": Side(options.against.resolve())} | sides
    for card in options.cards:
        names = {side: process.ask(card) for side, process in sides.items()}
        best: dict[tuple[str, str], list[float]] = {}
        for _ in range(options.repeats):
            for name in names["this"]:
                for side, process in sides.items():
                    if name in names[side]:
                        found = process.ask(str(names[side].index(name)))
                        old = best.get((side, name), found)
                        best[side, name] = [min(a, b) for a, b in zip(found, old, strict=True)]
        heads = [f"{clock} (ms)" for clock in ("CPU", "wall")]
        if len(sides) > 1:
            heads = [f"{side}: {head}" for side in sides for head in heads]
        print(f"\n{card}, best of {options.repeats}\n")
        print("| part | " + " | ".join(heads) + " |")
        print("|---|" + "---|" * len(heads))
        for name in names["this"]:
            cells = [f"{t:.2f}" for side in sides for t in best.get((side, name), [])]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    for process in sides.values():
        assert process.process.stdin
        process.process.stdin.close()
        process.process.wait()


if __name__ == "__main__":
    main()
