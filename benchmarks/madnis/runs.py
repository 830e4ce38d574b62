"""One training with its errors, kept as one JSON file: done once, then used again."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from paper.runs import store
from records import how_to_run, known_records

from fabgen import run
from fabgen.build import build_integrand
from fabgen.run.directory import RunDirectory, open_run
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.session import Session, Trained
from fabgen.run.training import trained_surrogate
from fabgen.surrogate.channels import as_multichannel
from fabgen.training.target import density_of
from madnis.settings import Experiment, card_of, settings_hash

#: The results that the repository keeps; their curves and runs stay where they were made.
KEPT = Path(__file__).parents[1] / "results" / "madnis_paper.jsonl"
EVENTS = 10_000
#: Midpoints per axis, by the dimension: powers of 2, as many as whole blocks.
_SIDE = {1: 2**18, 2: 2**10}
_BLOCK = 2**15
_FRESH = 0x4D414400
#: Share of uniform points in the figure "floor".
FLOOR = 0.02
_CURVE = 600


def result(experiment: Experiment, out: Path, say=print) -> dict[str, Any]:
    """The result of an experiment: one that is there with the same settings, else new."""
    file, digest = out / f"{experiment.name}.json", settings_hash(experiment)
    stored = known_records(out, KEPT).get(experiment.name)
    if stored and stored["settings_hash"] == digest:
        return stored
    start = time.perf_counter()
    found, arrays = _perform(experiment, out)
    seconds = time.perf_counter() - start
    record = store(
        file, {"experiment": asdict(experiment), "settings_hash": digest, **found}, arrays, seconds
    )
    say(
        f"{experiment.name}: {record['sampled']:.3f} % (floor {record['floor']:.3f} %), "
        f"{record['seconds']:.0f} s",
        flush=True,
    )
    return record


def stored_arrays(record: dict[str, Any], out: Path) -> dict[str, np.ndarray]:
    """The curves of a training; none if it was not made in this folder."""
    file = out / f"{Experiment(**record['experiment']).name}.npz"
    if not file.exists():
        return {}
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def trained_of(experiment: Experiment, out: Path) -> tuple[Session, Trained]:
    """The session of a run that is trained now, or was before."""
    card, directory = card_of(experiment), out / "runs" / experiment.name
    if card.channels.trained_weights or card.surrogate.kind != "uniform":
        run.train(card, directory, how_to_run(card, directory, out))
    with open_run(directory, card):
        session = Session(
            card, RunDirectory(directory), build_integrand(card), Silent(), Stopwatch()
        )
        return session, trained_surrogate(session, card.surrogate.kind, store=True)


def _perform(experiment: Experiment, out: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    session, trained = trained_of(experiment, out)
    errors = relative_errors(session.integrand, trained.surrogate, trained.params, experiment.seed)
    found = {**errors, "target_evaluations": trained.target_evaluations}
    arrays = {}
    if session.integrand.dim == 1:
        x = jnp.linspace(-1.0, 7.0, _CURVE)[:, None]
        point = session.integrand.at(x)
        seen = point.log_prior, point.features
        log_alpha = trained.surrogate.log_alphas(trained.params, *seen, 0)
        arrays = {"x": x[:, 0], "f": np.exp(point.log_f), "alpha": np.exp(log_alpha)}
    return found, {name: np.asarray(array) for name, array in arrays.items()}


def relative_errors(integrand, surrogate, params, seed: int) -> dict[str, Any]:
    """Errors (%) of the integral at 10^4 events: optimal and equal allotment, and as sampled.

    optimal: sum_i sigma_i; equal: sqrt(m sum_i sigma_i^2) with m channels; both over
    sqrt(EVENTS) I and by quadrature of p and p^2/q over the unit cube of each channel, so that
    tails count that samples rarely show. floor: the first if a share FLOOR of the points of each
    channel is uniform (evaluation.floor of a card). sampled: what one sample of EVENTS points, as
    many of each channel, says of its own error. None where it is too large for a number.
    """
    view, n_channels = as_multichannel(surrogate), integrand.n_channels

    def log_parts(u, channel):
        return density_of(integrand, channel, surrogate, params)(u)

    @jax.jit
    def drawn(key, number):
        channel = jnp.broadcast_to(number, (EVENTS,))
        u, log_q = view.sample_and_log_prob(params, key, channel)
        return jnp.exp(log_parts(u, channel) - log_q)

    @jax.jit
    def moments(places, number):
        u = midpoints(places, integrand.dim)
        channel = jnp.broadcast_to(number, places.shape)
        log_p, log_q = log_parts(u, channel), view.log_prob(params, u, channel)
        log_above = jnp.logaddexp(jnp.log1p(-FLOOR) + log_q, jnp.log(FLOOR))
        squares = (jnp.exp(2.0 * log_p - log).sum() for log in (log_q, log_above))
        return jnp.stack([jnp.exp(log_p).sum(), *squares])

    key = jax.random.fold_in(jax.random.key(seed), _FRESH)
    each = EVENTS // n_channels
    total_points = _SIDE[integrand.dim] ** integrand.dim
    sums, sampled = np.zeros((n_channels, 3)), []
    for number in range(n_channels):
        w = np.asarray(drawn(jax.random.fold_in(key, number), jnp.asarray(number)))
        sampled.append(w[:each].var() / each)
        for start in range(0, total_points, _BLOCK):
            places = start + jnp.arange(_BLOCK)
            sums[number] += np.asarray(moments(places, jnp.asarray(number)))
    integrals, *seconds = (sums / total_points).T
    total = integrals.sum()
    sigma, above = (np.sqrt(np.maximum(second - integrals**2, 0.0)) for second in seconds)
    scale = 100.0 / (np.sqrt(EVENTS) * total)
    errors = {
        "optimal": scale * sigma.sum(),
        "equal": scale * np.sqrt(n_channels * np.sum(sigma**2)),
        "floor": scale * above.sum(),
        "sampled": 100.0 * np.sqrt(sum(sampled)) / total,
    }
    return {
        **{name: float(x) if np.isfinite(x) else None for name, x in errors.items()},
        "integral": float(total),
        "shares": (integrals / total).tolist(),
    }


def midpoints(places, dim: int):
    """Points u (n, dim) of a grid of _SIDE[dim] midpoints per axis, by their numbers (n,)."""
    side = _SIDE[dim]
    return jnp.stack([(places // side**d % side + 0.5) / side for d in range(dim)], axis=-1)
