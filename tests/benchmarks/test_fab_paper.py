"""The pure parts of the FAB paper's benchmark: what a budget pays for, and the tables."""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fabgen.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from paper import along, settings, table
from paper.published import INTEGRALS, METHODS, PUBLISHED, USUAL

FAB = {"intermediate": 2, "hmc_moves": 1, "leapfrog_steps": 3, "buffer_minimum": 10}


@pytest.mark.parametrize(
    ("method", "cost"), [("fab", 7 * 1000), ("fab-nobuffer", 7 * 1000), ("rkld", 1000)]
)
@pytest.mark.parametrize("budget", [100_000, 3_000_000])
def test_steps_use_the_budget_and_no_more(method, cost, budget):
    steps = settings.steps_within(budget, method, 1000, FAB)
    filling = 10 * cost if method == "fab" else 0
    assert budget - cost < steps * cost + filling <= budget


def test_a_budget_too_small_is_refused_with_what_it_takes():
    with pytest.raises(InputError, match="77000"):
        settings.steps_within(76_999, "fab", 1000, FAB)
    assert settings.steps_within(77_000, "fab", 1000, FAB) == 1
    with pytest.raises(InputError):
        settings.events_within(40_000, 10_000, 0.5, 1, 16_384)


def test_the_events_of_fkld_leave_room_for_whole_blocks():
    block, acceptance, spent = 16_384, 0.17, 32_768
    n = settings.events_within(3_000_000, spent, acceptance, 2, block)
    used = spent + math.ceil(n / acceptance / block) * block + block + 2 * n
    assert 0.94 * 3_000_000 < used <= 3_000_000


@pytest.mark.parametrize("dim", [2, 8])
@pytest.mark.parametrize("kind", ["paper", "fabgen"])
def test_every_method_has_a_card_within_the_budget(dim, kind):
    for mapping in settings.MAPPINGS[dim]:
        for method in (*USUAL[kind], "fab-updates"):
            asked = settings.Experiment(dim, mapping, kind, method, 500_000, 1)
            card = settings.card_of(asked, "events.lhe.gz", 50_000 if method == "fkld" else 0)
            training, vegas = card.training, card.surrogate.vegas
            if method == "vegas":
                warmup = vegas.warmup_iterations * vegas.warmup_evaluations
                assert warmup + vegas.iterations * vegas.evaluations <= 500_000
            elif method == "fkld":
                assert training.fkld.epochs >= 1
            else:
                fab = asdict(training.fab)
                per_step = settings.evaluations_per_step(method, training.batch_size, fab)
                buffered = method in ("fab", "fab-updates")
                filling = training.fab.buffer_minimum if buffered else 0
                start = vegas.iterations * vegas.evaluations if method == "variance" else 0
                assert start + (training.steps + filling) * per_step <= 500_000


def test_the_hash_tells_settings_apart():
    one = settings.Experiment(2, "dalitz", "paper", "fab", 500_000, 1)
    others = (replace(one, seed=2), replace(one, samples=10_000), replace(one, method="fkld"))
    hashes = {settings.settings_hash(e) for e in (one, *others)}
    assert len(hashes) == 4
    assert settings.settings_hash(replace(one)) in hashes


def record(method: str, seed: int, efficiency: float) -> dict:
    metrics = dict.fromkeys(table._METRICS, 0.5) | {"sampling_efficiency": efficiency}
    return {
        "experiment": asdict(settings.Experiment(2, "dalitz", "paper", method, 10**6, seed)),
        "settings_hash": "0" * 64,
        "metrics": metrics,
        "integral": 8920.0 + seed,
        "integral_error": 1.5,
        "cross_entropy": 9.1,
        "target_evaluations": 999_000,
    }


def test_the_table_has_mean_and_deviation_beside_the_papers_numbers():
    records = [record("fab", seed, 0.99 + 0.001 * seed) for seed in (1, 2, 3)]
    rows = {
        tuple(cells[:2]): cells[2:]
        for line in table.table(records).splitlines()[2:]
        if (cells := [cell.strip() for cell in line.strip("|").split("|")])
    }
    own = rows["FAB (w/ buffer)", "fabgen"]
    assert own[2] == "99.20 ± 0.10"
    assert own[3] == "8922.0 ± 1.0 (1.5)"
    assert own[6:] == ["999,000", "3"]
    paper = rows["FAB (w/ buffer)", "paper"]
    assert paper[0] == "9.0988 ± 0.0005"
    assert float(paper[1]) == pytest.approx(9.0988 - math.log(INTEGRALS[2]), abs=1e-4)
    assert ("VEGAS+", "fabgen") not in rows  # not run


def test_a_failed_run_is_left_out_and_counted():
    failed = {**record("fab", 3, 0.0), "failed": "diverged"}
    del failed["metrics"]
    lines = table.table([record("fab", 1, 0.99), record("fab", 2, 0.99), failed]).splitlines()
    assert next(x for x in lines if "fabgen" in x).endswith("| 2 of 3 |")
    rows = list(csv.DictReader(io.StringIO(table.single_runs([failed]))))
    assert rows[0]["failed"] == "diverged"


def test_every_row_of_the_paper_is_there():
    assert all(set(PUBLISHED[dim]) == set(METHODS) for dim in (2, 8))


def test_divergence_along_trainings():
    """Power laws at round numbers: geometric means over the seeds, nothing beyond the last step."""
    curves = {("rkld", 1): 2.0, ("rkld", 2): 8.0, ("fab", 1): 1.0}
    records = [
        {
            "experiment": {"method": method, "seed": seed},
            "along": [
                {"target_evaluations": n, "forward_kl": height / n} for n in (1000, 3000, 9995)
            ],
        }
        for (method, seed), height in curves.items()
    ]
    records[-1]["along"] = records[-1]["along"][1:]
    lines = along.along_table(records).splitlines()
    assert lines[0] == "| target evaluations | rKLD | FAB (w/ buffer) |"
    assert lines[2:] == [
        "| 1,000 | 0.004 | — |",
        "| 2,000 | 0.002 | — |",
        "| 5,000 | 0.0008 | 0.0002 |",
    ]
    assert along.along_table([{"experiment": {"method": "vegas", "seed": 1}}]) is None
