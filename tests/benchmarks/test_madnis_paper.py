"""The settings and errors of the MadNIS comparison; its trainings take too long for a test."""

from __future__ import annotations

import sys

import jax
import pytest

from fabgen.build import build_integrand


@pytest.fixture(scope="module", autouse=True)
def benchmarks(root):
    sys.path.insert(0, str(root / "benchmarks"))
    yield
    sys.path.remove(str(root / "benchmarks"))


def test_every_row_is_a_card_with_a_name_of_its_own():
    from madnis.published import PUBLISHED
    from madnis.settings import card_of, experiments

    parts = {part: experiments(part, 2, 1.0) for part in ("camel", "ring", "buffered")}
    assert [len(found) for found in parts.values()] == [16, 28, 8]
    everything = {e.name: e for found in parts.values() for e in found}
    assert len(everything) == 16 + 28 + 8 - 4  # R = 1 is in the other parts, too
    for experiment in everything.values():
        card = card_of(experiment)
        integrand = build_integrand(card)
        assert integrand.n_channels == len((card.channels.maps or "left right").split())
    assert {(e.toy, e.row) for e in everything.values()} >= set(PUBLISHED)


def test_buffered_trainings_take_as_many_updates():
    from madnis.settings import Experiment, card_of

    one, five = (
        card_of(Experiment("crossed-ring", "ring, line", "spline", gain)).training
        for gain in (1, 5)
    )
    assert one.steps == 5 * five.steps == 50_000
    assert (one.madnis.buffer_gain, five.madnis.buffer_gain) == (1.0, 5.0)


def test_short_trainings_of_the_ring_have_larger_learning_rates():
    from madnis.settings import Experiment, card_of

    def rate(toy, row, fraction):
        return card_of(Experiment(toy, row, "affine", fraction=fraction)).training.learning_rate

    rates = [rate("crossed-ring", "ring, line", fraction) for fraction in (1.0, 0.2, 0.1, 0.02)]
    assert rates == pytest.approx([1e-3, 5e-3, 1e-2, 1e-2])
    assert rate("camel-back", "learned, flat prior", 0.1) == 1e-3


def test_errors_of_fixed_weights_are_those_of_quadrature():
    from madnis.runs import relative_errors
    from madnis.settings import Experiment, card_of

    from fabgen.run.surrogate import surrogate_of

    card = card_of(Experiment("camel-back", "optimal"))
    integrand = build_integrand(card)
    surrogate = surrogate_of(card, integrand)
    found = relative_errors(integrand, surrogate, surrogate.init(jax.random.key(0)), 1)
    assert found["equal"] == pytest.approx(0.773, abs=1e-3)
    assert found["optimal"] == pytest.approx(0.743, abs=1e-3)
    assert found["floor"] == pytest.approx(found["optimal"])  # all points are uniform anyway
    assert found["sampled"] == pytest.approx(0.773, abs=0.03)
    assert found["integral"] == pytest.approx(1.0, abs=1e-5)
