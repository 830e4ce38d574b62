"""f in blocks of one size is f."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.sampling.values import CompiledIntegrand

BLOCK = 64


@pytest.mark.parametrize("maps", ["flat", "left right flat"])
def test_compiled_values_are_those_of_the_integrand(maps):
    card = card_from_table({"process": "toy:camel-back", "channels": {"maps": maps}})
    integrand = build_integrand(card)
    compiled = CompiledIntegrand(integrand, BLOCK)
    assert not compiled.is_compiled
    compiled.compile()
    assert compiled.is_compiled
    random = np.random.default_rng(1)
    u = random.random((BLOCK, 1))
    u[:2] = [[-0.1], [1.1]]
    channel = random.integers(integrand.n_channels, size=BLOCK).astype(np.int32)
    values = compiled.values(u, channel)
    point = jax.jit(integrand.point)(u, channel)
    np.testing.assert_allclose(values.log_f, point.log_f + point.log_jacobian, rtol=1e-12)
    assert np.all(np.isneginf(values.log_f[:2]))
    np.testing.assert_array_equal(values.sign, np.ones(BLOCK))
    np.testing.assert_allclose(values.log_prior, point.log_prior, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(values.features, point.features, rtol=1e-12)
    placed = compiled.map(u, channel)
    np.testing.assert_allclose(placed.final, jax.jit(integrand.map)(u, channel).final, rtol=1e-12)
    np.testing.assert_array_equal(placed.channel, channel)
