"""A run that was made before is made again without tracing anything."""

from __future__ import annotations

import jax
import pytest
from jax import export

from fabgen import run
from fabgen.card import card_from_table
from fabgen.integrand import maps, process

SMALL = {
    "process": "e+ e- > mu+ mu-",
    "beams": {"energy": [250.0, 250.0]},
    "evaluation": {"samples": 1000},
    "generation": {"events": 100},
}
SETTINGS = {
    "chosen": {},
    "trained": {
        "channels": {"use": "all"},
        "surrogate": {"kind": "flow", "layers": 2, "hidden": [8], "bins": 4},
        "training": {"method": "variance", "steps": 2, "batch_size": 64},
    },
}


@pytest.fixture
def cache(tmp_path):
    yield tmp_path / "jax"
    jax.config.update("jax_compilation_cache_dir", None)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_second_run_traces_nothing(settings, tmp_path, cache, monkeypatch):
    card, how = card_from_table({**SMALL, **settings}), run.RunOptions(compilation_cache=cache)
    run.generate(card, tmp_path / "first", how)

    def fail(*arguments, **options):
        raise AssertionError("something is traced")

    monkeypatch.setattr(maps, "forward", fail)
    monkeypatch.setattr(process, "over_components", fail)
    monkeypatch.setattr(export, "export", fail)
    run.generate(card, tmp_path / "second", how)
    first, second = (tmp_path / name / "events.lhe.gz" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
