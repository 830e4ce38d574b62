"""The benchmark of all methods at equal evaluations: budgets, and the table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def wins():
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("fab_wins", FOLDER / "fab_wins.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


@pytest.mark.parametrize("budget", [10**5, 3 * 10**5, 10**6, 10**7])
def test_no_training_takes_more_than_its_budget(wins, budget):
    for problem in wins.PROBLEMS:
        for method in wins.METHODS:
            card = wins.card_of(problem, method, budget, 2)
            training, vegas = card.training, card.surrogate.vegas
            assert training.seed == 2
            if method == "vegas":
                assert card.surrogate.kind == "vegas"
                assert vegas.iterations * vegas.evaluations <= budget
                continue
            fab = training.fab
            each, filling = training.batch_size, 0
            if training.method == "fab":
                each *= 1 + fab.intermediate * fab.hmc_moves * fab.leapfrog_steps
                filling = fab.buffer_minimum
            grids = 0
            if method in ("variance", "kl") or ("fab" in method and "channels" in problem):
                grids = vegas.iterations * vegas.evaluations
            spent = grids + (training.steps + filling) * each
            assert 0.9 * budget < spent <= budget, (problem, method)


def test_the_published_form_is_that_of_the_paper(wins):
    fab = wins.card_of("modes-8d", "fab-published", 10**6, 1).training.fab
    assert (fab.intermediate, fab.leapfrog_steps, fab.tempered, fab.even_draws) == (2, 3, False, 0)
    training = wins.card_of("tops-rambo", "fab-published", 10**6, 1).training
    assert (training.anneal_widths, training.fab.step_size) == (1.0, 0.005)
    now = wins.card_of("tops-rambo", "fab", 10**6, 1).training
    assert (now.anneal_widths, now.fab.intermediate) == (30.0, 0)


def record(seed, kl, **more):
    return {
        "problem": "modes-8d",
        "method": "fab",
        "budget": 300_000,
        "seed": seed,
        "kl": kl,
        "sampling_efficiency": 0.5,
        "cpu_seconds": 10.0,
        "date": "2026-01-01",
        "jax": "0",
        "cores": 2,
        "evaluation_samples": 10,
    } | more


def test_the_table_has_medians_with_their_range(wins):
    text = wins.document([record(1, 0.2), record(2, 11.0), record(3, 0.3)])
    row = "| modes-8d | 300,000 | FAB, as it is now | 0.3 [0.2, 11] | 50 [50, 50] | 10 | 3 |"
    assert row in text.splitlines()
    one = record(1, 0.2, problem="www-channels")
    del one["kl"]
    text = wins.document([one])
    assert "| www-channels | 300,000 | FAB, as it is now | — | 50 | 10 | 1 |" in text
    assert "| modes" not in text
