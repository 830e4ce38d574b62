"""fabgen's own unweighted events as the sample of fkld.

They come from rejection sampling on the untrained map, or, where that would take more evaluations
than adapting a VEGAS+ grid (surrogate.vegas) and unweighting on it at best could, from the better
of the two as a survey sees them. Several channels have the prior weights: an event of channel i is
one of alpha_i f_i, which is what its density learns. Events above the reference weight carry at
most 1 % of the integral; they keep their weight, which counts in the loss, so that the density is
exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fabgen.run import streams

if TYPE_CHECKING:
    import jax

    from fabgen.run.session import Session
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.sampler import WeightedSampler
    from fabgen.surrogate.base import Surrogate
    from fabgen.surrogate.channels import MultiChannel
    from fabgen.training.sample import SampledPoints

#: Points of a survey that decides how events are drawn.
SURVEY_POINTS = 65_536
_MAX_OVERWEIGHT = 0.01
#: Of the points that say how several channels share a survey: the first number below its key.
_PILOT = 2


def own_sample(session: Session) -> SampledPoints:
    """training.fkld.events unweighted events of the integrand."""
    import jax
    import numpy as np

    from fabgen.run.grids import planned_evaluations
    from fabgen.run.samplers import samplers
    from fabgen.sampling import unweight
    from fabgen.surrogate import untrained_surrogate
    from fabgen.training.sample import SampledPoints, WeightedPoints

    card, n = session.card, session.card.training.fkld.events
    flat = untrained_surrogate(session.integrand.dim, session.layout)
    seed = jax.random.key(card.training.seed)
    surveys, points = (
        streams.key(card.training.seed, stream)
        for stream in (streams.SURVEYS, streams.SURVEY_EVENTS)
    )
    (sampler,) = samplers(session, {flat: flat.init(seed)})
    source, (sampler, survey, calls) = "the untrained map", _survey(sampler, surveys, 0)
    zero, nonfinite = survey.metrics.zero, survey.metrics.nonfinite
    if n / survey.acceptance > planned_evaluations(session) + SURVEY_POINTS + n:
        grid, params, evaluations, faulty = _adapted_grid(session)
        (other,) = samplers(session, {grid: params})
        other, alternative, more = _survey(other, surveys, 1)
        calls += evaluations + more
        zero += alternative.metrics.zero
        nonfinite += faulty + alternative.metrics.nonfinite
        if alternative.acceptance > survey.acceptance:
            source = "VEGAS+" if other.n_channels == 1 else "VEGAS grids"
            sampler, survey = other, alternative
    totals = unweight.Totals()
    u, channel, weight = [], [], []
    with session.reporter.stage("sample", n, "events") as show:
        for block in unweight.unweight(sampler, survey, n, points):
            totals = totals + block
            u.append(block.u)
            channel.append(block.channel)
            weight.append(block.weight)
            show(totals.events, evaluations=calls + totals.target_evaluations)
    weights = np.concatenate(weight) / survey.unweighted_weight
    return SampledPoints(
        WeightedPoints(np.concatenate(u), np.concatenate(channel), weights),
        target_evaluations=calls + totals.target_evaluations,
        zero_values=zero,
        nonfinite_values=nonfinite,
        figures={
            "source": source,
            "events": n,
            "acceptance": survey.acceptance,
            "overweight_events": totals.overweight_events,
        },
    )


def _survey(
    sampler: WeightedSampler, key: jax.Array, number: int
) -> tuple[WeightedSampler, Survey, int]:
    """The sampler with its best shares of channels, what a sample of it says, the calls of f."""
    import jax

    from fabgen.sampling.integrate import integrate, with_optimal_allocation

    points, pilot = jax.random.fold_in(key, number), jax.random.fold_in(key, _PILOT + number)
    sampler, calls = with_optimal_allocation(sampler, SURVEY_POINTS, SURVEY_POINTS // 10, pilot)
    survey = integrate(sampler, SURVEY_POINTS, points, max_overweight=_MAX_OVERWEIGHT)
    return sampler, survey, calls + survey.target_evaluations


def _adapted_grid(session: Session) -> tuple[Surrogate | MultiChannel, Any, int, int]:
    """Grids with their parameters, the calls of f that they took and the values not finite."""
    import jax

    from fabgen.run.grids import adapted_grids, density_of
    from fabgen.surrogate import gridded_channels
    from fabgen.surrogate.vegas.adapt import train_vegas

    integrand, options = session.integrand, session.card.surrogate.vegas
    seed = session.card.training.seed
    if integrand.n_channels > 1:
        grids = adapted_grids(session)
        channels = gridded_channels(integrand.dim, session.layout, options.bins)
        # Without the factors: the weights of the channels stay those of the prior.
        start = channels.init(jax.random.key(seed))._replace(grid=grids.grid)
        return channels, start, int(grids.target_evaluations), int(grids.nonfinite_values)
    with session.reporter.stage("vegas", options.iterations, "iterations") as show:
        grid, params, adapted = train_vegas(
            density_of(session),
            integrand.dim,
            options,
            seed,
            lambda iteration: show(iteration.iteration, evaluations=iteration.evaluations),
        )
    return grid, params, adapted.evaluations, adapted.nonfinite
