"""Nominal and measured seconds of what `training.method = "auto"` decides by.

    python benchmarks/auto_costs.py [PROBLEM ...] [--repeats 15] [--out runs/auto_costs]
        [--report] [--fit]

For every problem f and the drawing from surrogates, per point, and a step of training: nominal
nanoseconds (fabgen/run/auto/cost_table.py) and measured ones: CPU time of all threads, the least of
several repeats in turns, so that they hold on a busy machine. A problem that is there is used
again. --report writes the table to benchmarks/results/auto_costs.md, and what was measured and
counted to auto_costs.jsonl beside it. --fit prints the weights of the table that fit all that was
measured best; they are then rounded and written into cost_table.py by hand.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import jax
import numpy as np
from jax import numpy as jnp
from records import Record, known_records, write_records
from tables import head

from fabgen import __version__
from fabgen.build import build_integrand
from fabgen.card import card_of_process, with_channels
from fabgen.files import write_atomic
from fabgen.run.auto import costs, nominal
from fabgen.run.auto.choice import card_of
from fabgen.run.auto.cost_table import GROUPS, NANOSECONDS, group_of, weight
from fabgen.run.auto.record import FLOW, SMALL_FLOW
from fabgen.run.surrogate import annealed, surrogate_of
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.surrogate import Gridded, Uniform, gridded_channels
from fabgen.surrogate.vegas.adapt import vegas_grid
from fabgen.training.loop import make_trainer

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "auto_costs.jsonl"
BEAMS = "beams.energy=[500.0, 500.0]"
PROBLEMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mumu": ("e+ e- > mu+ mu-", ()),
    "tops": ("e+ e- > t t~, t > w+ b, t~ > w- b~", (BEAMS, "channels.use=one")),
    "www": ("u d~ > w+ w+ w-", (BEAMS,)),
    "ttg": ("g g > t t~ g", (BEAMS, "cuts={ptj=20.0, etaj=5.0}")),
    "camel": ("toy:camel-back", ()),
    "modes": ("toy:modes", ()),
    "lc2pkpi": ("Lambda_c+ > p K- pi+", ("model=lc2pkpi", "phase_space.mapping=dalitz")),
    "wbwb": ("e+ e- > w+ b w- b~", (BEAMS,)),
}
#: Single primitives, on as many numbers as a block has in eight dimensions.
SINGLE = "primitives"
#: How often a primitive follows itself there.
CHAIN = 16
#: Steps of one measurement of a training.
STEPS = 4
#: How much a fit trusts the present weights.
PRIOR = 0.1
#: Problems whose training by FAB is measured, too.
WITH_FAB = ("modes", "lc2pkpi", "www")
FLOWS = (SMALL_FLOW, FLOW)
#: Why the two are apart where they are most.
CACHE = """\
Counted operations know nothing of the cache. In eight dimensions on one channel (modes, tops) the
small flow takes 6.5 µs per point in blocks of 16,384 points, and 2.2 in blocks of 2048; f of
lc2pkpi 0.99 and 0.53. With many channels (wbwb) the flow works in small blocks anyway: 3.3 µs.
"""
COLUMNS = ("problem", "program", "nominal (µs)", "measured (µs)", "nominal / measured")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [SINGLE, *PROBLEMS]
    parser.add_argument("problems", nargs="*", metavar="problem", help=" ".join(names))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("runs/auto_costs"))
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.problems) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    options.out.mkdir(parents=True, exist_ok=True)
    known = known_records(options.out, KEPT)
    for name in options.problems or names:
        if name not in known:
            known[name] = measured(name, options.repeats)
            write_atomic(options.out / f"{name}.json", json.dumps(known[name]) + "\n")
        print("\n".join(rows(name, known[name])), flush=True)
    if options.report:
        write_records(KEPT, known)
        write_atomic(RESULTS / "auto_costs.md", document(known))
    if options.fit:
        print(fitted(known))


class Part(NamedTuple):
    """A program to count, and calls of it to measure: each does it for so many points or steps."""

    name: str
    program: nominal.Call
    counted: int
    call: Callable[[], Any]
    done: int


def measured(name: str, repeats: int) -> Record:
    """What a problem's programs take and are made of, per point or step."""
    n_channels = 0
    if name == SINGLE:
        parts = list(singles())
    else:
        process, settings = PROBLEMS[name]
        card = with_channels(card_of_process(process, settings))
        integrand = build_integrand(card)
        n_channels = integrand.n_channels
        parts = list(parts_of(card, integrand, fab=name in WITH_FAB))
    found: dict[str, Any] = {}
    for part in parts:
        counted = costs.elements(part.program.function, *part.program.arguments)
        elements = {" ".join(key): count / part.counted for key, count in counted.items()}
        found[part.name] = {"seconds": math.inf, "elements": elements}
    for _ in range(repeats):
        for part in parts:
            times, start = 0, time.process_time()
            while times == 0 or time.process_time() - start < 0.02:  # well above its ticks
                jax.block_until_ready(part.call())
                times += 1
            seconds = (time.process_time() - start) / times / part.done
            found[part.name]["seconds"] = min(found[part.name]["seconds"], seconds)
    return {
        "programs": found,
        "channels": n_channels,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
    }


def ready(name: str, program: nominal.Call, n: int, n_channels: int = 1) -> Part:
    """A part that is compiled as it is."""
    arguments = [_filled(argument, n_channels) for argument in program.arguments]
    compiled = jax.jit(program.function).lower(*arguments).compile()
    return Part(name, program, n, lambda: compiled(*arguments), n)


def step(method: str, card: Any, integrand: Any) -> Part:
    """A step of a training, past the warm-up, its state in place as there."""
    own = card_of(card, "small-flow", integrand.n_channels, method)
    surrogate = surrogate_of(own, integrand)
    trainer = make_trainer(integrand, surrogate, annealed(own, integrand).training)
    state = jax.tree.map(jnp.array, jax.jit(trainer.init)(1))
    loop = jax.jit(trainer.advance, donate_argnums=0)
    advance = loop.lower(state, np.int64(0), None).compile()
    at = [1, advance(state, np.int64(1), None)]

    def call() -> Any:
        at[0] += STEPS
        at[1] = advance(at[1], np.int64(at[0]), None)
        return at[1]

    return Part(f"step: {method}", nominal.of_step(integrand, surrogate, own), 1, call, STEPS)


def parts_of(card: Any, integrand: Any, fab: bool) -> Iterator[Part]:
    """Those of one problem, per point and per step."""
    dim, n, bins = integrand.dim, integrand.n_channels, card.surrogate.vegas.bins
    key = jax.random.key(1)

    def drawing(name: str, surrogate: Any) -> Part:
        params = jax.jit(surrogate.init)(key)
        return ready(f"q: {name}", nominal.of_drawing(surrogate, params), DEFAULT_BLOCK, n)

    yield ready("f", nominal.of_f(integrand), DEFAULT_BLOCK, n)
    if n == 1:
        yield drawing("VEGAS grid", Gridded(dim, Uniform(dim), bins))
        yield drawing("VEGAS+ grid", vegas_grid(dim, card.surrogate.vegas))
    else:
        yield drawing("VEGAS grid", gridded_channels(dim, n, bins))
    small, large = (surrogate_of(card_of(card, size, n), integrand) for size in FLOWS)
    yield drawing("small flow", small)
    yield drawing("flow", large)
    if n > 1:
        params = jax.jit(small.init)(key)
        weights = nominal.of_weights(integrand, small, params)
        yield ready("channels and weights", weights, DEFAULT_BLOCK, n)
    yield step("variance", card, integrand)
    if fab:
        yield step("fab", card, integrand)


def singles() -> Iterator[Part]:
    """A chain of one primitive each, per element."""
    shape = (DEFAULT_BLOCK, 8)
    keys = jax.random.split(jax.random.key(2), 4)
    x, y = (jax.random.uniform(key, shape, "float64", 0.5, 1.5) for key in keys[:2])
    index = jax.random.randint(keys[2], shape[:1], 0, shape[0])
    # With two arguments: what is done with constants XLA would put together.
    several: Mapping[str, Callable[[Any, Any], Any]] = {
        "add": lambda x, y: x + y,
        "mul": lambda x, y: x * y,
        "select_n": lambda x, y: jnp.where(x < y, y, x),
        "div": lambda x, y: y / x,
        "sqrt": lambda x, y: jnp.sqrt(x),
        "exp": lambda x, y: jnp.exp(-x),
        "log": lambda x, y: jnp.log(x + y),
        "sin": lambda x, y: jnp.sin(x),
        "atan2": jnp.arctan2,
        "pow": jnp.power,
        "erfc": lambda x, y: jax.scipy.special.erfc(x),
        "tanh": lambda x, y: jnp.tanh(x),
        "cumsum": lambda x, y: jnp.cumsum(0.1 * x, axis=-1),
        "reduce_sum": lambda x, y: x * jnp.sum(x * y, axis=-1, keepdims=True),
        "concatenate": lambda x, y: jnp.concatenate([x[:, 4:], y[:, :4]], axis=1) + y,
        "gather": lambda x, y: x[index],
        "scatter": lambda x, y: x.at[index].set(y),
        "sort": lambda x, y: jnp.sort(1.0 - x, axis=0),
        "softplus": lambda x, y: jax.nn.softplus(x),
    }

    def chain(function: Callable[[Any, Any], Any], times: int) -> Callable[[Any, Any], Any]:
        def run(x: Any, y: Any) -> Any:
            for _ in range(times):
                x = function(x, y)
            return x

        return run

    for name, function in several.items():
        times = 2 if name == "sort" else CHAIN
        run, n = chain(function, times), x.size * times
        yield ready(name, nominal.Call(run, (x, y)), n)
        if name in ("add", "mul", "div", "exp", "log", "tanh"):
            narrow = (x.astype("float32"), y.astype("float32"))
            yield ready(f"{name}, float32", nominal.Call(run, narrow), n)
        if name in ("add", "mul", "div"):
            wide = (x + 0.1j * y, y - 0.1j * x)
            yield ready(f"{name}, complex128", nominal.Call(run, wide), n)
    matrix = jax.random.uniform(keys[3], (64, 64), "float64")
    for dtype in ("float64", "float32"):
        wide = jnp.tile(x, (1, 8)).astype(dtype)
        product = nominal.Call(jnp.dot, (wide, matrix.astype(dtype)))
        yield ready(f"dot_general, {dtype}", product, 64 * wide.size)

    def draw(key: Any) -> Any:
        return jax.random.uniform(key, shape, "float64")

    yield ready("random", nominal.Call(draw, (jax.random.key(5),)), x.size)


def _filled(argument: Any, n_channels: int) -> Any:
    """Arrays in the places of shapes: points in the cube, channels in turn."""
    if not isinstance(argument, jax.ShapeDtypeStruct):
        return argument
    shape, size = argument.shape, math.prod(argument.shape)
    if jnp.issubdtype(argument.dtype, jnp.integer):
        return jnp.arange(size, dtype=argument.dtype).reshape(shape) % n_channels
    generator = np.random.default_rng(size)
    return jnp.asarray(generator.uniform(0.01, 0.99, shape), argument.dtype)


def nominal_seconds(elements: Mapping[str, float]) -> float:
    """What the table says, of counted elements."""
    counted = ((*key.split(" "), n) for key, n in elements.items())
    return 1e-9 * NANOSECONDS * sum(n * weight(name, kind) for name, kind, n in counted)


def rows(name: str, record: Record) -> list[str]:
    """Lines of the table: one for each program."""
    lines = []
    for label, found in record["programs"].items():
        told, seconds = nominal_seconds(found["elements"]), found["seconds"]
        unit = 1e9 if name == SINGLE else 1e6
        cells = (
            name,
            label,
            f"{unit * told:.3g}",
            f"{unit * seconds:.3g}",
            f"{told / seconds:.2f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def document(known: Mapping[str, Record]) -> str:
    """The table of all problems, with what it was made on and how far the two are apart."""
    records = [known[name] for name in PROBLEMS if name in known]
    last = records[-1]
    ratios = [
        math.log(nominal_seconds(found["elements"]) / found["seconds"])
        for record in records
        for found in record["programs"].values()
    ]
    apart = math.exp(statistics.fmean(abs(ratio) for ratio in ratios))
    most = math.exp(max(abs(ratio) for ratio in ratios))
    lines = [
        "# Costs that `auto` decides by: nominal and measured",
        "",
        f"`python benchmarks/auto_costs.py --report`; fabgen {__version__}, jax {last['jax']}, "
        f"{last['cores']} cores, {last['date']}; CPU time of all threads, the least of several.",
        "",
        f"The two are a factor {apart:.2f} apart on average, {most:.1f} at most, over "
        f"{len(ratios)} programs. The table was fitted to these and to single primitives.",
        "",
        *(
            f"- {name}: `{PROBLEMS[name][0]}`, {', '.join(PROBLEMS[name][1]) or 'as it is'}"
            for name in PROBLEMS
            if name in known
        ),
        "",
        head(COLUMNS),
        *(row for name in PROBLEMS if name in known for row in rows(name, known[name])),
        "",
        "Single primitives, in ns per element:",
        "",
        head(COLUMNS).replace("µs", "ns"),
        *(rows(SINGLE, known[SINGLE]) if SINGLE in known else []),
        "",
        CACHE,
    ]
    return "\n".join(lines)


def fitted(known: Mapping[str, Record]) -> str:
    """Nanoseconds of every group that make all ratios as equal to one as they can be.

    Least squares of log(nominal / measured) by Gauss and Newton, single primitives with a quarter
    of the weight of a program. A group stays near its present weight where nothing is said of it.
    """
    start: dict[str, float] = {}
    programs, targets, trust = [], [], []
    for name, record in known.items():
        for found in record["programs"].values():
            parts: dict[str, float] = {}
            for key, n in found["elements"].items():
                primitive, kind = key.split(" ")
                group = group_of(primitive) or "other"
                own = kind == "complex" and group in GROUPS and GROUPS[group].complex is not None
                label = f"{group}, complex" if own else group
                unit = weight(primitive, kind) if own else weight(primitive)
                if unit > 0.0:
                    start[label] = NANOSECONDS * unit
                    parts[label] = parts.get(label, 0.0) + n * weight(primitive, kind) / unit
            programs.append(parts)
            targets.append(math.log(1e9 * found["seconds"]))
            trust.append(0.5 if name == SINGLE else 1.0)
    labels = sorted(start)
    counts = np.array([[parts.get(label, 0.0) for label in labels] for parts in programs])
    before = theta = np.log([start[label] for label in labels])
    for _ in range(100):
        terms = counts * np.exp(theta)
        total = terms.sum(axis=1)
        slopes = np.array(trust)[:, None] * terms / total[:, None]
        errors = np.array(trust) * (np.log(total) - targets)
        matrix = slopes.T @ slopes + PRIOR * np.eye(len(labels))
        step = np.linalg.solve(matrix, slopes.T @ errors + PRIOR * (theta - before))
        theta = theta - np.clip(step, -0.5, 0.5)
    unit = math.exp(theta[labels.index("arithmetic")])
    lines = [f"ns of an operation: {unit:.3g}"]
    lines += [f"{label}: {math.exp(t) / unit:.3g}" for label, t in zip(labels, theta, strict=True)]
    ratio = np.exp(np.log(counts @ np.exp(theta)) - targets)
    for kind, chosen in (("programs", 1.0), ("primitives", 0.5)):
        own = ratio[np.array(trust) == chosen]
        if own.size:
            lines.append(f"{kind}: ratios from {own.min():.2f} to {own.max():.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
