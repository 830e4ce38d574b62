"""The benchmark of several channels: its cards, its table."""

from __future__ import annotations

import importlib.util
import json

import pytest

from fabgen.card import card_of_process


@pytest.fixture(scope="module")
def benchmark(pytestconfig):
    path = pytestconfig.rootpath / "benchmarks" / "channels.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_channels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_process_has_a_card(benchmark):
    for process, settings, aims in benchmark.PROCESSES.values():
        card = card_of_process(process, [*benchmark.TRAINING, *settings])
        assert card.training.steps * card.training.batch_size < aims[2]


def test_rows_hold_means_over_seeds(benchmark):
    def record(seed, eps):
        return {
            **{"name": "www", "surrogate": "flow", "seed": seed, "integral": 0.123456789},
            **{"integral_error": 0.0004, "sampling_efficiency": eps},
            **{"unweighting_efficiency": 0.5, "training": {"training_seconds": 100.0 * seed}},
            "target_evaluations": {"training": 1000 * seed},
        }

    row = benchmark.line([record(1, 0.97), record(2, 0.99)])
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        *("www", "flow", "98.00 ± 1.41", "50.00 ± 0.00", "0.123457 +- 0.0004"),
        *("1,500", "100", "2"),
    ]
    assert len(cells) == len(benchmark.COLUMNS)


def test_runs_are_kept_line_by_line(benchmark, tmp_path):
    kept, out = tmp_path / "kept.jsonl", tmp_path / "out"
    assert benchmark.stored(out, kept) == {}
    old = {"www-flow-seed1": {"seed": 1, "integral": 0.1}, "www-flow-seed2": {"seed": 2}}
    benchmark.write_records(kept, old)
    assert len(kept.read_text().splitlines()) == 2
    own = out / "www-flow-seed1"
    own.mkdir(parents=True)
    record = {"seed": 1, "integral": 0.2, "files": [{"source": f"{out}/www/events.lhe"}, None]}
    (own / benchmark.RECORD).write_text(json.dumps(record))
    # the folder is this machine's own affair
    record["files"] = [{"source": "www/events.lhe"}, None]
    assert benchmark.stored(out, kept) == {**old, "www-flow-seed1": record}
