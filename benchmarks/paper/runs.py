"""One training with its evaluation, kept as one JSON file: done once, then used again."""

from __future__ import annotations

import datetime
import importlib.metadata
import io
import json
import os
import platform
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from records import how_to_run, known_records

from fabgen import __version__, run
from fabgen.build import build_integrand
from fabgen.card import Card
from fabgen.compiler import Compiler
from fabgen.errors import FabgenError, InputError
from fabgen.files import write_atomic
from fabgen.run.directory import RunDirectory
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.samplers import samplers
from fabgen.run.session import Session
from fabgen.run.training import trained_surrogate
from fabgen.sampling.integrate import integrate
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.units import PB_GEV2
from paper.figures import arrays_of
from paper.published import INTEGRALS
from paper.settings import (
    Experiment,
    card_of,
    events_card,
    events_within,
    settings_hash,
)

#: The results that the repository keeps; their histograms stay where they were made.
KEPT = Path(__file__).parents[1] / "results" / "fab_paper.jsonl"
#: A stream of random numbers below the seed of the training that nothing else uses.
_FRESH = 0x46415042
#: (E1 + E2)^2 of the 8D process, GeV^2.
_S = 1000.0**2


def paper_normalization(dim: int) -> float:
    """What an integral of f is multiplied with: 8D, pb without flux and (2 pi)^-8."""
    return 1.0 if dim == 2 else 2.0 * _S * (2.0 * np.pi) ** 8 / PB_GEV2


def result(experiment: Experiment, out: Path, say=print) -> dict[str, Any]:
    """The result of an experiment: one that is there with the same settings, else new."""
    file, digest = out / f"{experiment.name}.json", settings_hash(experiment)
    stored = known_records(out, KEPT).get(experiment.name)
    if stored and stored["settings_hash"] == digest:
        say(f"{experiment.name}: there already", flush=True)
        return stored
    start = time.perf_counter()
    try:
        found, arrays = _perform(experiment, out)
    except InputError:
        raise
    except FabgenError as error:
        found, arrays = {"failed": str(error)}, {}
    seconds = time.perf_counter() - start
    record = store(
        file, {"experiment": asdict(experiment), "settings_hash": digest, **found}, arrays, seconds
    )
    say(f"{experiment.name}: {_line(record)}", flush=True)
    return record


def store(
    file: Path, found: dict[str, Any], arrays: dict[str, np.ndarray], seconds: float
) -> dict[str, Any]:
    """Writes a result and its arrays; returns it with what it depends on besides its settings."""
    record = {
        **found,
        "seconds": seconds,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": versions(),
        "device": f"{jax.devices()[0].platform}, {os.cpu_count()} cores",
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_atomic(file.with_suffix(".npz"), stream.getvalue())
    write_atomic(file, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return record


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    packages = {name: importlib.metadata.version(name) for name in ("jax", "numpy", "vegas")}
    return {"fabgen": __version__, "python": platform.python_version(), **packages}


def stored_arrays(record: dict[str, Any], out: Path) -> dict[str, np.ndarray]:
    """The histograms of a result."""
    file = out / f"{Experiment(**record['experiment']).name}.npz"
    if not file.exists():
        return {}
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _line(record: dict[str, Any]) -> str:
    if "failed" in record:
        return f"failed: {record['failed']}"
    return (
        f"{record['target_evaluations']:,} evaluations, "
        f"eps {100 * record['metrics']['sampling_efficiency']:.3f} %, "
        f"eps_uw {100 * record['metrics']['unweighting_efficiency']:.2f} %, "
        f"{record['seconds']:.0f} s"
    )


def _perform(experiment: Experiment, out: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    how = run.RunOptions(compilation_cache=out / "compiled")
    spent = {"events": 0}
    card, figures = card_of(experiment), {}
    if experiment.method == "fkld":
        card, spent["events"] = _own_events(experiment, out, how)
    directory = out / "runs" / experiment.name
    start = time.perf_counter()
    figures = run.train(card, directory, how_to_run(card, directory, out))
    train_seconds = time.perf_counter() - start
    spent["training"] = figures["target_evaluations"]

    integrand = build_integrand(card)
    session = Session(card, RunDirectory(directory), integrand, Silent(), Stopwatch(), Compiler())
    trained = trained_surrogate(session, card.surrogate.kind, store=True)
    surrogate = {trained.surrogate: trained.params}
    (sampler,) = samplers(session, surrogate, card.evaluation.floor)
    survey = integrate(sampler, experiment.samples, session.key(_FRESH))
    factor = paper_normalization(experiment.dim)
    metrics = asdict(survey.metrics)
    return {
        "metrics": metrics,
        "integral": factor * survey.metrics.integral,
        "integral_error": factor * survey.metrics.integral_error,
        "cross_entropy": survey.metrics.forward_kl + float(np.log(INTEGRALS[experiment.dim])),
        "target_evaluations": sum(spent.values()),
        "spent": spent,
        "train_seconds": train_seconds,
        "training": figures,
        "along": _along(session.run, spent["events"]),
    }, arrays_of(session, trained, sampler)


def _along(directory: RunDirectory, before: int) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, all evaluations counted."""
    if not directory.metrics_log.exists():
        return []
    lines = [json.loads(line) for line in directory.metrics_log.read_text().splitlines()]
    for line in lines:
        line["target_evaluations"] += before
    return lines


def _own_events(experiment: Experiment, out: Path, how: run.RunOptions) -> tuple[Card, int]:
    """The card of fkld with its own events in a file, and what they took."""
    directory = out / "runs" / f"{experiment.name}-events"
    planned = run.integrate(events_card(experiment, 1), directory, replace(how, restart=True))
    # Drawing an event may take one more evaluation (its colour flow), reading the file takes one.
    per_event = 1 + build_integrand(events_card(experiment, 1)).draw_needs_amplitudes
    spent = 2 * planned["target_evaluations"]["evaluation"]  # here, and again where they are drawn
    n = events_within(experiment.budget, spent, planned["acceptance"], per_event, DEFAULT_BLOCK)
    report = run.generate(events_card(experiment, n), directory, how)
    calls = report["target_evaluations"]
    spent = planned["target_evaluations"]["evaluation"] + sum(calls.values())
    return card_of(experiment, str(directory / "events.lhe.gz"), n), spent
