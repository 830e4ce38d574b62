"""Presets: tables of card keys that `preset = "..."` puts below those of the card itself.

Both hold the configuration of A. Kofler et al., Flow Annealed Importance Sampling Bootstrap meets
Differentiable Particle Physics (MLST 6 (2025) 025061), section 3 and appendix C: the decay
Lambda_c+ -> p K- pi+ in two dimensions and e+ e- -> t t~ in eight. What the appendix leaves open
(order of the couplings, precision) stays as fabgen has it; the buffer of 100 batches, at least 10
of them filled, and the weight clip of 10 are those of the authors' code. Where the number of
training steps depends on the method, so does the preset. The paper's validation sample is as large
as the one for training, so half of the events are kept for validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fabgen.card import toml
from fabgen.card.messages import did_you_mean, wrong_type
from fabgen.errors import InputError

Table = Mapping[str, Any]

_TRAINING = {
    "method": "fab",
    "batch_size": 1000,
    "learning_rate": 3e-4,
    "skip_factor": 20.0,
    "clip_factor": 20.0,
    "norm_window": 100,
    "path_gradient": False,
    "log_every": 100,
    "checkpoint_every": 1000,
}
_FAB = {
    "intermediate": 2,
    "hmc_moves": 1,
    "leapfrog_steps": 3,
    "target_acceptance": 0.65,
    "buffer_batches": 100,
    "buffer_minimum": 10,
    "weight_clip": 10.0,
}
_FLOW = {"kind": "flow", "boundary": 1e-5}

PRESETS: Mapping[str, Table] = {
    "fab-paper-2d": {
        "surrogate": {
            **_FLOW,
            "layers": 10,
            "bins": 10,
            "hidden": [100, 100],
            "vegas": {
                "warmup_iterations": 2,
                "warmup_evaluations": 1000,
                "iterations": 8,
                "evaluations": 200_000,
                "bins": 64,
                "alpha": 0.5,
            },
        },
        "training": {
            **_TRAINING,
            "steps": 3000,
            "schedule": "constant",
            "fab": {**_FAB, "step_size": 0.05, "updates": 4},
            "fkld": {"events": 20_000, "validation": 0.5, "epochs": 20},
        },
        "evaluation": {"samples": 10_000, "along_training": 20, "along_samples": 10_000},
    },
    "fab-paper-8d": {
        "phase_space": {"mapping": "rambo", "bw_cutoff": float("inf")},
        "surrogate": {
            **_FLOW,
            "layers": 14,
            "bins": 14,
            "hidden": [400, 400],
            "vegas": {
                "warmup_iterations": 2,
                "warmup_evaluations": 10_000,
                "iterations": 8,
                "evaluations": 100_000,
                "bins": 128,
                "alpha": 0.5,
            },
        },
        "training": {
            **_TRAINING,
            "steps": 10**7,
            "schedule": "warmup-cosine",
            "warmup_steps": 1000,
            "initial_rate": 1e-5,
            "final_rate": 1e-5,
            "fab": {**_FAB, "step_size": 0.005, "updates": 2},
            "fkld": {"events": 2_000_000, "validation": 0.5, "epochs": 200},
        },
        "evaluation": {"samples": 1_000_000, "along_training": 20, "along_samples": 1_000_000},
    },
}

#: What the preset says instead where training.method is one of these.
_BY_METHOD: Mapping[str, Mapping[str, Table]] = {
    "fab-paper-2d": {
        "rkld": {"training": {"steps": 30_000}},
        "fkld": {"training": {"steps": 0}},
    },
    "fab-paper-8d": {
        "rkld": {"training": {"steps": 10**8}},
        "fkld": {"training": {"steps": 0, "warmup_steps": 0, "fkld": {"warmup_epochs": 10}}},
    },
}


def apply_preset(table: Table) -> dict[str, Any]:
    """The card's table on top of the preset that it names. Raises InputError for an unknown one."""
    rest = {key: value for key, value in table.items() if key != "preset"}
    if "preset" not in table:
        return rest
    name = table["preset"]
    known = ", ".join(toml.string(known) for known in PRESETS)
    if not isinstance(name, str):
        raise wrong_type("preset", name, f"one of: {known}")
    if name not in PRESETS:
        raise InputError(
            "unknown preset",
            key="preset",
            found=toml.value(name),
            allowed=f"one of: {known}",
            hint=did_you_mean(name, PRESETS),
        )
    training = rest.get("training")
    method = training.get("method") if isinstance(training, Mapping) else None
    own = _BY_METHOD[name].get(method, {}) if isinstance(method, str) else {}
    return _over(_over(PRESETS[name], own), rest)


def _over(below: Table, above: Table) -> dict[str, Any]:
    """The entries of both tables; where they share a key, those of `above`, table by table."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = _over(under, value) if both else value  # type: ignore[arg-type]
    return merged
