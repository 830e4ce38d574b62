"""f in blocks of one compiled size, as three programs: maps, densities of the channels, f itself.

The first two are shared by all processes of the same kind: their numbers are arguments, and what
was compiled for one process is found in the cache by the next. Of f nothing is shared. XLA leaves
cores idle when it compiles, so all are compiled at the same time; whatever evaluates f or draws
events uses them.
"""

from __future__ import annotations

import concurrent.futures
import functools
import math
from collections.abc import Callable
from typing import Any

import jax

from fabgen.blocks import loops_over_blocks
from fabgen.compiler import Compiler, Program
from fabgen.integrand.base import Integrand
from fabgen.integrand.point import PhaseSpacePoints
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.surrogate.channels import ChannelValues, channel_values

#: Points of a block on devices that take all of them at once, and the share of their memory that
#: one may take.
_LARGE_BLOCKS = 2**12, 2**17
_SHARE = 0.25
#: Bytes of a device that does not tell.
_MEMORY = 2**34


def block_of(integrand: Integrand) -> int:
    """Points that are drawn and evaluated at once: as many as a CPU does not notice the start of,
    or as fit into the memory of another device, a power of two."""
    if loops_over_blocks():
        return DEFAULT_BLOCK
    told = jax.local_devices()[0].memory_stats() or {}
    points = _SHARE * told.get("bytes_limit", _MEMORY) / integrand.bytes_per_point
    least, most = _LARGE_BLOCKS
    return int(min(max(2 ** math.floor(math.log2(points)), least), most))


class CompiledIntegrand:
    """An integrand in blocks of one size, each program compiled when it is first asked for.

    block: by default that of the platform (`block_of`).
    """

    def __init__(
        self, integrand: Integrand, block: int | None = None, compiler: Compiler | None = None
    ):
        self.integrand, self.block = integrand, block or block_of(integrand)
        self.compiler = compiler or Compiler()

    @property
    def is_compiled(self) -> bool:
        """Whether `values` is there."""
        return "_programs" in self.__dict__

    def compile(self) -> None:
        """Compiles all programs now."""
        _ = self._programs

    def values(self, u: Any, channel: Any) -> ChannelValues:
        """f at u (block, dim) of channels (block,)."""
        place, densities, values, _ = self._programs
        points = place(u, channel, self._arguments)
        logs = densities(points, self._arguments) if densities is not None else None
        found: ChannelValues = values(points, logs)
        return found

    @property
    def values_like(self) -> ChannelValues:
        """Shapes and types of what `values` returns."""
        like: ChannelValues = self._programs[3]
        return like

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
    def _traced(self) -> Program:
        u = jax.ShapeDtypeStruct((self.block, self.integrand.dim), "float64")
        channel = jax.ShapeDtypeStruct((self.block,), "int32")
        return self.compiler.trace(self._maps.place, u, channel, self._arguments)

    @functools.cached_property
    def _place(self) -> tuple[Any, Any]:
        return self._traced.compile(quickly=True), self._traced.out_info

    @functools.cached_property
    def _programs(self) -> tuple[Any, Any, Any, Any]:
        integrand = self.integrand

        def values(points: PhaseSpacePoints, log_densities: Any) -> ChannelValues:
            return channel_values(integrand.evaluate_with(points, log_densities))

        pool = concurrent.futures.ThreadPoolExecutor(2)
        try:
            points, logs, densities = self._traced.out_info, None, None
            place = pool.submit(lambda: self._place)
            if self.integrand.needs_densities:
                traced = self.compiler.trace(self._maps.densities, points, self._arguments)
                densities, logs = pool.submit(traced.compile), traced.out_info
            traced = self.compiler.trace(values, points, logs)
            compiled, like = traced.compile(), traced.out_info
            return place.result()[0], densities and densities.result(), compiled, like
        finally:
            pool.shutdown(wait=False)  # an interruption does not wait for it
