"""The configurations of the FAB paper: as its text has them, and as its authors' code has them.

Text: A. Kofler et al., Flow Annealed Importance Sampling Bootstrap meets Differentiable Particle
Physics (MLST 6 (2025) 025061), section 3 and appendix C: the decay Lambda_c+ -> p K- pi+ in two
dimensions and e+ e- -> t t~ in eight. Code: github.com/annalena-k/FAB-meets-diffME at 5c30034
(paper_experiments/*, examples/example_normalizing_flow.py, FABdiffME/flow), and what it is built
on, github.com/lollcat/fab-jax at c9f9913 (fabjax/utils/optimize.py, fabjax/train).

`fab-paper-2d`, `fab-paper-8d` follow the text. With clips and skips both at 20 x the median norm
the clip never acts. What the text leaves open is that of the code (boundary, buffer, weight clip),
but for the flow, which is fabgen's. As many events as for training are kept for validation.

`fab-authors-2d`, `fab-authors-8d` follow the code where it differs from the text:

- Gradients are clipped at 2 x the median: fab-jax's default, which no experiment changes.
- The schedule (8D) is counted in gradient updates. FAB with buffer takes two in an iteration: its
  warm-up ends after 500 iterations, its cosine in the middle of the training.
- rKLD in 8D starts at the peak rate, no warm-up; its cosine ends after 10^7 of 10^8 iterations.
- fKLD in 8D warms up in 10 updates, not epochs, and its cosine ends after 100 of 200,000: almost
  all of the training has the rate 10^-5. (The code asks for a schedule as long as the epochs, which
  are 200 there as in the text: the file is not quite the one of the paper's run.)
- fKLD ends with the last parameters, not with the best in validation.
- Networks are float64, which the text does not mention.
- The boundary of the 2D file is not handed to its target. There, efficiencies along the training
  are those of 1000 points.

What no preset can follow, the code first:

- Masks: odd and even coordinates in turn; here permutation = "log", in 2D the same.
- Networks: relu, of all coordinates with the transformed ones set to zero; here gelu, of the
  conditioning ones with their sines and cosines (`conditioner.apply_conditioner`).
- Knots: evenly spaced at the start, bins and slopes at least 10^-4 (distrax); here finer close to
  the faces of the cube, at least 10^-3 (`spline.identity_with_fine_ends`).
- Boundary: f of a point beyond it is that of the nearest one inside; here the flow ends there.
- HMC: chains that leave the cube go back to where they were, step sizes change by factors of 1.02;
  here faces reflect, and step sizes follow the acceptance (`hmc`).
- Buffer: the batches of an iteration are drawn, and their weights adjusted, all at once; here one
  by one (`buffer.draw`).
- Clips and skips begin after a third of the window; here after the first gradient.
- fKLD: every epoch has the same order; here a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]


def over(below: Table, above: Table) -> dict[str, Any]:
    """The entries of both tables; where they share a key, those of `above`, table by table."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = over(under, value) if both else value  # type: ignore[arg-type]
    return merged


_TRAINING = {
    "method": "fab",
    "batch_size": 1000,
    "learning_rate": 3e-4,
    "skip_factor": 20.0,
    "clip_factor": 20.0,
    "norm_window": 100,
    "path_gradient": False,
    "anneal_widths": 1.0,
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
    "fresh_loss": "none",
    "tempered": False,
    "even_draws": 0.0,
}
_FLOW = {"kind": "flow", "boundary": 1e-5}

_PAPER: Mapping[str, Table] = {
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

#: What the code has instead, in both dimensions.
_AUTHORS: Table = {"surrogate": {"precision": "float64"}, "training": {"clip_factor": 2.0}}

PRESETS: Mapping[str, Table] = {
    **_PAPER,
    "fab-authors-2d": over(
        over(_PAPER["fab-paper-2d"], _AUTHORS),
        {
            "surrogate": {"boundary": 0.0},
            "training": {"fkld": {"events": 10_000, "validation": 0.0}},
            "evaluation": {"along_samples": 1000},
        },
    ),
    "fab-authors-8d": over(
        over(_PAPER["fab-paper-8d"], _AUTHORS),
        {
            "training": {
                "schedule_updates": 10**7,
                "fkld": {"events": 1_000_000, "validation": 0.0},
            },
        },
    ),
}

#: What a preset says instead where training.method is one of these.
BY_METHOD: Mapping[str, Mapping[str, Table]] = {
    "fab-paper-2d": {
        "rkld": {"training": {"steps": 30_000}},
        "fkld": {"training": {"steps": 0}},
    },
    "fab-paper-8d": {
        "rkld": {"training": {"steps": 10**8}},
        "fkld": {"training": {"steps": 0, "warmup_steps": 0, "fkld": {"warmup_epochs": 10}}},
    },
    "fab-authors-2d": {
        "rkld": {"training": {"steps": 30_000}},
        "fkld": {"training": {"steps": 0}},
    },
    "fab-authors-8d": {
        # The rate stays at its peak for as long as the warm-up takes.
        "rkld": {"training": {"steps": 10**8, "initial_rate": 3e-4}},
        "fkld": {"training": {"steps": 0, "warmup_steps": 10, "schedule_updates": 100}},
    },
}
