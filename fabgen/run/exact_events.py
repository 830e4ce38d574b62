"""The forward divergence on exact events of a toy, which sees what a surrogate has missed.

KL(p || q) = mean of log f - log q over events of p = f: the toys that draw their own events have
integral 1. That of `metrics` comes from points of q and is blind to where q has none. Each event is
one evaluation of f, counted as evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fabgen.metrics import Mean
from fabgen.run.session import Session

if TYPE_CHECKING:
    import jax


class Divergence(NamedTuple):
    """KL(p || q) in nats and its standard error; infinite, without one, where q = 0 at an event."""

    value: float
    error: float

    def figures(self) -> dict[str, float]:
        """Entries of a report, and of a line of metrics.jsonl."""
        return {"forward_kl_exact": self.value, "forward_kl_exact_error": self.error}


def has_exact_events(integrand: Any) -> bool:
    """Whether it is a toy of one channel that draws events of its f."""
    from fabgen.integrand.toys import ToyIntegrand

    return isinstance(integrand, ToyIntegrand) and integrand.has_exact_events


def exact_divergences(
    session: Session,
    surrogates: Mapping[Any, Any],
    n: int,
    key: jax.Array,
    floor: float = 0.0,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[Divergence], int]:
    """KL(p || q) of each surrogate, with its parameters, on the same n events; the calls of f.

    None of an integrand that draws no exact events. floor: the share of q that is uniform instead,
    as of `samplers`.
    """
    import jax
    import numpy as np

    toy: Any = session.integrand
    block = session.block
    if not has_exact_events(toy):
        return [], 0
    draw = session.program("exact events", lambda key: toy.exact_events(key, block), key)
    values, like = session.values, jax.ShapeDtypeStruct((block, toy.dim), "float64")
    channel = np.zeros(block, np.int32)
    log_probs = []
    for surrogate, params in surrogates.items():
        log_prob = _log_prob(surrogate, floor)
        log_probs.append(session.program((surrogate, floor, "log q"), log_prob, params, like))
    sums = [Mean()] * len(log_probs)
    with session.watch("evaluate"):
        for i in range(-(-n // block)):
            u, used = draw(jax.random.fold_in(key, i)), min(block, n - i * block)
            log_f = np.asarray(values(u, channel).log_f)
            for k, params in enumerate(surrogates.values()):
                log_q = np.asarray(log_probs[k](params, u))
                sums[k] += Mean.of((log_f - log_q)[:used])
            progress(i * block + used)
    return [Divergence(one.mean, one.error) for one in sums], -(-n // block) * block


def _log_prob(surrogate: Any, floor: float) -> Callable[[Any, jax.Array], jax.Array]:
    """(params, u (n, dim)) -> log q (n,) of a surrogate above its floor."""
    from fabgen.surrogate.floor import log_above_floor

    def log_prob(params: Any, u: jax.Array) -> jax.Array:
        log_q = surrogate.log_prob(params, u)
        return log_above_floor(log_q, floor) if floor > 0.0 else log_q

    return log_prob
