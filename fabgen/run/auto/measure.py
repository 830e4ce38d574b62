"""Measurements: efficiency of a surrogate on fresh points, and its seconds, by table or clock."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING, Any

from fabgen.errors import FabgenError
from fabgen.run import streams
from fabgen.run.auto import nominal
from fabgen.run.auto.goal import Measured
from fabgen.run.auto.record import TABLE
from fabgen.run.session import Session

if TYPE_CHECKING:
    import jax

#: Blocks of points of a measurement, and of one where f is so slow that a block takes SLOW seconds.
BLOCKS = 4
SLOW = 4.0
#: The number of the random key of `size`, among those of measurements.
_SIZE = 501


def by_table(session: Session) -> bool:
    """Whether seconds are nominal ones: counted, not measured."""
    return session.card.training.auto.costs == TABLE


def key(session: Session, number: int) -> jax.Array:
    """The random key of one measurement."""
    import jax

    stream = streams.key(session.card.training.seed, streams.MEASURED)
    return jax.random.fold_in(stream, number)


def measure(
    session: Session, surrogate: Any, params: Any, samples: int, number: int
) -> tuple[Measured, int]:
    """A surrogate on so many fresh points, and the calls of f that this took.

    Several channels: a tenth as many points before say how they share the sample. The time of a
    block, where it is measured, is the median of all, so that what only the first one waits for
    does not count.
    """
    import jax

    from fabgen.run.samplers import samplers
    from fabgen.sampling.integrate import integrate, with_optimal_allocation

    (sampler,) = samplers(session, {surrogate: params})
    points, pilot = jax.random.split(key(session, number))
    clock = session.watch.clock
    told = nominal.seconds_per_point(session, surrogate, params) if by_table(session) else None
    with session.watch("train"):
        try:
            begun, blocks = clock(), -(-samples // (10 * sampler.block))
            sampler, calls = with_optimal_allocation(sampler, samples, -(-samples // 10), pilot)
            begun, blocks = clock(), -(-samples // sampler.block)
            times = [begun]
            survey = integrate(
                sampler,
                samples,
                points,
                max_overweight=session.card.generation.max_overweight,
                progress=lambda done: times.append(clock()),
            )
        except FabgenError:  # f is zero at every point
            n = blocks * sampler.block
            spent = (clock() - begun) / n
            return Measured(0.0, 0.0, 0.0, spent if told is None else told, samples), n
    block = statistics.median(b - a for a, b in itertools.pairwise(times))
    metrics = survey.metrics
    measured = Measured(
        metrics.sampling_efficiency,
        metrics.unweighting_efficiency,
        survey.acceptance,
        block / sampler.block if told is None else told,
        samples,
    )
    return measured, calls + survey.target_evaluations


def seconds_to_draw(session: Session, surrogate: Any, params: Any) -> float:
    """Seconds per point to draw from a surrogate, without f."""
    if by_table(session):
        return nominal.seconds_to_draw(session, surrogate, params)
    import jax
    import jax.numpy as jnp

    from fabgen.run.samplers import compiled_sampler

    draw = compiled_sampler(session, surrogate, params)
    n, clock = session.integrand.n_channels, session.watch.clock
    channels = jnp.arange(session.block, dtype=jnp.int32) % n
    spent = []
    with session.watch("train"):
        for i in range(BLOCKS + 1):
            start = clock()
            jax.block_until_ready(draw(params, key(session, i), channels))
            spent.append(clock() - start)
    return statistics.median(spent[1:]) / session.block


def size(session: Session) -> tuple[float, int]:
    """The integral, from one block of points of the untrained map, and the calls of f."""
    import jax

    from fabgen.run.samplers import samplers
    from fabgen.sampling.integrate import integrate
    from fabgen.surrogate import untrained_surrogate

    flat, block = untrained_surrogate(session.integrand.dim, session.layout), session.block
    (sampler,) = samplers(session, {flat: flat.init(key(session, _SIZE))})
    with session.watch("train"):
        try:
            found = integrate(sampler, block, jax.random.fold_in(key(session, _SIZE), 1))
        except FabgenError:  # f is zero at every point
            return 0.0, block
    return found.metrics.absolute_integral, found.target_evaluations
