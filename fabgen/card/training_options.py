"""The tables of a card below [training], a part of its schema."""

from __future__ import annotations

import dataclasses

from fabgen.card.option import option


@dataclasses.dataclass(frozen=True)
class FabOptions:
    """Flow annealed importance sampling bootstrap."""

    intermediate: int = option(
        0, doc="distributions between q and p^2/q, evenly spaced", at_least=0, at_most=1000
    )
    hmc_moves: int = option(1, doc="HMC moves per distribution", at_least=1, at_most=1000)
    leapfrog_steps: int = option(3, doc="leapfrog steps per HMC move", at_least=1, at_most=1000)
    step_size: float = option(0.05, doc="first HMC step size", above=0.0, at_most=10.0)
    target_acceptance: float = option(
        0.65, doc="HMC acceptance the step size is tuned to", above=0.0, below=1.0
    )
    fresh_loss: str = option(
        "none",
        doc="loss of the fresh points of a step, before those of the buffer",
        choices=("none", "rkld"),
    )
    updates: int = option(
        4, doc="gradient steps on the buffer per training step", at_least=1, at_most=10000
    )
    buffer_batches: int = option(
        100, doc="capacity of the buffer in batches", at_least=1, at_most=10**6
    )
    buffer_minimum: int = option(
        10, doc="batches in the buffer before the first update", at_least=1, at_most=10**6
    )
    tempered: bool = option(
        True, doc="draw by a power of the weights while few points of the buffer carry them"
    )
    even_draws: float = option(
        0.5,
        doc="part of the draws by no weight at the end; intermediate = 0: less noise",
        at_least=0.0,
        below=1.0,
    )
    weight_clip: float = option(
        10.0, doc="largest weight of a buffered point in the loss", above=0.0, infinite=True
    )


@dataclasses.dataclass(frozen=True)
class FkldOptions:
    """Forward Kullback-Leibler divergence on a sample."""

    data: str = option("", doc="LHE file of the sample; empty: own unweighted events")
    events: int = option(
        100_000,
        doc="own unweighted events, those for validation included",
        at_least=2,
        at_most=10**9,
    )
    epochs: int = option(20, doc="passes over the sample", at_least=1, at_most=10**9)
    validation: float = option(
        0.1, doc="share of the sample kept for validation", at_least=0.0, below=1.0
    )
    warmup_epochs: int = option(
        0,
        doc="warm-up of the learning rate, in the place of warmup_steps",
        at_least=0,
        at_most=10**9,
    )


@dataclasses.dataclass(frozen=True)
class MadnisOptions:
    """Variance and weighted-KL training."""

    buffer_gain: float = option(
        1.0, doc="updates per fresh point, a whole number", at_least=1.0, at_most=1000.0
    )
    buffer_batches: int = option(
        50, doc="capacity of the buffer in batches", at_least=1, at_most=10**6
    )
    stratified: bool = option(True, doc="points per channel by its deviation")
    uniform_fraction: float = option(
        0.1, doc="share of the points spread evenly", at_least=0.0, at_most=1.0
    )
    vegas_pretraining: bool = option(
        True, doc="flows start from the VEGAS grid of their channel (surrogate.vegas)"
    )


@dataclasses.dataclass(frozen=True)
class AutoOptions:
    """Goals of training.method = "auto" besides the least time."""

    efficiency: float = option(
        0.0,
        doc="sampling efficiency that is to be reached however long it takes; 0: least time",
        at_least=0.0,
        below=1.0,
    )
    costs: str = option(
        "table",
        doc="times to decide by: counted, the same on every machine; or measured on this one",
        choices=("table", "measured"),
    )
