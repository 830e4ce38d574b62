"""One command at work on one run: its card, its integrand, what is compiled of it, its randomness.

Heavy packages are imported by the functions that need them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fabgen.card import Card
from fabgen.run import streams
from fabgen.run.files import RunDirectory
from fabgen.run.progress import Reporter, Stopwatch

if TYPE_CHECKING:
    import jax

    from fabgen.compiler import Compiler
    from fabgen.integrand.base import Integrand
    from fabgen.sampling.values import CompiledIntegrand
    from fabgen.surrogate.channel_weights import ChannelLayout
    from fabgen.surrogate.channels import ChannelValues
    from fabgen.training.sample import FilePoints


@dataclasses.dataclass(frozen=True)
class Session:
    """One command at work on one part of a run: one number of final particles."""

    card: Card
    run: RunDirectory
    integrand: Integrand
    reporter: Reporter
    watch: Stopwatch
    compiler: Compiler
    points: FilePoints | None = None  # of an event file that this session trains on
    part: int = 1  # of the run, from 1 on
    programs: dict[Any, Any] = dataclasses.field(
        default_factory=dict
    )  # compiled ones, by what they do

    @property
    def n_final(self) -> int:
        """Final particles."""
        topologies = self.integrand.topologies
        return topologies[0].n_external - topologies[0].n_initial if topologies else 0

    @property
    def layout(self) -> ChannelLayout:
        """Which channels share phase space."""
        from fabgen.surrogate.channel_weights import ChannelLayout

        return ChannelLayout(self.integrand.component_of_channel)

    @functools.cached_property
    def compiled(self) -> CompiledIntegrand:
        """The integrand in blocks: that takes far longer to compile than any q."""
        from fabgen.sampling.values import CompiledIntegrand

        return CompiledIntegrand(self.integrand, compiler=self.compiler)

    @property
    def block(self) -> int:
        """Points that are drawn and evaluated at once."""
        return self.compiled.block

    @property
    def values(self) -> Callable[[Any, Any], ChannelValues]:
        """f at u (block, dim) of channels (block,), compiled once."""
        if not self.compiled.is_compiled:
            with self.compiling():
                self.compiled.compile()
        return self.compiled.values

    def program(
        self, name: Any, function: Callable[..., Any], *like: Any, quickly: bool = False
    ) -> Callable[..., Any]:
        """The function compiled for arguments like these, once for a session under this name."""
        if name not in self.programs:
            with self.compiling():
                self.programs[name] = self.compiler.compile(function, *like, quickly=quickly)
        program: Callable[..., Any] = self.programs[name]
        return program

    @contextlib.contextmanager
    def compiling(self, times: float = 1.0) -> Iterator[None]:
        """While something is compiled that takes so many times as long as f, about, if it is not in
        the cache."""
        expected = times * self.integrand.compile_seconds
        with self.watch("compile"), self.reporter.busy("compile", expected):
            yield

    def key(self, stream: int) -> jax.Array:
        """The random key of one stream of numbers."""
        key = streams.key(self.card.generation_seed, stream)
        return streams.key_of_part(key, self.part)

    def key_of_events(self, stream: int, number: int, piece: int) -> jax.Array:
        """The random key of one stream for one piece of the number-th event file, both from 1."""
        key = streams.key_of_events(self.card.generation_seed, stream, number, piece)
        return streams.key_of_part(key, self.part)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A surrogate with its parameters, what f was called for it, and what else is worth telling."""

    surrogate: Any  # a Surrogate, or a MultiChannel
    params: Any
    target_evaluations: int = 0
    gradient_evaluations: int = 0
    figures: dict[str, Any] = dataclasses.field(default_factory=dict)
    evaluations_along: int = 0  # calls of f to evaluate the surrogate along the training
    choice: dict[str, Any] | None = None  # training.method = "auto": what was chosen, and why
