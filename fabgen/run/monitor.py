"""The surrogate's metrics along its training, for metrics.jsonl: evaluation, not training."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fabgen.errors import FabgenError
from fabgen.run.exact_events import exact_divergences
from fabgen.run.streams import ALONG, EXACT_ALONG

if TYPE_CHECKING:
    from fabgen.run.session import Session
    from fabgen.sampling.sampler import WeightedSampler
    from fabgen.training import Snapshot


@dataclasses.dataclass
class Monitor:
    """Evaluates the snapshots of a training with card.evaluation.along_samples fresh samples each.

    Of toys that have exact events with as many of those, too.

    Draws from a stream of its own and touches nothing of the training; its time and its calls of f
    are those of the evaluation. `clock` stands still meanwhile.
    """

    session: Session
    surrogate: Any
    _sampler: WeightedSampler | None = None
    _paused: float = 0.0

    def steps(self, steps: int) -> tuple[int, ...]:
        """The steps to evaluate at in a training of so many steps."""
        from fabgen.training import log_spaced

        return log_spaced(self.session.card.evaluation.along_training, steps)

    def clock(self) -> float:
        """Seconds of the training alone."""
        return self.session.watch.clock() - self._paused

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """A block that takes no time of the training."""
        start = self.session.watch.clock()
        try:
            yield
        finally:
            self._paused += self.session.watch.clock() - start

    def __call__(self, snapshot: Snapshot) -> None:
        with self.pause():
            self.session.run.append_metrics(self._record(snapshot))

    def _record(self, snapshot: Snapshot) -> dict[str, Any]:
        import jax

        from fabgen.run.samplers import equal_shares, samplers
        from fabgen.sampling.integrate import integrate, with_optimal_allocation

        session, n = self.session, self.session.card.evaluation.along_samples
        if self._sampler is None:
            (self._sampler,) = samplers(session, {self.surrogate: snapshot.params})
        # A training may have dropped channels meanwhile.
        shares = equal_shares(snapshot.params)
        sampler = dataclasses.replace(self._sampler, params=snapshot.params, shares=shares)
        key = jax.random.fold_in(session.key(ALONG), snapshot.step)
        try:
            with session.watch("evaluate"):
                sampler, calls = with_optimal_allocation(
                    sampler, n, -(-n // 10), jax.random.fold_in(key, 1)
                )
        except FabgenError:
            calls = sampler.block
        exact_key = jax.random.fold_in(session.key(EXACT_ALONG), snapshot.step)
        exact, more = exact_divergences(session, {self.surrogate: snapshot.params}, n, exact_key)
        record: dict[str, float | None] = {
            "step": snapshot.step,
            "target_evaluations": snapshot.target_evaluations,
            "gradient_evaluations": snapshot.gradient_evaluations,
            "seconds": snapshot.seconds,
            "evaluations": calls + -(-n // sampler.block) * sampler.block + more,
        }
        for divergence in exact:
            record |= _finite(divergence.figures())
        try:
            with session.watch("evaluate"):
                metrics = integrate(sampler, n, key).metrics
        except FabgenError:
            return record  # f vanished at every point: there is nothing to tell
        return record | _finite(dataclasses.asdict(metrics))


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no infinities."""
    return {name: x if math.isfinite(x) else None for name, x in numbers.items()}
