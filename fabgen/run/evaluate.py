"""The evaluation of a surrogate: cross section, efficiencies, and why not to believe them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fabgen.errors import FabgenError
from fabgen.run.exact_events import Divergence, exact_divergences, has_exact_events
from fabgen.run.samplers import samplers
from fabgen.run.session import Session, Trained
from fabgen.run.streams import (
    EVALUATION,
    EXACT,
    PILOT,
    SEARCH,
    SEARCH_POINTS,
    UNTRAINED,
    UNTRAINED_PILOT,
    WIDE,
    WIDE_POINTS,
)
from fabgen.run.untrained import search_sampler, untrained_sampler, wide_sampler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fabgen.sampling.doubts import Estimate
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.reference import Points, Reference
    from fabgen.sampling.sampler import WeightedSampler

#: Points of the untrained map, counted as equal weights, that tell enough of a surrogate. Where
#: cuts or peaks leave it fewer, a wider map around the surrogate tells more of its surroundings,
#: and a search that knows nothing of it more of what lies elsewhere.
FEWEST_TELLING = 1000.0
_LONGER = 4
_PART = 4  # the samples of the wider map and of the search are so much smaller


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Fresh samples of the surrogate and of the untrained map, and the sampler they came from.

    `untrained` is None where f vanished at every point of flat sampling. warnings: reasons to doubt
    the integral, whose error covers them. exact, exact_untrained: of both on the same exact events,
    None where the integrand has none. tail_index: of the weights (`sampling.tails`).
    channel_pull: of all channels the largest, in absolute value, between the integrals that the
    surrogate and the untrained map found; None for one channel.
    """

    sampler: WeightedSampler
    survey: Survey
    untrained: Survey | None
    target_evaluations: int
    warnings: tuple[str, ...] = ()
    exact: Divergence | None = None
    exact_untrained: Divergence | None = None
    tail_index: float | None = None
    channel_pull: float | None = None


def evaluate(session: Session, trained: Trained) -> Evaluated:
    """Cross section and efficiencies from card.evaluation.samples points each.

    Several channels: before that, a tenth as many points say how they share the sample. A sample
    of which few weights decide goes on to four times the points. Those of the untrained map say
    what the training was worth, and what the surrogate misses.
    """
    with session.watch("import"):
        from fabgen.sampling.doubts import (
            channel_pulls,
            doubts,
            doubts_of_weights,
            tail_of,
            with_error_for,
        )
        from fabgen.sampling.reference import Reference
        from fabgen.surrogate import untrained_surrogate
    sampler, calls = balanced_sampler(session, trained, PILOT)
    survey = _survey(session, "evaluate", sampler, EVALUATION)
    calls += survey.target_evaluations + trained.evaluations_along
    if any(doubt.error > 0.0 for doubt in doubts_of_weights(survey)):
        n = _LONGER * session.card.evaluation.samples
        survey = _survey(session, "evaluate", sampler, EVALUATION, n=n)
        calls += survey.target_evaluations
    untrained: Survey | None = survey
    references: list[Reference] = []
    surveys: dict[str, Survey | None] = {}
    if trained.surrogate != untrained_surrogate(session.integrand.dim, session.layout):
        references.append(Reference())
        untrained, more = _untrained(session, trained, sampler.shares, references[0])
        surveys["the untrained map"] = untrained
        calls += more
        if references[0].points < FEWEST_TELLING:
            references.append(Reference())
            surveys["a wider map"], more = _wide(session, trained, sampler, references[1])
            calls += more
            references.append(Reference(partial=True))
            surveys["a search for peaks"], more = searched_peaks(
                session, trained, sampler, references[0].best, references[2]
            )
            calls += more
    found = doubts(survey, references, _others(trained, surveys))
    told = with_error_for(survey, found)
    warnings = tuple(doubt.reason for doubt in found)
    exact, more = _exact(session, trained)
    flat = told if untrained is survey else untrained
    pull = None
    if references and survey.channels:
        pull = max(channel_pulls(survey, references[0]).tolist(), key=abs)
    exact_own, exact_untrained = exact or (None, None)
    return Evaluated(
        sampler,
        told,
        flat,
        calls + more,
        warnings,
        exact_own,
        exact_untrained,
        tail_of(survey),
        pull,
    )


def _exact(session: Session, trained: Trained) -> tuple[tuple[Divergence, ...], int]:
    """The divergences of the surrogate and of the untrained map on exact events; the calls of f."""
    from fabgen.surrogate import untrained_surrogate

    if not has_exact_events(session.integrand):
        return (), 0
    flat = untrained_surrogate(session.integrand.dim, session.layout)
    both = {flat: flat.init(session.key(UNTRAINED)), trained.surrogate: trained.params}
    n, floor = session.card.evaluation.samples, session.card.evaluation.floor
    with session.reporter.stage("exact", n, "events") as show:
        found, calls = exact_divergences(session, both, n, session.key(EXACT), floor, show)
    return (found[-1], found[0]), calls


def _wide(
    session: Session, trained: Trained, sampler: WeightedSampler, reference: Reference
) -> tuple[Survey | None, int]:
    """The survey of a map around the points of the surrogate; the calls of f."""
    key = session.key(WIDE)
    wide = wide_sampler(session, key, sampler, trained.surrogate, trained.params)
    n = -(-session.card.evaluation.samples // _PART)
    calls = sampler.block + -(-n // wide.block) * wide.block
    try:
        return _survey(session, "compare", wide, WIDE_POINTS, reference, n), calls
    except FabgenError:
        return None, calls


def searched_peaks(
    session: Session,
    trained: Trained,
    sampler: WeightedSampler,
    starts: Points | None,
    reference: Reference,
) -> tuple[Survey | None, int]:
    """The survey of peaks that are found from points of the untrained map; the calls of f."""
    if starts is None or not len(starts.log_part):
        return None, 0
    key, shares = session.key(SEARCH), sampler.shares
    with session.watch("evaluate"):
        found, calls = search_sampler(
            session, key, starts, trained.surrogate, trained.params, shares
        )
    n = max(-(-session.card.evaluation.samples // _PART), found.block)
    calls += -(-n // found.block) * found.block
    try:
        return _survey(session, "search", found, SEARCH_POINTS, reference, n), calls
    except FabgenError:
        return None, calls


def _untrained(
    session: Session, trained: Trained, shares: tuple[float, ...], reference: Reference
) -> tuple[Survey | None, int]:
    """The survey of the untrained map, None if f vanishes at all its points; the calls of f."""
    key = session.key(UNTRAINED)
    sampler = untrained_sampler(session, key, trained.surrogate, trained.params, shares)
    calls = -(-session.card.evaluation.samples // sampler.block) * sampler.block
    try:
        sampler, more = _balanced(session, sampler, UNTRAINED_PILOT)
        return _survey(session, "untrained", sampler, UNTRAINED, reference), calls + more
    except FabgenError:
        return None, calls


def _others(trained: Trained, surveys: Mapping[str, Survey | None]) -> tuple[Estimate, ...]:
    """Estimates of the integral that do not know of the evaluation sample."""
    from fabgen.sampling.doubts import Estimate

    found = [
        Estimate(source, survey.metrics.integral, survey.metrics.integral_error)
        for source, survey in surveys.items()
        if survey is not None
    ]
    signed = any(survey.metrics.negative for survey in surveys.values() if survey is not None)
    # VEGAS adapts to |f|, and its estimate is that of |f|.
    if trained.figures.get("vegas_integral") is not None and not signed:
        value, error = (trained.figures[f"vegas_integral{end}"] for end in ("", "_error"))
        found.append(Estimate("the iterations of VEGAS+", value, error))
    return tuple(found)


def balanced_sampler(
    session: Session, trained: Trained, stream: int
) -> tuple[WeightedSampler, int]:
    """The sampler of a surrogate with its best shares, and the calls of f that they took."""
    surrogate = {trained.surrogate: trained.params}
    (sampler,) = samplers(session, surrogate, session.card.evaluation.floor)
    return _balanced(session, sampler, stream)


def _balanced(
    session: Session, sampler: WeightedSampler, stream: int
) -> tuple[WeightedSampler, int]:
    """The sampler with its best shares, and the calls of f that they took."""
    from fabgen.sampling.integrate import with_optimal_allocation

    n = session.card.evaluation.samples
    with session.watch("evaluate"):
        return with_optimal_allocation(sampler, n, -(-n // 10), session.key(stream))


def _survey(
    session: Session,
    name: str,
    sampler: WeightedSampler,
    stream: int,
    reference: Reference | None = None,
    n: int | None = None,
) -> Survey:
    from fabgen.sampling.integrate import integrate

    n = n or session.card.evaluation.samples
    with session.watch("evaluate"), session.reporter.stage(name, n, "points") as show:
        return integrate(
            sampler,
            n,
            session.key(stream),
            max_overweight=session.card.generation.max_overweight,
            progress=show,
            reference=reference,
        )
