"""What is lowered for a GPU, which needs none: all events at once, no loop over blocks of them."""

from __future__ import annotations

import re

import jax
import jax.export
import jax.numpy as jnp
import pytest

from fabgen.blocks import traced_for
from fabgen.build import build_integrand
from fabgen.card import card_from_table

EVENTS = 2048
PROCESSES = {
    "ladders in cuts": ("g g > t t~ g", {"ptj": 20.0, "etaj": 5.0}),
    "decays": ("e+ e- > z h", {}),
}


def loops(function, *like):
    """The loops of a function lowered for CUDA."""
    with traced_for("cuda"):
        exported = jax.export.export(jax.jit(function), platforms=["cuda"])(*like)
    return re.findall(r"stablehlo\.while", exported.mlir_module())


@pytest.fixture(scope="module", params=PROCESSES)
def integrand(request):
    process, cuts = PROCESSES[request.param]
    table = {"beams": {"energy": [500.0, 500.0]}, "channels": {"use": "all"}, "cuts": cuts}
    return build_integrand(card_from_table({"process": process, **table}))


def test_maps_have_no_loop(integrand):
    programs = integrand.map_programs
    u = jax.ShapeDtypeStruct((EVENTS, integrand.dim), "float64")
    channel = jax.ShapeDtypeStruct((EVENTS,), "int32")
    assert not loops(programs.place, u, channel, programs.arguments)


def test_matrix_elements_have_no_loop(integrand):
    programs = integrand.map_programs
    u, channel = jnp.zeros((EVENTS, integrand.dim)), jnp.zeros(EVENTS, jnp.int32)
    points = jax.eval_shape(programs.place, u, channel, programs.arguments)
    logs = jax.eval_shape(programs.densities, points, programs.arguments)
    found = loops(integrand.evaluate_with, points, logs)
    assert not found


def test_densities_loop_over_channels_alone(integrand):
    programs = integrand.map_programs
    u, channel = jnp.zeros((EVENTS, integrand.dim)), jnp.zeros(EVENTS, jnp.int32)
    points = jax.eval_shape(programs.place, u, channel, programs.arguments)
    found = loops(programs.densities, points, programs.arguments)
    assert len(found) == 1


def test_events_have_no_loop(integrand):
    points = jax.eval_shape(
        integrand.map, jnp.zeros((EVENTS, integrand.dim)), jnp.zeros(EVENTS, jnp.int32)
    )
    key = jax.eval_shape(jax.random.key, 0)
    assert not loops(integrand.draw, points, key)
