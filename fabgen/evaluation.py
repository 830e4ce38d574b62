"""The evaluation of a surrogate: cross section, efficiencies, and why not to believe them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fabgen.errors import FabgenError
from fabgen.samplers import samplers
from fabgen.session import EVALUATION, PILOT, UNTRAINED, UNTRAINED_PILOT, Session, Trained
from fabgen.untrained import untrained_sampler

if TYPE_CHECKING:
    from fabgen.sampling.doubts import Estimate
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.reference import Reference
    from fabgen.sampling.sampler import WeightedSampler


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Fresh samples of the surrogate and of the untrained map, and the sampler they came from.

    `untrained` is None where f vanished at every point of flat sampling. warnings: reasons to doubt
    the integral, whose error covers them.
    """

    sampler: WeightedSampler
    survey: Survey
    untrained: Survey | None
    target_evaluations: int
    warnings: tuple[str, ...] = ()


def evaluate(session: Session, trained: Trained) -> Evaluated:
    """Cross section and efficiencies from card.evaluation.samples points each.

    Several channels: before that, a tenth as many points say how they share the sample. The points
    of the untrained map say what the training was worth, and what the surrogate misses.
    """
    with session.watch("import"):
        from fabgen.sampling.doubts import doubts, with_error_for
        from fabgen.sampling.reference import Reference
        from fabgen.surrogate import untrained_surrogate
    sampler, calls = balanced_sampler(session, trained, PILOT)
    survey = _survey(session, "evaluate", sampler, EVALUATION)
    calls += survey.target_evaluations + trained.evaluations_along
    untrained, reference = None, None
    if trained.surrogate != untrained_surrogate(session.integrand.dim, len(sampler.shares)):
        reference = Reference()
        untrained, more = _untrained(session, trained, sampler.shares, reference)
        calls += more
    found = doubts(survey, reference, _others(trained, untrained))
    survey = with_error_for(survey, found)
    warnings = tuple(doubt.reason for doubt in found)
    return Evaluated(sampler, survey, survey if reference is None else untrained, calls, warnings)


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


def _others(trained: Trained, untrained: Survey | None) -> tuple[Estimate, ...]:
    """Estimates of the integral that do not know of the evaluation sample."""
    from fabgen.sampling.doubts import Estimate

    found = []
    if untrained is not None:
        metrics = untrained.metrics
        found.append(Estimate("the untrained map", metrics.integral, metrics.integral_error))
    if trained.figures.get("vegas_integral") is not None:
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
    from fabgen.sampling.integrate import balanced

    n = session.card.evaluation.samples
    with session.watch("evaluate"):
        return balanced(sampler, n, -(-n // 10), session.key(stream))


def _survey(
    session: Session,
    name: str,
    sampler: WeightedSampler,
    stream: int,
    reference: Reference | None = None,
) -> Survey:
    from fabgen.sampling.integrate import integrate

    n = session.card.evaluation.samples
    with session.watch("evaluate"), session.reporter.stage(name, n, "points") as show:
        return integrate(
            sampler,
            n,
            session.key(stream),
            max_overweight=session.card.generation.max_overweight,
            progress=show,
            reference=reference,
        )
