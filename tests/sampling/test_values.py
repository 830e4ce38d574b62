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


@pytest.mark.parametrize("prior", ["densities", "invariants"])
@pytest.mark.parametrize(
    "processes", [["e+ e- > w+ w-"], ["u u~ > w+ w-", "d d~ > z z"]], ids=["one", "two"]
)
def test_programs_that_processes_share_give_the_same(processes, prior):
    """Maps and densities with the table of channels as an argument, of one component or two."""
    channels = {"use": "all", "prior": prior}
    table = {"beams": {"energy": [500.0, 300.0]}, "channels": channels}
    integrand = build_integrand(card_from_table({"process": processes, **table}))
    assert len(set(integrand.component_of_channel)) == len(processes)
    compiled = CompiledIntegrand(integrand, BLOCK)
    random = np.random.default_rng(2)
    u = random.random((BLOCK, integrand.dim))
    channel = random.integers(integrand.n_channels, size=BLOCK).astype(np.int32)
    values, point = compiled.values(u, channel), jax.jit(integrand.point)(u, channel)
    np.testing.assert_allclose(values.log_f, point.log_f + point.log_jacobian, rtol=1e-9)
    assert values.log_prior.shape == point.log_prior.shape
    np.testing.assert_allclose(values.log_prior, point.log_prior, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.exp(values.log_prior).sum(axis=0), 1.0)


def test_processes_of_one_kind_share_programs():
    """Word for word: what one has compiled, the other finds in the cache."""
    lowered = []
    for process, energy in ("e+ e- > w+ w-", 500.0), ("e+ e- > z z", 250.0):
        table = {"process": process, "beams": {"energy": [energy] * 2}, "channels": {"use": "all"}}
        integrand = build_integrand(card_from_table(table))
        programs = integrand.map_programs
        u = jax.ShapeDtypeStruct((BLOCK, integrand.dim), "float64")
        channel = jax.ShapeDtypeStruct((BLOCK,), "int32")
        lowered.append(jax.jit(programs.place).lower(u, channel, programs.arguments).as_text())
    assert lowered[0] == lowered[1]
