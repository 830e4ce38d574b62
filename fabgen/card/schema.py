"""The card as frozen dataclasses: each field with its unit, range, default and meaning.

Field names are the keys of the card, nested dataclasses its tables.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fabgen.card.cuts import CutValue
from fabgen.card.option import free_table, option
from fabgen.card.phase_space import PhaseSpace
from fabgen.card.training_options import AutoOptions, FabOptions, FkldOptions, MadnisOptions

MODELS = ("sm", "sm-no_b_mass", "sm-zprime")
#: Models of one three-body decay each: the files of fabgen/data/amplitude_models.
AMPLITUDE_MODELS = ("lc2pkpi",)
#: By their numbers in MadGraph's dynamical_scale_choice; "ckkw" is its -1.
DYNAMIC_SCALES = (
    "transverse_energy",
    "transverse_mass",
    "half_transverse_mass",
    "partonic_energy",
    "ckkw",
)
#: numpy's and JAX's generators both take a seed of 32 bits.
MAX_SEED = 2**32 - 1


def _empty() -> Any:
    return dataclasses.field(default_factory=lambda: MappingProxyType({}))


@dataclasses.dataclass(frozen=True)
class Beams:
    """Colliding particles and their energies. Not for decays: one incoming particle, at rest."""

    kind: str = option(
        "fixed",
        doc="fixed: the incoming particles at fixed energy; proton",
        choices=("fixed", "lepton", "proton"),
        aliases=(("lepton", "fixed"),),
    )
    energy: tuple[float, float] = option(
        (500.0, 500.0), doc="energy of each beam", unit="GeV", above=0.0
    )
    pdf: str = option(
        "NNPDF23_lo_as_0130_qed", doc="densities of protons: a set by name, or its folder"
    )
    member: int = option(0, doc="of the set", at_least=0, at_most=9999)


@dataclasses.dataclass(frozen=True)
class Scales:
    """Renormalization and factorization scale. With fixed beams aS is used as given."""

    renormalization: float | str = option(
        91.188,
        doc="a fixed value or a dynamic scale",
        unit="GeV",
        above=0.0,
        choices=DYNAMIC_SCALES,
    )
    factorization: float | str = option(
        91.188,
        doc="a fixed value or a dynamic scale",
        unit="GeV",
        above=0.0,
        choices=DYNAMIC_SCALES,
    )
    factor: float = option(1.0, doc="of dynamic scales", above=0.0)


@dataclasses.dataclass(frozen=True)
class Channels:
    """Several channels: their weights and their flows."""

    use: str = option(
        "auto",
        doc="one: the map of the most resonant diagram; all: a channel for every diagram; "
        "auto: all where diagrams have maps",
        choices=("auto", "one", "all"),
    )
    prior: str = option(
        "auto",
        doc="channel weights before training; auto: densities, invariants of many channels",
        choices=("auto", "flat", "densities", "invariants", "diagrams", "propagators"),
    )
    maps: str = option("", doc="of a toy: the map of each channel, or map@map of its prior")
    drop: tuple[str, ...] = option(
        (), doc="particles: channels with a propagator of one are left out, to try what is missed"
    )
    flows: str = option(
        "per-channel",
        doc="a flow for each channel, or one that knows the channel",
        choices=("per-channel", "conditioned"),
    )
    trained_weights: bool = option(
        True, doc="train the channel weights (variance, kl, rkld-forward, auto)"
    )
    hidden: tuple[int, ...] = option(
        (16, 16), doc="hidden layers of the network of the weights", at_least=1, at_most=65536
    )
    drop_below: float = option(
        0.0,
        doc="from the middle of the training on, drop channels with a smaller share "
        "(variance, kl, rkld-forward)",
        at_least=0.0,
        below=1.0,
    )


@dataclasses.dataclass(frozen=True)
class VegasOptions:
    """The VEGAS+ grid (surrogate.kind = "vegas", and `fabgen integrate --vegas`)."""

    iterations: int = option(10, doc="iterations of the adaptation", at_least=1, at_most=1000)
    evaluations: int = option(
        20000,
        doc="target evaluations per iteration, of all channels together (but of each 1000)",
        at_least=100,
        at_most=10**9,
    )
    warmup_iterations: int = option(
        0, doc="iterations before these, their estimates thrown away", at_least=0, at_most=1000
    )
    warmup_evaluations: int = option(
        1000, doc="target evaluations per iteration of the warm-up", at_least=100, at_most=10**9
    )
    bins: int = option(64, doc="bins per dimension", at_least=2, at_most=10000)
    alpha: float = option(0.5, doc="damping of the adaptation", at_least=0.0, at_most=10.0)


@dataclasses.dataclass(frozen=True)
class SurrogateOptions:
    """The trainable density on the unit hypercube."""

    kind: str = option(
        "auto",
        doc="flow: couplings; vegas: VEGAS+ grid; uniform: none; auto: what is fastest",
        choices=("auto", "flow", "vegas", "uniform"),
    )
    layers: int = option(
        6, doc="coupling layers of the flow; kind = auto: at most", at_least=1, at_most=1000
    )
    bins: int = option(10, doc="spline bins", at_least=2, at_most=1000)
    hidden: tuple[int, ...] = option(
        (64, 64), doc="widths of the conditioner's hidden layers", at_least=1, at_most=65536
    )
    coupling: str = option(
        "spline",
        doc="what a layer does: spline, or affine between logit and sigmoid",
        choices=("spline", "affine"),
    )
    permutation: str = option(
        "log",
        doc="which coordinates a layer transforms; rotation: trained, between logit and sigmoid",
        choices=("log", "exchange", "random", "rotation"),
    )
    precision: str = option(
        "float32",
        doc="of the network; physics is float64",
        choices=("float32", "float64"),
    )
    boundary: float = option(
        0.0, doc="stay this far from the faces of the cube", at_least=0.0, below=0.5
    )
    vegas: VegasOptions = VegasOptions()


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The training loop: objective, optimizer, gradient filter, intervals."""

    method: str = option(
        "auto",
        doc="the objective; auto: variance for as long as that saves time, if a flow does at all",
        choices=(
            *("auto", "fab", "fab-nobuffer", "rkld", "fkld", "variance", "kl"),
            *("variance-inverse", "kl-inverse", "rkld-forward"),
        ),
    )
    steps: int = option(
        400,
        doc="fab: one AIS pass and its updates each; else one batch of points; auto: at most; "
        "fkld: 0, see epochs",
        at_least=0,
        at_most=10**9,
    )
    batch_size: int = option(1024, doc="points per step", at_least=2, at_most=10**7)
    learning_rate: float = option(1e-3, doc="peak learning rate", above=0.0, at_most=10.0)
    schedule: str = option(
        "cosine",
        doc="course of the learning rate",
        choices=("constant", "cosine", "warmup-cosine"),
    )
    warmup_steps: int = option(
        0, doc="steps from initial_rate to learning_rate", at_least=0, at_most=10**9
    )
    schedule_updates: int = option(
        0,
        doc="gradient updates to the end of the schedule, warmup_steps counted in them, too; "
        "0: it takes the training, in steps",
        at_least=0,
        at_most=10**9,
    )
    initial_rate: float = option(
        0.0, doc="learning rate at the start of the warm-up", at_least=0.0, at_most=10.0
    )
    final_rate: float = option(
        0.0, doc="learning rate at the end of the cosine", at_least=0.0, at_most=10.0
    )
    skip_factor: float = option(
        20.0,
        doc="skip a step with a gradient above this times the median; variance, kl, auto: inf",
        above=0.0,
        infinite=True,
    )
    clip_factor: float = option(
        5.0, doc="clip gradients at this times the median norm", above=0.0, infinite=True
    )
    norm_window: int = option(
        100, doc="gradient norms the median is taken of", at_least=1, at_most=10**6
    )
    path_gradient: bool = option(
        True, doc="rkld, kl-inverse: leave out the part of the gradient that is noise only"
    )
    anneal: Mapping[str, float | str] = free_table(
        doc='parameters of f at the start, on their way to those of the card: a value, or "x30"'
    )
    anneal_widths: float = option(
        30.0,
        doc="fab: factor of widths at the start, of resonances that no map follows; 1: none",
        at_least=1.0,
        at_most=1e4,
    )
    anneal_part: float = option(
        0.5, doc="part of the training after which they are there", above=0.0, at_most=0.9
    )
    log_every: int = option(20, doc="steps between lines of training.jsonl", at_least=1)
    checkpoint_every: int = option(100, doc="steps between checkpoints", at_least=1)
    seed: int = option(1, doc="seed of the training", at_least=0, at_most=MAX_SEED)
    auto: AutoOptions = AutoOptions()
    fab: FabOptions = FabOptions()
    fkld: FkldOptions = FkldOptions()
    madnis: MadnisOptions = MadnisOptions()


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Cross section and efficiencies."""

    samples: int = option(
        100_000, doc="fresh samples of the surrogate", at_least=100, at_most=10**12
    )
    floor: float = option(
        0.0,
        doc="share of points and events drawn from the untrained map instead; bounds weights",
        at_least=0.0,
        at_most=0.5,
    )
    along_training: int = option(
        0, doc="log-spaced steps of the training at which it is evaluated, too", at_least=0
    )
    along_samples: int = option(
        10_000, doc="fresh samples at each of them", at_least=100, at_most=10**12
    )


@dataclasses.dataclass(frozen=True)
class Generation:
    """Events."""

    events: int = option(10_000, doc="events to write", at_least=1, at_most=10**12)
    max_overweight: float = option(
        0.001,
        doc="share of the cross section in events above the maximum weight",
        at_least=0.0,
        below=1.0,
    )
    format: str = option("lhe.gz", doc="format of the events", choices=("lhe.gz", "lhe"))
    seed: int | None = option(
        None,
        doc="seed of evaluation and events; without it training.seed",
        at_least=0,
        at_most=MAX_SEED,
    )


@dataclasses.dataclass(frozen=True)
class Limits:
    """How far a process may go."""

    setup_minutes: float = option(
        10.0,
        doc="longest time that subprocesses and diagrams may take to set up, by estimate",
        unit="minutes",
        above=0.0,
        infinite=True,
    )


@dataclasses.dataclass(frozen=True)
class Card:
    """A resolved process card. `name`, `file` and `settings` (the keys that were set on top of the
    file) say where it came from and are not compared.

    `cuts` holds only what the card says: bounds as float, switches as bool, and bounds by PDG
    number as mappings of the number, a string, to a float; `parameters` are external parameters by
    their UFO names; `multiparticles` map a name to the particles it means.
    """

    process: tuple[str, ...]
    model: str = "sm"
    multiparticles: Mapping[str, tuple[str, ...]] = _empty()
    parameters: Mapping[str, float] = _empty()
    beams: Beams = Beams()
    scales: Scales = Scales()
    cuts: Mapping[str, CutValue] = _empty()
    phase_space: PhaseSpace = dataclasses.field(default_factory=PhaseSpace)
    channels: Channels = Channels()
    surrogate: SurrogateOptions = SurrogateOptions()
    training: TrainingOptions = TrainingOptions()
    evaluation: Evaluation = Evaluation()
    generation: Generation = Generation()
    limits: Limits = Limits()
    name: str = dataclasses.field(default="card", compare=False)
    file: str | None = dataclasses.field(default=None, compare=False)
    settings: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @property
    def generation_seed(self) -> int:
        """Seed of evaluation and events: the training's where `[generation]` has none."""
        seed = self.generation.seed
        return self.training.seed if seed is None else seed
