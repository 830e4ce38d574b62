"""Fingerprints: the same in every process, different for whatever differs."""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import fingerprint as module
from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.dispatch import dispatch
from fabgen.fingerprint import UnknownParts, fingerprint
from fabgen.numerics import safe_log
from fabgen.sampling.sampler import weights
from fabgen.surrogate import build_surrogate
from fabgen.surrogate.channels import as_multichannel
from fabgen.surrogate.uniform import Uniform
from fabgen.training.loop import make_trainer

TABLE = {
    "process": "e+ e- > w+ w-",
    "beams": {"energy": [500.0, 300.0]},
    "channels": {"use": "all"},
}


def integrand(**changed):
    return build_integrand(card_from_table({**TABLE, **changed}))


def other(**changed):
    """The fingerprint of f after a change of its card."""
    return fingerprint(integrand(**changed).evaluate_with)


@pytest.fixture(scope="module")
def of_f():
    return other()


def test_every_process_has_the_same(root):
    """Whatever order its sets have. (Checks of shapes change the code of the one that tests.)"""
    program = (
        "from fabgen.build import build_integrand; from fabgen.card import card_from_table;"
        "from fabgen.fingerprint import fingerprint;"
        f"print(fingerprint(build_integrand(card_from_table({TABLE!r})).evaluate_with))"
    )
    told = set()
    for seed in "1", "2":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", program]
        told.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(told) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"process": "e+ e- > z z"},
        {"beams": {"energy": [500.0, 300.1]}},
        {"parameters": {"MZ": 91.2}},
        {"scales": {"renormalization": 100.0}},
        {"channels": {"use": "all", "prior": "diagrams"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_integrand_has_another(changed, of_f):
    assert other(**changed) != of_f


def test_another_cut_has_another():
    processes = "e+ e- > mu+ mu-", "e+ e- > w+ w-, w+ > e+ ve"
    for process, table, first, second in (
        (processes[0], "cuts", {"drll": 0.4}, {"drll": 0.5}),
        (processes[1], "phase_space", {"bw_cutoff": 15.0}, {"bw_cutoff": 14.0}),
    ):
        assert other(process=process, **{table: first}) != other(process=process, **{table: second})


def test_parts_of_functions_count():
    grid, wider = (as_multichannel(build_surrogate(2, options)) for options in surrogates())
    assert fingerprint(weights(grid)) == fingerprint(weights(grid))
    assert fingerprint(weights(grid)) != fingerprint(weights(wider))
    assert fingerprint(weights(grid)) != fingerprint(grid.log_alpha)


def surrogates():
    table = {**TABLE, "surrogate": {"kind": "flow"}}
    options = card_from_table(table).surrogate
    return options, dataclasses.replace(options, bins=options.bins + 1)


PARTS = {
    "another value": [functools.partial(dispatch, block=1), functools.partial(dispatch, block=2)],
    "another name": [functools.partial(dispatch, block=1), functools.partial(dispatch, n=1)],
    "bool or int": [1, True],
    "int or float": [1, 1.0],
    "sign of zero": [0.0, -0.0],
    "order": [(1, 2), (2, 1)],
    "nesting": [((1,), 2), ((1, 2),)],
    "keys": [{"a": 1}, {"b": 1}],
    "tuple or list": [(1,), [1]],
    "an element": [np.array([1.0, 2.0]), np.array([1.0, np.nextafter(2.0, 3.0)])],
    "a shape": [np.zeros((2, 3)), np.zeros((3, 2))],
    "a type": [np.zeros(2, "int32"), np.zeros(2, "float32")],
    "shapes": [jax.ShapeDtypeStruct((2,), "float64"), jax.ShapeDtypeStruct((3,), "float64")],
    "a key": [jax.random.key(1), jax.random.key(2)],
    "NumPy or JAX": [np.ones(2), jnp.ones(2)],
    "a member": [frozenset("ab"), frozenset("ac")],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_whatever_differs_has_another(parts):
    first, second = parts
    assert fingerprint(first) == fingerprint(first)
    assert fingerprint(first) != fingerprint(second)


def test_what_contains_itself():
    first, second = [1], [2]
    first.append(first)
    second.append(second)
    assert fingerprint(first) != fingerprint(second)


def test_trainings_have_fingerprints():
    """With all that an optimizer is made of."""
    made = []
    for rate in 1e-3, 2e-3:
        card = card_from_table(
            {
                **TABLE,
                "channels": {"use": "one"},
                "training": {"method": "fab", "learning_rate": rate},
            }
        )
        f = build_integrand(card)
        trainer = make_trainer(f, build_surrogate(f.dim, card.surrogate), card.training)
        made.append(fingerprint(trainer.advance))
    assert made[0] != made[1]


def test_maps_of_other_processes_have_the_same():
    """Their numbers are arguments."""
    programs = (integrand(), integrand(process="e+ e- > z z", beams={"energy": [250.0, 250.0]}))
    assert len({fingerprint(f.map_programs.place) for f in programs}) == 1
    assert len({fingerprint(f.map_programs.densities) for f in programs}) == 1


def test_other_versions_have_others(monkeypatch):
    before = fingerprint(safe_log)
    monkeypatch.setattr(module, "_versions", lambda: "of another day")
    assert fingerprint(safe_log) != before


def test_the_code_of_others_is_unknown():
    """Nothing tells whether what it calls is still the same."""
    with pytest.raises(UnknownParts, match="_others"):
        fingerprint(lambda x: x)
    with pytest.raises(UnknownParts):
        fingerprint(object())
    with pytest.raises(UnknownParts):
        fingerprint(np.array([object()]))


def test_classes_of_others_are_unknown():
    """Whatever they are, and also with another's function in one of fabgen's."""

    @dataclasses.dataclass
    class Own:
        x: float = 1.0

    class Pair(NamedTuple):
        x: float = 1.0

    for part in Own(), Pair(), type("List", (list,), {})():
        with pytest.raises(UnknownParts):
            fingerprint(part)


def test_patched_classes_are_unknown(monkeypatch):
    surrogate = Uniform(2)
    fingerprint(surrogate.log_prob)
    monkeypatch.setattr(Uniform, "sample_and_log_prob", lambda self, params, key, n: None)
    with pytest.raises(UnknownParts):
        fingerprint(surrogate.log_prob)


def test_traced_arrays_are_unknown():
    def inside(x):
        with pytest.raises(UnknownParts):
            fingerprint(x)
        return x

    jax.jit(inside)(jnp.ones(2))
