"""Annealing in physics: other parameters of f at the start, the card's at the end."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.errors import FabgenError, InputError
from fabgen.integrand.density import DensityIntegrand
from fabgen.run.surrogate import annealed
from fabgen.training import Checkpointer, train
from fabgen.training.counters import Counters
from fabgen.training.deform import PROBES, Deformation, Path, farthest, path_of


class Peak(DensityIntegrand):
    """A Gaussian of the given width about 0.3, on the line."""

    dim = 1
    parameters = {"width": 0.02, "shift": 0.0}  # noqa: RUF012

    def log_density(self, u, parameters=None):
        values = self.parameters | dict(parameters or {})
        return -0.5 * ((u[:, 0] - 0.3 - values["shift"]) / values["width"]) ** 2


def options(toys, **changes):
    anneal = changes.pop("anneal", {"width": "x10"})
    return toys.options(steps=60, anneal=anneal, **changes)


def progress_along(toys, steps, part=0.5, anneal=None):
    """progress after each of so many steps with a fixed surrogate."""
    path = path_of(anneal or {"width": "x10"}, Peak(), part, steps)
    surrogate = toys.Kumaraswamy(1)
    params = surrogate.init(None)

    def step(carry, number):
        deformation, counters = path.advanced(
            Peak(), surrogate, params, *carry, number, jax.random.fold_in(jax.random.key(0), number)
        )
        return (deformation, counters), deformation

    start = Deformation.start(), Counters.zero()
    (_, counters), found = jax.jit(lambda: jax.lax.scan(step, start, jnp.arange(steps)))()
    return np.asarray(found.progress), np.asarray(found.oldest), counters


def test_a_long_training_gets_there_in_equal_steps(toys):
    progress, oldest, counters = progress_along(toys, 2000, anneal={"width": "x2"})
    np.testing.assert_allclose(progress[:999], np.arange(1, 1000) / 1000.0, rtol=1e-9)
    assert np.all(progress[1000:] == 1.0)
    # Evaluated on the way only, with derivatives.
    assert counters.target_evaluations == counters.gradient_evaluations == 1000 * PROBES
    assert np.all(np.diff(oldest) >= 0.0)
    assert np.all(oldest <= progress)
    assert np.all(oldest[1000:] == 1.0)


def test_a_short_training_takes_steps_that_keep_the_effective_size(toys):
    progress, _, _ = progress_along(toys, 40, part=0.05)
    steps = np.diff(progress, prepend=0.0)
    assert progress[1] < 1.0  # it would be there in two
    assert progress[36] == 1.0  # at 0.9 of the training at the latest
    assert np.all(steps >= 0.0)


def test_the_farthest_step_keeps_so_much_of_the_effective_size():
    slope = jnp.asarray(np.random.default_rng(0).normal(size=1000))
    for part in (0.5, 0.9):
        step = float(farthest(slope, part, jnp.asarray(10.0)))
        for by, holds in ((step, True), (step + 10.0 * 2.0**-11, False)):
            w = np.exp(by * np.asarray(slope))
            assert (w.sum() ** 2 / (w**2).sum() / 1000 >= part) == holds
    assert farthest(slope, 0.5, jnp.asarray(1e-3)) == 1e-3
    assert farthest(jnp.zeros(8), 0.9, jnp.asarray(0.3)) == 0.3


def test_parameters_go_in_equal_factors_or_in_equal_steps():
    path = Path({"width": (0.2, 0.02), "shift": (0.4, 0.0)}, 0.5, 100)
    half = path.at(Peak(), Deformation(jnp.asarray(0.5), jnp.asarray(0.0)))
    np.testing.assert_allclose(half.replaced["width"], np.sqrt(0.2 * 0.02))
    np.testing.assert_allclose(half.replaced["shift"], 0.2)
    assert (half.dim, half.deformation.progress) == (1, 0.5)
    u = np.linspace(0.1, 0.9, 5)[:, None]
    np.testing.assert_allclose(
        path.at(Peak(), Deformation(jnp.asarray(1.0), 0.0)).log_density(u),
        Peak().log_density(u),
        rtol=1e-12,
    )


@pytest.mark.parametrize("method", ["fab", "fab-nobuffer", "rkld", "variance-inverse"])
def test_every_method_ends_at_the_parameters_of_the_card(toys, method):
    fab = {"buffer_batches": 80}
    result = train(Peak(), toys.Kumaraswamy(1), options(toys, method=method, fab=fab))
    assert result.state.deformation.progress == 1.0
    # No batch has been evaluated for nothing: those of the steps, and the probes.
    filling = 2 if method == "fab" else 0
    on_the_way = (result.counters["target_evaluations"] - 64 * (60 + filling)) / PROBES
    assert 10 <= on_the_way <= 55
    u, _ = toys.Kumaraswamy(1).sample_and_log_prob(result.params, jax.random.key(0), 1000)
    assert np.mean(np.abs(np.asarray(u)[:, 0] - 0.3) < 0.3) > 0.8


def test_a_function_that_vanishes_everywhere_is_nothing_to_learn(toys):
    class Nothing(Peak):
        def log_density(self, u, parameters=None):
            return jnp.full(u.shape[0], -jnp.inf)

    with pytest.raises(FabgenError, match="nothing to learn"):
        train(Nothing(), toys.Kumaraswamy(1), options(toys, method="fab"))


def test_points_of_other_parameters_leave_the_buffer(toys):
    fab = {"buffer_batches": 80, "buffer_minimum": 5}
    memory = train(Peak(), toys.Kumaraswamy(1), options(toys, method="fab", fab=fab)).state.memory
    progress = np.asarray(memory.buffer.entries.progress)
    filled = np.asarray(memory.buffer.filled)
    assert np.all(progress[filled] == 1.0)
    assert np.sum(filled) < 64 * 60
    assert np.all(np.isneginf(np.asarray(memory.buffer.entries.log_w)[~filled]))


def test_a_killed_training_is_resumed_on_its_way(toys, tmp_path):
    given = options(toys, method="fab", checkpoint_every=7)
    whole = train(Peak(), toys.Kumaraswamy(1), given)
    store = Checkpointer(tmp_path / "surrogate")

    class Killed(Exception):
        pass

    def stop(record):
        if record.step == 20:
            raise Killed

    with pytest.raises(Killed):
        train(Peak(), toys.Kumaraswamy(1), given, checkpointer=store, on_log=stop)
    resumed = train(Peak(), toys.Kumaraswamy(1), given, checkpointer=store)
    assert resumed.resumed_step == 14
    for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(resumed.state), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("anneal", "key", "allowed"),
    [
        ({"wdith": 1.0}, "training.anneal.wdith", "width, shift"),
        ({"width": 0.02}, "training.anneal.width", "other than width = 0.02"),
        ({"shift": "x3"}, "training.anneal.shift", "other than shift = 0"),
    ],
)
def test_a_start_that_is_none_is_one_message(anneal, key, allowed):
    with pytest.raises(InputError) as error:
        path_of(anneal, Peak(), 0.5, 10)
    assert error.value.key == key
    assert allowed in error.value.allowed


TOPS = {"process": "e+ e- > t t~, t > w+ b, t~ > w- b~", "beams": {"energy": [500.0, 500.0]}}


def test_widths_that_no_map_follows_start_wider_with_fab():
    def anneal(mapping, **training):
        card = card_from_table(
            TOPS | {"phase_space": {"mapping": mapping}, "training": {"method": "fab", **training}}
        )
        return dict(annealed(card, build_integrand(card)).training.anneal)

    assert anneal("rambo") == {"WT": "x30"}
    assert anneal("rambo", anneal_widths=4.0, anneal={"WZ": 5.0}) == {"WT": "x4", "WZ": 5.0}
    assert anneal("rambo", anneal={"WT": 10.0}) == {"WT": 10.0}
    assert anneal("rambo", anneal_widths=1.0) == {}
    assert anneal("rambo", method="rkld") == {}
    assert anneal("channels") == {}
