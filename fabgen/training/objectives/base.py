"""Interface of a training objective to the loop.

A training step is `observe` once (the place for annealing and for filling a buffer) and `revise`
(for what no gradient trains), then `updates` times: take a `batch`, follow the gradient of `loss`,
`absorb` what the loss found out. The memory is one record of arrays owned by the objective; it is
saved with the rest of the state.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jax import Array

from fabgen.integrand.base import Integrand
from fabgen.training.counters import Counters, EvaluationStats
from fabgen.training.target import Params, TrainableSurrogate

if TYPE_CHECKING:
    from fabgen.card import TrainingOptions

Memory = Any
Batch = Any


@dataclass(frozen=True, eq=False)
class Objective(abc.ABC):
    """A loss with its own way of getting samples. All methods are pure and run under jit.

    data: what a method learns from besides f, a pytree of arrays that never change; an argument of
    the compiled program, so that a large one is not compiled into it.
    """

    #: Points of each channel in a batch, at least.
    points_per_channel: ClassVar[int] = 1

    target: Integrand
    surrogate: TrainableSurrogate
    options: TrainingOptions
    data: Any = None

    @classmethod
    def resolve(cls, options: TrainingOptions, data: Any) -> TrainingOptions:
        """The options with the length of the training, where it depends on the data."""
        del data
        return options

    def counters(self) -> Counters:
        """The counts before the first step: what the data has cost."""
        return Counters.zero()

    @property
    def warm_up(self) -> int:
        """Steps with `observe` alone before the first update."""
        return 0

    @property
    def updates(self) -> int:
        """Gradient steps per training step."""
        return 1

    def start(self, params: Params) -> Params:
        """The parameters before the first step, from those of `surrogate.init`."""
        return params

    def init(self) -> Memory:
        """The memory before the first step."""
        return ()

    def observe(
        self, params: Params, memory: Memory, tally: EvaluationStats, key: Array
    ) -> tuple[Memory, EvaluationStats]:
        """Gathers fresh samples with the present parameters."""
        del params, key
        return memory, tally

    def revise(self, params: Params, memory: Memory) -> Params:
        """The parameters, with those that no gradient trains changed by the fresh samples."""
        del memory
        return params

    @abc.abstractmethod
    def batch(self, memory: Memory, key: Array) -> Batch:
        """The data of one gradient step, from the memory."""

    @abc.abstractmethod
    def loss(
        self, params: Params, batch: Batch, tally: EvaluationStats
    ) -> tuple[Array, tuple[Any, EvaluationStats]]:
        """The loss (scalar), differentiable in params; feedback for `absorb`; the counts."""

    def absorb(self, memory: Memory, batch: Batch, feedback: Any) -> Memory:
        """Takes what the loss found out about the batch into the memory."""
        del batch, feedback
        return memory

    def finish(self, params: Params, memory: Memory) -> tuple[Params, Memory]:
        """The parameters that the training ends with, after its last step."""
        return params, memory

    def validation_loss(self, memory: Memory) -> Array | None:
        """The last loss on a validation sample; None for a method without one."""
        del memory
        return None

    def figures(self, memory: Memory) -> dict[str, float]:
        """Further figures of the training for the report, by name."""
        del memory
        return {}
