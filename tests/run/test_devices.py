"""Runs on devices that take all events at once, in blocks as large as their memory allows."""

from __future__ import annotations

import math

import pytest

from fabgen import run
from fabgen.blocks import traced_for
from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.events.reader import read_lhe
from fabgen.sampling import values
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.sampling.values import block_of

#: In pb, of other programs.
EXPECTED, ERROR = 0.104262, 5e-6
CARD = card_from_table({
    "process": "e+ e- > mu+ mu-",
    "beams": {"energy": [500.0, 500.0]},
    "cuts": {"ptl": 10.0, "etal": 2.5, "drll": 0.4},
    "evaluation": {"samples": 50_000},
    "generation": {"events": 500},
})  # fmt: skip


@pytest.mark.parametrize("log_memory", [20, 26, 30, 40])
def test_blocks_fit_into_a_share_of_the_memory(log_memory, monkeypatch):
    integrand = build_integrand(CARD)
    assert block_of(integrand) == DEFAULT_BLOCK
    monkeypatch.setattr(values, "_MEMORY", 2**log_memory)
    with traced_for("cuda"):
        block = block_of(integrand)
    assert block.bit_count() == 1 and 2**12 <= block <= 2**17
    taken = block * integrand.bytes_per_point
    assert taken <= 2**log_memory / 4 or block == 2**12
    assert 2 * taken > 2**log_memory / 4 or block == 2**17


def test_larger_processes_get_smaller_blocks():
    small, large = (
        build_integrand(card_from_table({"process": process, "cuts": {"ptj": 20.0}}))
        for process in ("g g > t t~", "g g > t t~ g")
    )
    assert large.bytes_per_point > 2 * small.bytes_per_point


def test_a_run_in_blocks_of_another_size(tmp_path, monkeypatch):
    """All that draws, evaluates and writes takes the size of the session."""
    monkeypatch.setattr(values, "_MEMORY", 2**20)
    with traced_for("cuda"):
        assert block_of(build_integrand(CARD)) == 2**12
        report = run.generate(CARD, tmp_path / "run")
    assert report["target_evaluations"]["evaluation"] % 2**14
    error = math.hypot(report["integral_error"], ERROR)
    assert error < 1e-3 * EXPECTED
    assert abs(report["integral"] - EXPECTED) < 4.0 * error
    assert len(read_lhe(tmp_path / "run" / "events.lhe.gz").momenta) == 500
