"""The divergence on exact events, of densities that are known."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.compiler import Compiler
from fabgen.run.exact_events import exact_divergences
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.session import Session
from fabgen.sampling.sampler import DEFAULT_BLOCK


class Constant:
    """A density whose logarithm is its parameter."""

    def log_prob(self, params, u):
        return jnp.full(u.shape[0], params)


def session_of(process, **parameters):
    table = {"process": process, "parameters": parameters}
    card = card_from_table(table | {"channels": {"maps": "flat"}})
    return Session(card, None, build_integrand(card), Silent(), Stopwatch(), Compiler())


KNOWN = Constant()
SESSION = session_of("toy:ridge", dim=2, width=0.05)
#: Mean of log f: minus the entropy of a normal distribution.
MEAN = -0.5 * math.log(2 * math.pi * math.e) - math.log(0.05)


def divergence(log_q, n=20_000, floor=0.0):
    (found,), calls = exact_divergences(SESSION, {KNOWN: log_q}, n, jax.random.key(5), floor)
    return found, calls


@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_a_known_divergence(floor):
    found, calls = divergence(-5.0, floor=floor)
    log_q = math.log((1.0 - floor) * math.exp(-5.0) + floor)
    assert found.value == pytest.approx(MEAN - log_q, abs=5 * found.error)
    # log f is half the square of a normal variable, whose variance is 1/2.
    assert found.error == pytest.approx(math.sqrt(0.5 / 20_000), rel=0.05)
    assert calls == 2 * DEFAULT_BLOCK


def test_all_blocks_have_events_of_their_own():
    one, calls = divergence(0.0, DEFAULT_BLOCK)
    assert calls == DEFAULT_BLOCK
    two, _ = divergence(0.0, 2 * DEFAULT_BLOCK)
    assert 0.0 < abs(two.value - one.value) < 5 * one.error
    assert divergence(0.0, DEFAULT_BLOCK)[0] == one


def test_several_densities_share_the_events():
    other = Constant()
    both = {KNOWN: 0.0, other: -1.0}
    (first, second), calls = exact_divergences(SESSION, both, 1000, jax.random.key(5))
    assert second.value - first.value == pytest.approx(1.0, rel=1e-12)
    assert calls == DEFAULT_BLOCK


def test_a_density_without_some_of_the_events_is_infinitely_far():
    found, _ = divergence(-np.inf)
    assert found.value == math.inf and math.isnan(found.error)


def test_others_have_none():
    camel = session_of("toy:camel-back")
    assert exact_divergences(camel, {KNOWN: 0.0}, 1000, jax.random.key(5)) == ([], 0)
