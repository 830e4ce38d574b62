"""One command at work on one run: its card, its integrand, what is compiled of it, its randomness.

Heavy packages are imported by the functions that need them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from fabgen.card import Card
from fabgen.run.files import RunDirectory
from fabgen.run.progress import Reporter, Stopwatch

if TYPE_CHECKING:
    import jax

    from fabgen.integrand.base import AnyIntegrand, InChannels
    from fabgen.integrand.point import Placed
    from fabgen.run.sample.from_lhe import FilePoints
    from fabgen.surrogate.channels import ChannelValues

# Streams of random numbers: their keys are folded from generation.seed with numbers that nothing
# else uses. Small ones would not do: jax.random.split(key, n)[i] is fold_in(key, i), and the
# training splits the key of a seed that is most often the same.
EVALUATION, UNTRAINED, GENERATION, EVENTS, GRID = range(0x46414200, 0x46414205)
PILOT, UNTRAINED_PILOT = range(0x46414211, 0x46414213)
PLOT, PLOT_REFERENCE, PLOT_UNTRAINED, PLOT_EVENTS = range(0x46414205, 0x46414209)
PLOT_PILOT, PLOT_CHANNELS = range(0x46414213, 0x46414215)
PLOT_UNTRAINED_PILOT, PLOT_UNTRAINED_WEIGHTS = range(0x46414215, 0x46414217)
WIDE, WIDE_POINTS = range(0x46414218, 0x4641421A)
EXACT, EXACT_ALONG = range(0x4641421A, 0x4641421C)
SEARCH, SEARCH_POINTS = range(0x4641421C, 0x4641421E)
_FURTHER = 0x46414217


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
        import jax

        return jax.random.fold_in(jax.random.key(self.card.generation_seed), stream)

    def key_of_events(self, stream: int, number: int, part: int) -> jax.Array:
        """The random key of one stream for one part of the number-th event file, both from 1.

        Those of further files and parts have a seed of their own instead of that of the generation.
        """
        import jax

        if number == part == 1:
            return self.key(stream)
        key = self.key(_FURTHER)
        for fold in (number, part, stream):
            key = jax.random.fold_in(key, fold)
        return key


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
