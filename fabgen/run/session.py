"""One command at work on one run: its card, its integrand, what is compiled of it, its randomness.

Heavy packages are imported by the functions that need them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from fabgen.card import Card
from fabgen.run import streams
from fabgen.run.files import RunDirectory
from fabgen.run.progress import Reporter, Stopwatch

if TYPE_CHECKING:
    import jax

    from fabgen.integrand.base import AnyIntegrand, InChannels
    from fabgen.integrand.point import Placed
    from fabgen.surrogate.channels import ChannelValues
    from fabgen.training.sample import FilePoints


@dataclasses.dataclass(frozen=True)
class Session:
    """One command at work on one run."""

    card: Card
    run: RunDirectory
    integrand: AnyIntegrand
    reporter: Reporter
    watch: Stopwatch
    points: FilePoints | None = None  # of an event file that this session trains on
    programs: dict[Any, Any] = dataclasses.field(
        default_factory=dict
    )  # compiled ones, by what they do

    @functools.cached_property
    def log_density(self) -> Callable[[Any], jax.Array]:
        """log f at u (DEFAULT_BLOCK, dim), compiled once: that takes far longer than any q."""
        import jax

        points, _ = self._block()
        with self.watch("compile"):
            return jax.jit(self.integrand.log_density).lower(points).compile()

    @property
    def place(self) -> jax.stages.Compiled:
        """Integrand.place of u (DEFAULT_BLOCK, dim) of channels (DEFAULT_BLOCK,), compiled once."""
        return self._placed_and_valued[0]

    @functools.cached_property
    def channel_values(self) -> Callable[[Any, Any], ChannelValues]:
        """f at u (DEFAULT_BLOCK, dim) of channels (DEFAULT_BLOCK,), compiled once."""
        import jax.numpy as jnp

        from fabgen.surrogate.channels import ChannelValues

        if self.integrand.n_channels == 1:
            points, _ = self._block()
            n, log_density = points.shape[0], self.log_density
            rest = jnp.zeros((1, n)), jnp.zeros((0, n))
            return lambda u, channel: ChannelValues(log_density(u), *rest)
        place, values = self._placed_and_valued
        return lambda u, channel: values(place(u, channel), channel)

    @functools.cached_property
    def _placed_and_valued(self) -> tuple[jax.stages.Compiled, jax.stages.Compiled]:
        """The maps of all channels, and f behind them. Of many channels nothing takes longer to
        compile, and XLA leaves cores idle: both are compiled at the same time."""
        import concurrent.futures

        import jax

        from fabgen.surrogate.channels import channel_values

        points, channels = self._block()
        integrand = self.in_channels

        def values_at(placed: Placed, channel: jax.Array) -> ChannelValues:
            return channel_values(integrand.point_at(placed, channel))

        pool = concurrent.futures.ThreadPoolExecutor(1)
        try:
            with self.watch("compile"):
                lowered = jax.jit(integrand.place).lower(points, channels)
                place = pool.submit(lowered.compile)
                values = jax.jit(values_at).lower(lowered.out_info, channels).compile()
                return place.result(), values
        finally:
            pool.shutdown(wait=False)  # an interruption does not wait for it

    @property
    def in_channels(self) -> InChannels:
        """The integrand, if it has several channels."""
        return cast("InChannels", self.integrand)

    def _block(self) -> tuple[Any, Any]:
        """Shapes of the points of a block and of their channels."""
        import jax

        from fabgen.sampling.sampler import DEFAULT_BLOCK

        points = jax.ShapeDtypeStruct((DEFAULT_BLOCK, self.integrand.dim), "float64")
        return points, jax.ShapeDtypeStruct((DEFAULT_BLOCK,), "int32")

    def key(self, stream: int) -> jax.Array:
        """The random key of one stream of numbers."""
        return streams.key(self.card.generation_seed, stream)

    def key_of_events(self, stream: int, number: int, part: int) -> jax.Array:
        """The random key of one stream for one part of the number-th event file, both from 1."""
        return streams.key_of_events(self.card.generation_seed, stream, number, part)


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
