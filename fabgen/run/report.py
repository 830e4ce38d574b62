"""report.json: the figures of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fabgen import __version__
from fabgen.json_files import finite
from fabgen.run.conditions import conditions, settings_of
from fabgen.run.session import Session, Trained

if TYPE_CHECKING:
    from fabgen.run.evaluate import Evaluated
    from fabgen.run.exact_events import Divergence
    from fabgen.sampling.integrate import ChannelSurvey, Survey
    from fabgen.sampling.unweight import Totals

STAGES = ("training", "evaluation", "generation")
TIMES = ("import", "compile", "train", "evaluate", "generate", "write", "total")
UNITS = ("pb", "GeV", "none")


def report_of(
    parts: Sequence[Session],
    trained: Sequence[Trained],
    evaluated: Sequence[Evaluated],
    totals: Totals | None = None,
    weighted: bool = False,
) -> dict[str, Any]:
    """All figures of the run. The untrained map's evaluations count as evaluation, too.

    Of several numbers of final particles the figures are those of their sum, and `multiplicities`
    has a row for each.
    """
    import jax

    from fabgen.sampling.integrate import joined
    from fabgen.sampling.unweight import Totals

    session, card = parts[0], parts[0].card
    device = jax.devices()[0]
    flat = [one.untrained for one in evaluated]
    untrained = joined([survey for survey in flat if survey is not None]) if all(flat) else None
    exact, exact_untrained = evaluated[0].exact, evaluated[0].exact_untrained
    calls = {
        "training": sum(one.target_evaluations for one in trained),
        "evaluation": sum(one.target_evaluations for one in evaluated),
    }
    several = len(parts) > 1
    return build_report(
        process=card.process[0] if len(card.process) == 1 else list(card.process),
        model=card.model,
        seed=card.training.seed,
        version=__version__,
        unit=session.integrand.unit,
        survey=joined([one.survey for one in evaluated]),
        totals=totals or Totals(),
        target_evaluations=calls,
        gradient_evaluations={"training": sum(one.gradient_evaluations for one in trained)},
        timing_s=session.watch.seconds(),
        device=device.platform if device.platform == "cpu" else device.device_kind,
        weighted=weighted,
        warnings=_warnings(parts, evaluated),
        generation_seed=card.generation_seed,
        training=_training(trained),
        **({} if several else _choice(trained[0])),
        **(exact.figures() if exact else {}),
        untrained=_untrained(untrained, exact_untrained) if untrained else None,
        **_prior(parts),
        tail_index=max((k for one in evaluated if (k := one.tail_index) is not None), default=None),
        channel_pull=max(
            (pull for one in evaluated if (pull := one.channel_pull) is not None),
            key=abs,
            default=None,
        ),
        matrix_elements=sum(part.integrand.n_matrix_elements for part in parts),
        notes=list(dict.fromkeys(note for part in parts for note in part.integrand.notes)),
        settings=settings_of(card),
        **({"multiplicities": _rows(parts, trained, evaluated)} if several else {}),
        **conditions(card, session.integrand),
    )


def training_figures(parts: Sequence[Session], trained: Sequence[Trained]) -> dict[str, Any]:
    """Figures at the end of a training; of several numbers of final particles a row for each."""
    rows = [
        {
            **one.figures,
            "target_evaluations": one.target_evaluations,
            "gradient_evaluations": one.gradient_evaluations,
            **_choice(one),
        }
        for one in trained
    ]
    timing = {"timing_s": parts[0].watch.seconds()}
    if len(parts) == 1:
        return rows[0] | timing
    numbers = [{"final_particles": part.n_final} for part in parts]
    return {
        **_training(trained),
        "target_evaluations": sum(one.target_evaluations for one in trained),
        "gradient_evaluations": sum(one.gradient_evaluations for one in trained),
        "multiplicities": [a | b for a, b in zip(numbers, rows, strict=True)],
        **timing,
    }


def _training(trained: Sequence[Trained]) -> dict[str, Any]:
    """The figures of the only training, or what all have in common."""
    if len(trained) == 1:
        return trained[0].figures
    methods = list(dict.fromkeys(one.figures.get("method") for one in trained))
    steps = sum(one.figures.get("steps", 0) for one in trained)
    return {"method": methods[0] if len(methods) == 1 else "several", "steps": steps}


def _choice(trained: Trained) -> dict[str, Any]:
    """The entry of a report on what the run has chosen."""
    return {} if trained.choice is None else {"auto": trained.choice}


def _prior(parts: Sequence[Session]) -> dict[str, Any]:
    """How channels are weighted before training, where there are several."""
    kinds = list(dict.fromkeys(part.integrand.channel_prior for part in parts))
    kinds = [kind for kind in kinds if kind]
    return {"channel_prior": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}


def _warnings(parts: Sequence[Session], evaluated: Sequence[Evaluated]) -> list[str]:
    """What is known before sampling, and what evaluation has found."""
    if len(parts) == 1:
        return [*parts[0].integrand.warnings, *evaluated[0].warnings]
    return [
        f"{part.n_final} final particles: {warning}"
        for part, one in zip(parts, evaluated, strict=True)
        for warning in (*part.integrand.warnings, *one.warnings)
    ]


def _rows(
    parts: Sequence[Session], trained: Sequence[Trained], evaluated: Sequence[Evaluated]
) -> list[dict[str, Any]]:
    """The figures of each number of final particles."""
    rows = []
    for part, one, found in zip(parts, trained, evaluated, strict=True):
        survey, metrics = found.survey, found.survey.metrics
        rows.append(
            {
                "final_particles": part.n_final,
                "integral": metrics.integral,
                "integral_error": metrics.integral_error,
                "sampling_efficiency": metrics.sampling_efficiency,
                "unweighting_efficiency": metrics.unweighting_efficiency,
                "acceptance": survey.acceptance,
                "target_evaluations": {
                    "training": one.target_evaluations,
                    "evaluation": found.target_evaluations,
                },
                "gradient_evaluations": {"training": one.gradient_evaluations},
                "training": one.figures,
                "channels": [_channel(c) for c in survey.channels],
                **_choice(one),
            }
        )
    return rows


def _untrained(survey: Survey, exact: Divergence | None) -> dict[str, Any]:
    metrics = survey.metrics
    return {
        "sampling_efficiency": metrics.sampling_efficiency,
        "unweighting_efficiency": metrics.unweighting_efficiency,
        "unweighting_efficiency_999": metrics.unweighting_efficiency_999,
        "forward_kl": metrics.forward_kl,
        "forward_kl_error": metrics.forward_kl_error,
        "integral": metrics.integral,
        "integral_error": metrics.integral_error,
        "evaluation_samples": metrics.n,
        **(exact.figures() if exact else {}),
    }


def build_report(
    *,
    process: str | list[str],
    model: str,
    seed: int,
    version: str,
    unit: str,
    survey: Survey,
    totals: Totals,
    target_evaluations: Mapping[str, int],
    gradient_evaluations: Mapping[str, int],
    timing_s: Mapping[str, float],
    device: str,
    weighted: bool = False,
    warnings: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """The report of a run, ready for strict JSON: numbers that are not finite become null.

    survey: of the evaluation sample. totals: of the generated events (Totals() if there are none).
    target_evaluations, gradient_evaluations: by stage (training, evaluation, generation); those of
    evaluation and generation are taken from survey and totals unless given. warnings: why not to
    believe the figures. timing_s: seconds by stage, see TIMES; a stage that did not run took 0 s.
    `more` is added as it is.
    """
    if unit not in UNITS:
        raise ValueError(f"unit {unit!r} is none of {UNITS}")
    metrics = survey.metrics
    calls = {
        "training": 0,
        "evaluation": survey.target_evaluations,
        "generation": totals.target_evaluations,
        **target_evaluations,
    }
    report = {
        "process": process,
        "model": model,
        "seed": seed,
        "fabgen_version": version,
        "unit": unit,
        "cross_section_pb": metrics.integral if unit == "pb" else None,
        "cross_section_error_pb": metrics.integral_error if unit == "pb" else None,
        "integral": metrics.integral,
        "integral_error": metrics.integral_error,
        "sampling_efficiency": metrics.sampling_efficiency,
        "unweighting_efficiency": metrics.unweighting_efficiency,
        "unweighting_efficiency_999": metrics.unweighting_efficiency_999,
        "forward_kl": metrics.forward_kl,
        "forward_kl_error": metrics.forward_kl_error,
        "evaluation_samples": metrics.n,
        "zero_samples": metrics.zero,
        "nonfinite_samples": metrics.nonfinite,
        "negative_samples": metrics.negative,
        "max_weight": metrics.max_weight,
        "reference_weight": math.exp(survey.log_w_max),
        "acceptance": survey.acceptance,
        "events": totals.events,
        "weighted": weighted,
        "overweight": {
            "events": totals.overweight_events,
            "cross_section_fraction": totals.overweight_share,
        },
        "target_evaluations": _by_name(calls, STAGES),
        "gradient_evaluations": _by_name(gradient_evaluations, STAGES),
        "timing_s": _by_name(timing_s, TIMES),
        "device": device,
        **({"channels": [_channel(c) for c in survey.channels]} if survey.channels else {}),
        "warnings": list(warnings),
        **more,
    }
    plain: dict[str, Any] = finite(report)
    return plain


def _channel(channel: ChannelSurvey) -> dict[str, Any]:
    """The figures of one of several channels; zero if no weight was above zero."""
    m = channel.metrics
    return {
        "share": channel.share,
        "samples": m.n if m else 0,
        "integral": m.integral if m else 0.0,
        "integral_error": m.integral_error if m else 0.0,
        "sampling_efficiency": m.sampling_efficiency if m else 0.0,
        "unweighting_efficiency": m.unweighting_efficiency if m else 0.0,
        "max_weight": m.max_weight if m else 0.0,
    }


def _by_name(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    unknown = set(values) - set(names)
    if unknown:
        raise ValueError(f"unknown: {sorted(unknown)}; known: {names}")
    return {name: values.get(name, 0) for name in names}
