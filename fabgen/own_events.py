"""fabgen's own unweighted events as the sample of fkld.

They come from rejection sampling on the untrained map, or, where that would take more evaluations
than adapting a VEGAS+ grid (surrogate.vegas) and unweighting on it at best could, from the better
of the two as a survey sees them. Events above the reference weight carry at most 1 % of the
integral; they keep their weight, which counts in the loss, so that the density is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fabgen.training_sample import Drawn

if TYPE_CHECKING:
    import jax

    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.sampler import WeightedSampler
    from fabgen.session import Session
    from fabgen.surrogate.base import Surrogate
    from fabgen.surrogate.vegas import VegasResult

#: Streams of random numbers below the seed of the training, see `session`.
_SURVEYS, _POINTS = range(0x46414220, 0x46414222)
#: Points of a survey that decides how events are drawn.
SURVEY_POINTS = 65_536
_MAX_OVERWEIGHT = 0.01


def own_sample(session: Session) -> Drawn:
    """training.fkld.events unweighted events of the integrand."""
    import jax
    import numpy as np

    from fabgen.evaluation import samplers
    from fabgen.sampling import unweight
    from fabgen.surrogate import Uniform

    card, n = session.card, session.card.training.fkld.events
    seed = jax.random.key(card.training.seed)
    surveys, points = (jax.random.fold_in(seed, stream) for stream in (_SURVEYS, _POINTS))
    (sampler,) = samplers(session, {Uniform(session.integrand.dim): ()})
    source, survey = "the untrained map", _survey(sampler, jax.random.fold_in(surveys, 0))
    calls, zero, nonfinite = _counts(survey)
    vegas = card.surrogate.vegas
    adapting = vegas.warmup_iterations * vegas.warmup_evaluations
    adapting += vegas.iterations * vegas.evaluations + SURVEY_POINTS
    if n / survey.acceptance > adapting + n:
        grid, params, adapted = _adapted_grid(session)
        (other,) = samplers(session, {grid: params})
        alternative = _survey(other, jax.random.fold_in(surveys, 1))
        more = _counts(alternative)
        calls += adapted.evaluations + more[0]
        zero, nonfinite = zero + more[1], nonfinite + adapted.nonfinite + more[2]
        if alternative.acceptance > survey.acceptance:
            source, sampler, survey = "VEGAS+", other, alternative
    totals = unweight.Totals()
    u, weight = [], []
    with session.reporter.stage("sample", n, "events") as show:
        for block in unweight.unweight(sampler, survey, n, points):
            totals = totals + block
            u.append(block.u)
            weight.append(block.weight)
            show(totals.events, evaluations=calls + totals.target_evaluations)
    return Drawn(
        u=np.concatenate(u),
        weight=np.concatenate(weight) / survey.unweighted_weight,
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


def _survey(sampler: WeightedSampler, key: jax.Array) -> Survey:
    from fabgen.sampling.integrate import integrate

    return integrate(sampler, SURVEY_POINTS, key, max_overweight=_MAX_OVERWEIGHT)


def _counts(survey: Survey) -> tuple[int, int, int]:
    return survey.target_evaluations, survey.metrics.zero, survey.metrics.nonfinite


def _adapted_grid(session: Session) -> tuple[Surrogate, Any, VegasResult]:
    from fabgen.surrogate.vegas import train_vegas

    options, seed = session.card.surrogate.vegas, session.card.training.seed
    with session.reporter.stage("vegas", options.iterations, "iterations") as show:
        return train_vegas(
            session.integrand.log_density,
            session.integrand.dim,
            options,
            seed,
            lambda iteration: show(iteration.iteration, evaluations=iteration.evaluations),
        )
