"""Functions that fresh points find little of: modes, and runs that train by FAB."""

from __future__ import annotations

import json
import types

import jax
import jax.numpy as jnp
import pytest

from fabgen import run
from fabgen.card import card_from_table
from fabgen.run.auto.modes import has_several_modes

SMALL = {
    "process": "toy:modes",
    "surrogate": {
        "layers": 2,
        "bins": 8,
        "hidden": [16],
        "vegas": {"iterations": 2, "evaluations": 1000, "bins": 8},
    },
    "training": {
        "batch_size": 128,
        "steps": 256,
        "fab": {"buffer_batches": 50, "buffer_minimum": 5},
        "auto": {"efficiency": 0.99},
    },
    "evaluation": {"samples": 20_000},
}


def two(u, apart):
    centre = 0.5 + jnp.asarray([-apart, apart])[:, None, None]
    return jax.nn.logsumexp(-0.5 * jnp.sum(((u - centre) / 0.05) ** 2, axis=-1), axis=0)


def hollow(u):
    radius = jnp.linalg.norm(u - 0.5, axis=-1)
    return -0.5 * ((radius - 0.4) / 0.02) ** 2


@pytest.mark.parametrize(
    ("log_f", "several"),
    [
        (lambda u: two(u, 0.0), False),
        (lambda u: two(u, 0.2), True),
        (hollow, True),
        (lambda u: jnp.where(u.sum(axis=-1) < 0.3, u[:, 0], -jnp.inf), False),
        (lambda u: jnp.full(u.shape[0], -jnp.inf), False),
        (lambda u: jnp.zeros(u.shape[0]), False),
    ],
)
def test_modes_have_valleys_between_them(log_f, several):
    session = types.SimpleNamespace(
        card=card_from_table(SMALL),
        integrand=types.SimpleNamespace(dim=3),
        block=16384,
        values=lambda u, channel: types.SimpleNamespace(log_f=jax.jit(log_f)(jnp.asarray(u))),
    )
    found, calls = has_several_modes(session)
    assert found == several
    assert calls in (16_384, 2 * 16_384)


def test_a_run_takes_fab_where_the_untrained_map_finds_little(tmp_path):
    table = SMALL | {"parameters": {"dim": 4}}
    told = run.train(card_from_table(table), tmp_path / "modes", run.RunOptions())
    auto = json.loads((tmp_path / "modes" / "auto.json").read_text())
    assert auto["candidates"]["uniform"]["sampling_efficiency"] < 1e-3
    assert (auto["method"], told["method"]) == ("fab", "fab")
    assert "trained by FAB, since the untrained map finds little of f" in auto["why"]
    assert told["gradient_evaluations"] == 0
    before = max(c["sampling_efficiency"] for c in auto["candidates"].values())
    assert auto["rounds"][-1]["measured"]["sampling_efficiency"] > 5.0 * before
    # The same again from what is stored.
    again = run.train(card_from_table(table), tmp_path / "modes", run.RunOptions())
    assert again["target_evaluations"] == told["target_evaluations"]

    wide = SMALL | {"parameters": {"dim": 2, "separation": 1.0}}
    auto = run.train(card_from_table(wide), tmp_path / "wide", run.RunOptions())["auto"]
    assert auto["candidates"]["uniform"]["sampling_efficiency"] > 0.01
    assert auto["method"] == "variance"
