"""Start of the channels: a VEGAS grid for each, and factors of their weights.

A surrogate by themselves, and the start of flows. T. Heimel et al., The MadNIS reloaded, SciPost
Phys. 17 (2024) 023: VEGAS is quick to learn what factorizes, and flows need to learn the rest only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.compiler import Compiler
from fabgen.errors import FabgenError
from fabgen.sampling.blocks import in_blocks
from fabgen.sampling.sampler import DEFAULT_BLOCK
from fabgen.surrogate.channel_factors import improved
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.channels import ChannelValues
from fabgen.surrogate.vegas.axes import Channels, Floats, adapt_axes

if TYPE_CHECKING:
    from fabgen.card import VegasOptions

SMALL = 1e-3
"""Components with less of the integral share one grid, whatever their trees."""


class Pretrained(NamedTuple):
    """The start of a training, and the calls of f that it took.

    VEGAS grids (n_channels, dim, bins + 1), and factors (n_channels,) of the prior weights.
    """

    grid: Array
    factors: Array
    target_evaluations: Array | int = 0
    zero_values: Array | int = 0
    nonfinite_values: Array | int = 0


def adapted_channels(
    values: Callable[[Any, Any], ChannelValues],
    dim: int,
    layout: ChannelLayout,
    representative_channel: tuple[int, ...],
    density_of_channel: tuple[int, ...],
    options: VegasOptions,
    seed: int,
    report: Callable[[int, int], None] | None = None,
    *,
    beam_dim: int = 0,
    block: int = DEFAULT_BLOCK,
    compiler: Compiler | None = None,
) -> Pretrained:
    """Grids adapted to alpha_i f_i of every channel, and factors beta_i of the prior weights in
    alpha_i: each iteration improves both.

    values: f at a block of points u (block, dim) of channels (block,), compiled.
    representative_channel (n_channels,): channels that mirror an earlier one have the factor and
    the grid of that. density_of_channel (n_channels,): those with one number have one grid; and
    those of components with less than `SMALL` of the integral have one, whatever their numbers.
    beam_dim: variables of the beams, the first ones. Densities of partons differ, so each channel
    that shares a grid has axes of its own there.
    report: told the iteration and the evaluations so far. Raises FabgenError if f was zero or not
    finite everywhere.
    """
    groups = grid_groups(representative_channel, density_of_channel)
    mixture = _Mixture(values, block, layout, representative_channel, compiler or Compiler())
    small = mixture.small_channels
    axes = adapt_axes(mixture, groups, dim, options, seed, report, n_own=beam_dim, small=small)
    if axes.evaluations == axes.zeros + axes.nonfinite:
        raise FabgenError(
            f"VEGAS found no point with a density above zero among {axes.evaluations}: "
            f"{axes.zeros} gave zero and {axes.nonfinite} a value that is not finite; "
            "are the cuts too tight?"
        )
    return Pretrained(
        jnp.asarray(np.stack([axes.borders[channel] for channel in representative_channel])),
        jnp.asarray(mixture.factors),
        axes.evaluations,
        axes.zeros,
        axes.nonfinite,
    )


def grid_groups(
    representative_channel: Sequence[int], density_of_channel: Sequence[int]
) -> list[list[int]]:
    """The channels that mirror no other, those that share a grid together."""
    groups: dict[int, list[int]] = {}
    for channel, original in enumerate(representative_channel):
        if channel == original:
            groups.setdefault(density_of_channel[channel], []).append(channel)
    return list(groups.values())


class _Mixture:
    """alpha_i f_i of all channels, whose factors every call improves for the next one."""

    def __init__(
        self,
        values: Callable[[Any, Any], ChannelValues],
        block: int,
        layout: ChannelLayout,
        representative_channel: tuple[int, ...],
        compiler: Compiler,
    ) -> None:
        self.values, self.block, self.layout = values, block, layout
        self.representative_channel = representative_channel
        n = len(representative_channel)
        self.factors: Floats = np.ones(n)
        self.integral = self.error = np.zeros(n)  # of the last call, of each channel

        def weigh(
            values: ChannelValues, channel: Array, jacobian: Array, factors: Array
        ) -> tuple[Array, Array]:
            """f (points,), and moments as `channel_factors.improved` wants them."""
            log_weights = layout.log_alpha(values.log_prior, factors, channel)
            f = jnp.exp(values.log_f + layout.select(log_weights, channel))
            squares = (jnp.where(jnp.isfinite(f), f, 0.0) * jacobian) ** 2
            rows = jax.ops.segment_sum((squares * jnp.exp(log_weights)).T, channel, n)
            return f, layout.spread(rows)

        self._weigh, self._compiler = weigh, compiler
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, u: Floats, channel: Channels, jacobian: Floats) -> Floats:
        n = len(self.representative_channel)
        factors, parts, found = jnp.asarray(self.factors), [], []
        for part, filled in in_blocks(len(u), self.block):
            size = part.stop - part.start
            once = np.where(np.arange(len(filled)) < size, jacobian[filled], 0.0)
            block = self.values(u[filled], channel[filled]), channel[filled]
            parts.append(part)
            arguments = *block, once, factors
            if self._compiled is None:
                self._compiled = self._compiler.compile(self._weigh, *arguments, quickly=True)
            found.append(self._compiled(*arguments))
        f, moments = np.empty(len(u)), np.zeros((n, n))
        for part, (weighed, more) in zip(parts, found, strict=True):
            f[part] = np.asarray(weighed)[: part.stop - part.start]
            moments += np.asarray(more)
        points = np.bincount(channel, minlength=n).astype(float)
        self._integrate(np.where(np.isfinite(f), f, 0.0) * jacobian, channel, points)
        self.factors = improved(self.factors, moments, points, self.representative_channel)
        return f

    def _integrate(self, weights: Floats, channel: Channels, points: Floats) -> None:
        """Of channels that mirror others as of those."""
        of_all, n = np.array(self.representative_channel), np.maximum(points, 1.0)
        sums, squares = (np.bincount(channel, weights**k, len(points)) for k in (1, 2))
        mean = sums / n
        self.integral = mean[of_all]
        self.error = np.sqrt(np.maximum(squares / n - mean**2, 0.0) / n)[of_all]

    def small_channels(self) -> list[int]:
        """Those of components that have found something, but surely less than SMALL of all."""
        component = np.array(self.layout.component_of_channel)
        integral = np.bincount(component, self.integral)
        error = np.sqrt(np.bincount(component, self.error**2))
        is_small = (integral > 0.0) & (integral + 2.0 * error < SMALL * integral.sum())
        distinct = np.array(self.representative_channel) == np.arange(len(component))
        return np.flatnonzero(is_small[component] & distinct).tolist()
