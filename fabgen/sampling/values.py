"""f in blocks of one compiled size, as three programs: maps, densities of the channels, f itself.

The first two are shared by all processes of the same kind: their numbers are arguments, and what
was compiled for one process is found in the cache by the next. Of f nothing is shared. XLA leaves
cores idle when it compiles, so all are compiled at the same time; whatever evaluates f or draws
events uses them.
"""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable
from typing import Any

import jax

from fabgen.integrand.base import Integrand
from fabgen.integrand.point import PhaseSpacePoints
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.surrogate.channels import ChannelValues, channel_values


class CompiledIntegrand:
    """An integrand in blocks of one size, each program compiled when it is first asked for."""

    def __init__(self, integrand: Integrand, block: int = DEFAULT_BLOCK):
        self.integrand, self.block = integrand, block

    @property
    def is_compiled(self) -> bool:
        """Whether `values` is there."""
        return "_programs" in self.__dict__

    def compile(self) -> None:
        """Compiles all programs now."""
        _ = self._programs

    def values(self, u: Any, channel: Any) -> ChannelValues:
        """f at u (block, dim) of channels (block,)."""
        place, densities, values = self._programs
        points = place(u, channel, self._arguments)
        logs = densities(points, self._arguments) if densities is not None else None
        found: ChannelValues = values(points, logs)
        return found

    @property
    def map(self) -> Callable[[Any, Any], PhaseSpacePoints]:
        """Integrand.map, compiled."""
        place, _ = self._place
        return lambda u, channel: place(u, channel, self._arguments)

    @property
    def points_like(self) -> PhaseSpacePoints:
        """Shapes and types of what `map` returns."""
        return self._place[1]

    @functools.cached_property
    def _maps(self) -> Any:
        return self.integrand.map_programs

    @functools.cached_property
    def _arguments(self) -> Any:
        return jax.device_put(self._maps.arguments)

    @functools.cached_property
    def _lowered(self) -> Any:
        u = jax.ShapeDtypeStruct((self.block, self.integrand.dim), "float64")
        channel = jax.ShapeDtypeStruct((self.block,), "int32")
        return jax.jit(self._maps.place).lower(u, channel, self._arguments)

    @functools.cached_property
    def _place(self) -> tuple[Any, Any]:
        return self._lowered.compile(), self._lowered.out_info

    @functools.cached_property
    def _programs(self) -> tuple[Any, Any, Any]:
        def values(points: PhaseSpacePoints, log_densities: Any) -> ChannelValues:
            return channel_values(self.integrand.evaluate_with(points, log_densities))

        pool = concurrent.futures.ThreadPoolExecutor(2)
        try:
            points, logs, densities = self._lowered.out_info, None, None
            place = pool.submit(lambda: self._place)
            if self.integrand.needs_densities:
                lowered = jax.jit(self._maps.densities).lower(points, self._arguments)
                densities, logs = pool.submit(lowered.compile), lowered.out_info
            compiled = jax.jit(values).lower(points, logs).compile()
            return place.result()[0], densities and densities.result(), compiled
        finally:
            pool.shutdown(wait=False)  # an interruption does not wait for it
