"""The sample of fkld as points of the unit cubes of all channels, made once and stored in the run.

It is read from there when the training is resumed, so that a resumed training sees the same points
and the evaluations of f that they took are counted once, as training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fabgen.errors import InputError
from fabgen.json_files import check_keys, damaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fabgen.run.session import Session
    from fabgen.training import Sample

_COUNTS = ("target_evaluations", "zero_values", "nonfinite_values")


def training_sample(
    session: Session, description: Mapping[str, str]
) -> tuple[Sample, dict[str, Any]]:
    """The sample of the card and what the report tells of it: of the run if it has one, else new.

    Raises InputError where the event file of a stored sample is no longer the same.
    """
    import numpy as np

    from fabgen.run.sample.from_lhe import refuse_changed
    from fabgen.training import split_sample
    from fabgen.training.checkpoint import MANIFEST, read, read_manifest

    folder, fkld = session.run.sample, session.card.training.fkld
    manifest = read_manifest(folder)
    if manifest is None or manifest["description"] != dict(description):
        _store(session, description)
        manifest = read_manifest(folder)
        assert manifest is not None
    try:
        check_keys(manifest, {"sha256_of_data": str, "figures": dict[str, Any]})
        check_keys(manifest["figures"], {"source": str, "events": int, "used": int})
    except ValueError as error:
        raise damaged(folder / MANIFEST, str(error)) from None
    refuse_changed(fkld.data, manifest["sha256_of_data"])
    template: dict[str, Any] = {
        "u": np.zeros((0, 0)),
        "channel": np.zeros(0, np.int32),
        "weight": np.zeros(0),
    }
    template |= {name: np.int64(0) for name in _COUNTS}
    stored = read(folder, manifest, template, match_shapes=False)
    sample = split_sample(
        stored["u"],
        stored["weight"],
        fkld.validation,
        session.card.training.seed,
        channel=stored["channel"],
        **{name: int(stored[name]) for name in _COUNTS},
    )
    return sample, {"sample": manifest["figures"]}


def _store(session: Session, description: Mapping[str, str]) -> None:
    """Makes the sample; points outside the support of the flow are left out and counted."""
    import numpy as np

    from fabgen.run.sample.from_lhe import file_sample
    from fabgen.run.sample.from_surrogate import own_sample
    from fabgen.training.checkpoint import write

    watch, edge = session.watch, session.card.surrogate.boundary
    start, compiling = watch.clock(), watch.seconds().get("compile", 0.0)
    drawn = file_sample(session) if session.card.training.fkld.data else own_sample(session)
    points = drawn.points
    supported = np.all((points.u >= edge) & (points.u <= 1.0 - edge), axis=1)
    u, weight = points.u[supported], np.asarray(points.weight[supported])
    if not len(u):
        raise InputError(
            "no event of the sample can be used",
            key="training.fkld.data",
            found=", ".join(f"{name} {value}" for name, value in drawn.figures.items()),
            allowed="events within the cuts and windows of the card",
        )
    compiled = watch.seconds().get("compile", 0.0) - compiling
    seconds = watch.clock() - start - compiled
    watch.add("train", seconds)
    figures = {
        **drawn.figures,
        "outside_boundary": len(supported) - len(u),
        "used": len(u),
        "effective_events": _effective(weight),
        "target_evaluations": drawn.target_evaluations,
        "seconds": seconds,
    }
    used = f"{len(u):,} of {figures['events']:,} events of {figures['source']} used"
    left_out = [
        f"{figures[name]:,} {text}" for name, text in _LEFT_OUT.items() if figures.get(name)
    ]
    session.reporter.note(f"{used}; left out: {', '.join(left_out)}" if left_out else used)
    arrays = {"u": u, "channel": points.channel[supported], "weight": weight}
    counts = {name: np.int64(getattr(drawn, name)) for name in _COUNTS}
    notes = {
        "description": dict(description),
        "sha256_of_data": session.points.sha256 if session.points else "",
        "figures": figures,
    }
    write(session.run.sample, arrays | counts, notes)


_LEFT_OUT = {
    "zero_weight": "of weight zero",
    "outside_map": "outside the map, which knows the cuts on single particles",
    "outside_cuts": "outside the cuts",
    "nonfinite": "where f is not finite",
    "outside_boundary": "beyond surrogate.boundary",
}


def _effective(weight: NDArray[np.float64]) -> float:
    """(sum w)^2 / sum w^2: as many unweighted events have the same statistical error."""
    scaled = weight / weight.max()
    return float(scaled.sum() ** 2 / (scaled**2).sum())
