"""The events of an LHE file as the sample of fkld, through the inverse map.

They keep their weights. f is evaluated once at every event inside the map, to find those outside
the cuts and windows of the card. Of several channels an event goes to channel i with the
probability alpha_i of the prior: the events of a channel are then a sample of alpha_i f_i.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fabgen.card import Card
from fabgen.errors import InputError
from fabgen.inputs import open_input
from fabgen.run.files import RunDirectory
from fabgen.run.progress import Reporter
from fabgen.run.streams import FILE_CHANNELS, key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fabgen.integrand.base import Integrand
    from fabgen.run.session import Session
    from fabgen.training.sample import FilePoints, SampledPoints


def read_points(
    card: Card, integrands: Sequence[Integrand], reporter: Reporter, directory: Path | None
) -> FilePoints | None:
    """The events of the card's file through the inverse map; None where none are needed.

    That is for other methods, without a file, or if the run in `directory` has stored its sample.
    Raises InputError for a file that cannot be read or does not fit the process, and for one that
    several numbers of final particles would have to share.
    """
    path = card.training.fkld.data
    wanted = card.surrogate.kind == "flow" and card.training.method == "fkld" and path
    if not wanted:
        return None
    if len(integrands) > 1:
        raise InputError(
            "an event file trains processes of one number of final particles",
            file=card.file,
            key="training.fkld.data",
            found=path,
            allowed="a card of each, or fkld without a file: on events of its own",
        )
    if directory is not None and (RunDirectory(directory).sample / "manifest.json").exists():
        return None
    return _points(card, integrands[0], reporter)


def _points(card: Card, integrand: Integrand, reporter: Reporter) -> FilePoints:
    path = card.training.fkld.data
    import jax
    import numpy as np

    from fabgen.events.legs import event_weights, leg_momenta
    from fabgen.events.reader import read_lhe
    from fabgen.sampling.blocks import mapped
    from fabgen.training.sample import FilePoints, WeightedPoints

    reporter.note(f"reading the events of {path}")
    try:
        events = read_lhe(path)
        if not len(events):
            none = f"{events.zero_weight} events of weight zero" if events.zero_weight else None
            raise InputError("the event file has no events", found=none)
        weight = event_weights(events, path)
        beams = integrand.beam_energies if integrand.densities else _incoming(integrand)
        legs = leg_momenta(events, integrand.topologies, beams, path)
    except InputError as error:
        raise error.with_place(file=path, key="training.fkld.data") from None
    u = np.full((len(events), integrand.dim), np.nan)
    channel = np.zeros(len(events), np.int32)
    for subprocess in np.unique(legs.subprocess):
        own = np.flatnonzero(legs.subprocess == subprocess)
        inverse = jax.jit(functools.partial(integrand.unit_cube, subprocess=int(subprocess)))
        if integrand.n_channels > 1:
            channel[own] = _drawn_channels(card, integrand, legs.momenta[own], int(subprocess))
            u[own] = mapped(inverse, legs.momenta[own], channel[own])
        else:
            u[own] = mapped(inverse, legs.momenta[own])
    inside = np.all(np.isfinite(u) & (u >= 0.0) & (u <= 1.0), axis=1)
    return FilePoints(
        WeightedPoints(u[inside], channel[inside], weight[inside]),
        read=len(events) + events.zero_weight,
        zero_weight=events.zero_weight,
        outside_map=int(np.sum(~inside)),
        sha256=_sha256(path),
    )


def _drawn_channels(
    card: Card, integrand: Integrand, momenta: NDArray[np.float64], subprocess: int
) -> NDArray[np.int32]:
    """A channel for each event (events, n_external, 4), drawn with the probabilities alpha_i."""
    import jax
    import numpy as np

    from fabgen.sampling.blocks import mapped

    def log_prior(momenta: jax.Array) -> jax.Array:
        return integrand.log_prior(momenta, subprocess).T

    log_alpha = mapped(jax.jit(log_prior), momenta)
    stream = key(card.training.seed, FILE_CHANNELS + subprocess)
    return np.asarray(jax.random.categorical(stream, log_alpha, axis=1), np.int32)


def _incoming(integrand: Integrand) -> NDArray[np.float64]:
    """Lab momenta of the incoming particles (subprocesses, n_initial, 4): the same at every u."""
    import numpy as np

    return np.stack([integrand.incoming(k) for k in range(len(integrand.topologies))])


def file_sample(session: Session) -> SampledPoints:
    """The points of the event file at which f > 0."""
    import numpy as np

    from fabgen.sampling.blocks import in_blocks
    from fabgen.training.sample import SampledPoints, WeightedPoints

    found, path = session.points, session.card.training.fkld.data
    if found is None:
        raise InputError("the run has lost its sample", file=session.run.sample, hint="--restart")
    points = found.points
    n = len(points.u)
    log_f = np.empty(n)
    with session.reporter.stage("sample", n, "events") as show:
        for part, filled in in_blocks(n, session.block):
            values = session.values(points.u[filled], points.channel[filled])
            log_f[part] = np.asarray(values.log_f)[: part.stop - part.start]
            show(part.stop)
    zero, finite = np.isneginf(log_f), np.isfinite(log_f)
    figures = {
        "source": path,
        "events": found.read,
        "zero_weight": found.zero_weight,
        "outside_map": found.outside_map,
        "outside_cuts": int(np.sum(zero)),
        "nonfinite": int(np.sum(~finite & ~zero)),
    }
    return SampledPoints(
        WeightedPoints(*(array[finite] for array in points)),
        target_evaluations=n,
        zero_values=int(np.sum(zero)),
        nonfinite_values=int(np.sum(~finite & ~zero)),
        figures=figures,
    )


def refuse_changed(path: str, sha256: str) -> None:
    """Raises InputError if there is a file and it is another than the one with this hash."""
    if path and Path(path).is_file() and (now := _sha256(path)) != sha256:
        raise InputError(
            "the event file has changed since the training began",
            file=path,
            key="training.fkld.data",
            found=f"SHA-256 {now}",
            allowed=f"SHA-256 {sha256}",
            hint="--restart trains anew, --run DIR uses another directory",
        )


def _sha256(path: str | os.PathLike[str]) -> str:
    try:
        with open_input(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            "the event file cannot be read",
            file=path,
            key="training.fkld.data",
            found=error.strerror,
            allowed="an LHE file, gzipped or not (paths start at the working directory)",
        ) from None
