"""Unweighted or weighted points of the integrand, any number, block by block."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from fabgen.errors import FabgenError
from fabgen.sampling.integrate import Survey
from fabgen.sampling.sampler import WeightedSampler

Signs = NDArray[np.int8]

#: A run is given up when this many times the expected number of points went by without an event.
PATIENCE = 100.0


@dataclass(frozen=True)
class Accepted:
    """Accepted points of one sampled block, in the order of the stream.

    u (n, dim) of the channels channel (n,); weight (n,): event weight (XWGTUP) in the integrand's
    unit; overweight (n,): True where w > w_max. target_evaluations: calls of f since the previous
    Accepted.
    """

    u: NDArray[np.float64]
    channel: NDArray[np.int32]
    weight: NDArray[np.float64]
    overweight: NDArray[np.bool_]
    target_evaluations: int


@dataclass(frozen=True)
class Totals:
    """Sums over the Accepted of a run; `totals + accepted` moves it on. Weights without signs."""

    events: int = 0
    overweight_events: int = 0
    sum_weight: float = 0.0
    sum_overweight: float = 0.0
    target_evaluations: int = 0

    def __add__(self, block: Accepted) -> Totals:
        return Totals(
            events=self.events + block.weight.size,
            overweight_events=self.overweight_events + int(np.count_nonzero(block.overweight)),
            sum_weight=self.sum_weight + float(np.sum(np.abs(block.weight))),
            sum_overweight=self.sum_overweight
            + float(np.sum(np.abs(block.weight[block.overweight]))),
            target_evaluations=self.target_evaluations + block.target_evaluations,
        )

    @property
    def overweight_share(self) -> float:
        """Share of the summed event weights that overweight events carry."""
        return self.sum_overweight / self.sum_weight if self.sum_weight > 0.0 else 0.0


def unweight(
    sampler: WeightedSampler, survey: Survey, n: int, key: jax.Array
) -> Iterator[Accepted]:
    """Exactly n unweighted points, accepted with probability min(1, w/w_max).

    A point above w_max is kept with the factor w/w_max on its event weight, never clipped, so all
    distributions are exact; the event weights are derived in Survey.unweighted_weight. Several
    channels are drawn in proportion to their own w_max,i, so that w = alpha_i f_i / (a_i q_i) is
    compared with the sum of all w_max,i whatever the channel. The events
    depend on the sampler, the survey and the key only: the first n of a longer run are the same.
    Raises FabgenError if events stay away far longer than the survey lets expect.
    """
    base = survey.unweighted_weight
    sampler = replace(sampler, shares=survey.unweighting_shares)
    stream = _select(sampler, survey.log_w_max, survey.acceptance, n, key, weighted=False)
    for u, channel, ratio, sign, spent in stream:
        weight = np.where(sign < 0, -base, base) * np.maximum(ratio, 1.0)
        yield Accepted(u, channel, weight, ratio > 1.0, spent)


def weighted(
    sampler: WeightedSampler, survey: Survey, n: int, key: jax.Array
) -> Iterator[Accepted]:
    """Exactly n weighted points: all those with f not 0, event weight w x survey.nonzero_fraction.

    Raises FabgenError as `unweight` does.
    """
    fraction = survey.nonzero_fraction
    for u, channel, w, sign, spent in _select(sampler, 0.0, fraction, n, key, weighted=True):
        weight = np.where(sign < 0, -w, w) * fraction
        yield Accepted(u, channel, weight, np.zeros(w.shape, dtype=bool), spent)


@partial(jax.jit, static_argnames="weighted")
def _keep(
    key: jax.Array, log_w: jax.Array, log_reference: float, *, weighted: bool
) -> tuple[jax.Array, jax.Array]:
    """Mask of the kept points and their weights in units of the reference, both (block,)."""
    # Non-finite weights were counted by the survey; here they are points of weight zero.
    ratio = jnp.exp(jnp.where(jnp.isfinite(log_w), log_w, -jnp.inf) - log_reference)
    if weighted:
        return ratio > 0.0, ratio
    return jax.random.uniform(key, ratio.shape, dtype=ratio.dtype) < ratio, ratio


def _select(
    sampler: WeightedSampler,
    log_reference: float,
    rate: float,
    n: int,
    key: jax.Array,
    *,
    weighted: bool,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64], Signs, int]]:
    """u, channels, |w| over the reference, signs and evaluations spent, until n points are kept.

    `rate` is the expected share of kept points.
    """
    points_key, chance_key = jax.random.split(key)
    blocks = itertools.count()
    block = sampler.block

    def dispatch() -> tuple[jax.Array, ...]:
        index = next(blocks)
        u, log_w, sign, channel, _ = sampler(points_key, index)
        chance = jax.random.fold_in(chance_key, index)
        return u, channel, sign, *_keep(chance, log_w, log_reference, weighted=weighted)

    patience = PATIENCE * max(1.0 / rate, block)
    running = deque([dispatch()] if n > 0 else [])
    kept, total, unreported, barren = 0, block, block, 0
    while kept < n:
        # The next block runs while the host works on this one, unless this one will do.
        if kept + rate * block < n:
            running.append(dispatch())
            total, unreported = total + block, unreported + block
        u, channel, sign, mask, ratio = running.popleft()
        index = np.flatnonzero(np.asarray(mask))[: n - kept]
        kept += index.size
        if index.size:
            chosen = (np.asarray(array)[index] for array in (u, channel, ratio, sign))
            yield *chosen, unreported  # type: ignore[misc]
            unreported, barren = 0, 0
        else:
            barren += block
        if barren > patience:
            raise FabgenError(
                f"Only {kept} of {n} events after {total} target evaluations (expected share of "
                f"accepted points: {rate:.3g}): the evaluation sample does not describe the "
                "integrand. Take more evaluation samples or train longer."
            )
        if kept < n and not running:
            running.append(dispatch())
            total, unreported = total + block, unreported + block
