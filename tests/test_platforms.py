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
from fabgen.run.surrogate import surrogate_of
from fabgen.training.loop import make_trainer

EVENTS = 2048
PROCESSES = {
    "ladders in cuts": ("g g > t t~ g", {"ptj": 20.0, "etaj": 5.0}),
    "decays": ("e+ e- > z h", {}),
}


def loops(function, *like, platform="cuda"):
    """The turns of the loops of a function lowered for a platform, "" where they are not known."""
    with traced_for(platform):
        exported = jax.export.export(jax.jit(function), platforms=[platform])(*like)
    conditions = re.findall(r"stablehlo\.while(.*?) do \{", exported.mlir_module(), re.DOTALL)
    return [(re.findall(r"dense<(\d+)>", condition) or [""])[-1] for condition in conditions]


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


TRAININGS = {
    "fab": {"method": "fab", "fab": {"intermediate": 1}},
    "rkld": {"method": "rkld"},
    "variance": {"method": "variance", "madnis": {"buffer_gain": 2.0}},
}


def loops_of_step(training, platform, batch):
    """Of a step of a training, its buffer and its chains included."""
    table = {
        "process": "e+ e- > w+ w-",
        "beams": {"energy": [500.0, 500.0]},
        "channels": {"use": "all" if training["method"] == "variance" else "one"},
        "training": {**training, "batch_size": batch},
        "surrogate": {"kind": "flow", "layers": 2, "bins": 4, "hidden": [8]},
    }
    card = card_from_table(table)
    integrand = build_integrand(card)
    with traced_for(platform):
        trainer = make_trainer(integrand, surrogate_of(card, integrand), card.training)
        state = jax.eval_shape(trainer.init, 0)
        return loops(trainer.step, state, platform=platform)


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_the_loops_of_trainings_do_not_depend_on_events(training):
    """They turn over updates, chains and channels: as often for thirty times the events."""
    assert loops_of_step(training, "cuda", 64) == loops_of_step(training, "cuda", 2048)


def test_on_cpus_some_do():
    training = TRAININGS["variance"]
    assert loops_of_step(training, "cpu", 64) != loops_of_step(training, "cpu", 2048)
