"""Points of the untrained map tell the weights that a surrogate would give them."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fabgen.build.toys import build_toy
from fabgen.card import card_of_process
from fabgen.compiler import Compiler
from fabgen.run import RunOptions, integrate
from fabgen.run.grids import trained_grids
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.samplers import samplers
from fabgen.run.session import Session
from fabgen.run.untrained import untrained_sampler
from fabgen.sampling.integrate import with_optimal_allocation

N_BLOCKS = 4


def session_of(floor, *settings):
    card = card_of_process("toy:crossed-ring", (f"evaluation.floor={floor}", *settings))
    return Session(card, None, build_toy(card), Silent(), Stopwatch(), Compiler())


def mean_and_error(values):
    return values.mean(), values.std() / np.sqrt(values.size)


@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("maps", ["flat", "ring line"])
def test_reference_and_surrogate_agree_on_every_share(maps, floor):
    """<(f/p) g(f/q)>_p = <(f/q) g(f/q)>_q for any function g of the weight."""
    session = session_of(floor, f'channels.maps="{maps}"')
    trained = trained_grids(session, store=False)
    (sampler,) = samplers(session, {trained.surrogate: trained.params}, floor)
    sampler, _ = with_optimal_allocation(sampler, 50_000, 5_000, jax.random.key(1))
    weights = np.concatenate([np.exp(sampler(jax.random.key(2), i).log_w) for i in range(N_BLOCKS)])
    reference = untrained_sampler(
        session, jax.random.key(3), trained.surrogate, trained.params, sampler.shares
    )
    told = [reference(jax.random.key(4), i).witness for i in range(N_BLOCKS)]
    parts, seen = (np.exp(np.concatenate(column)) for column in zip(*told, strict=True))
    for level in (0.0, *np.quantile(weights, [0.2, 0.5, 0.9])):
        a, error_a = mean_and_error(np.where(weights > level, weights, 0.0))
        b, error_b = mean_and_error(np.where((seen > level) & (parts > 0.0), parts, 0.0))
        assert abs(a - b) < 4.0 * np.hypot(error_a, error_b) + 1e-3


def test_a_run_warns_of_what_its_surrogate_misses(tmp_path, monkeypatch):
    """A grid that leaves a corner of the ring to one bin in a thousand."""
    import jax.numpy as jnp

    honest = trained_grids

    def narrow(session, *, store):
        import dataclasses

        found = honest(session, store=store)
        grid = np.linspace(0.45, 1.0, found.params.grid.shape[1])
        grid[0] = 0.0
        rows = jnp.asarray(np.stack([grid, np.linspace(0.0, 1.0, len(grid))]))
        params = found.params._replace(grid=rows, points=found.params.points.at[0::50].set(1e-3))
        return dataclasses.replace(found, params=params, figures={})

    card = card_of_process("toy:crossed-ring", ('channels.maps="flat"', "surrogate.kind=vegas"))
    good = integrate(card, tmp_path / "good", RunOptions(), vegas=True)
    assert good["warnings"] == []
    monkeypatch.setattr("fabgen.run.training.trained_grids", narrow)
    bad = integrate(card, tmp_path / "bad", RunOptions(), vegas=True)
    assert any("hardly draws points" in text for text in bad["warnings"])
    assert abs(bad["integral"] - 1.0) > 0.05
    assert bad["integral_error"] > 0.4 * abs(bad["integral"] - 1.0)
