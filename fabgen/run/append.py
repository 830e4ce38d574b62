"""The record of events in a report, so that more of them can be appended to the file.

Appended events are drawn with the reference weight, the shares of the channels and the cross
section of the first ones: all events of a file are one sample, and the mean of XWGTUP stays XSECUP.
The report therefore holds the survey of the weights, and hashes of the surrogate, of the file and
of itself: events are appended to what was written, or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fabgen import __version__
from fabgen.card import Card
from fabgen.errors import InputError
from fabgen.files import sha256
from fabgen.inputs import read_input
from fabgen.run.commit import staged, store
from fabgen.run.conditions import settings_of
from fabgen.run.directory import stored_card
from fabgen.run.events import write_events
from fabgen.run.files import RunDirectory, number_of
from fabgen.run.samplers import samplers
from fabgen.run.sources import Place, Source

if TYPE_CHECKING:
    from pathlib import Path

    from fabgen.events.processes import Sums
    from fabgen.run.session import Session, Trained
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.unweight import Totals

#: Of a report: thousands of parts.
_MAX_BYTES = 1 << 24
_OWN_FILE = "without --append, new events go to a file of their own"


def record(
    trained: Sequence[Trained],
    surveys: Sequence[Survey],
    totals: Totals,
    sums: Sequence[Sums],
    file: Path,
) -> dict[str, Any]:
    """The entry `append` of the report of a finished event file; sums: over its events.

    trained, surveys: of each part of the run.
    """
    return {
        "surrogate_sha256": fingerprint(trained),
        "file_sha256": sha256(file),
        "processes": [list(process) for process in sums],
        "sum_weight": totals.sum_weight,
        "sum_overweight": totals.sum_overweight,
        "surveys": [_stored_survey(survey) for survey in surveys],
    }


def _stored_survey(survey: Survey) -> dict[str, Any]:
    return {
        "metrics": dataclasses.asdict(survey.metrics),
        "log_w_max": survey.log_w_max,
        "overweight_share": survey.overweight_share,
        "acceptance": survey.acceptance,
        "target_evaluations": survey.target_evaluations,
        "channels": [[c.share, c.log_w_max] for c in survey.channels],
    }


def sealed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report as it is stored, with a hash of itself at its end."""
    from fabgen.json_files import dump_report

    rest = {key: value for key, value in json.loads(dump_report(report)).items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    return {**rest, "sha256": digest}


@dataclasses.dataclass(frozen=True)
class Existing:
    """The event file that events are appended to, its report, and the card in its head."""

    file: Path
    report: dict[str, Any]
    card: Card

    @property
    def surveys(self) -> list[Survey]:
        """The surveys that its events were drawn with: all of them that drawing asks for."""
        return [self._survey(stored) for stored in self.report["append"]["surveys"]]

    def _survey(self, stored: Mapping[str, Any]) -> Survey:
        from fabgen.metrics import Metrics, WeightSum
        from fabgen.sampling.integrate import ChannelSurvey, Survey

        stored = dict(stored)
        # JSON has no infinities: the report has null for them.
        metrics: dict[str, Any] = {
            k: math.inf if x is None else x for k, x in stored.pop("metrics").items()
        }
        channels = tuple(
            ChannelSurvey(share, None, -math.inf if log_w_max is None else log_w_max)
            for share, log_w_max in stored.pop("channels")
        )
        return Survey(metrics=Metrics(**metrics), sums=WeightSum(), channels=channels, **stored)

    def extended(self, parts: Sequence[Session], trained: Sequence[Trained]) -> dict[str, Any]:
        """Draws card.generation.events more events and stores the file with its report.

        trained: the surrogates; raises InputError if the events were not drawn from these.
        """
        session = parts[0]
        if fingerprint(trained) != self.report["append"]["surrogate_sha256"]:
            raise InputError(
                "the surrogate of the run is not the one that these events were drawn from",
                file=self.file,
                hint=_OWN_FILE,
            )
        with session.watch("import"):
            from fabgen.events.lhe import Earlier
            from fabgen.events.processes import Sums
        sources = [self._source(*each) for each in zip(parts, trained, self.surveys, strict=True)]
        place = Place(self.report["number"], len(self.report["parts"]) + 1, self.card)
        held, weighted = self.report["append"], self.report["weighted"]
        earlier = Earlier(self.file, tuple(Sums(*process) for process in held["processes"]))
        path = staged(session.run, self.file.name)
        totals, sums = write_events(sources, path, place, weighted, earlier)
        report = self._joined(totals, sums, path, session.watch.seconds())
        store(session.run, report, None, [self.file.name])
        return report

    def _source(self, session: Session, trained: Trained, survey: Survey) -> Source:
        surrogate = {trained.surrogate: trained.params}
        (sampler,) = samplers(session, surrogate, session.card.evaluation.floor)
        if survey.channels:
            shares = tuple(channel.share for channel in survey.channels)
            sampler = dataclasses.replace(sampler, shares=shares)
        return Source(session, sampler, survey)

    def _joined(
        self, totals: Totals, sums: Sequence[Sums], file: Path, timing_s: Mapping[str, float]
    ) -> dict[str, Any]:
        """The report of `file`, which holds the new events after the old ones.

        totals: of the new events. sums: over all. timing_s: seconds of this command by stage.
        """
        old, held = self.report, self.report["append"]
        weight = held["sum_weight"] + totals.sum_weight
        overweight = held["sum_overweight"] + totals.sum_overweight
        calls, times = old["target_evaluations"], old["timing_s"]
        return sealed(
            old
            | {
                "events": old["events"] + totals.events,
                "parts": [*old["parts"], totals.events],
                "overweight": {
                    "events": old["overweight"]["events"] + totals.overweight_events,
                    "cross_section_fraction": overweight / weight,
                },
                "target_evaluations": calls
                | {"generation": calls["generation"] + totals.target_evaluations},
                "timing_s": {k: times[k] + timing_s.get(k, 0.0) for k in times},
                "append": held
                | {
                    "file_sha256": sha256(file),
                    "processes": [list(process) for process in sums],
                    "sum_weight": weight,
                    "sum_overweight": overweight,
                },
            }
        )


def existing(run: RunDirectory, card: Card, weighted: bool) -> Existing:
    """The last event file of a run, for events with the settings of the card.

    Raises InputError if there is none, if it or its report is not as it was written, or if its
    events were made with other settings.
    """
    refuse_without_events(run)
    path = run.report(number_of(run.event_files()[-1].name) or 1)
    report = _read(path)
    file = run.path / report["file"]
    if report["fabgen_version"] != __version__:
        raise InputError(
            "the events are those of another version of fabgen",
            file=path,
            key="fabgen_version",
            found=report["fabgen_version"],
            allowed=__version__,
            hint=_OWN_FILE,
        )
    _refuse_other_settings(path, report, card, weighted)
    first = stored_card(run.path)
    if first is None or not file.exists() or sha256(file) != report["append"]["file_sha256"]:
        raise InputError(
            "the event file is not the one that its report was written with",
            file=file,
            hint=_OWN_FILE,
        )
    return Existing(file, report, first)


def refuse_without_events(run: RunDirectory) -> None:
    """Raises InputError if there is no event file to append to."""
    if not run.event_files():
        raise InputError(
            "there are no events to append to",
            file=run.path,
            key="--append",
            allowed="a run with an event file",
            hint="without --append, the first events of the run are made",
        )


def _read(path: Path) -> dict[str, Any]:
    """A report that is as it was written."""
    try:
        report: dict[str, Any] = json.loads(read_input(path, _MAX_BYTES))
        if report == sealed(report) and report["append"]["surveys"]:
            return report
        found = "other figures than it was written with"
    except FileNotFoundError:
        found = "no file"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError):
        found = "no report of events that can be appended to"
    raise InputError(
        "the report of the events does not say how they were drawn",
        file=path,
        found=found,
        allowed="the report as fabgen wrote it",
        hint=_OWN_FILE,
    )


def _refuse_other_settings(
    path: Path, report: Mapping[str, Any], card: Card, weighted: bool
) -> None:
    wanted = {**settings_of(card), "": {"--weighted": weighted}}
    stored = {**report["settings"], "": {"--weighted": report["weighted"]}}
    different = [
        (f"{table}.{key}".lstrip("."), stored[table].get(key), value)
        for table, values in wanted.items()
        for key, value in values.items()
        if stored[table].get(key) != value
    ]
    if different:
        raise InputError(
            "the events were made with other settings",
            file=path,
            key=", ".join(key for key, _, _ in different),
            found=[f"{key}: {old} -> {new} (events -> command)" for key, old, new in different],
            allowed="the settings of the events",
            hint=_OWN_FILE,
        )


def fingerprint(trained: Sequence[Trained]) -> str:
    """A hash of all numbers of the surrogates."""
    import jax
    import numpy as np

    digest = hashlib.sha256()
    for leaf in jax.tree.leaves([one.params for one in trained]):
        array = np.asarray(leaf)
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
