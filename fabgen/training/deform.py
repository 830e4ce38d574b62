"""Annealing in physics: a training starts with other parameters of f and goes to the card's.

f with resonances thirty times as wide is easy to learn without a map that follows them, and the
next, a little narrower, is near to what was learned. log f is traced in its parameters, so that a
step needs no new program: only a differentiable integrand can do this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.errors import InputError
from fabgen.integrand.base import Integrand
from fabgen.integrand.point import EventFields, PhaseSpacePoints, Point
from fabgen.numerics import last_good
from fabgen.surrogate.channels import as_multichannel
from fabgen.training.counters import Counters
from fabgen.training.target import Params, channels_in_turn, clean, density_of

#: Points of a step that say how far the next one may go.
PROBES = 128
#: Effective size of their weights towards the next parameters, over their number, at least.
LEAST_PART = 0.9
#: The same for points of a buffer: those of parameters further away are not used any more.
STALE_PART = 0.5
#: Part of a training at which the parameters are the card's whatever it takes.
LATEST = 0.9
_HALVINGS = 12


class Deformation(NamedTuple):
    """How far a training has come: progress from 0 to 1, at the parameters of the card; and the
    progress of the oldest points that may still be used."""

    progress: Array
    oldest: Array

    @staticmethod
    def start() -> Deformation:
        return Deformation(jnp.zeros(()), jnp.zeros(()))


@dataclass(frozen=True, eq=False)
class Deformed(Integrand):
    """An integrand at other parameters, and how far these are on their way."""

    target: Integrand
    replaced: Mapping[str, Array]
    deformation: Deformation

    @property
    def dim(self) -> int:
        return self.target.dim

    @property
    def beam_dim(self) -> int:
        return self.target.beam_dim

    @property
    def component_of_channel(self) -> tuple[int, ...]:
        return self.target.component_of_channel

    @property
    def representative_channel(self) -> tuple[int, ...]:
        return self.target.representative_channel

    @property
    def density_of_channel(self) -> tuple[int, ...]:
        return self.target.density_of_channel

    @property
    def n_features(self) -> int:
        return self.target.n_features

    def map(
        self,
        u: Array,
        channel: Array | int = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> PhaseSpacePoints:
        return self.target.map(u, channel, self._with(parameters), map_parameters)

    def evaluate(
        self, points: PhaseSpacePoints, parameters: Mapping[str, Any] | None = None
    ) -> Point:
        return self.target.evaluate(points, self._with(parameters))

    def draw(
        self, points: PhaseSpacePoints, key: Array, parameters: Mapping[str, Any] | None = None
    ) -> EventFields:
        return self.target.draw(points, key, self._with(parameters))

    def invert(self, momenta: Array, channel: Array | int = 0, subprocess: int = 0) -> Array:
        return self.target.invert(momenta, channel, subprocess)

    def _with(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**self.replaced, **(parameters or {})}


def deformation_of(target: Any) -> Deformation:
    """How far the parameters of a target are on their way."""
    return target.deformation if isinstance(target, Deformed) else Deformation.start()


@dataclass(frozen=True)
class Path:
    """Parameters from where a training starts to those of the card, by name.

    In equal factors where both have the same sign, else in equal steps. part: of the training after
    which they get there, as long as the steps are small enough; steps: of the training.
    """

    ends: Mapping[str, tuple[float, float]]
    part: float
    steps: int

    def at(self, target: Any, deformation: Deformation) -> Deformed:
        """The target where the parameters are now."""
        return Deformed(target, self._parameters(deformation.progress), deformation)

    def _parameters(self, progress: Array) -> dict[str, Array]:
        found = {}
        for name, (start, end) in self.ends.items():
            if start * end > 0.0:
                found[name] = end * (start / end) ** (1.0 - progress)
            else:
                found[name] = start + progress * (end - start)
        return found

    def advanced(
        self,
        target: Any,
        surrogate: Any,
        params: Params,
        now: Deformation,
        counters: Counters,
        step: Array,
        key: Array,
    ) -> tuple[Deformation, Counters]:
        """A step on; evaluates f and its derivative along the path at a few points of q."""

        def move(now: Deformation) -> tuple[Deformation, Counters]:
            channel = channels_in_turn(target, PROBES)
            u, _ = as_multichannel(surrogate).sample_and_log_prob(params, key, channel)

            def log_f(progress: Array) -> Array:
                there = Deformed(target, self._parameters(progress), now)
                return density_of(there, channel)(u)

            value, slope = jax.jvp(log_f, (now.progress,), (jnp.ones(()),))
            _, slope, faults = clean(value, slope[:, None])
            slope = slope[:, 0]
            left = 1.0 - now.progress
            until = jnp.maximum(self.part * self.steps - step, 1.0)
            by = jnp.minimum(left / until, farthest(slope, LEAST_PART, left))
            late = step >= jnp.floor(LATEST * self.steps)
            progress = jnp.where(late | (by >= left), 1.0, now.progress + by)
            reach = farthest(slope, STALE_PART, jnp.ones(()))
            oldest = jnp.where(progress < 1.0, progress - reach, 1.0)
            return (
                Deformation(progress, jnp.maximum(oldest, now.oldest)),
                counters.with_evaluations(PROBES, faults),
            )

        on_the_way = (now.progress < 1.0) & (step >= 0)
        return jax.lax.cond(on_the_way, move, lambda now: (now, counters), now)


def farthest(slope: Array, part: float, most: Array) -> Array:
    """The longest step, `most` at most, after which exp(step x slope) (n,) as weights have an
    effective size of that part of their number."""

    def enough(step: Array) -> Array:
        log_w = step * slope
        w = jnp.exp(log_w - jnp.max(log_w))
        return jnp.sum(w) ** 2 >= part * slope.shape[0] * jnp.sum(w**2)

    longest = last_good(enough, most * 0.5**_HALVINGS, most, _HALVINGS)
    return jnp.where(enough(most), most, longest)


def path_of(start: Mapping[str, float | str], target: Any, part: float, steps: int) -> Path | None:
    """The path that training.anneal asks for: name -> a value, or "x30" for a factor; None for {}.

    Raises InputError for parameters that the target does not have.
    """
    if not start:
        return None
    own = getattr(target, "parameters", {})
    ends = {}
    for name, value in start.items():
        if name not in own:
            raise InputError(
                "f has no such parameter",
                key=f"training.anneal.{name}",
                found=value,
                allowed=", ".join(own) or "nothing: f has no parameters",
            )
        end = float(own[name])
        first = float(value[1:]) * end if isinstance(value, str) else float(value)
        if first == end or not np.isfinite(first):
            raise InputError(
                "a training cannot start there",
                key=f"training.anneal.{name}",
                found=value,
                allowed=f"a finite value other than {name} = {end:g}",
            )
        ends[name] = (first, end)
    return Path(ends, part, steps)
