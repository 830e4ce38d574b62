"""f in blocks of one compiled size: the maps of all channels, and what follows them.

Of many channels nothing takes longer to compile than the maps, and XLA leaves cores idle: both
programs are compiled at the same time, and whatever evaluates f or draws events shares them.
"""

from __future__ import annotations

import concurrent.futures
import functools
from typing import Any

import jax

from fabgen.integrand.base import Integrand
from fabgen.integrand.point import PhaseSpacePoints
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.surrogate.channels import ChannelValues, channel_values


class CompiledIntegrand:
    """An integrand in blocks of one size, each program compiled when it is first asked for.

    One channel: points and f are one program, in which nothing in between is stored.
    """

    def __init__(self, integrand: Integrand, block: int = DEFAULT_BLOCK):
        self.integrand, self.block = integrand, block
        self._u = jax.ShapeDtypeStruct((block, integrand.dim), "float64")
        self._channel = jax.ShapeDtypeStruct((block,), "int32")

    @property
    def is_compiled(self) -> bool:
        """Whether `values` is there."""
        return "_programs" in self.__dict__ or "_fused" in self.__dict__

    def compile(self) -> None:
        """Compiles `values` (and the maps of several channels) now."""
        _ = self._fused if self.integrand.n_channels == 1 else self._programs

    def values(self, u: Any, channel: Any) -> ChannelValues:
        """f at u (block, dim) of channels (block,)."""
        if self.integrand.n_channels == 1:
            return self._fused(u)
        place, values = self._programs
        return values(place(u, channel))

    @functools.cached_property
    def map(self) -> Any:
        """Integrand.map, compiled."""
        if self.integrand.n_channels > 1:
            return self._programs[0]
        return jax.jit(self.integrand.map).lower(self._u, self._channel).compile()

    @functools.cached_property
    def _fused(self) -> Any:
        def values(u: jax.Array) -> ChannelValues:
            return channel_values(self.integrand.point(u))

        return jax.jit(values).lower(self._u).compile()

    @functools.cached_property
    def _programs(self) -> tuple[Any, Any]:
        def values(points: PhaseSpacePoints) -> ChannelValues:
            return channel_values(self.integrand.evaluate(points))

        pool = concurrent.futures.ThreadPoolExecutor(1)
        try:
            lowered = jax.jit(self.integrand.map).lower(self._u, self._channel)
            place = pool.submit(lowered.compile)
            compiled = jax.jit(values).lower(lowered.out_info).compile()
            return place.result(), compiled
        finally:
            pool.shutdown(wait=False)  # an interruption does not wait for it
