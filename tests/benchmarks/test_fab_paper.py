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

from paper import along, report, settings, table
from paper.published import INTEGRALS, METHODS, PUBLISHED, USUAL
from paper.seeds import equal_seeds

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
        "versions": {"fabgen": "0.1.0"},
        "device": "cpu, 2 cores",
        "date": "2026-01-01",
    }


def rows_of(text: str) -> dict[tuple[str, ...], list[str]]:
    """The rows of a Markdown table by their first two cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {tuple(row[:2]): row[2:] for row in cells}


def test_the_table_has_median_and_range_beside_the_papers_numbers():
    rows = rows_of(table.table([record("fab", n, 0.99 + 0.001 * n**2) for n in (1, 2, 3)]))
    own = rows["FAB (w/ buffer)", "fabgen"]
    assert own[2] == "99.40 [99.10, 99.90]"
    assert own[3] == "8922.0 [8921.0, 8923.0] (1.5)"
    assert own[6:] == ["999,000", "3"]
    paper = rows["FAB (w/ buffer)", "paper"]
    assert paper[0] == "9.0988 ± 0.0005"
    assert float(paper[1]) == pytest.approx(9.0988 - math.log(INTEGRALS[2]), abs=1e-4)
    assert ("VEGAS+", "fabgen") not in rows  # not run


def diverging(seed: int) -> dict:
    """A training of rKLD whose third seed has gone astray."""
    found = record("rkld", seed, 0.5)
    found["metrics"]["forward_kl"] = {1: 0.7, 2: 0.8, 3: 11.2}[seed]
    return found


def test_one_diverged_training_does_not_move_the_row():
    row = rows_of(table.table([diverging(seed) for seed in (1, 2, 3)]))["rKLD", "fabgen"]
    assert row[1] == "0.8000 [0.7000, 11.2000]"
    assert table.cell([0.7]) == "0.70"
    assert table.cell([0.7, 0.7]) == "0.70 [0.70, 0.70]"
    assert table.cell([]) == table.cell([float("nan"), 1.0]) == "—"


def named(records: list[dict]) -> set[tuple[str, int]]:
    return {(r["experiment"]["method"], r["experiment"]["seed"]) for r in records}


def test_a_table_has_the_seeds_that_all_its_methods_have():
    runs = [("vegas", (1, 2)), ("rkld", (1, 2, 3)), ("fab", (2, 1)), ("fab-updates", (1,))]
    records = [record(method, seed, 0.5) for method, seeds in runs for seed in seeds]
    chosen, further = equal_seeds(records)
    assert named(chosen) == {(m, s) for m in ("vegas", "rkld", "fab") for s in (1, 2)}
    # The paper has no row of FAB with more updates: it does not take seeds away from the others.
    assert named(further) == {("rkld", 3), ("fab-updates", 1)}
    more = [record("fab-updates", 2, 0.5), {**record("fab", 3, 0.0), "failed": "diverged"}]
    chosen, further = equal_seeds([*records, *more])
    assert ("fab-updates", 1) in named(chosen)
    assert named(further) == {("rkld", 3), ("fab", 3)}
    alone = [record("fab-updates", 1, 0.5)]
    assert equal_seeds(alone) == (alone, [])


def test_further_seeds_are_listed_below_the_table():
    records = [record("fab", seed, 0.99) for seed in (1, 2)]
    records += [diverging(seed) for seed in (1, 2, 3)]
    section = report.section_of((2, "dalitz", "paper", 10**6), records)
    assert "--seeds 2" in section
    assert "Seeds 1, 2;" in section
    assert rows_of(section)["rKLD", "fabgen"][1] == "0.7500 [0.7000, 0.8000]"
    head, _, below = section.partition("\nFurther seeds")
    assert "median [smallest, largest]" in head
    assert "- rKLD, seed 3: KL 11.2, " in below
    assert below.count("\n- ") == 1
    assert "Further seeds" not in report.section_of((2, "dalitz", "paper", 10**6), records[:2])


def test_divergences_along_trainings_are_those_of_the_same_seeds():
    records = [record("fab", 1, 0.99), diverging(1), diverging(3)]
    for r, kl in zip(records, (0.1, 0.2, 9.0), strict=True):
        r["along"] = [{"target_evaluations": n, "forward_kl": kl} for n in (1000, 2000)]
    _, found = report.rows_along(2, records)
    assert found.splitlines()[2] == "| 1,000 | 0.2 | 0.1 |"
    assert report.rows_along(2, [record("vegas", 1, 0.5)]) == []


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
    """Power laws at round numbers: medians over the seeds, nothing beyond the last step."""
    curves = {("rkld", 1): 2.0, ("rkld", 2): 800.0, ("rkld", 3): 4.0, ("fab", 1): 1.0}
    records = [
        {
            "experiment": {"method": method, "seed": seed},
            "along": [
                {"target_evaluations": n, "forward_kl": height / n} for n in (1000, 3000, 9995)
            ],
            "metrics": {"forward_kl": height / 5000},
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
        "| final state, as in the table above | 0.0008 | 0.0002 |",
    ]
    failed = {"experiment": {"method": "rkld", "seed": 4}, "failed": "diverged"}
    assert along.along_table([*records, failed]).splitlines() == lines
    assert along.along_table([{"experiment": {"method": "vegas", "seed": 1}}]) is None
