"""Where FAB wins: every method on the same problems, at equal numbers of target evaluations.

    python benchmarks/fab_wins.py [PROBLEM ...] [--budget 1e5 3e5 1e6] [--seeds 3] [--methods ...]
    python benchmarks/fab_wins.py --report

Each training is one run directory below --out, with its score in score.json: an interrupted
benchmark goes on where it was, within a training, too. Scores are KL(p, q) on exact events, which a
surrogate that has missed a part of p cannot hide, and the sampling and unweighting efficiencies of
fresh points. Exact events of a process are its unweighted events on the map that follows its
propagators, taken through the inverse of the map of the problem; toys draw their own. Seeds
outermost, then budgets: a table of one seed is there first. --report writes the table of all runs
to benchmarks/results/fab_wins.md, and the runs to fab_wins.jsonl beside it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import jax
import numpy as np
from records import Record, digest, how_to_run, known_records, write_records
from tables import head, made

from fabgen import run
from fabgen.build import build_integrand
from fabgen.card import Card, card_from_table, with_channels
from fabgen.compiler import Compiler
from fabgen.files import write_atomic
from fabgen.integrand.toys import ToyIntegrand
from fabgen.run.directory import RunDirectory
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.sample.from_lhe import read_points
from fabgen.run.samplers import samplers
from fabgen.run.session import Session
from fabgen.run.training import trained_surrogate
from fabgen.sampling.integrate import integrate, with_optimal_allocation

Table = dict[str, Any]

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "fab_wins.jsonl"
#: Exact events that a surrogate is scored on, and fresh points for its efficiencies.
EVENTS, SAMPLES = 50_000, 200_000
#: Streams of random numbers below the seed of a training that nothing else uses.
_EXACT, _FRESH, _SHARES = range(0x57494E00, 0x57494E03)

_TOPS: Table = {
    "process": "e+ e- > t t~, t > w+ b, t~ > w- b~",
    "beams": {"energy": [500.0, 500.0]},
}
_WBWB: Table = {"process": "e+ e- > w+ b w- b~", "beams": {"energy": [500.0, 500.0]}}
_RAMBO: Table = {"phase_space": {"mapping": "rambo", "bw_cutoff": float("inf")}}


def _modes(dim: int) -> Table:
    return {"process": "toy:modes", "parameters": {"dim": dim}}


#: What is trained, and for a process the map that its exact events come from.
PROBLEMS: dict[str, tuple[Table, Table]] = {
    "tops-rambo": (_TOPS | _RAMBO, _TOPS | {"phase_space": {"bw_cutoff": float("inf")}}),
    "lambda-c": (
        {"process": "Lambda_c+ > p K- pi+", "model": "lc2pkpi"},
        {"process": "Lambda_c+ > p K- pi+", "model": "lc2pkpi"},
    ),
    "modes-4d": (_modes(4), {}),
    "modes-8d": (_modes(8), {}),
    "modes-16d": (_modes(16), {}),
    "ridge": ({"process": "toy:ridge"}, {}),
    "wbwb-rambo": (_WBWB | _RAMBO, _WBWB | {"phase_space": {"bw_cutoff": float("inf")}}),
    "www-channels": (
        {"process": "u d~ > w+ w+ w-", "beams": {"energy": [500.0, 500.0]}},
        {"process": "u d~ > w+ w+ w-", "beams": {"energy": [500.0, 500.0]}},
    ),
}
_PUBLISHED: Table = {
    "intermediate": 2,
    "leapfrog_steps": 3,
    "updates": 4,
    "tempered": False,
    "even_draws": 0.0,
}
#: Keys of [training] by the name of a method; VEGAS+ is no training of a flow.
METHODS: dict[str, Table] = {
    "vegas": {"method": "rkld"},
    "rkld": {"method": "rkld"},
    "variance": {"method": "variance"},
    "kl": {"method": "kl"},
    "fab-published": {"method": "fab", "fab": _PUBLISHED, "anneal_widths": 1.0},
    "fab": {"method": "fab"},
}
NAMES = {
    "vegas": "VEGAS+",
    "rkld": "reverse KL",
    "variance": "variance",
    "kl": "weighted KL",
    "fab-published": "FAB, as published",
    "fab": "FAB, as it is now",
}
BATCH = 1000
#: HMC steps of the published form start this long; flat phase space needs short ones.
_STEP_SIZE = {"tops-rambo": 0.005, "wbwb-rambo": 0.005}


def card_of(problem: str, method: str, budget: int, seed: int) -> Card:
    """The card of a training that takes at most `budget` evaluations of f."""
    table = dict(PROBLEMS[problem][0])
    training: Table = {"batch_size": BATCH, "seed": seed, **METHODS[method]}
    if method == "vegas":
        grid = {"warmup_iterations": 0, "iterations": 10, "evaluations": budget // 10, "bins": 64}
        table |= {"surrogate": {"kind": "vegas", "vegas": grid}}
        return with_channels(card_from_table(table | {"training": {**training, "steps": 1}}))
    table["surrogate"] = {"kind": "flow"}
    spent = 0
    if method == "fab-published":
        training["fab"] = _PUBLISHED | {"step_size": _STEP_SIZE.get(problem, 0.05)}
    of_channels = problem.endswith("channels") and method.startswith("fab")
    pretrained = method in ("variance", "kl") or of_channels
    if pretrained:  # VEGAS grids, a quarter of the budget at most
        # (The published form has to fill its buffer, too.)
        evaluations = min(20_000, budget // (50 if method == "fab-published" else 40))
        table["surrogate"] |= {"vegas": {"iterations": 10, "evaluations": evaluations}}
        spent = 10 * evaluations
    each, filling = BATCH, 0
    if method == "fab-published":
        each = BATCH * (1 + _PUBLISHED["intermediate"] * _PUBLISHED["leapfrog_steps"])
    if method.startswith("fab"):
        filling = 10
    training["steps"] = max((budget - spent) // each - filling, 1)
    training |= {"log_every": 100, "checkpoint_every": 500}
    return with_channels(card_from_table(table | {"training": training}))


def score(problem: str, method: str, budget: int, seed: int, out: Path) -> Record:
    """The record of one training: of --out or the repository if it is there, else new."""
    name = f"{problem}-{method}-{budget}-seed{seed}"
    card = card_of(problem, method, budget, seed)
    file, asked = out / f"{name}.json", digest(card)
    stored = known_records(out, KEPT).get(name)
    if stored and stored["settings"] == asked:
        return stored
    directory = out / "runs" / name
    how = how_to_run(card, directory, out)
    start = time.process_time()
    figures = run.train(card, directory, how)
    seconds = time.process_time() - start
    session = Session(
        card, RunDirectory(directory), build_integrand(card), Silent(), Stopwatch(), Compiler()
    )
    trained = trained_surrogate(session, card.surrogate.kind, store=True)
    (sampler,) = samplers(session, {trained.surrogate: trained.params})
    key = jax.random.key(seed)
    sampler, _ = with_optimal_allocation(
        sampler, SAMPLES, SAMPLES // 10, jax.random.fold_in(key, _SHARES)
    )
    metrics = integrate(sampler, SAMPLES, jax.random.fold_in(key, _FRESH)).metrics
    record: Record = {
        "problem": problem,
        "method": method,
        "budget": budget,
        "seed": seed,
        "settings": asked,
        "target_evaluations": figures["target_evaluations"],
        "cpu_seconds": seconds,
        "sampling_efficiency": metrics.sampling_efficiency,
        "unweighting_efficiency": metrics.unweighting_efficiency,
        "integral": metrics.integral,
        "integral_error": metrics.integral_error,
        **_divergence(problem, session, trained, out),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
        "evaluation_samples": SAMPLES,
    }
    write_atomic(file, json.dumps(record, indent=1) + "\n")
    return record


def _divergence(problem: str, session: Session, trained: Any, out: Path) -> Table:
    """KL(p, q) on exact events, and its error; nothing of several channels."""
    integrand: Any = session.integrand
    if integrand.n_channels > 1:
        return {}
    if isinstance(integrand, ToyIntegrand):
        u, log_integral = np.asarray(integrand.exact_events(jax.random.key(_EXACT), EVENTS)), 0.0
    else:
        u, log_integral = _events(problem, session, out)
    log_q, log_p = jax.jit(trained.surrogate.log_prob), jax.jit(integrand.log_density)
    parts = [
        np.asarray(log_p(part) - log_q(trained.params, part))
        for part in np.array_split(u, len(u) // 5000)
    ]
    ratio = np.concatenate(parts) - log_integral
    error = float(np.std(ratio) / np.sqrt(len(ratio)))
    return {"kl": float(np.mean(ratio)), "kl_error": error}


def _events(problem: str, session: Session, out: Path) -> tuple[np.ndarray, float]:
    """u (EVENTS, dim) of unweighted events of the process, and log I; made once."""
    directory = out / "events" / problem
    card = card_from_table(
        PROBLEMS[problem][1]
        | {"generation": {"events": EVENTS, "max_overweight": 1e-4}}
        | {"training": {"auto": {"efficiency": 0.98}, "seed": 7}}
        | {"evaluation": {"samples": 1_000_000}}
    )
    report = run.generate(with_channels(card), directory, how_to_run(card, directory, out))
    table = PROBLEMS[problem][0] | {
        "surrogate": {"kind": "flow"},
        "training": {"method": "fkld", "fkld": {"data": str(directory / "events.lhe.gz")}},
    }
    points = read_points(card_from_table(table), (session.integrand,), Silent(), None)
    assert points is not None
    return points.points.u, float(np.log(report["integral"]))


COLUMNS = ("problem", "evaluations", "method", "KL", "sampling eff. (%)", "CPU (s)", "seeds")


def rows(records: Sequence[Record]) -> list[str]:
    """A line for each problem, budget and method: medians over the seeds."""
    groups: dict[tuple[str, int, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["problem"], record["budget"], record["method"]), []).append(
            record
        )
    found = []
    for problem in PROBLEMS:
        budgets = sorted({budget for name, budget, _ in groups if name == problem})
        for budget in budgets:
            for method in METHODS:
                if (problem, budget, method) in groups:
                    found.append(_row(groups[problem, budget, method]))
    return found


def _row(records: Sequence[Record]) -> str:
    first = records[0]
    kl = [r["kl"] for r in records if "kl" in r]
    eps = [100.0 * r["sampling_efficiency"] for r in records]
    cells = (
        first["problem"],
        f"{first['budget']:,}",
        NAMES[first["method"]],
        _middle(kl) if kl else "—",
        _middle(eps),
        f"{statistics.median(r['cpu_seconds'] for r in records):.0f}",
        str(len(records)),
    )
    return "| " + " | ".join(cells) + " |"


def _middle(values: Sequence[float]) -> str:
    """The median; of several values the smallest and the largest, too."""
    text = f"{statistics.median(values):.3g}"
    return text if len(values) == 1 else f"{text} [{min(values):.3g}, {max(values):.3g}]"


def document(records: Sequence[Record]) -> str:
    """The table of all runs."""
    lines = ["# Where FAB wins", ""]
    if records:
        lines += [made("python benchmarks/fab_wins.py --report", records[-1]), ""]
    lines += [
        f"Medians [smallest, largest] over the seeds. KL(p, q) on {EVENTS:,} exact events. Batches",
        f"of {BATCH:,} points, a flow of 6 layers, learning rate 0.001 with a cosine for all.",
        "Evaluations are those a training may take; 128 points a step that say how far annealed",
        "widths may go come on top. CPU seconds of the training, compilation included.",
        "",
        head(COLUMNS),
        *rows(records),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=" ".join(PROBLEMS))
    parser.add_argument("--budget", type=float, nargs="+", default=[1e5, 3e5, 1e6])
    parser.add_argument("--seeds", type=int, default=3, help="how many: 1, 2, ...")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--out", type=Path, default=Path("runs/fab_wins"))
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.problems) - set(PROBLEMS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PROBLEMS)}")
    if options.report:
        records = known_records(options.out, KEPT)
        write_records(KEPT, records)
        write_atomic(RESULTS / "fab_wins.md", document(list(records.values())))
        return
    print(head(COLUMNS), flush=True)
    for seed in range(1, options.seeds + 1):
        for budget in options.budget:
            for problem in options.problems or PROBLEMS:
                for method in options.methods:
                    record = score(problem, method, round(budget), seed, options.out)
                    print(_row([record]), flush=True)


if __name__ == "__main__":
    main()
